"""The table of differences: every arm against the baseline, paired by seed, with a verdict on each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bncli.analysis.effects import hedges_g
from bncli.analysis.grid import distinct_cells
from bncli.analysis.learning import LearnedPairs, learned_pairs
from bncli.analysis.pairs import Differences, final_values, paired_differences, paired_values
from bncli.analysis.runs import Trivial
from bncli.analysis.seeds import always_valid_interval
from bncli.analysis.statistics import NO_INTERVAL, Interval, holm, mean
from bncli.analysis.tables import AXES, Conditions, Results, Runs, table_of
from bncli.analysis.verdicts import Finding, finding_of, finding_where_some_learned, is_equivalent, verdict_of
from bncli.tasks.metrics import DEFAULT, METRICS, TOLERANCE, lower_is_better

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


COLUMNS = (
    *("condition", "arm", "baseline", AXES, "metric", "n", "mean_difference", "low", "high", "std_difference"),
    *("p_value", "p_holm", "wins", "ties", "losses", "effect_size", "low_effect_size", "high_effect_size"),
    *("n_learned", "n_baseline_learned", "n_both_learned"),
    *("both_learned_difference", "low_both_learned", "high_both_learned", "verdict"),
    *("low_always", "high_always"),
)


def differences_table(
    results: Results,
    conditions: Conditions,
    metric: str = DEFAULT,
    baseline: str | None = None,
    trivial: Trivial | None = None,
    margin: float | None = None,
    more: Sequence[str] = (),
) -> pd.DataFrame:
    """Return one row per arm and point of the axes, for arms other than the baseline at points that both have.

    Where an axis affects neither the arm nor the baseline, they are compared once, with None in its column.

    Columns:
        - `condition` (the arm's row in `conditions_table`), `arm`, `baseline`, `param_<axis>`, `metric`
        - `n` (pairs), `mean_difference` (final value of the arm minus the baseline's), `low` and `high` (its 95 %
          interval, see `paired_differences`; missing if all differences are equal), `std_difference` (their sample
          standard deviation)
        - `p_value` (see `sign_flip_test`; nan below `MIN_PAIRS` pairs), `p_holm` (corrected for the
          number of rows that have one)
        - `wins`, `ties`, `losses` (pairs in which the arm is better, equal, worse; higher, equal, lower by a metric
          of which no value is better)
        - `effect_size` with its 95 % interval `low_effect_size`, `high_effect_size` (Hedges' g_z, see `hedges_g`)
        - `n_learned`, `n_baseline_learned`, `n_both_learned` (pairs in which the arm, the baseline, or both learned,
          see `has_learned`), `both_learned_difference` with `low_both_learned`, `high_both_learned` (the mean
          difference among pairs in which both learned); missing if `trivial` is None
        - `verdict`: `better` or `worse` if the 95 % interval excludes 0 and `p_holm` is below 0.05; `equivalent` if
          there is a margin and the 90 % interval lies within it, whether or not the difference is significant; else
          `undecided`, always so below `MIN_PAIRS` pairs. See `analysis.verdicts`.
        - `low_always`, `high_always` (an interval that may be read after every new seed, see `always_valid_interval`)

    A diverged run has no loss, so its pair is missing from `n`, the mean and the test. The other side still wins it, or
    it is a tie if both diverged. So `wins`, `ties` and `losses` may sum to more than `n`.

    Where an arm or the baseline learned in some seeds and not in others, a mean over all says little (if a tenth of the
    seeds die, its interval covers it in 46 % at 5 seeds). `p_value` and `verdict` then come from whether runs learn and
    how well those do that learn, see `finding_where_some_learned`.

    Args:
        results: The runs.
        conditions: The condition of each.
        metric: What is compared.
        baseline: The label of the baseline; the first arm if None.
        trivial: What the best constant answer scores; None if it isn't known, and all runs count alike.
        margin: The smallest difference that matters; None if nothing is to be called equivalent.
        more: Other metrics, whose rows follow. All p-values are corrected together; the margin is of the first metric.

    Raises:
        UnknownName: No such metric.
    """
    lower_is_better(metric)
    compared = [cell for cell in distinct_cells(results, conditions, baseline) if not cell.is_baseline]
    rows = [
        cell.columns
        | {"metric": name}
        | difference_of_runs(cell.runs, cell.baseline_runs, name, trivial, margin if name == metric else None)
        for name in (metric, *more)
        for cell in compared
        if cell.runs and cell.baseline_runs
    ]
    for row, p_holm in zip(rows, holm([row["p_value"] for row in rows]), strict=True):
        row["p_holm"] = p_holm
        row["verdict"] = verdict_of(Finding(row["p_value"], row["side"]), p_holm, equivalent=row["equivalent"])
    return table_of(rows, conditions, COLUMNS)


def difference_of_runs(
    runs: Runs, baseline: Runs, metric: str, trivial: Trivial | None, margin: float | None
) -> dict[str, Any]:
    """Return the columns of a comparison from `n` on, with its `side` (see `Finding`) and whether it is `equivalent`.

    Args:
        runs: The runs of an arm by seed.
        baseline: Those of the baseline.
        metric: What is compared.
        trivial: What the best constant answer scores; None if it isn't known, and all runs count alike.
        margin: The smallest difference that matters; None if nothing is to be called equivalent.
    """
    found = paired_differences(runs, baseline, metric)
    values, others = paired_values(final_values(runs, metric), final_values(baseline, metric))
    pairs = None if trivial is None else learned_pairs(runs, baseline, metric, trivial)
    is_mixed = METRICS[metric].has_direction and pairs is not None and pairs.is_mixed
    finding = finding_where_some_learned(pairs, metric) if pairs and is_mixed else finding_of(found, metric)
    return {
        **_spread_columns(found),
        **finding._asdict(),
        **_wins(values, others, metric),
        **_learned_columns(pairs if METRICS[metric].has_direction else None),
        "equivalent": not is_mixed and is_equivalent(found.values, margin),
    }


def _spread_columns(found: Differences) -> dict[str, float]:
    """Mean, interval, standard deviation and effect size of differences."""
    import numpy as np

    differences, (low, high) = found.values, known_interval(found)
    effect, always = hedges_g(differences), always_valid_interval(differences)
    return {
        "n": len(differences),
        "mean_difference": mean(differences),
        "low": low,
        "high": high,
        "std_difference": float(np.std(differences, ddof=1)) if len(differences) > 1 else math.nan,
        "effect_size": effect.size,
        "low_effect_size": effect.interval.low,
        "high_effect_size": effect.interval.high,
        "low_always": always.low if math.isfinite(always.low) else math.nan,
        "high_always": always.high if math.isfinite(always.high) else math.nan,
    }


def _learned_columns(pairs: LearnedPairs | None) -> dict[str, Any]:
    """In how many pairs which side learned, and the mean difference among pairs in which both did."""
    if pairs is None:
        return {}
    low, high = known_interval(pairs.differences)
    return {
        "n_learned": pairs.arm,
        "n_baseline_learned": pairs.baseline,
        "n_both_learned": pairs.both,
        "both_learned_difference": mean(pairs.differences.values),
        "low_both_learned": low,
        "high_both_learned": high,
    }


def known_interval(found: Differences) -> Interval:
    """Return the interval of a mean difference; none if all are equal.

    Differences of a few seeds, scored on a few rows, may well be equal. They don't tell how far others spread, so an
    interval of no width would be false.

    Args:
        found: The differences.
    """
    values = found.values
    is_equal = len(values) == 0 or values.max() - values.min() <= TOLERANCE * abs(values).max()
    return NO_INTERVAL if is_equal else found.interval


def _wins(values: np.ndarray, others: np.ndarray, metric: str) -> dict[str, int]:
    """Pairs won, tied and lost; a missing value loses against any other, where one of two values is better."""
    import numpy as np

    if not METRICS[metric].has_direction:  # an arm without the layers that a probe looks at has lost nothing
        is_known = np.isfinite(values) & np.isfinite(others)
        values, others = values[is_known], others[is_known]
    sign = -1 if lower_is_better(metric) else 1
    ours, theirs = (np.where(np.isnan(side), -np.inf, sign * side) for side in (values, others))
    equal = np.isclose(ours, theirs, rtol=TOLERANCE, atol=0)
    wins, ties = int(np.sum((ours > theirs) & ~equal)), int(np.sum(equal))
    return {"wins": wins, "ties": ties, "losses": len(values) - wins - ties}


def is_clear(row: pd.Series[Any]) -> bool:
    """Return whether the 95 % interval of a difference excludes 0.

    Args:
        row: A row with the columns `low` and `high`; nan if there is no interval.
    """
    return bool(row["low"] > 0 or row["high"] < 0)


def is_mixed(row: pd.Series[Any]) -> bool:
    """Return whether one side of a comparison learned in some seeds and not in others.

    Args:
        row: A row of `differences_table`.
    """
    return bool(mixed_arms(row))


def mixed_arms(row: pd.Series[Any]) -> list[str]:
    """Return the arms of a comparison that learned in some seeds and not in others.

    Args:
        row: A row of `differences_table`.
    """
    import pandas as pd

    n_pairs = row["wins"] + row["ties"] + row["losses"]
    sides = {"arm": row["n_learned"], "baseline": row["n_baseline_learned"]}
    return [row[side] for side, n_learned in sides.items() if not pd.isna(n_learned) and 0 < n_learned < n_pairs]
