"""When runs reach a threshold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from bncli.analysis.comparisons import Cell, comparisons, paired, table_of
from bncli.analysis.conditions import median, numbers
from bncli.analysis.runs import Conditions, Results, Runs, seconds_per_epoch
from bncli.analysis.statistics import bootstrap_interval
from bncli.registry import check_name
from bncli.results import hit_epoch
from bncli.tasks.metrics import DEFAULT, HISTORY_METRICS, METRICS, least_learned, lower_is_better

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class _Timed(NamedTuple):
    """A cell with a threshold and the hit epochs of its runs and of the baseline's, by seed."""

    cell: Cell
    threshold: float
    hits: dict[int, float]
    against: dict[int, float]


def _timed(
    results: Results,
    conditions: Conditions,
    metric: str,
    threshold: float | None,
    baseline: str | None,
    chance: float | None,
) -> Iterator[_Timed]:
    """Every cell that has runs, and the threshold of its point; a cell without a threshold is left out."""
    check_name("metric of a history", metric, HISTORY_METRICS)
    least = -math.inf if chance is None or not METRICS[metric].is_proportion else least_learned(chance)
    for cell in comparisons(results, conditions, baseline):
        level = max(_baselines_best(cell, metric), least) if threshold is None else threshold
        if cell.runs and not math.isnan(level):
            sides = (
                {seed: hit_epoch(run, metric, level) for seed, run in runs.items()}
                for runs in (cell.runs, cell.against)
            )
            yield _Timed(cell, level, *sides)


def _baselines_best(cell: Cell, metric: str) -> float:
    """The best value of the baseline's mean curve; a run that stopped early stays at its last value."""
    import pandas as pd

    curves = pd.DataFrame({seed: pd.Series(run.history.get(metric), dtype=float) for seed, run in cell.against.items()})
    mean = curves.ffill().mean(axis=1)
    return float(mean.min() if lower_is_better(metric) else mean.max())


def hits_table(
    results: Results,
    conditions: Conditions,
    metric: str = DEFAULT,
    threshold: float | None = None,
    baseline: str | None = None,
    chance: float | None = None,
) -> pd.DataFrame:
    """When runs reach a threshold: one row an arm and point of the axes, the baseline's too, as in `differences_table`.

    Columns: `condition`, `arm`, `baseline`, `param_<axis>`, `metric`, `threshold`, `n`, `n_never` (runs that never
    reach it), `median_hit_epoch` with its 95 % interval `low_hit_epoch`, `high_hit_epoch`, and of the pairs with
    the baseline `n_pairs`, `epochs_ratio` and `seconds_ratio`, each with `low_` and `high_`: the median over pairs
    of the baseline's epochs, or seconds, by the arm's. Above 1 the arm is the faster one.
    A run that never hits is kept as an infinite epoch, so a median is inf where half of the runs never do, and a
    ratio 0 or inf where one side never does. A pair in which neither hits has no ratio and isn't in `n_pairs`.
    Seconds are hit epoch x seconds per epoch of the run.

    Args:
        results: The runs.
        conditions: The condition of each.
        metric: A metric of the history.
        threshold: A value of the metric; None for the best value of the baseline's mean curve over seeds at
            each point (points without the baseline then have no row).
        baseline: The arm to compare with; the first where None.
        chance: Accuracy of the best constant answer: a baseline that did not learn (see `learned`) then sets no
            threshold below what counts as learned.

    Raises:
        UnknownName: No such metric in the history.
    """
    rows = [
        timed.cell.columns | {"metric": metric, "threshold": timed.threshold} | _hits_row(timed)
        for timed in _timed(results, conditions, metric, threshold, baseline, chance)
    ]
    hits = "condition arm baseline params metric threshold n n_never median_hit_epoch low_hit_epoch high_hit_epoch"
    ratios = (
        "n_pairs epochs_ratio low_epochs_ratio high_epochs_ratio seconds_ratio low_seconds_ratio high_seconds_ratio"
    )
    return table_of(rows, conditions, f"{hits} {ratios}")


def _hits_row(timed: _Timed) -> dict[str, Any]:
    hits = numbers(timed.hits.values())
    low, high = bootstrap_interval(hits, "median")
    known = {
        "n": len(hits),
        "n_never": sum(map(math.isinf, hits)),
        "median_hit_epoch": median(hits),
        "low_hit_epoch": low,
        "high_hit_epoch": high,
    }
    if timed.cell.is_baseline:
        return known | {"n_pairs": 0}
    epochs = _ratios(timed.hits, timed.against)
    seconds = _ratios(_until(timed.hits, timed.cell.runs), _until(timed.against, timed.cell.against))
    return known | {"n_pairs": len(epochs)} | _ratio_columns("epochs", epochs) | _ratio_columns("seconds", seconds)


def _until(hits: Mapping[int, float], runs: Runs) -> dict[int, float]:
    """Seconds to the hit epoch, by seed."""
    return {seed: epoch * seconds_per_epoch(runs[seed]) for seed, epoch in hits.items()}


def _ratios(ours: Mapping[int, float], theirs: Mapping[int, float]) -> np.ndarray:
    """Theirs by ours for every pair that has a ratio: not 0 / 0, and not never / never."""
    import numpy as np

    values, others = paired(ours, theirs)
    with np.errstate(divide="ignore", invalid="ignore"):
        return numbers(others / values)


def _ratio_columns(what: str, ratios: np.ndarray) -> dict[str, float]:
    low, high = bootstrap_interval(ratios, "median")
    return {f"{what}_ratio": median(ratios), f"low_{what}_ratio": low, f"high_{what}_ratio": high}


def reached_table(
    results: Results,
    conditions: Conditions,
    metric: str = DEFAULT,
    threshold: float | None = None,
    baseline: str | None = None,
    chance: float | None = None,
) -> pd.DataFrame:
    """The share of seeds that have reached the threshold by each epoch: one row an arm, point of the axes and epoch.

    Columns: `condition`, `arm`, `param_<axis>`, `epoch`, `share`. Arguments and errors are those of `hits_table`; a
    run that stopped early stays what it was.
    """
    rows = []
    for timed in _timed(results, conditions, metric, threshold, baseline, chance):
        n_epochs = max(result.config.epochs for result in timed.cell.runs.values())
        shares = _shares(timed.hits.values(), n_epochs)
        rows += [timed.cell.columns | {"epoch": epoch, "share": share} for epoch, share in enumerate(shares, 1)]
    return table_of(rows, conditions, "condition arm params epoch share")


def _shares(hits: Iterable[float], n_epochs: int) -> list[float]:
    import numpy as np

    ordered = np.sort(list(hits))
    shares: list[float] = (np.searchsorted(ordered, np.arange(1, n_epochs + 1), side="right") / len(ordered)).tolist()
    return shares
