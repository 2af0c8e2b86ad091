"""`bncli train`: train one configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bncli.atomic import check_replaceable, replace_file
from bncli.cli import console, hints
from bncli.cli.options import Options, option, takes_options
from bncli.cli.session import Session
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines.method import check_memory
from bncli.errors import InvalidConfig, cut, shown
from bncli.networks import norms
from bncli.results import RunResult
from bncli.study.arms import Arm, arm_of, parse_arm
from bncli.study.files import load_study
from bncli.study.study import Study
from bncli.values import plain_text

TRAIN = "train"


@takes_options
def train(
    options: Options,
    arm: Annotated[
        str | None,
        option(
            "--arm", metavar="ARM", help="The normalization: none, batch:before, layer:after, ...", complete=norms.names
        ),
    ] = None,
    save_model: Annotated[
        Path | None,
        option("--save-model", metavar="FILE.keras", help="Write the trained model (one run only)."),
    ] = None,
    script: Annotated[
        Path | None,
        option("--script", metavar="FILE.py", help="Write a plain Keras program that trains the same (one run only)."),
    ] = None,
    summary: Annotated[
        bool,
        typer.Option("--summary", help="Print Keras' layer table with the parameter counts, train nothing."),
    ] = False,
) -> None:
    """Train one configuration, for one or many seeds."""
    study = study_of(options, arm)
    of_arm = ["--arm", arm] if arm else []
    own = [*of_arm, *(["--save-model", str(save_model)] if save_model else [])]
    if summary:
        _print_summary(study)
        hints.say_after(hints.again(TRAIN, own, options), options)
        return
    _check_file("--save-model", save_model, ".keras", study.seeds)
    _check_file("--script", script, ".py", study.seeds)
    if script:
        _check_script(script, study, options)
    session = Session(study, options, options.out, save_model=save_model)
    session.run(single=True)
    if script and session.shown:
        _write_script(script, session.shown.results[0])
        console.say(f"Wrote {script}{_rows_wanted(session.shown.results[0])}", quiet=options.quiet)
    done = hints.after_train(study, options, of_arm, diverged=hints.has_diverged(session.shown))
    hints.say_after(hints.again(TRAIN, own, options) if options.dry_run else done, options)


def study_of(options: Options, arm: str | None) -> Study:
    """Return the study of a single condition that the options describe.

    Args:
        options: The options of the command.
        arm: The value of `--arm`.

    Raises:
        BncliError: An option has an invalid value.
    """
    start = load_study(options.preset) if options.preset else Study(TRAIN, RunConfig(), (parse_arm("none"),))
    varied = start.vary(options.fields())
    base = varied.base
    chosen = parse_arm(arm) if arm else arm_of(base)
    if options.preset:
        _say_left_out(varied, options.preset, () if arm else (chosen,))
    seeds = options.seed_list() or (base.seed,)
    return Study(TRAIN, base.replace(seed=0), (chosen,), seeds=seeds, question=start.question, source=start.source)


def _say_left_out(study: Study, preset: str, arms: tuple[Arm, ...]) -> None:
    """Print which arms and axes of a preset are not trained, and the command that trains them.

    Args:
        study: The preset with the fields that were given.
        preset: Its name.
        arms: The arms that are trained; empty if the user chose one.
    """
    parts = [f"arms {', '.join(arm.label for arm in study.arms)}"] if arms and study.arms != arms else []
    parts += [f"axis {name}" for name, _ in study.axes]
    if parts:
        console.warn(
            f"train takes only the fields under [run] of {plain_text(preset)}, not its {cut('; '.join(parts))}. "
            f"Try bncli sweep --preset {plain_text(preset)} to train all of it."
        )


def is_of_train(study: Study) -> bool:
    """Return whether the study was made by `bncli train`: it has that name, one arm and no axes."""
    return (study.name, len(study.arms), study.axes) == (TRAIN, 1, ())


def _check_file(option: str, path: Path | None, ending: str, seeds: tuple[int, ...]) -> None:
    """Check the file of an option that writes something of one run."""
    if path and len(seeds) > 1:
        what = "model" if option == "--save-model" else "program"
        raise InvalidConfig(f"{option} writes one {what}, but {len(seeds)} seeds are asked for. Try --seeds 1.")
    if path and path.suffix != ending:
        raise InvalidConfig(f"{option} needs a name that ends in {ending}. Received: {shown(str(path))}.")
    if path and not path.parent.is_dir():
        raise InvalidConfig(f"{option}: there is no folder {shown(str(path.parent))}.")


def _check_script(path: Path, study: Study, options: Options) -> None:
    """Check that there can be a program of the run, and that it can be written, while nothing is trained yet."""
    from bncli.report.script.network import check_arm

    check_arm(str(dict(study.arms[0].changes)["norm"]))
    if not options.dry_run:
        check_replaceable(path)


def _write_script(path: Path, result: RunResult) -> None:
    from bncli.report.script.program import script_of

    text = script_of(result)
    replace_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _rows_wanted(result: RunResult) -> str:
    """What a program needs before it can run, as the end of a sentence."""
    from bncli.report.script.data import ROWS_FILE, export_command

    command = export_command(result.config)
    return f", which reads {ROWS_FILE}. To write that: {command}" if command else ""


def _print_summary(study: Study) -> None:
    config = study.plan().runs[0][0]
    check_memory([config])
    data = datasets.load(config)
    from bncli import backend  # noqa: F401  # imported first, because it silences TensorFlow's start
    from bncli.networks.network import network_of

    model = network_of(config.model).build(config, data.input_shape, data.n_classes, config.seed)
    model.summary(print_fn=lambda text, line_break=False: console.write(text), line_length=80)
