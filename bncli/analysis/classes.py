"""How classes are answered: by class the share that is right, and what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bncli.analysis.grid import cells
from bncli.analysis.pairs import mean_interval
from bncli.analysis.statistics import bootstrap_interval, mean
from bncli.analysis.tables import AXES, Conditions, Results, Runs, table_of
from bncli.tasks.metrics import DEFAULT

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

COLUMNS = (
    *("condition", "arm", "baseline", AXES, "class", "rows", "recall", "low_recall", "high_recall", "n"),
    *("difference", "low", "high", "n_pairs"),
)


def confusion_of_runs(runs: Runs) -> np.ndarray | None:
    """Return what share of each class (rows) is answered by each class (columns), the mean over runs.

    A class without validation rows has shares of nan.

    Args:
        runs: The runs of a condition. Those that have no answers, as diverged ones, are left out.

    Returns:
        Shape (classes, classes); None if no run has any.
    """
    import numpy as np

    known = _counts(runs)
    if not known:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.mean([counts / counts.sum(axis=1, keepdims=True) for counts in known], axis=0))


def classes_table(
    results: Results, conditions: Conditions, baseline: str | None = None, names: Sequence[str] = ()
) -> pd.DataFrame:
    """Return one row per class, arm and point of the axes, for runs whose records say how they answered classes.

    Columns:
        - `condition`, `arm`, `baseline`, `param_<axis>`
        - `class`, and how many validation `rows` it has (their mean over runs, which may have splits of their own)
        - `recall`: the share of these rows that is right, the mean over `n` runs, with its 95 % interval `low_recall`,
          `high_recall`
        - `difference` from the baseline's recall over `n_pairs` pairs of runs of a seed, with its 95 % interval `low`,
          `high`; they are not corrected for the number of classes

    Args:
        results: The runs.
        conditions: The condition of each.
        baseline: The label of the baseline; the first arm if None.
        names: The names of the classes; their numbers if there are none.
    """
    rows: list[dict[str, Any]] = []
    for cell in cells(results, conditions, baseline):
        own, others = _recalls(cell.runs), {} if cell.is_baseline else _recalls(cell.baseline_runs)
        sizes = [counts.sum(axis=1) for counts in _counts(cell.runs)]
        for number in range(len(sizes[0]) if sizes else 0):
            name = names[number] if number < len(names) else str(number)
            size = sum(int(each[number]) for each in sizes) / len(sizes)
            rows.append(cell.columns | {"class": name, "rows": size} | _class_row(own, others, number))
    return table_of(rows, conditions, COLUMNS)


def _counts(runs: Runs) -> list[np.ndarray]:
    import numpy as np

    return [np.array(run.confusion) for run in runs.values() if run.confusion]


def _recalls(runs: Runs) -> dict[int, np.ndarray]:
    """The share of each class that is right, by seed."""
    import numpy as np

    found = {seed: np.array(run.confusion, "float64") for seed, run in runs.items() if run.confusion}
    with np.errstate(invalid="ignore", divide="ignore"):
        return {seed: np.diag(counts) / counts.sum(axis=1) for seed, counts in found.items()}


def _class_row(own: dict[int, np.ndarray], others: dict[int, np.ndarray], number: int) -> dict[str, float]:
    import numpy as np

    values = np.array([recalls[number] for recalls in own.values()])
    pairs = np.array([own[seed][number] - others[seed][number] for seed in own if seed in others])
    low, high = mean_interval(values, DEFAULT)  # a recall is a proportion, as an accuracy is
    below, above = bootstrap_interval(pairs)
    return {
        "recall": mean(values),
        "low_recall": low,
        "high_recall": high,
        "n": len(values),
        "difference": mean(pairs),
        "low": below,
        "high": above,
        "n_pairs": len(pairs),
    }
