"""Study files (TOML), and the presets: study files that ship with bncli."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from bncli.config import FIELDS, RunConfig
from bncli.errors import BncliError, InvalidConfig, UnknownName
from bncli.registry import check_name, nearest
from bncli.study.arms import DEFAULT_ARMS, parse_arm
from bncli.study.axes import axis_values
from bncli.study.study import DEFAULT_SEEDS, Study
from bncli.values import Value, plain_text

_KEYS: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "name": ("text", str),
    "question": ("text", str),
    "source": ("text", str),
    "seeds": ("a whole number from 1 or a list of seeds", (int, list)),
    "arms": ('a list, e.g. ["none", "batch"]', list),
    "axes": ("a table under a line [axes]", dict),
    "run": ("a table under a line [run]", dict),
    "claims": ("tables, each under a line [[claims]]", list),
}
"""The allowed values of each key of a study file: in words, and as types."""

MAX_NAME = 100
"""The most characters of a study's name, which becomes the name of a folder."""


def is_name(text: str) -> bool:
    """Return whether a text can name a study and its folder: it is printable, short, and no path."""
    is_safe = text.isprintable() and not {"/", "\\"} & {*text} and not text.startswith(".")
    return is_safe and 1 <= len(text) <= MAX_NAME and text == text.strip()


def presets() -> dict[str, Path]:
    """Return the files of the presets by name."""
    folder = Path(str(resources.files("bncli.study") / "presets"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_study(name: str) -> Study:
    """Return a preset, or the study that a file describes.

    Args:
        name: The name of a preset, or the path of a study file.

    Raises:
        UnknownName: There is no such preset or file.
        InvalidConfig: The file is not TOML, or does not describe a study.

    >>> study = load_study("circles-placement")
    >>> [arm.label for arm in study.arms]
    ['none', 'batch:before', 'batch:after']
    """
    known = presets()
    path = known.get(name) or Path(name)
    if not os.path.isfile(path):
        what = f"No study file {name!r}." if path.suffix == ".toml" else f"Unknown preset {name!r}."
        raise UnknownName(f"{what} Allowed: {', '.join(known)}, or the path of a .toml file.{nearest(name, known)}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        study = study_from_dict({"name": path.stem} | content)
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidConfig(f"{name!r} can't be read as TOML: {error}.") from error
    except BncliError as error:
        raise type(error)(f"In study {name!r}: {error}") from error
    if not is_name(study.name):
        raise InvalidConfig(
            f"In study {name!r}: name must be 1 to {MAX_NAME} printable characters without / and \\, and may not begin "
            f"with a dot or a space, because it names a folder. Received: {plain_text(repr(study.name))}."
        )
    return study


def study_from_dict(content: Mapping[str, Any]) -> Study:
    """Make a study from the content of a study file; keys that are absent have defaults.

    Args:
        content: Values by key: `name`, `question`, `source`, `seeds`, `arms`, `axes`, `run`, `claims`.

    Raises:
        UnknownName: A key, a field or another name does not exist.
        InvalidConfig: A value has the wrong type or is out of range.

    >>> study = study_from_dict({"seeds": 10, "axes": {"lr": "log:1e-3:1:4"}, "run": {"dataset": "circles"}})
    >>> study.n_runs
    120
    """
    for key, value in content.items():
        check_name("key", key, _KEYS)
        allowed, types = _KEYS[key]
        if not isinstance(value, types) or isinstance(value, bool):
            raise InvalidConfig(f"{key} must be {allowed}. Received: {value!r}.")
    base = RunConfig.from_dict(content.get("run", {}))
    return Study(
        name=content.get("name", "study"),
        base=base,
        arms=tuple(parse_arm(str(arm)) for arm in content.get("arms", DEFAULT_ARMS)),
        axes=tuple((name, _axis(base, name, values)) for name, values in content.get("axes", {}).items()),
        seeds=_seeds(content.get("seeds", DEFAULT_SEEDS)),
        question=content.get("question", ""),
        source=content.get("source", ""),
        claims=_claims(content.get("claims", [])),
    )


def _axis(base: RunConfig, name: str, values: Any) -> tuple[Value, ...]:
    """The values of an axis, each checked as a field of the base run."""
    check_name("axis", name, FIELDS)
    if not isinstance(values, str | list):
        raise InvalidConfig(f"The axis {name} must be a list or a range. Received: {values!r}.")
    if name in ("seed", "norm", "placement"):  # `Study` refuses these axes and says why
        return axis_values(name, values)
    return tuple(getattr(base.replace(**{name: value}), name) for value in axis_values(name, values))


def _seeds(seeds: Any) -> tuple[int, ...]:
    numbers = list(range(seeds)) if type(seeds) is int else seeds
    if not numbers or not all(type(seed) is int for seed in numbers):
        raise InvalidConfig(f"seeds must be {_KEYS['seeds'][0]}. Received: {seeds!r}.")
    return tuple(RunConfig(seed=seed).seed for seed in numbers)


def _claims(claims: list[Any]) -> tuple[Mapping[str, Any], ...]:
    if not all(isinstance(claim, dict) for claim in claims):
        raise InvalidConfig(f"claims must be {_KEYS['claims'][0]}. Received: {claims!r}.")
    return tuple(claims)
