"""What a call of a Python function asks for: the study that its arguments describe."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable
from typing import Any

from bncli.errors import InvalidConfig, shown
from bncli.study.arms import DEFAULT_ARMS, Arm, arms_of, default_arms
from bncli.study.axes import MAX_RUNS
from bncli.study.files import study_from_dict
from bncli.study.study import Study

Arms = str | Iterable[str | Arm]
"""Labels of arms, the baseline first: `["none", "batch:before"]` or `"none,batch:before"`."""

Seeds = int | Iterable[int]
"""How many seeds, or which."""


def study_of(name: str, arms: Arms, seeds: Seeds, fields: dict[str, Any]) -> Study:
    """Return the study that the arguments of `bncli.compare` or `bncli.sweep` describe.

    Args:
        name: Its name.
        arms: Labels of the arms, the baseline first.
        seeds: How many seeds, or which.
        fields: Fields of the runs; those with several values are its axes.

    Raises:
        BncliError: Something in them is wrong.
    """
    for field, instead in (("norm", 'arms=["none", "batch"]'), ("seed", "seeds=[3] for the seed 3")):
        if field in fields:
            raise InvalidConfig(f"{field} differs between the runs of a study. Try {instead}.")
    axes = {field: _listed(value) for field, value in fields.items() if _is_axis(value)}
    content = {"name": name, "seeds": list(seed_list(seeds)), "axes": axes}
    given = {field: value for field, value in fields.items() if field not in axes}
    study = study_from_dict(content | {"run": given})
    labels = default_arms(study.base.model, keep_weights=study.base.keep_weights) if arms is DEFAULT_ARMS else arms
    return dataclasses.replace(study, arms=arms_of(labels))


def seed_list(seeds: Seeds) -> tuple[int, ...]:
    """Return the seeds themselves: those from 0 for a number of seeds.

    >>> seed_list(3), seed_list([7, 8])
    ((0, 1, 2), (7, 8))

    Raises:
        InvalidConfig: They are neither a number of seeds nor seeds.
    """
    try:
        if isinstance(seeds, Iterable):
            return tuple(map(operator.index, seeds))
        n_seeds = 0 if isinstance(seeds, bool) else operator.index(seeds)
    except TypeError:
        n_seeds = 0
    if not 1 <= n_seeds <= MAX_RUNS:
        allowed = f"a whole number from 1 to {MAX_RUNS}, or a list of seeds"
        raise InvalidConfig(f"seeds must be {allowed}. Received: {shown(seeds)}.")
    return tuple(range(n_seeds))


def _is_axis(value: Any) -> bool:
    return value.startswith(("log:", "lin:")) if isinstance(value, str) else isinstance(value, Iterable)


def _listed(value: Any) -> Any:
    return value if isinstance(value, str) else list(value)
