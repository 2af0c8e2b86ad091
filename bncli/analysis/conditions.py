"""The table of conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bncli.analysis.grid import grid_points
from bncli.analysis.runs import best_of, condition_columns, has_learned, seconds_per_epoch
from bncli.analysis.statistics import bootstrap_interval, known_values, mean, median
from bncli.analysis.tables import Conditions, Results, results_by_condition, typed
from bncli.study.study import Condition
from bncli.tasks.metrics import DEFAULT, METRICS, lower_is_better

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def conditions_table(results: Results, conditions: Conditions, trivial: float | None = None) -> pd.DataFrame:
    """Return one row per condition, in the study's order.

    Columns:
        - `arm`, `param_<axis>`
        - `n` (runs with a result), `n_diverged`, `n_failed`, `n_chance` (runs that did not learn, diverged ones
          included, see `has_learned`; missing if `trivial` is None), `params` (number of parameters)
        - for every metric, over seeds: `mean_<metric>`, `std_<metric>` (sample standard deviation), `median_<metric>`,
          `low_<metric>` and `high_<metric>` (95 % interval of the mean, see `bootstrap_interval`). The losses of
          diverged runs are missing from these.
        - `mean_best_val_accuracy` (the best over epochs), `median_best_epoch`
        - `mean_seconds`, `mean_seconds_per_epoch`
        - `best`: whether this arm has the best mean validation accuracy of several at its point of the axes

    Args:
        results: The runs.
        conditions: The condition of each.
        trivial: The accuracy of the best constant answer, if it is known.
    """
    import pandas as pd

    groups = results_by_condition(results, conditions)
    table = typed(pd.DataFrame([_condition_row(condition, runs, trivial) for condition, runs in groups.items()]))
    table["best"] = _is_best(table, list(groups))
    return table


def _condition_row(condition: Condition, runs: Results, trivial: float | None) -> dict[str, Any]:
    counted = [result for result in runs if result.state != "failed"]
    best = [best_of(result, DEFAULT) for result in counted]
    spreads: dict[str, float] = {}
    for metric in METRICS:
        spreads |= _spread(metric, known_values(result.metrics.get(metric) for result in counted))
    return {
        **condition_columns(condition),
        "n": len(counted),
        "n_diverged": sum(result.state == "diverged" for result in counted),
        "n_failed": len(runs) - len(counted),
        "n_chance": None if trivial is None else sum(not has_learned(result, trivial) for result in counted),
        "params": max((result.params["total"] for result in counted if result.params), default=None),
        **spreads,
        "mean_best_val_accuracy": mean(known_values(found.get("value") for found in best)),
        "median_best_epoch": median(known_values(found.get("epoch") for found in best)),
        "mean_seconds": mean(known_values(result.seconds for result in counted)),
        "mean_seconds_per_epoch": mean(known_values(map(seconds_per_epoch, counted))),
    }


def _spread(metric: str, values: np.ndarray) -> dict[str, float]:
    """Mean, sample standard deviation, median and interval of the mean of one metric."""
    import numpy as np

    low, high = bootstrap_interval(values)
    if METRICS[metric].is_proportion:
        low, high = (float(np.clip(end, 0, 1)) for end in (low, high))
    return {
        f"mean_{metric}": mean(values),
        f"std_{metric}": float(np.std(values, ddof=1)) if len(values) > 1 else math.nan,
        f"median_{metric}": median(values),
        f"low_{metric}": low,
        f"high_{metric}": high,
    }


def _is_best(table: pd.DataFrame, conditions: Sequence[Condition]) -> np.ndarray:
    """Whether each row has the best mean at a point of the axes where several arms have one."""
    found = []
    for places in grid_points(conditions).values():
        means = table.loc[places, f"mean_{DEFAULT}"].dropna()
        if len(means) > 1:
            found.append(means.idxmin() if lower_is_better(DEFAULT) else means.idxmax())
    return table.index.isin(found)
