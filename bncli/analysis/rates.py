"""The table of learning rates: where each arm learns, and how the arms compare at their best rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bncli.analysis.grid import cells
from bncli.analysis.pairs import final_values, paired_differences
from bncli.analysis.runs import has_learned
from bncli.analysis.statistics import known_values, mean
from bncli.analysis.tables import AXES, Conditions, Results, Runs, table_of
from bncli.tasks.metrics import DEFAULT, lower_is_better

if TYPE_CHECKING:
    import pandas as pd


TOLERATED = 0.9
"""The share of seeds that must learn at a rate for the arm to tolerate it."""

COLUMNS = (
    *("arm", "baseline", AXES, "metric", "lr_low", "lr_high", "decades", "best_lr", "mean_best"),
    *("n", "difference", "low", "high", "same_lr_n", "same_lr_difference", "same_lr_low", "same_lr_high"),
)

Rates = Mapping[float, Runs]
"""The runs of one arm by learning rate, ascending."""

Others = tuple[tuple[str, Any], ...]
"""The columns of a point without the learning rate: `baseline` and `param_<axis>` with their values."""


def lr_table(
    results: Results,
    conditions: Conditions,
    metric: str = DEFAULT,
    trivial: float | None = None,
    baseline: str | None = None,
) -> pd.DataFrame:
    """Return one row per arm and point of the other axes, in a study with the axis `lr`; else an empty table.

    Columns:
        - `arm`, `baseline`, `param_<other axis>`, `metric`
        - `lr_low`, `lr_high`, `decades` (log10 of their ratio): the widest range of neighbouring rates at each of which
          90 % of the seeds learn; nan if there is none. A single rate spans 0 decades.
        - `best_lr`, `mean_best`: the rate with the best mean of the final metric, and that mean. A rate at which a run
          has no value (a loss after it diverged) is never the best one.
        - `n`, `difference`, `low`, `high`: the paired difference from the baseline, each arm at its own best rate
        - `same_lr_n`, `same_lr_difference`, `same_lr_low`, `same_lr_high`: the same with both at the baseline's best
          rate

    The best rates are chosen on the same runs that are then compared, so the difference at each arm's own best rate is
    optimistic, more so for an arm whose curve is flat: more of its rates can come out best by chance. (Eight equally
    good rates against a single good one: +0.006 at 5 seeds with a standard deviation of 0.01, although both are equal.)

    Args:
        results: The runs.
        conditions: The condition of each.
        metric: What the best rates and the differences are about.
        trivial: The accuracy of the best constant answer; without it there are no ranges.
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
            columns = _tolerated_range(rates, trivial) | _best_rate_columns(rates, against, metric)
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


def _tolerated_range(rates: Rates, trivial: float | None) -> dict[str, float]:
    """The widest range of neighbouring rates at which enough seeds learn; the lowest of equally wide ones."""
    ranges: list[list[float]] = [[]]
    for lr, runs in rates.items():
        n_learned = 0 if trivial is None else sum(has_learned(result, trivial) for result in runs.values())
        if n_learned >= TOLERATED * len(runs):
            ranges[-1].append(lr)
        else:
            ranges.append([])
    ends = [(found[0], found[-1]) for found in ranges if found]
    low, high = max(ends, key=lambda pair: pair[1] / pair[0], default=(math.nan, math.nan))
    return {"lr_low": low, "lr_high": high, "decades": math.log10(high / low)}


def _best_rate_columns(rates: Rates, baseline: Rates, metric: str) -> dict[str, float]:
    """The best rate, and the differences from the baseline at each arm's own best rate and at the baseline's."""
    own, theirs = _best_rate(rates, metric), _best_rate(baseline, metric)
    baseline_runs = baseline.get(theirs, {})
    return {
        "best_lr": own,
        "mean_best": mean(known_values(final_values(rates.get(own, {}), metric).values())),
        **_difference_columns("", rates.get(own, {}), baseline_runs, metric),
        **_difference_columns("same_lr_", rates.get(theirs, {}), baseline_runs, metric),
    }


def _difference_columns(prefix: str, runs: Runs, baseline_runs: Runs, metric: str) -> dict[str, float]:
    differences, (low, high) = paired_differences(runs, baseline_runs, metric)
    columns = {"n": len(differences), "difference": mean(differences), "low": low, "high": high}
    return {f"{prefix}{name}": value for name, value in columns.items()}


def _best_rate(rates: Rates, metric: str) -> float:
    """The rate with the best mean over seeds, the lowest of equals; nan if every rate has a run without a value."""
    import numpy as np

    sign = -1 if lower_is_better(metric) else 1
    means = {lr: sign * float(np.mean(list(final_values(runs, metric).values()))) for lr, runs in rates.items()}
    known = {lr: value for lr, value in means.items() if not math.isnan(value)}
    return max(known, key=known.__getitem__, default=math.nan)
