"""Study files (TOML) and the presets that ship."""

from __future__ import annotations

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
from bncli.values import Value

_SHAPES: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "name": ("text", str),
    "question": ("text", str),
    "source": ("text", str),
    "seeds": ("a whole number from 1 or a list of seeds", (int, list)),
    "arms": ('a list, e.g. ["none", "batch"]', list),
    "axes": ("a table under a line [axes]", dict),
    "run": ("a table under a line [run]", dict),
    "claims": ("tables, each under a line [[claims]]", list),
}
"""What each key of a study file may hold: in words, and as types."""


def presets() -> dict[str, Path]:
    """The studies that ship: name to file."""
    folder = Path(str(resources.files("bncli.study") / "presets"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_study(name: str) -> Study:
    """Read a preset by name, or a study file by its path.

    Raises:
        UnknownName: Neither a preset nor a file.
        InvalidConfig: The file is no TOML, or no study.
    """
    known = presets()
    path = known.get(name) or Path(name)
    if not path.is_file():
        what = f"No study file {name!r}." if path.suffix == ".toml" else f"Unknown preset {name!r}."
        raise UnknownName(f"{what} Allowed: {', '.join(known)}, or the path of a .toml file.{nearest(name, known)}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return study_from_dict({"name": path.stem} | content)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidConfig(f"{name!r} can't be read as TOML: {error}.") from error
    except BncliError as error:
        raise type(error)(f"In study {name!r}: {error}") from error


def study_from_dict(content: Mapping[str, Any]) -> Study:
    """Build a study from the keys of a study file.

    Raises:
        UnknownName: A key, field or name that does not exist.
        InvalidConfig: A value of the wrong type or out of range.
    """
    for key in content:
        check_name("key", key, _SHAPES)
    for key, value in content.items():
        allowed, kinds = _SHAPES[key]
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise InvalidConfig(f"{key} must be {allowed}. Received: {value!r}.")
    base = RunConfig.from_dict(content.get("run", {}))
    arms = tuple(parse_arm(str(arm)) for arm in content.get("arms", DEFAULT_ARMS))
    axes = tuple((name, _file_axis(base, name, values)) for name, values in content.get("axes", {}).items())
    return Study(
        name=content.get("name", "study"),
        base=base,
        arms=arms,
        axes=axes,
        seeds=_file_seeds(content.get("seeds", DEFAULT_SEEDS)),
        question=content.get("question", ""),
        source=content.get("source", ""),
        claims=_file_claims(content.get("claims", [])),
    )


def _file_claims(claims: list[Any]) -> tuple[Mapping[str, Any], ...]:
    if not all(isinstance(claim, dict) for claim in claims):
        raise InvalidConfig(f"claims must be {_SHAPES['claims'][0]}. Received: {claims!r}.")
    return tuple(claims)


def _file_axis(base: RunConfig, name: str, values: Any) -> tuple[Value, ...]:
    check_name("axis", name, FIELDS)
    if not isinstance(values, str | list):
        raise InvalidConfig(f"The axis {name} must be a list or a range. Received: {values!r}.")
    if name in ("seed", "norm", "placement"):
        return tuple(axis_values(name, values))
    return tuple(getattr(base.replace(**{name: value}), name) for value in axis_values(name, values))


def _file_seeds(seeds: Any) -> tuple[int, ...]:
    numbers = list(range(seeds)) if type(seeds) is int else seeds
    if not numbers or not all(type(seed) is int for seed in numbers):
        raise InvalidConfig(f"seeds must be a whole number from 1 or a list of seeds. Received: {seeds!r}.")
    return tuple(RunConfig(seed=seed).seed for seed in numbers)
