"""The table of learning rates: where each arm learns, and how the arms compare at their best rates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bncli.analysis.grid import cells
from bncli.analysis.pairs import final_values, paired_differences
from bncli.analysis.runs import Trivial, has_learned
from bncli.analysis.statistics import known_values, mean
from bncli.analysis.tables import AXES, Conditions, Results, Runs, table_of
from bncli.tasks.metrics import DEFAULT, METRICS, lower_is_better

if TYPE_CHECKING:
    import pandas as pd


TOLERATED = 0.5
"""The share of seeds, more of which must learn at a rate for the arm to tolerate it.

A half, as in the median effective dose of pharmacology, because it means the same for every number of seeds: a rate at
which 95 % of all seeds learn passes with a probability of .993 at 3 seeds and above .998 from 5 on. With 90 % in place
of half it would be .86 at 3, .77 at 5, .63 at 9, .91 at 10 and .94 at 30.
"""

MIN_SEEDS = 5
"""The fewest seeds for which a range of rates gets an interval, as for a median."""

N_RESAMPLES = 2_000
"""Resamples of seeds for the interval of a range of rates."""

WIDENED = 1.17
"""By how much the interval of a cross-fitted difference is widened.

Each half of the seeds is scored at the rate that the other half chose. The means of both halves are then correlated:
by e**2 / (k - 1) for k equally good rates, where e is the mean of the largest of k standard normal values; at most
0.358, at k = 3. The standard error of their mean is larger by up to the root of 1.358.
"""

COLUMNS = (
    *("arm", "baseline", AXES, "metric", "lr_low", "lr_high", "decades", "low_decades", "high_decades"),
    *("best_lr", "mean_best", "n", "difference", "low", "high"),
    *("same_lr_n", "same_lr_difference", "same_lr_low", "same_lr_high"),
)

Rates = Mapping[float, Runs]
"""The runs of one arm by learning rate, ascending."""

Others = tuple[tuple[str, Any], ...]
"""The columns of a point without the learning rate: `baseline` and `param_<axis>` with their values."""


def lr_table(
    results: Results,
    conditions: Conditions,
    metric: str = DEFAULT,
    trivial: Trivial | None = None,
    baseline: str | None = None,
) -> pd.DataFrame:
    """Return one row per arm and point of the other axes, in a study with the axis `lr`; else an empty table.

    Columns:
        - `arm`, `baseline`, `param_<other axis>`, `metric`
        - `lr_low`, `lr_high`, `decades` (log10 of their ratio): the widest range of neighbouring rates at each of which
          more than half of the seeds learn; nan if there is none. A single rate spans 0 decades.
        - `low_decades`, `high_decades`: the 95 % interval of `decades` over resampled seeds, the same seeds at all
          rates; no range counts as 0. It can't see what is between two of the rates that were tried.
        - `best_lr`: the rate with the best mean of the final metric. A rate at which a run has no value (a loss after
          it diverged) is never the best one.
        - `mean_best`: the mean of the metric at the best rate, without the optimism of a choice among the same runs
        - `n`, `difference`, `low`, `high`: the paired difference from the baseline, each arm at its own best rate
        - `same_lr_n`, `same_lr_difference`, `same_lr_low`, `same_lr_high`: the same with both at the baseline's best
          rate

    A rate is never chosen on the values that are then reported. A test metric is reported at the rate that is best by
    the validation metric. Any other is cross-fitted: each half of the seeds (every other one) is reported at the rate
    that is best on the other half. With a single seed there is nothing to choose on, and no difference.

    Args:
        results: The runs.
        conditions: The condition of each.
        metric: What the best rates and the differences are about.
        trivial: What the best constant answer scores; without it there are no ranges.
        baseline: The label of the baseline; the first arm if None.

    Raises:
        UnknownName: No such metric.
    """
    lower_is_better(metric)
    rows = []
    for others, arms in _rates_by_point(results, conditions, baseline).items():
        shared = dict(others) | {"metric": metric}
        baseline_rates = arms.get(shared["baseline"], {})
        for arm, rates in arms.items():
            against = {} if arm == shared["baseline"] else baseline_rates
            columns = _tolerance_columns(rates, trivial, metric) | _best_rate_columns(rates, against, metric)
            rows.append({"arm": arm} | shared | columns)
    return table_of(rows, conditions, COLUMNS).drop(columns="param_lr", errors="ignore")


def _rates_by_point(results: Results, conditions: Conditions, baseline: str | None) -> dict[Others, dict[str, Rates]]:
    """The runs at every rate, by point of the other axes and by arm."""
    found: dict[Others, dict[str, dict[float, Runs]]] = {}
    for cell in cells(results, conditions, baseline):
        if "param_lr" in cell.columns and cell.runs:
            others = {name: value for name, value in cell.columns.items() if name not in ("condition", "arm")}
            lr = others.pop("param_lr")
            found.setdefault(tuple(others.items()), {}).setdefault(cell.condition.arm, {})[lr] = cell.runs
    return {at: {arm: dict(sorted(rates.items())) for arm, rates in arms.items()} for at, arms in found.items()}


def _tolerance_columns(rates: Rates, trivial: Trivial | None, metric: str) -> dict[str, float]:
    """The widest range of rates at which most seeds learn, with an interval of its width over resampled seeds."""
    import numpy as np

    seeds, lrs = sorted({seed for runs in rates.values() for seed in runs}), list(rates)
    ran = np.array([[seed in rates[lr] for lr in lrs] for seed in seeds], dtype="float64")
    learned = np.array(
        [
            [seed in rates[lr] and trivial is not None and has_learned(rates[lr][seed], trivial, metric) for lr in lrs]
            for seed in seeds
        ],
        dtype="float64",
    )
    low, high = _widest(lrs, learned.sum(axis=0) > TOLERATED * ran.sum(axis=0))
    ends = (math.nan, math.nan)
    if trivial is not None and len(seeds) >= MIN_SEEDS:
        counts = np.random.default_rng(0).multinomial(len(seeds), [1 / len(seeds)] * len(seeds), size=N_RESAMPLES)
        tolerated, places = np.unique(counts @ learned > TOLERATED * (counts @ ran), axis=0, return_inverse=True)
        widths = np.nan_to_num([_decades(*_widest(lrs, each)) for each in tolerated])[places.ravel()]
        ends = tuple(np.quantile(widths, (0.025, 0.975), method="inverted_cdf").tolist())
    columns = {"lr_low": low, "lr_high": high, "decades": _decades(low, high)}
    return columns | dict(zip(("low_decades", "high_decades"), ends, strict=True))


def _widest(lrs: Sequence[float], tolerated: Iterable[bool]) -> tuple[float, float]:
    """The ends of the widest range of neighbouring rates that are tolerated, the lowest of equally wide ones."""
    ranges: list[list[float]] = [[]]
    for lr, is_tolerated in zip(lrs, tolerated, strict=True):
        if is_tolerated:
            ranges[-1].append(lr)
        else:
            ranges.append([])
    ends = [(found[0], found[-1]) for found in ranges if found]
    return max(ends, key=lambda pair: pair[1] / pair[0], default=(math.nan, math.nan))


def _decades(low: float, high: float) -> float:
    return math.log10(high / low)


def _best_rate_columns(rates: Rates, baseline: Rates, metric: str) -> dict[str, float]:
    """The best rate, and the differences from the baseline at each arm's own best rate and at the baseline's."""
    chosen_by = choosing_metric(metric)
    own, theirs = _choices(rates, chosen_by, metric), _choices(baseline, chosen_by, metric)
    runs, baseline_runs = _at_chosen(rates, own), _at_chosen(baseline, theirs)
    is_fitted = chosen_by == metric
    return {
        "best_lr": _best_rate(rates, chosen_by),
        "mean_best": mean(known_values(final_values(runs, metric).values())),
        **_difference_columns("", runs, baseline_runs, metric, is_fitted),
        **_difference_columns("same_lr_", _at_chosen(rates, theirs), baseline_runs, metric, is_fitted),
    }


def choosing_metric(metric: str) -> str:
    """Return the metric by which a rate is chosen: the validation metric for a test metric, else the metric itself.

    >>> choosing_metric("population_test_accuracy"), choosing_metric("val_loss")
    ('population_val_accuracy', 'val_loss')
    """
    return metric.replace("test_", "val_")


def _choices(rates: Rates, chosen_by: str, metric: str) -> dict[int, float]:
    """The rate at which each seed is reported: the best of all seeds by another metric, or that of the other half."""
    seeds = sorted({seed for runs in rates.values() for seed in runs})
    if chosen_by != metric:
        return dict.fromkeys(seeds, _best_rate(rates, chosen_by))
    known = {lr: runs for lr, runs in rates.items() if not any(map(math.isnan, final_values(runs, metric).values()))}
    found: dict[int, float] = {}
    for half, other in ((seeds[::2], seeds[1::2]), (seeds[1::2], seeds[::2])):
        there = {lr: {seed: runs[seed] for seed in other if seed in runs} for lr, runs in known.items()}
        best = _best_rate({lr: runs for lr, runs in there.items() if runs}, metric)
        found |= dict.fromkeys(half, best)
    return found


def _at_chosen(rates: Rates, chosen: Mapping[int, float]) -> Runs:
    """The run of every seed at the rate that was chosen for it."""
    return {seed: rates[lr][seed] for seed, lr in chosen.items() if seed in rates.get(lr, {})}


def _difference_columns(prefix: str, runs: Runs, baseline_runs: Runs, metric: str, is_fitted: bool) -> dict[str, float]:
    differences, (low, high) = paired_differences(runs, baseline_runs, metric)
    middle, stretch = mean(differences), WIDENED if is_fitted else 1.0
    most = METRICS[metric].highest - METRICS[metric].lowest
    low, high = middle - stretch * (middle - low), middle + stretch * (high - middle)
    ends = {"low": low if math.isnan(low) else max(low, -most), "high": high if math.isnan(high) else min(high, most)}
    return {f"{prefix}{name}": value for name, value in ({"n": len(differences), "difference": middle} | ends).items()}


def _best_rate(rates: Rates, metric: str) -> float:
    """The rate with the best mean over seeds, the lowest of equals; nan if every rate has a run without a value."""
    import numpy as np

    sign = -1 if lower_is_better(metric) else 1
    means = {lr: sign * float(np.mean(list(final_values(runs, metric).values()))) for lr, runs in rates.items()}
    known = {lr: value for lr, value in means.items() if not math.isnan(value)}
    return max(known, key=known.__getitem__, default=math.nan)
