"""Study files (TOML), and the presets: study files that ship with bncli."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from bncli.config import DEFAULTS, FIELDS, RunConfig
from bncli.data.reading import is_file
from bncli.errors import BncliError, InvalidConfig, UnknownName, shown
from bncli.networks.reference import reference_of
from bncli.registry import check_name, nearest
from bncli.study.arms import default_arms, parse_arm
from bncli.study.axes import axis_values, check_count
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

MAX_BYTES = 1_000_000
"""The largest study file: Python's TOML parser reads about a megabyte a second."""

MAX_WHOLE = 2**63
"""TOML's whole numbers lie between minus this and this; Python's parser reads larger ones, too."""

MAX_NAME = 100
"""The most characters of a study's name, which becomes the name of a folder."""


def is_name(text: str) -> bool:
    """Return whether a text can name a study and its folder: it is printable, short, and no path."""
    is_safe = text.isprintable() and not {"/", "\\"} & {*text} and not text.startswith(".")
    is_short = len(text) <= MAX_NAME and len(text.encode()) <= 2 * MAX_NAME
    return bool(text) and is_safe and is_short and text == text.strip()


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
        DataError: A folder of the path may not be searched.
        InvalidConfig: The file is not TOML, does not describe a study, or the study is too large.

    >>> study = load_study("circles-placement")
    >>> [arm.label for arm in study.arms]
    ['none', 'batch:before', 'batch:after']
    """
    known = presets()
    path = known.get(name) or Path(name)
    is_there = is_file(path) if path.suffix == ".toml" else os.path.isfile(path)
    if not is_there:
        what = f"No study file {shown(name)}." if path.suffix == ".toml" else f"Unknown preset {shown(name)}."
        raise UnknownName(f"{what} Allowed: {', '.join(known)}, or the path of a .toml file.{nearest(name, known)}")
    try:
        content = _read_toml(path)
    except (OSError, ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else plain_text(str(error))
        raise InvalidConfig(f"{shown(name)} can't be read as TOML: {reason}.") from error
    try:
        content = _beside({"name": path.stem} | content, path.parent)
        _check_name(content["name"])
        study = study_from_dict(content)
        study.check_size()
    except BncliError as error:
        raise type(error)(f"In study {shown(name)}: {error}") from error
    return study


def _beside(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The content of a study file in which a model of the user's is named from the file's folder on."""

    def placed(model: Any) -> Any:
        is_path = isinstance(model, str) and (place := reference_of(model)) and not place.is_module
        return str(folder / model) if is_path and not model.startswith("~") else model

    found = dict(content)
    for part in ("run", "axes"):
        if isinstance(content.get(part), dict) and "model" in content[part]:
            model = content[part]["model"]
            placed_models = [placed(each) for each in model] if isinstance(model, list) else placed(model)
            found[part] = content[part] | {"model": placed_models}
    return found


def _read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file whose numbers have TOML's range.

    Raises:
        OSError: It can't be read.
        ValueError: It is too large, is not TOML, or has a number out of range.
    """
    with path.open("rb") as file:
        text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES:,} bytes")
    content = tomllib.loads(text.decode("utf-8"))
    _check_range(content)
    return content


def _check_name(name: Any) -> None:
    """Raise `InvalidConfig` unless a text can name a study; `study_from_dict` refuses other types."""
    if isinstance(name, str) and not is_name(name):
        raise InvalidConfig(
            f"name must be 1 to {MAX_NAME} printable characters without / and \\, and may not begin with a dot or a "
            f"space, because it names a folder. Received: {shown(name)}."
        )


def _check_range(value: Any) -> None:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _check_range(part)
    elif isinstance(value, int) and not -MAX_WHOLE <= value < MAX_WHOLE:
        raise ValueError(f"{shown(value)} is out of the range of TOML's whole numbers, which have 64 bits")


def to_toml(study: Study) -> str:
    """Return a study as a study file: what differs from the defaults, without claims.

    JSON's texts, numbers, flags and lists are TOML's, too.

    >>> print(to_toml(study_from_dict({"name": "mine", "seeds": 2, "arms": ["none"], "run": {"lr": 0.1}})), end="")
    name = "mine"
    seeds = [0, 1]
    arms = ["none"]
    <BLANKLINE>
    [run]
    lr = 0.1
    """
    content = study.to_dict()
    keys = [key for key in ("name", "question", "source", "seeds", "arms") if content[key]]
    lines = [f"{key} = {_toml(content[key])}" for key in keys]
    fields = {name: value for name, value in content["run"].items() if value != DEFAULTS[name] and value is not None}
    for key, table in (("axes", content["axes"]), ("run", fields)):
        if table:
            lines += ["", f"[{key}]", *(f"{name} = {_toml(value)}" for name, value in table.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


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
            raise InvalidConfig(f"{key} must be {allowed}. Received: {shown(value)}.")
    base = RunConfig.from_dict(content.get("run", {}))
    arms = content["arms"] if "arms" in content else list(default_arms(base.model, keep_weights=base.keep_weights))
    if not all(isinstance(arm, str) for arm in arms):
        raise InvalidConfig(f"arms must be {_KEYS['arms'][0]}. Received: {shown(arms)}.")
    return Study(
        name=content.get("name", "study"),
        base=base,
        arms=tuple(map(parse_arm, arms)),
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
        raise InvalidConfig(f"The axis {name} must be a list or a range. Received: {shown(values)}.")
    if name in ("seed", "norm", "placement"):  # `Study` refuses these axes and says why
        return axis_values(name, values)
    if FIELDS[name].kind != "text":
        return tuple(FIELDS[name].check(name, value) for value in axis_values(name, values))
    return tuple(getattr(base.replace(**{name: value}), name) for value in axis_values(name, values))


def _seeds(seeds: Any) -> tuple[int, ...]:
    is_count = type(seeds) is int
    check_count(seeds if is_count else 1)
    numbers = list(range(seeds)) if is_count else seeds
    if not numbers or not all(type(seed) is int for seed in numbers):
        raise InvalidConfig(f"seeds must be {_KEYS['seeds'][0]}. Received: {shown(seeds)}.")
    for seed in numbers:
        FIELDS["seed"].check("seed", seed)
    return tuple(numbers)


def _claims(claims: list[Any]) -> tuple[Mapping[str, Any], ...]:
    if not all(isinstance(claim, dict) for claim in claims):
        raise InvalidConfig(f"claims must be {_KEYS['claims'][0]}. Received: {shown(claims)}.")
    return tuple(claims)
