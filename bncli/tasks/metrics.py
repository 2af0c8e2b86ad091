"""The metrics: which values are better, what counts as reaching a level, and what the best constant answer scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bncli.registry import check_name

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Metric:
    """What a run is scored by.

    Attributes:
        label: The metric's name in figures and sentences.
        lower_is_better: Whether smaller values are better.
        is_proportion: Whether its values lie between 0 and 1.
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
"""All metrics under Keras' names, in the order of tables. `accuracy` and `loss` are averages over an epoch in training
mode, as `fit` reports them; `train_accuracy` is measured in inference mode on the training rows, after the last epoch
only."""

DEFAULT = "val_accuracy"
"""The metric that ranks arms unless the user names another."""

HISTORY_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")
"""The metrics that are known after every epoch, in the order of a record."""

TOLERANCE = 1e-6
"""Relative difference up to which two values of a metric count as equal: they are computed in float32."""

LEARNED = 0.1
"""Share of the distance from the trivial score to a perfect score that a run must cover to count as having learned."""


def lower_is_better(metric: str) -> bool:
    """Return whether smaller values of a metric are better.

    Raises:
        UnknownName: There is no such metric.

    >>> lower_is_better("val_loss")
    True
    """
    check_name("metric", metric, METRICS)
    return METRICS[metric].lower_is_better


def best_epoch(metric: str, values: list[float | None]) -> dict[str, float | int] | None:
    """Find the best value in a history and the first epoch that has it.

    Args:
        metric: The metric, which decides whether small or large values are better.
        values: One value per epoch; None where it was not finite.

    Returns:
        The `value` and its `epoch`, counted from 1; None if no value is finite.

    >>> best_epoch("val_accuracy", [0.5, 0.9, None, 0.9])
    {'value': 0.9, 'epoch': 2}
    """
    sign = 1 if lower_is_better(metric) else -1
    ranked = [(sign * value, epoch, value) for epoch, value in enumerate(values, 1) if value is not None]
    if not ranked:
        return None
    _, epoch, value = min(ranked)
    return {"value": value, "epoch": epoch}


def reaches(metric: str, value: float | None, threshold: float) -> bool:
    """Return whether a value is as good as the threshold or better, up to rounding; None never is.

    >>> reaches("val_accuracy", 0.9, 0.9), reaches("val_loss", 0.9, 0.5)
    (True, False)
    """
    if value is None:
        return False
    lead = threshold - value if lower_is_better(metric) else value - threshold
    return lead >= -TOLERANCE * abs(threshold)


def trivial_score(classes: np.ndarray) -> float:
    """Return the accuracy of always guessing the commonest class: the share of that class.

    Args:
        classes: Class numbers from 0, shape (rows,).

    >>> import numpy as np
    >>> trivial_score(np.array([0, 1, 1, 1]))
    0.75
    """
    import numpy as np

    return float(np.bincount(classes).max() / len(classes))


def least_learned(trivial: float) -> float:
    """Return the accuracy that a run must exceed to count as having learned.

    Args:
        trivial: The trivial score, see `trivial_score`.

    >>> least_learned(0.5)
    0.55
    """
    return trivial + LEARNED * (1 - trivial)
