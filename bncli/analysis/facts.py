"""What a study's data sets have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bncli.config import DATA_FIELDS, RunConfig
from bncli.results import RunResult
from bncli.study.opening import data_label
from bncli.study.study import Study


def common_fact(data: Iterable[Mapping[str, Any]], name: str) -> Any:
    """Return a fact that all data sets have in common; None if they differ in it.

    Args:
        data: The facts on each data set, see `data.facts.dataset_facts`.
        name: The fact.
    """
    first, *others = [facts.get(name) for facts in data] or [None]
    return first if all(other == first for other in others) else None


def common_chance(study: Study, data: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """Return the mean trivial score of a study's data sets; None if they are more than draws of one data set.

    Draws of one data set differ by a row or two in the share of the commonest class.

    Args:
        study: The study.
        data: The facts on each data set.
        name: `chance`, or `test_chance`.
    """
    scores: list[float] = [facts[name] for facts in data if facts.get(name) is not None]
    is_redrawn = {*dict(study.axes)} & {*DATA_FIELDS} <= {"data_seed", "vary_data"}
    if is_redrawn and len({*scores}) > 1 and len(scores) == len(data):
        return sum(scores) / len(scores)
    found: float | None = common_fact(data, name)
    return found


def own_chances(data: Mapping[str, Mapping[str, Any]], results: Sequence[RunResult]) -> dict[RunConfig, float] | None:
    """Return the trivial score of every run on its own data; None if it is the same for all, or not known for all.

    Args:
        data: The facts on each data set, by `study.opening.data_label`.
        results: The runs.
    """
    if len({facts.get("chance") for facts in data.values()}) < 2:
        return None
    found = {result.config: data.get(data_label(result.config), {}).get("chance") for result in results}
    known = {config: chance for config, chance in found.items() if chance is not None}
    return known if len(known) == len(found) else None


def fields_of_data(study: Study, data: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the best constant answer scores, and the names of classes, as fields of `Evidence`."""
    return {
        "trivial": common_chance(study, data, "chance"),
        "test_trivial": common_chance(study, data, "test_chance"),
        "trivial_scores": common_fact(data, "trivial"),
        "test_trivial_scores": common_fact(data, "test_trivial"),
        "class_names": common_fact(data, "class_names") or (),
    }
