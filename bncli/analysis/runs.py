"""Tables of runs and of their epochs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bncli.config import FIELDS, RunConfig
from bncli.results import RunResult
from bncli.study.study import Condition
from bncli.tasks.metrics import DEFAULT, HISTORY_METRICS, METRICS, best_epoch, least_learned

if TYPE_CHECKING:
    import pandas as pd


Results = Sequence[RunResult]

Conditions = Mapping[RunConfig, Condition]

Runs = Mapping[int, RunResult]
"""The runs of one condition by seed, failed ones left out."""


def runs_table(results: Results, conditions: Conditions) -> pd.DataFrame:
    """One row a run.

    Columns: `run_id`, `arm`, `param_<axis>`, `seed`, `state`, the final metrics, `best_val_accuracy` and its
    `best_epoch`, `params`, `seconds`, and `condition` (its place in the study, from 0).
    """
    import pandas as pd

    places = {condition: place for place, condition in enumerate(dict.fromkeys(conditions.values()))}
    rows = [_run_row(result, conditions[result.config], places) for result in results]
    return typed(pd.DataFrame(rows))


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Keep whole numbers whole and metrics floats in columns where some, or all, values are missing."""
    whole = [f"param_{name}" for name, info in FIELDS.items() if info.kind == "whole"]
    kinds = dict.fromkeys([*whole, "best_epoch", "params", "n_chance"], "Int64")
    kinds |= dict.fromkeys([*METRICS, "best_val_accuracy"], "float64")
    return table.astype({name: kind for name, kind in kinds.items() if name in table.columns})


def _run_row(result: RunResult, condition: Condition, places: Mapping[Condition, int]) -> dict[str, Any]:
    best = best_of(result, DEFAULT)
    return {
        **_run_columns(result, condition, places),
        "state": result.state,
        **{metric: result.metrics.get(metric) for metric in METRICS},
        "best_val_accuracy": best.get("value"),
        "best_epoch": best.get("epoch"),
        "params": result.params.get("total"),
        "seconds": result.seconds,
    }


def _run_columns(result: RunResult, condition: Condition, places: Mapping[Condition, int]) -> dict[str, Any]:
    """The columns that tell runs apart."""
    return {
        "run_id": result.config.run_id,
        "condition": places[condition],
        **condition_columns(condition),
        "seed": result.config.seed,
    }


def condition_columns(condition: Condition) -> dict[str, Any]:
    """The columns that tell conditions apart, as scikit-learn names them: `arm`, `param_lr`, ..."""
    return {"arm": condition.arm} | {f"param_{name}": value for name, value in condition.values}


def best_of(result: RunResult, metric: str) -> Mapping[str, float | int]:
    return best_epoch(metric, result.history.get(metric, [])) or {}


def seconds_per_epoch(result: RunResult) -> float:
    n_epochs = len(result.history.get("loss", []))
    return result.seconds / n_epochs if n_epochs else math.nan


def has_learned(result: RunResult, chance: float) -> bool:
    """Whether a run learned: its final `val_accuracy` went a tenth of the way from a constant answer to a perfect one.

    That is past 0.19 on ten equal classes and 0.55 on two: four standard errors of a guess among ten over 200
    validation rows, and two of a guess between two over 500. A run that diverged or failed did not learn.

    Args:
        result: The run.
        chance: Accuracy of the best constant answer.
    """
    accuracy = result.metrics.get("val_accuracy")
    return result.state == "complete" and accuracy is not None and accuracy > least_learned(chance)


def history_table(results: Results, conditions: Conditions) -> pd.DataFrame:
    """One row a run and epoch: `run_id`, `condition`, `arm`, `param_<axis>`, `seed`, `epoch`, then the metrics."""
    import numpy as np
    import pandas as pd

    order = list(dict.fromkeys(conditions.values()))
    places = {condition: place for place, condition in enumerate(order)}
    known = [_run_columns(result, conditions[result.config], places) for result in results]
    columns = ["run_id", "condition", *(condition_columns(order[0]) if order else ["arm"]), "seed"]
    lengths = [len(result.history.get("loss", [])) for result in results]
    table = pd.DataFrame(known, columns=columns).loc[np.repeat(np.arange(len(known)), lengths)].reset_index(drop=True)
    table["epoch"] = np.concatenate([np.arange(1, length + 1) for length in lengths] or [np.arange(0)])
    for metric in HISTORY_METRICS:
        values = [
            result.history.get(metric) or [None] * length for result, length in zip(results, lengths, strict=True)
        ]
        table[metric] = np.array(list(itertools.chain.from_iterable(values)), dtype="float64")
    return typed(table)


def seed_curves(history: pd.DataFrame, metric: str) -> pd.DataFrame:
    """A metric by epoch (rows) and run (columns); a run that stopped early stays at its last value.

    Args:
        history: Rows of `history_table`, of one condition.
        metric: One of its metrics.
    """
    return history.pivot(index="epoch", columns="run_id", values=metric).ffill()
