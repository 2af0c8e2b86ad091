"""The tables of runs and of their epochs, and what is known of a single run."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bncli.analysis.tables import Conditions, Results, measured_metrics, score_of, typed
from bncli.config import RunConfig
from bncli.results import RunResult
from bncli.study.study import Condition
from bncli.tasks.metrics import DEFAULT, POPULATION, best_epoch, default_of, history_metrics, least_learned

if TYPE_CHECKING:
    import pandas as pd


def runs_table(results: Results, conditions: Conditions) -> pd.DataFrame:
    """Return one row per run, in the order of `results`.

    Columns:
        - `run_id`, `condition` (its row in `conditions_table`), `arm`, `param_<axis>`, `seed`, `state`
        - the final value of every metric that a run has, see `tables.measured_metrics`
        - `best_val_accuracy`, or that of the score that fits the data, and its `best_epoch` (from 1)
        - `stopped_epoch`, the last epoch of a run that its patience ended
        - `params` (number of parameters), `seconds`
    """
    import pandas as pd

    places = _condition_places(conditions)
    metrics, default = measured_metrics(results), default_of(score_of(results))
    rows = [_run_row(result, conditions[result.config], places, metrics, default) for result in results]
    return typed(pd.DataFrame(rows))


def _condition_places(conditions: Conditions) -> dict[Condition, int]:
    """The row of each condition in `conditions_table`."""
    return {condition: place for place, condition in enumerate(dict.fromkeys(conditions.values()))}


def _run_row(
    result: RunResult, condition: Condition, places: Mapping[Condition, int], metrics: list[str], default: str
) -> dict[str, Any]:
    best = best_of(result, default)
    return {
        **_run_columns(result, condition, places),
        "state": result.state,
        **{metric: result.metrics.get(metric) for metric in metrics},
        f"best_{default}": best.get("value"),
        "best_epoch": best.get("epoch"),
        "stopped_epoch": result.stopped_epoch,
        "params": result.params.get("total"),
        "seconds": result.seconds,
    }


def runs_columns(results: Results, conditions: Conditions) -> list[dict[str, Any]]:
    """Return the columns that identify each run: `run_id`, `condition`, `arm`, `param_<axis>`, `seed`."""
    places = _condition_places(conditions)
    return [_run_columns(result, conditions[result.config], places) | {"run_id": result.run_id} for result in results]


def _run_columns(result: RunResult, condition: Condition, places: Mapping[Condition, int]) -> dict[str, Any]:
    """The columns that identify a run."""
    return {
        "run_id": result.config.run_id,
        "condition": places[condition],
        **condition_columns(condition),
        "seed": result.config.seed,
    }


def condition_columns(condition: Condition) -> dict[str, Any]:
    """Return the columns that identify a condition, named as in scikit-learn: `arm`, `param_lr`, ..."""
    return {"arm": condition.arm} | {f"param_{name}": value for name, value in condition.values}


def best_of(result: RunResult, metric: str) -> Mapping[str, float | int]:
    """Return the best `value` of a metric over the epochs and its `epoch` (from 1); empty if there is none."""
    return best_epoch(metric, result.history.get(metric, [])) or {}


def seconds_per_epoch(result: RunResult) -> float:
    """Return the seconds of a run per epoch that it trained; nan if it trained none."""
    n_epochs = len(result.history.get("loss", []))
    return result.seconds / n_epochs if n_epochs else math.nan


Trivial = float | Mapping[RunConfig, float]
"""What the best constant answer scores: one number for all runs, or that of each run on its own data."""


def has_learned(result: RunResult, trivial: Trivial, metric: str = DEFAULT) -> bool:
    """Return whether a run learned: its final `val_accuracy` is a fifth of the way from the trivial score to 1.

    Where classes are rare it is `val_balanced_accuracy`; in regression it is `val_r2`, which is above 0.05 then. An
    accuracy is above 0.28 on ten equal classes and above 0.6 on two: four standard errors above guessing between two
    classes with 500 validation rows, and two with 100. A run that diverged or failed did not learn.

    Args:
        result: The run.
        trivial: What the best constant answer scores.
        metric: What arms are compared by: with a metric of population statistics, the score is
            `population_val_accuracy`.
    """
    default = default_of(score_of([result]))
    value = result.metrics.get(f"{POPULATION}{default}" if metric.startswith(POPULATION) else default)
    score = trivial[result.config] if isinstance(trivial, Mapping) else trivial
    return result.state == "complete" and value is not None and value > least_learned(score, default)


def history_table(results: Results, conditions: Conditions) -> pd.DataFrame:
    """Return one row per run and epoch, up to the epoch in which a run diverged or stopped.

    Columns: `run_id`, `condition`, `arm`, `param_<axis>`, `seed`, `epoch` (from 1), then those of `history_metrics`.
    """
    import numpy as np
    import pandas as pd

    places = _condition_places(conditions)
    known = [_run_columns(result, conditions[result.config], places) for result in results]
    axes = condition_columns(next(iter(places))) if places else ["arm"]
    lengths = [len(result.history.get("loss", [])) for result in results]
    table = pd.DataFrame(known, columns=["run_id", "condition", *axes, "seed"])
    table = table.loc[np.repeat(np.arange(len(known)), lengths)].reset_index(drop=True)
    table["epoch"] = np.concatenate([np.arange(1, length + 1) for length in lengths] or [np.arange(0)])
    for metric in history_metrics(score_of(results)):
        values = [
            result.history.get(metric) or [None] * length for result, length in zip(results, lengths, strict=True)
        ]
        table[metric] = np.array(list(itertools.chain.from_iterable(values)), dtype="float64")
    return typed(table)


def seed_curves(history: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return a metric by epoch (rows) and run (columns). A run that stopped early keeps its last value.

    Args:
        history: The rows of one condition in `history_table`.
        metric: A metric of the history.
    """
    return history.pivot(index="epoch", columns="run_id", values=metric).ffill()
