"""The tables of hit epochs: when runs reach a threshold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from bncli.analysis.grid import Cell, distinct_cells
from bncli.analysis.pairs import paired_values
from bncli.analysis.runs import seconds_per_epoch
from bncli.analysis.statistics import bootstrap_interval, known_values, median
from bncli.analysis.tables import AXES, Conditions, Results, Runs, table_of
from bncli.registry import check_name
from bncli.results import hit_epoch
from bncli.tasks.metrics import DEFAULT, HISTORY_METRICS, METRICS, least_learned, lower_is_better

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


COLUMNS = (
    *("condition", "arm", "baseline", AXES, "metric", "threshold", "n", "n_never"),
    *("median_hit_epoch", "low_hit_epoch", "high_hit_epoch", "n_pairs"),
    *("epochs_ratio", "low_epochs_ratio", "high_epochs_ratio"),
    *("seconds_ratio", "low_seconds_ratio", "high_seconds_ratio"),
)

REACHED_COLUMNS = ("condition", "arm", AXES, "epoch", "share")


class _Hits(NamedTuple):
    """The hit epochs of a cell's runs and of the baseline's, by seed."""

    cell: Cell
    threshold: float
    own: dict[int, float]
    baseline: dict[int, float]


def hits_table(
    results: Results,
    conditions: Conditions,
    metric: str = DEFAULT,
    threshold: float | None = None,
    baseline: str | None = None,
    trivial: float | None = None,
) -> pd.DataFrame:
    """Return one row per arm and point of the axes, the baseline included; axes as in `differences_table`.

    Columns:
        - `condition`, `arm`, `baseline`, `param_<axis>`, `metric`, `threshold`
        - `n`, `n_never` (runs that never reach the threshold)
        - `median_hit_epoch` with its 95 % interval `low_hit_epoch`, `high_hit_epoch`
        - `n_pairs`, `epochs_ratio`, `seconds_ratio`, each ratio with `low_` and `high_`: the median over pairs of the
          baseline's epochs, or seconds, divided by the arm's. Above 1 the arm is faster.

    A run that never reaches the threshold counts as an infinite epoch. So a median is inf if half of the runs never do,
    and a ratio is 0 or inf if one side of the pair never does. A pair in which neither does has no ratio and is missing
    from `n_pairs`. The seconds are the hit epoch times the run's seconds per epoch.

    Args:
        results: The runs.
        conditions: The condition of each.
        metric: One of `HISTORY_METRICS`.
        threshold: The value to reach. If None, the best value of the baseline's mean curve over seeds at each point;
            points without the baseline then have no row.
        baseline: The label of the baseline; the first arm if None.
        trivial: The accuracy of the best constant answer. If given, a threshold from the baseline is at least what
            counts as learned (see `has_learned`).

    Raises:
        UnknownName: No such metric in the history.
    """
    cells = distinct_cells(results, conditions, baseline)
    rows = [
        hits.cell.columns | {"metric": metric, "threshold": hits.threshold} | _hits_row(hits)
        for hits in _hits_of(cells, metric, threshold, trivial)
    ]
    return table_of(rows, conditions, COLUMNS)


def reached_table(
    results: Results,
    conditions: Conditions,
    metric: str = DEFAULT,
    threshold: float | None = None,
    baseline: str | None = None,
    trivial: float | None = None,
) -> pd.DataFrame:
    """Return the share of seeds that have reached the threshold, one row per arm, point of the axes and epoch.

    Columns: `condition`, `arm`, `param_<axis>`, `epoch` (from 1), `share`. A run that stopped early keeps its state.
    Arguments and errors are those of `hits_table`.
    """
    rows = []
    for hits in _hits_of(distinct_cells(results, conditions, baseline), metric, threshold, trivial):
        n_epochs = max(result.config.epochs for result in hits.cell.runs.values())
        shares = _shares(hits.own.values(), n_epochs)
        rows += [hits.cell.columns | {"epoch": epoch, "share": share} for epoch, share in enumerate(shares, 1)]
    return table_of(rows, conditions, REACHED_COLUMNS)


def _hits_of(cells: Iterable[Cell], metric: str, threshold: float | None, trivial: float | None) -> Iterator[_Hits]:
    """The hit epochs of every cell that has runs and a threshold."""
    check_name("metric of a history", metric, HISTORY_METRICS)
    least = -math.inf if trivial is None or not METRICS[metric].is_proportion else least_learned(trivial)
    for cell in cells:
        level = max(_best_of_mean_curve(cell.baseline_runs, metric), least) if threshold is None else threshold
        if cell.runs and not math.isnan(level):
            sides = (
                {seed: hit_epoch(run, metric, level) for seed, run in runs.items()}
                for runs in (cell.runs, cell.baseline_runs)
            )
            yield _Hits(cell, level, *sides)


def _best_of_mean_curve(runs: Runs, metric: str) -> float:
    """The best value of the mean curve over seeds, nan without runs. A run that stopped early keeps its last value."""
    import pandas as pd

    curves = pd.DataFrame({seed: pd.Series(run.history.get(metric), dtype=float) for seed, run in runs.items()})
    means = curves.ffill().mean(axis=1)
    return float(means.min() if lower_is_better(metric) else means.max())


def _hits_row(hits: _Hits) -> dict[str, Any]:
    epochs = known_values(hits.own.values())
    low, high = bootstrap_interval(epochs, "median")
    row = {
        "n": len(epochs),
        "n_never": sum(map(math.isinf, epochs)),
        "median_hit_epoch": median(epochs),
        "low_hit_epoch": low,
        "high_hit_epoch": high,
    }
    if hits.cell.is_baseline:
        return row | {"n_pairs": 0}
    ratios = _ratios(hits.own, hits.baseline)
    own, baseline = _seconds(hits.own, hits.cell.runs), _seconds(hits.baseline, hits.cell.baseline_runs)
    columns = _ratio_columns("epochs", ratios) | _ratio_columns("seconds", _ratios(own, baseline))
    return row | {"n_pairs": len(ratios)} | columns


def _seconds(hits: Mapping[int, float], runs: Runs) -> dict[int, float]:
    """Seconds up to the hit epoch, by seed."""
    return {seed: epoch * seconds_per_epoch(runs[seed]) for seed, epoch in hits.items()}


def _ratios(own: Mapping[int, float], baseline: Mapping[int, float]) -> np.ndarray:
    """The baseline's values divided by the arm's, without pairs that have no ratio: 0 / 0 and inf / inf."""
    import numpy as np

    values, others = paired_values(own, baseline)
    with np.errstate(divide="ignore", invalid="ignore"):
        return known_values(others / values)


def _ratio_columns(what: str, ratios: np.ndarray) -> dict[str, float]:
    low, high = bootstrap_interval(ratios, "median")
    return {f"{what}_ratio": median(ratios), f"low_{what}_ratio": low, f"high_{what}_ratio": high}


def _shares(hits: Iterable[float], n_epochs: int) -> list[float]:
    """The share of hit epochs at or before each epoch from 1 to `n_epochs`."""
    import numpy as np

    ordered = np.sort(list(hits))
    shares: list[float] = (np.searchsorted(ordered, np.arange(1, n_epochs + 1), side="right") / len(ordered)).tolist()
    return shares
