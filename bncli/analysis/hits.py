"""The tables of hit epochs: when runs reach a threshold for good.

Noise must not look like speed. The first epoch past a level comes sooner for a noisier curve, all the sooner the closer
the level is to the plateau. So the level that the baseline sets lies below its plateau, and a run hits it where its
curve crosses it on average (see `hit_epochs`). Claims on published figures use the first epoch past a fixed level
instead, as their sources do: see `results.hit_epoch`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from bncli.analysis.grid import Cell, distinct_cells
from bncli.analysis.pairs import paired_values
from bncli.analysis.runs import seconds_per_epoch
from bncli.analysis.statistics import bootstrap_interval, known_values, mean, median
from bncli.analysis.tables import AXES, Conditions, Results, Runs, table_of
from bncli.registry import check_name
from bncli.results import RunResult
from bncli.tasks.metrics import DEFAULT, HISTORY_METRICS, METRICS, TOLERANCE, least_learned, lower_is_better, reaches

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


COLUMNS = (
    *("condition", "arm", "baseline", AXES, "metric", "threshold", "n", "n_never", "n_fallen"),
    *("median_hit_epoch", "low_hit_epoch", "high_hit_epoch", "n_pairs"),
    *("epochs_ratio", "low_epochs_ratio", "high_epochs_ratio"),
    *("seconds_ratio", "low_seconds_ratio", "high_seconds_ratio"),
)

GAIN = 0.95
"""Share of the baseline's gain that a run must reach, if the user gives no threshold."""

LEAST_SECONDS = 5.0
"""Of runs that took less together, a time says little: other programs compile while the first one trains."""

