"""The metrics: which values are better, what counts as reaching a level, and what the best constant answer scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
        is_main: Whether tables of single runs have a column for it.
    """

    label: str
    lower_is_better: bool = False
    is_proportion: bool = False
    is_main: bool = False


POPULATION = "population_"
"""Begins the names of metrics that are measured with population statistics in place of moving ones."""

FIT_METRICS = ("accuracy", "loss")
"""The averages over an epoch in training mode that `fit` reports."""

_MOVING = {
    "val_accuracy": Metric("validation accuracy", is_proportion=True, is_main=True),
    "test_accuracy": Metric("test accuracy", is_proportion=True, is_main=True),
    "train_accuracy": Metric("training accuracy (inference mode)", is_proportion=True, is_main=True),
    "accuracy": Metric("training accuracy (as fit reports it)", is_proportion=True, is_main=True),
    "val_loss": Metric("validation loss", lower_is_better=True, is_main=True),
    "test_loss": Metric("test loss", lower_is_better=True, is_main=True),
    "train_loss": Metric("training loss (inference mode)", lower_is_better=True),
    "loss": Metric("training loss (as fit reports it)", lower_is_better=True, is_main=True),
    "val_brier": Metric("validation Brier score", lower_is_better=True),
    "test_brier": Metric("test Brier score", lower_is_better=True),
    "val_calibration_error": Metric("validation calibration error", lower_is_better=True, is_proportion=True),
    "test_calibration_error": Metric("test calibration error", lower_is_better=True, is_proportion=True),
}

_POPULATION = {
    f"{POPULATION}{name}": replace(metric, label=f"{metric.label} with population statistics", is_main=False)
    for name, metric in _MOVING.items()
    if name not in FIT_METRICS
}

METRICS = _MOVING | _POPULATION
"""All metrics under Keras' names, in the order of tables. All but `FIT_METRICS` are measured in inference mode: after
the last epoch, and those of `HISTORY_METRICS` after every epoch. The losses are cross-entropies, which are negative
log-likelihoods per row; labels are smoothed in `loss` only. A run without a test part has no test metrics."""


def population_of(metric: str) -> str | None:
    """Return the metric that measures the same with population statistics; None if there is none.

    >>> population_of("val_accuracy"), population_of("loss")
    ('population_val_accuracy', None)
    """
    name = f"{POPULATION}{metric}"
    return name if name in METRICS else None


DEFAULT = "val_accuracy"
"""The metric that ranks arms unless the user names another."""

TEST_DEFAULT = "test_accuracy"
"""The same where the data has a test part: epochs and rates are chosen on validation rows, and no choice is made on
test rows."""

HISTORY_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")
"""The metrics that are known after every epoch, in the order of a record."""

TOLERANCE = 1e-6
"""Relative difference up to which two values of a metric count as equal: they are computed in float32."""

LEARNED = 0.2
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
    0.6
    """
    return trivial + LEARNED * (1 - trivial)
