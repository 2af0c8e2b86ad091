"""Make a study from the options of `compare` and `sweep`."""

from __future__ import annotations

from pathlib import Path

from bncli.cli.options import Options
from bncli.config import RunConfig
from bncli.errors import InvalidConfig
from bncli.study.arms import DEFAULT_ARMS, default_arms, parse_arm, parse_arms
from bncli.study.axes import parse_axis
from bncli.study.files import load_study
from bncli.study.places import default_folder
from bncli.study.study import Study


def build_study(
    name: str, options: Options, arms: list[str] | None, axes: list[str], fallback: str | None = None
) -> tuple[Study, Path]:
    """Return the study that the options describe, and its folder.

    Args:
        name: The name of a study without a preset.
        options: The options of the command.
        arms: The value of `--arms`.
        axes: Axes as typed, `FIELD=VALUES`.
        fallback: The preset to start from if `--preset` is not given.

    Raises:
        BncliError: An option has an invalid value, or two options contradict each other.
    """
    preset = options.preset or fallback
    start = load_study(preset) if preset else Study(name, RunConfig(), tuple(map(parse_arm, DEFAULT_ARMS)))
    fields, parsed = options.fields(), [parse_axis(text) for text in axes]
    if "seed" in fields:
        raise InvalidConfig("Studies pair their runs by seed. Try --seeds N for the seeds 0 to N-1.")
    if len({axis for axis, _ in parsed}) < len(parsed):
        raise InvalidConfig(f"An axis is given twice. Received: {' '.join(axes)}.")
    usual = default_arms(str(fields.get("model", "")), keep_weights=bool(fields.get("keep_weights")))
    labels = ",".join(arms or (() if preset else usual))
    chosen = parse_arms(labels) if labels else None
    study = start.vary(fields, arms=chosen, axes=parsed, seeds=options.seed_list())
    as_written = bool(preset) and (study.base, study.axes) == (start.base, start.axes)
    return study, options.out or default_folder(study, as_written=as_written)