STRETCH = 4
"""A stretch of epochs that counts as lasting is the epochs of the training divided by this."""

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
        - `n`, `n_never` (runs that never reach the threshold), `n_fallen` (runs that reach it and are not there at the
          end, see `has_fallen`)
        - `median_hit_epoch` with its 95 % interval `low_hit_epoch`, `high_hit_epoch`
        - `n_pairs`, `epochs_ratio`, `seconds_ratio`, each ratio with `low_` and `high_`: the median over pairs of the
          baseline's epochs, or seconds, divided by the arm's. Above 1 the arm is faster.

    A run that never reaches the threshold counts as an infinite epoch. So a median is inf if half of the runs never do,
    and a ratio is 0 or inf if one side of the pair never does. A pair in which neither does has no ratio and is missing
    from `n_pairs`. The seconds are the hit epoch times the run's seconds per epoch; their ratio is missing where the
    runs of a side took less than `LEAST_SECONDS` together. See `hit_epochs` and `gain_level`.

    Args:
        results: The runs.
        conditions: The condition of each.
        metric: One of `HISTORY_METRICS`.
        threshold: The value to reach. If None, 95 % of the baseline's gain at each point (see `gain_level`); points
            without the baseline then have no row.
        baseline: The label of the baseline; the first arm if None.
        trivial: What the best constant answer scores, from which the gain in a proportion is counted. If given, a
            threshold from the baseline is at least what counts as learned (see `has_learned`).

    Raises:
        UnknownName: No such metric in the history.
    """
    cells = distinct_cells(results, conditions, baseline)
    rows = [
        hits.cell.columns | {"metric": metric, "threshold": hits.threshold} | _hits_row(hits, metric)
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
    for cell in cells:
        level = gain_level(cell.baseline_runs, metric, trivial) if threshold is None else threshold
        if cell.runs and not math.isnan(level):
            yield _Hits(cell, level, *(hit_epochs(runs, metric, level) for runs in (cell.runs, cell.baseline_runs)))


def gain_level(runs: Runs, metric: str, trivial: float | None = None) -> float:
    """Return the value at 95 % of the gain of some runs: from where their mean curve starts to its plateau.

    The plateau is the best mean of a quarter of the epochs in a row. An accuracy, or R², starts at the trivial score,
    and the value is then at least what counts as learned; a loss starts at its first epoch, as does an accuracy without
    a known trivial score. A run that stopped early keeps its last value.

    Args:
        runs: The runs, those of the baseline.
        metric: One of `HISTORY_METRICS`.
        trivial: What the best constant answer scores.

    Returns:
        The value; nan without runs.
    """
    import pandas as pd

    means = pd.DataFrame(_curves(runs, metric)).ffill().mean(axis=1)
    if means.empty:
        return math.nan
    averages = means.rolling(_stretch(len(means))).mean()
    plateau = float(averages.min() if lower_is_better(metric) else averages.max())
    if trivial is None or not METRICS[metric].is_share:
        return _share_of_way(float(means.iloc[0]), plateau)
    return max(_share_of_way(trivial, plateau), least_learned(trivial, metric))


def _share_of_way(start: float, plateau: float) -> float:
    return start + GAIN * (plateau - start)


def hit_epochs(runs: Runs, metric: str, level: float) -> dict[int, float]:
    """Return the epoch from which on each run is at or past a level on average, by seed.

    Every stretch of at most a quarter of the training that starts with the hit epoch has a mean at or past the level,
    and every such stretch that ends before it has not: there the run's best-fitting rising curve (isotonic regression)
    crosses the level. A noisier curve crosses it no sooner. The first such epoch counts, so that a curve which falls
    back later, as a validation loss does, has hit. Near the end of the training stretches are shorter.

    Args:
        runs: The runs.
        metric: One of `HISTORY_METRICS`.
        level: The value to reach.

    Returns:
        The epoch, counted from 1; infinity if the run has none.
    """
    import numpy as np

    curves = _curves(runs, metric)
    sign = -1 if lower_is_better(metric) else 1
    leads = sign * (curves - level) + TOLERANCE * abs(level)
    sums = np.concatenate([np.zeros((1, len(runs))), leads.cumsum(axis=0)])
    width = _stretch(len(curves)) + 1
    before, after = _lowest_of_last(sums, width), _lowest_of_last(sums[::-1], width)[::-1]
    is_hit = ((sums <= before) & (sums <= after))[:-1] & ~np.isnan(curves)
    never = np.full((1, len(runs)), True)
    first = np.concatenate([is_hit, never]).argmax(axis=0)
    epochs = np.where(first < len(curves), first + 1.0, math.inf)
    return dict(zip(runs, epochs.tolist(), strict=True))


def has_fallen(result: RunResult, metric: str, level: float, hit: float) -> bool:
    """Return whether a run has hit a level and is not at or past it at the end.

    It is not if it diverged, or if the mean of its last quarter does not reach the level; epochs before the hit epoch
    don't count.

    Args:
        result: The run.
        metric: One of `HISTORY_METRICS`.
        level: The value to reach.
        hit: The run's hit epoch, see `hit_epochs`.
    """
    if math.isinf(hit):
        return False
    values = result.history[metric]
    last = known_values(values[max(int(hit) - 1, len(values) - _stretch(len(values))) :])
    return result.state == "diverged" or not reaches(metric, mean(last), level)


def _lowest_of_last(sums: np.ndarray, width: int) -> np.ndarray:
    """The lowest of the last `width` values in each column, up to each row."""
    import numpy as np

    lowest, covered = sums, 1
    while covered < width:
        step = min(covered, width - covered)
        lowest = np.concatenate([lowest[:step], np.fmin(lowest[step:], lowest[:-step])])
        covered += step
    return lowest


def _curves(runs: Runs, metric: str) -> np.ndarray:
    """A metric by epoch (rows) and run (columns); nan after a run stopped."""
    import numpy as np

    found = [run.history.get(metric, []) for run in runs.values()]
    curves = np.full((max(map(len, found), default=0), len(found)), math.nan)
    for place, values in enumerate(found):
        curves[: len(values), place] = values
    return curves


def _stretch(n_epochs: int) -> int:
    return max(1, n_epochs // STRETCH)


def _hits_row(hits: _Hits, metric: str) -> dict[str, Any]:
    epochs = known_values(hits.own.values())
    low, high = bootstrap_interval(epochs, "median")
    row = {
        "n": len(epochs),
        "n_never": sum(map(math.isinf, epochs)),
        "n_fallen": sum(
            has_fallen(hits.cell.runs[seed], metric, hits.threshold, hit) for seed, hit in hits.own.items()
        ),
        "median_hit_epoch": median(epochs),
        "low_hit_epoch": low,
        "high_hit_epoch": high,
    }
    if hits.cell.is_baseline:
        return row | {"n_pairs": 0}
    ratios = _ratios(hits.own, hits.baseline)
    sides = ((hits.own, hits.cell.runs), (hits.baseline, hits.cell.baseline_runs))
    in_seconds = _ratios(*(_seconds(*side) for side in sides))
    if any(sum(run.seconds for run in runs.values()) < LEAST_SECONDS for _, runs in sides):
        in_seconds = in_seconds[:0]
    columns = _ratio_columns("epochs", ratios) | _ratio_columns("seconds", in_seconds)
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
