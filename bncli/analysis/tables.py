"""What all tables share: the types of their inputs, their columns, and the types of these columns.

A failed run has no numbers and is left out of every statistic. A diverged run is a result: it counts with the score
that it ended with, and it has no loss. Arms are compared in pairs of runs with the same seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bncli.config import FIELDS, RunConfig
from bncli.results import RunResult
from bncli.study.study import Condition
from bncli.tasks.metrics import COMPARED_SCORES, METRICS, default_of
from bncli.tasks.task import BALANCED, CLASSIFICATION, REGRESSION, TASKS

if TYPE_CHECKING:
    import pandas as pd


Results = Sequence[RunResult]

Conditions = Mapping[RunConfig, Condition]
"""The condition of every planned run, in the study's order."""

Runs = Mapping[int, RunResult]
"""The runs of one condition by seed, without failed ones."""

AXES = "param_*"
"""Stands for one column per axis in the columns of a table."""


def results_by_condition(results: Results, conditions: Conditions) -> dict[Condition, list[RunResult]]:
    """Group results by condition, in the study's order; a condition without results has an empty list."""
    groups: dict[Condition, list[RunResult]] = {condition: [] for condition in conditions.values()}
    for result in results:
        groups[conditions[result.config]].append(result)
    return groups


def task_of(configs: Iterable[RunConfig]) -> str:
    """Return the task of the runs of a study, which is the same for all."""
    return REGRESSION if any(config.task == REGRESSION for config in configs) else CLASSIFICATION


def score_of(results: Results) -> str:
    """Return the score by which the runs of a study are compared unless the user says otherwise.

    Where some data has rare classes and other data has not, it is the accuracy.
    """
    histories = [result.history for result in results if result.history]
    if histories and all(f"val_{BALANCED}" in history for history in histories):
        return BALANCED
    return TASKS[task_of(result.config for result in results)].score


def basic_metrics(task: str) -> tuple[str, ...]:
    """Return the metrics that every table of a task has; runs of every version have them."""
    score = TASKS[task].score
    return (f"val_{score}", f"train_{score}", score, "val_loss", "loss")


def measured_metrics(results: Results) -> list[str]:
    """Return the metrics of a study's tables: basic ones, and those that at least one run has a value of."""
    known = {name for result in results for name, value in result.metrics.items() if value is not None}
    basic = basic_metrics(task_of(result.config for result in results))
    return [name for name in METRICS if name in known or name in basic]


def table_of(rows: Sequence[Mapping[str, Any]], conditions: Conditions, columns: Sequence[str]) -> pd.DataFrame:
    """Make a table of rows with these columns, even if there are no rows.

    Args:
        rows: Column to value.
        conditions: The condition of each run; they name the axes.
        columns: The columns in order, with `AXES` for those of the axes.
    """
    import pandas as pd

    axes = [f"param_{name}" for name, _ in next(iter(conditions.values())).values] if conditions else []
    names = [name for column in columns for name in (axes if column == AXES else [column])]
    return typed(pd.DataFrame(rows, columns=names))


SHARES = ("p_learn", "low_p_learn", "high_p_learn", "median_if_learned", "q25_if_learned", "q75_if_learned")


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Keep whole numbers whole and metrics floats in columns where some, or all, values are missing."""
    whole = [f"param_{name}" for name, info in FIELDS.items() if info.kind == "whole"]
    counts = ("n_chance", "n_learned", "n_baseline_learned", "n_both_learned")
    kinds = dict.fromkeys([*whole, "best_epoch", "stopped_epoch", "params", *counts], "Int64")
    kinds |= dict.fromkeys([*METRICS, *(f"best_{default_of(score)}" for score in COMPARED_SCORES), *SHARES], "float64")
    # `astype` leaves every column in a block of its own; pandas warns of more than 100 blocks when a column is added
    return table.astype({name: kind for name, kind in kinds.items() if name in table.columns}).copy()
