"""The table of conditions, and the points of the axes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from bncli.analysis.runs import Conditions, Results, best_of, condition_columns, has_learned, seconds_per_epoch, typed
from bncli.analysis.statistics import bootstrap_interval
from bncli.results import RunResult
from bncli.study.study import Condition
from bncli.tasks.metrics import DEFAULT, METRICS, lower_is_better
from bncli.values import Value

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def conditions_table(results: Results, conditions: Conditions, chance: float | None = None) -> pd.DataFrame:
    """One row a condition, in the study's order.

    Columns: `arm`, `param_<axis>`, `n` (runs with a result), `n_diverged`, `n_failed`, `n_chance` (runs that did
    not learn, see `learned`, diverged ones among them; missing where `chance` is unknown), `params`; for every metric
    `mean_<metric>`, `std_<metric>` (sample standard deviation over seeds), `median_<metric>`, `low_<metric>` and
    `high_<metric>` (95 % interval of the mean, see `stats.bootstrap_interval`); `mean_best_val_accuracy` (the best
    over epochs), `median_best_epoch`, `mean_seconds`, `mean_seconds_per_epoch`, `best`.
    The losses of diverged runs are missing from their means. `best` marks, at each point of the axes, the arm with
    the best mean validation accuracy among several.
    """
    import pandas as pd

    groups: dict[Condition, list[RunResult]] = {condition: [] for condition in conditions.values()}
    for result in results:
        groups[conditions[result.config]].append(result)
    table = typed(pd.DataFrame([_condition_row(condition, runs, chance) for condition, runs in groups.items()]))
    table["best"] = _best_arms(table)
    return table


def _condition_row(condition: Condition, runs: Results, chance: float | None) -> dict[str, Any]:
    counted = [result for result in runs if result.state != "failed"]
    best = [best_of(result, DEFAULT) for result in counted]
    statistics: dict[str, float] = {}
    for metric in METRICS:
        statistics |= _spread(metric, numbers(result.metrics.get(metric) for result in counted))
    return {
        **condition_columns(condition),
        "n": len(counted),
        "n_diverged": sum(result.state == "diverged" for result in counted),
        "n_failed": len(runs) - len(counted),
        "n_chance": None if chance is None else sum(not has_learned(result, chance) for result in counted),
        "params": max((result.params["total"] for result in counted if result.params), default=None),
        **statistics,
        "mean_best_val_accuracy": mean(numbers(found.get("value") for found in best)),
        "median_best_epoch": median(numbers(found.get("epoch") for found in best)),
        "mean_seconds": mean(numbers(result.seconds for result in counted)),
        "mean_seconds_per_epoch": mean(numbers(map(seconds_per_epoch, counted))),
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


def numbers(values: Iterable[float | None]) -> np.ndarray:
    """The values that are there."""
    import numpy as np

    numbers = np.array(list(values), dtype="float64")
    there: np.ndarray = numbers[~np.isnan(numbers)]
    return there


def mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan


def median(values: np.ndarray) -> float:
    import numpy as np

    return float(np.median(values)) if len(values) else math.nan


def _best_arms(table: pd.DataFrame) -> np.ndarray:
    """Mark the best arm of each point of the axes; a point where only one arm stands has no best."""
    metric = DEFAULT
    found = []
    for places in points(table).values():
        means = table.loc[places, f"mean_{metric}"].dropna()
        if len(means) > 1:
            found.append(means.idxmin() if lower_is_better(metric) else means.idxmax())
    return table.index.isin(found)


Point = tuple[Value, ...]


def points(table: pd.DataFrame) -> dict[Point, list[int]]:
    """The points of the axes in a table of conditions, each with the places of the conditions that stand there.

    A condition on which an axis is void stands at every point that differs from it in that axis alone. Where no
    arm feels an axis (the momentum of an optimizer that has none), the point itself has None there.
    """
    axes = [name for name in table.columns if name.startswith("param_")]
    plain = table[axes].astype(object).where(table[axes].notna(), None)
    stands = list(plain.itertuples(index=False, name=None)) if axes else [()] * len(table)
    distinct = dict.fromkeys(stands)
    found: dict[Point, list[int]] = {
        point: []
        for point in distinct
        if None not in point or not any(other != point and _covers(other, point) for other in distinct)
    }
    for place, values in enumerate(stands):
        for point in [values] if values in found else [point for point in found if _covers(point, values)]:
            found[point].append(place)
    return found


def _covers(point: Point, values: Point) -> bool:
    return all(value is None or value == other for value, other in zip(values, point, strict=True))
