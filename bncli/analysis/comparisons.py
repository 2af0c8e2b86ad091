"""The table of differences: every arm against the baseline, paired by seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bncli.analysis.grid import Cell, distinct_cells
from bncli.analysis.pairs import final_values, paired_differences, paired_values
from bncli.analysis.seeds import always_valid_interval
from bncli.analysis.statistics import effect_size, holm, mean, sign_flip_test
from bncli.analysis.tables import AXES, Conditions, Results, table_of
from bncli.tasks.metrics import DEFAULT, TOLERANCE, lower_is_better

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


COLUMNS = (
    *("condition", "arm", "baseline", AXES, "metric", "n", "mean_difference", "low", "high", "p_value", "p_holm"),
    *("wins", "ties", "losses", "effect_size", "low_always", "high_always"),
)


def differences_table(
    results: Results, conditions: Conditions, metric: str = DEFAULT, baseline: str | None = None
) -> pd.DataFrame:
    """Return one row per arm and point of the axes, for arms other than the baseline at points that both have.

    Where an axis affects neither the arm nor the baseline, they are compared once, with None in its column.

    Columns:
        - `condition` (the arm's row in `conditions_table`), `arm`, `baseline`, `param_<axis>`, `metric`
        - `n` (pairs), `mean_difference` (final value of the arm minus the baseline's), `low` and `high` (its 95 %
          interval, with ends that would be impossible clipped, see `paired_differences`)
        - `p_value` (see `sign_flip_test`; nan below `MIN_PAIRS` pairs), `p_holm` (corrected over all rows)
        - `wins`, `ties`, `losses` (pairs in which the arm is better, equal, worse)
        - `effect_size` (see `effect_size`)
        - `low_always`, `high_always` (an interval that may be read after every new seed, see `always_valid_interval`)

    A diverged run has no loss, so its pair is missing from `n`, the mean and the test. The other side still wins it, or
    it is a tie if both diverged. So `wins`, `ties` and `losses` may sum to more than `n`.

    Args:
        results: The runs.
        conditions: The condition of each.
        metric: What is compared.
        baseline: The label of the baseline; the first arm if None.

    Raises:
        UnknownName: No such metric.
    """
    lower_is_better(metric)
    compared = [cell for cell in distinct_cells(results, conditions, baseline) if not cell.is_baseline]
    rows = [
        cell.columns | {"metric": metric} | _difference_row(cell, metric)
        for cell in compared
        if cell.runs and cell.baseline_runs
    ]
    table = table_of(rows, conditions, COLUMNS)
    table["p_holm"] = holm(table["p_value"].tolist())
    return table


def _difference_row(cell: Cell, metric: str) -> dict[str, Any]:
    differences, (low, high) = paired_differences(cell.runs, cell.baseline_runs, metric)
    values, others = paired_values(final_values(cell.runs, metric), final_values(cell.baseline_runs, metric))
    return {
        "n": len(differences),
        "mean_difference": mean(differences),
        "low": low,
        "high": high,
        "p_value": sign_flip_test(differences),
        **_wins(values, others, metric),
        "effect_size": effect_size(differences),
        **dict(zip(("low_always", "high_always"), always_valid_interval(differences), strict=True)),
    }


def _wins(values: np.ndarray, others: np.ndarray, metric: str) -> dict[str, int]:
    """Pairs won, tied and lost; a missing value loses against any other."""
    import numpy as np

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
