"""Two studies side by side: the same arm in both, paired by seed where their data are the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bncli.analysis.comparisons import difference_of_runs
from bncli.analysis.evidence import Evidence
from bncli.analysis.statistics import holm, known_values, mean
from bncli.analysis.tables import Runs, results_by_condition
from bncli.analysis.verdicts import Finding, verdict_of
from bncli.config import FIELDS
from bncli.study.study import Condition
from bncli.values import show

if TYPE_CHECKING:
    import pandas as pd


def two_table(first: Evidence, second: Evidence, *, is_paired: bool) -> pd.DataFrame:
    """Return one row per arm and point of the axes that both studies have.

    Columns:
        - `arm`, `param_<axis>` for the axes of either study (None where a study does not vary it)
        - `n_first`, `mean_first`, `n_second`, `mean_second`: seeds, and the mean of the metric of `first`; where the
          studies are paired, of the seeds that both have
        - where the studies are paired: those of `differences_table` from `n` to `verdict`, of the second study minus
          the first

    Args:
        first: A study.
        second: Another one, with the same metric.
        is_paired: Whether the same seed means the same data and split in both.
    """
    import pandas as pd

    metric = first.metric
    rows = []
    for (arm, values), ours, theirs in _common(first, second):
        row = {"arm": arm} | {f"param_{name}": value for name, value in values.items()}
        shared = ours.keys() & theirs.keys() if is_paired else ours.keys() | theirs.keys()
        for side, all_runs in (("first", ours), ("second", theirs)):
            runs = {seed: run for seed, run in all_runs.items() if seed in shared}
            known = known_values(run.metrics.get(metric) for run in runs.values())
            row |= {f"n_{side}": len(known), f"mean_{side}": mean(known)}
        if is_paired:
            row |= difference_of_runs(theirs, ours, metric, first.run_trivial, first.margin)
        rows.append(row)
    if is_paired:
        for row, p_holm in zip(rows, holm([row["p_value"] for row in rows]), strict=True):
            row["p_holm"] = p_holm
            row["verdict"] = verdict_of(Finding(row["p_value"], row["side"]), p_holm, equivalent=row["equivalent"])
    return pd.DataFrame(rows).drop(columns=["side", "equivalent"], errors="ignore")


def have_same_data(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Return whether two studies were trained on the same data sets.

    Args:
        first: The content of a `study.json`.
        second: That of another one.
    """
    prints = [
        {facts.get("fingerprint") for facts in content.get("datasets", {}).values()} for content in (first, second)
    ]
    return prints[0] == prints[1] and None not in prints[0] and bool(prints[0])


def settings_that_differ(first: Evidence, second: Evidence) -> list[dict[str, str]]:
    """Return the fields of runs that have other values in the second study, and the number of seeds."""
    rows = []
    for name in FIELDS:
        values = [_values(evidence, name) for evidence in (first, second)]
        if name != "seed" and values[0] != values[1]:
            rows.append({"setting": name, "first": values[0], "second": values[1]})
    seeds = [str(len(evidence.study.seeds)) for evidence in (first, second)]
    return rows + [{"setting": "seeds", "first": seeds[0], "second": seeds[1]}] * (seeds[0] != seeds[1])


def _values(evidence: Evidence, name: str) -> str:
    found = dict.fromkeys(getattr(result.config, name) for result in evidence.results)
    return ", ".join("none" if value is None else show(value) for value in found)


def _common(first: Evidence, second: Evidence) -> Iterator[tuple[tuple[str, dict[str, Any]], Runs, Runs]]:
    """The conditions that both studies have, with their runs by seed."""
    theirs = {_key(condition): runs for condition, runs in _runs(second).items()}
    for condition, runs in _runs(first).items():
        if _key(condition) in theirs:
            yield (condition.arm, dict(condition.values)), runs, theirs[_key(condition)]


def _key(condition: Condition) -> tuple[str, frozenset[tuple[str, Any]]]:
    return condition.arm, frozenset(condition.values)


def _runs(evidence: Evidence) -> dict[Condition, Runs]:
    groups = results_by_condition(evidence.results, evidence.conditions)
    return {
        condition: {run.config.seed: run for run in runs if run.state != "failed"} for condition, runs in groups.items()
    }
