"""The metrics: which way is better, what the best constant answer scores, and when a value counts as reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bncli.registry import check_name

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Metric:
    """What a run is scored by; the names are Keras' own.

    Attributes:
        label: What figures and sentences call it.
        lower_is_better: Whether a smaller value is the better one.
        is_proportion: Whether it lies between 0 and 1.
    """

    label: str
    lower_is_better: bool = False
    is_proportion: bool = False


METRICS = {
    "val_accuracy": Metric("validation accuracy", is_proportion=True),
    "train_accuracy": Metric("training accuracy (inference mode)", is_proportion=True),
    "accuracy": Metric("training accuracy (as fit reports it)", is_proportion=True),
    "val_loss": Metric("validation loss", lower_is_better=True),
    "loss": Metric("training loss (as fit reports it)", lower_is_better=True),
}
"""All metrics, in the order of tables. `accuracy` and `loss` are running means in training mode, as `fit` reports them;
`train_accuracy` is measured on the training rows in inference mode, after the last epoch only."""

DEFAULT = "val_accuracy"
"""The metric that ranks arms unless the user names another."""

HISTORY_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")
"""The metrics that are known after every epoch, in the order of a record."""

TOLERANCE = 1e-6
"""Relative difference up to which two values of a metric are equal: they were computed with 32 bits."""

LEARNED = 0.1
"""Share of the way from the trivial score to a perfect one that a run must go to count as having learned."""


def lower_is_better(metric: str) -> bool:
    """Return whether a smaller value of a metric is the better one.

    Raises:
        UnknownName: No such metric.
    """
    check_name("metric", metric, METRICS)
    return METRICS[metric].lower_is_better


def best_epoch(metric: str, values: list[float | None]) -> dict[str, float | int] | None:
    """Return the best value of a history and the first epoch (from 1) that reached it; None if none is finite."""
    sign = 1 if lower_is_better(metric) else -1
    ranked = [(sign * value, epoch, value) for epoch, value in enumerate(values, 1) if value is not None]
    if not ranked:
        return None
    _, epoch, value = min(ranked)
    return {"value": value, "epoch": epoch}


def reaches(metric: str, value: float | None, threshold: float) -> bool:
    """Return whether a value is at the threshold or on the metric's better side of it; None is not."""
    if value is None:
        return False
    ahead = threshold - value if lower_is_better(metric) else value - threshold
    return ahead >= -TOLERANCE * abs(threshold)


def trivial_score(classes: np.ndarray) -> float:
    """Return the accuracy of the best constant answer: the share of the largest class.

    Args:
        classes: Class numbers from 0, shape (rows,).
    """
    import numpy as np

    return float(np.bincount(classes).max() / len(classes))


def least_learned(trivial: float) -> float:
    """Return the accuracy above which a run has learned, given the trivial score."""
    return trivial + LEARNED * (1 - trivial)
