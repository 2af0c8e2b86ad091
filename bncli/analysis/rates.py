"""What each arm makes of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bncli.analysis.comparisons import cells, differences, effect, finals, table_of
from bncli.analysis.conditions import mean, numbers
from bncli.analysis.runs import Conditions, Results, Runs, has_learned
from bncli.tasks.metrics import DEFAULT, lower_is_better

if TYPE_CHECKING:
    import pandas as pd


TOLERATED = 0.9
"""Share of the seeds that must learn at a learning rate that an arm tolerates."""

Rates = Mapping[float, Runs]
"""The runs of one arm by learning rate, ascending."""


def lr_table(
    results: Results,
    conditions: Conditions,
    metric: str = DEFAULT,
    chance: float | None = None,
    baseline: str | None = None,
) -> pd.DataFrame:
    """Tolerance of the learning rate, where `lr` is an axis: one row an arm and point of the other axes.

    Columns: `arm`, `baseline`, `param_<other axis>`, `metric`; `lr_low`, `lr_high`, `decades` (their ratio's log10):
    the widest range of neighbouring rates at each of which 90 % of the seeds learn, nan where there is none; a
    single rate spans 0 decades. `best_lr` and `mean_best`: the rate with the best mean of the final metric, and that
    mean. Then the paired difference to the baseline in two views, each arm at its own best rate: `n`, `difference`,
    `low`, `high`, and both at the baseline's best rate: `same_lr_n`, `same_lr_difference`, `same_lr_low`,
    `same_lr_high`. The rates are chosen on the runs that are then compared, which flatters both sides alike.
    A rate at which a run has no value (a loss, after it diverged) is never the best one.

    Args:
        results: The runs.
        conditions: The condition of each.
        metric: What the best rate and the differences are about.
        chance: Accuracy of the best constant answer, for `learned`; without it no range is told.
        baseline: The arm to compare with; the first where None.

    Raises:
        UnknownName: No such metric.
    """
    lower_is_better(metric)
    rows = []
    for point, arms in _by_rate(results, conditions, baseline).items():
        at = dict(point)
        for arm, rates in arms.items():
            against = {} if arm == at["baseline"] else arms.get(at["baseline"], {})
            rows.append(
                {"arm": arm, **at, "metric": metric} | _tolerance(rates, chance) | _views(rates, against, metric)
            )
    views = "n difference low high same_lr_n same_lr_difference same_lr_low same_lr_high"
    table = table_of(rows, conditions, f"arm baseline params metric lr_low lr_high decades best_lr mean_best {views}")
    return table.drop(columns="param_lr", errors="ignore")


def _by_rate(
    results: Results, conditions: Conditions, baseline: str | None
) -> dict[tuple[tuple[str, Any], ...], dict[str, Rates]]:
    """By point of the axes other than `lr`, and by arm: the runs at every rate."""
    found: dict[tuple[tuple[str, Any], ...], dict[str, dict[float, Runs]]] = {}
    for cell in cells(results, conditions, baseline):
        if "param_lr" in cell.columns and cell.runs:
            at = tuple(
                (name, cell.columns[name]) for name in cell.columns if name not in ("condition", "arm", "param_lr")
            )
            found.setdefault(at, {}).setdefault(cell.columns["arm"], {})[cell.columns["param_lr"]] = cell.runs
    return {at: {arm: dict(sorted(rates.items())) for arm, rates in arms.items()} for at, arms in found.items()}


def _tolerance(rates: Rates, chance: float | None) -> dict[str, float]:
    """The widest range of neighbouring rates at which enough seeds learn; of equally wide ones, the lowest."""
    ranges: list[list[float]] = [[]]
    for lr, runs in rates.items():
        n_learned = 0 if chance is None else sum(has_learned(result, chance) for result in runs.values())
        if n_learned >= TOLERATED * len(runs):
            ranges[-1].append(lr)
        else:
            ranges.append([])
    ends = [(found[0], found[-1]) for found in ranges if found]
    low, high = max(ends, key=lambda pair: pair[1] / pair[0], default=(math.nan, math.nan))
    return {"lr_low": low, "lr_high": high, "decades": math.log10(high / low)}


def _views(rates: Rates, against: Rates, metric: str) -> dict[str, float]:
    """The best rate, and the differences to the baseline: each at its own best rate, and both at the baseline's."""
    own, theirs = _best_rate(rates, metric), _best_rate(against, metric)
    isolated = effect(differences(rates.get(own, {}), against.get(theirs, {}), metric))
    same = effect(differences(rates.get(theirs, {}), against.get(theirs, {}), metric))
    return {
        "best_lr": own,
        "mean_best": mean(numbers(finals(rates.get(own, {}), metric).values())),
        **{name.replace("mean_", ""): value for name, value in isolated.items()},
        **{f"same_lr_{name.replace('mean_', '')}": value for name, value in same.items()},
    }


def _best_rate(rates: Rates, metric: str) -> float:
    """The rate with the best mean over seeds, the lowest of equals; nan where every rate has a run without a value."""
    import numpy as np

    sign = -1 if lower_is_better(metric) else 1
    means = {lr: sign * float(np.mean(list(finals(runs, metric).values()))) for lr, runs in rates.items()}
    known = {lr: mean for lr, mean in means.items() if not math.isnan(mean)}
    return max(known, key=known.__getitem__, default=math.nan)
