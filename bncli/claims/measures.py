"""The measures of claims: functions from a run's result to a number, and reductions of such numbers along an axis.

The keyword parameters of a measure are the keys that a claim may give it. A value can be infinite: the hit epoch of a
run that never reaches the threshold, or the loss of a run that diverged.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence

from bncli import results
from bncli.registry import Registry
from bncli.results import RunResult
from bncli.tasks import metrics
from bncli.values import Value

REGISTRY: Registry[Callable[..., float]] = Registry("measure")

REDUCTIONS: Registry[Callable[[Sequence[float], Sequence[Value]], float]] = Registry("reduction")

CENSORED = ("hit_epoch", "hit_seconds", "highest")
"""Measures and reductions that are infinite for some runs; the median summarizes them, because a mean can't."""

TIMED = ("hit_seconds", "epoch_seconds")
"""Measures in seconds; runs that train together share one time."""

POSITIVE = ("tolerance", "highest")
"""Reductions that take the logarithm of the axis' values."""

SCORES = ("final", "best", "late_mean")
"""Measures of how well a run ends, which tell runs that learned from others."""

AT_THE_END = ("final", "gap", "learned")
"""Measures that take the metric after the last epoch; the others take its history."""

LOWER = ("hit_epoch", "hit_seconds", "epoch_seconds")
"""Measures for which lower is better, whatever the metric."""

HIGHER = ("learned",)
"""Measures for which higher is better, whatever the metric."""


def lower_is_better(name: str, metric: str) -> bool:
    """Return whether lower values of a measure are better.

    >>> lower_is_better("final", "val_accuracy"), lower_is_better("hit_epoch", "val_accuracy")
    (False, True)

    Args:
        name: A measure.
        metric: The metric that it measures.
    """
    return name in LOWER or (name not in HIGHER and metrics.lower_is_better(metric))


def parameters(name: str) -> tuple[str, ...]:
    """Return the keys of a claim that a measure uses.

    >>> parameters("hit_epoch")
    ('metric', 'threshold')
    """
    return tuple(inspect.signature(REGISTRY[name]).parameters)[1:]


@REGISTRY.register("final")
def final(result: RunResult, *, metric: str) -> float:
    """The metric after the last epoch."""
    return _number(metric, result.metrics.get(metric))


@REGISTRY.register("first")
def first(result: RunResult, *, metric: str) -> float:
    """The metric after the first epoch."""
    return _number(metric, next(iter(result.history.get(metric, [])), None))


@REGISTRY.register("best")
def best(result: RunResult, *, metric: str) -> float:
    """The best value of the metric in any epoch."""
    return _number(metric, result.best.get(metric, {}).get("value"))


@REGISTRY.register("late_mean")
def late_mean(result: RunResult, *, metric: str, last: int) -> float:
    """The mean of the metric over the last epochs."""
    values = [_number(metric, value) for value in result.history.get(metric, [])[-last:]]
    return sum(values) / len(values) if values else _number(metric, None)


@REGISTRY.register("gap")
def gap(result: RunResult, *, metric: str, minus: str, last: int) -> float:
    """The final metric minus the mean of another over the last epochs."""
    return final(result, metric=metric) - (
        late_mean(result, metric=minus, last=last) if minus in result.history else final(result, metric=minus)
    )


@REGISTRY.register("learned")
def learned(result: RunResult, *, metric: str, threshold: float) -> float:
    """Whether the final metric reaches the threshold: 1 or 0."""
    return float(metrics.reaches(metric, result.metrics.get(metric), threshold))


@REGISTRY.register("hit_epoch")
def hit_epoch(result: RunResult, *, metric: str, threshold: float) -> float:
    """The first epoch, counted from 1, in which the metric reaches the threshold; infinite if it never does."""
    return float(results.hit_epoch(result, metric, threshold))


@REGISTRY.register("hit_seconds")
def hit_seconds(result: RunResult, *, metric: str, threshold: float) -> float:
    """The seconds of training until the end of the hit epoch."""
    return hit_epoch(result, metric=metric, threshold=threshold) * epoch_seconds(result)


@REGISTRY.register("epoch_seconds")
def epoch_seconds(result: RunResult) -> float:
    """The mean seconds per epoch."""
    return result.seconds / max(1, len(result.history.get("loss", [])))


def _number(metric: str, value: float | None) -> float:
    """The value; for None, such as the loss of a diverged run, the worst possible one.

    The accuracies of a diverged run are trivial scores.
    """
    return value if value is not None else (math.inf if metrics.lower_is_better(metric) else -math.inf)


@REDUCTIONS.register("slope")
def slope(numbers: Sequence[float], along: Sequence[Value]) -> float:
    """The least-squares slope from one value of the axis to the next.

    >>> slope([1.0, 2.0, 3.0], ["dense8", "dense8*2", "dense8*4"])
    1.0
    """
    middle = (len(numbers) - 1) / 2
    weights = [place - middle for place in range(len(numbers))]
    return sum(w * number for w, number in zip(weights, numbers, strict=True)) / sum(w * w for w in weights)


@REDUCTIONS.register("tolerance")
def tolerance(numbers: Sequence[float], along: Sequence[Value]) -> float:
    """The widest range of neighbouring axis values, in decades, over which the measure is not 0; 0 if it always is.

    >>> tolerance([0.0, 1.0, 1.0, 0.0], [0.001, 0.01, 0.1, 1.0])
    1.0
    """
    widest, start = 0.0, math.inf
    for value, number in sorted(zip(map(_positive, along), numbers, strict=True)):
        start = min(start, value) if number else math.inf
        if number:
            widest = max(widest, math.log10(value / start))
    return widest


@REDUCTIONS.register("highest")
def highest(numbers: Sequence[float], along: Sequence[Value]) -> float:
    """The decimal logarithm of the highest axis value at which the measure is not 0; minus infinity if there is none.

    >>> highest([1.0, 1.0, 0.0], [0.01, 0.1, 1.0])
    -1.0
    """
    logarithms = [math.log10(_positive(value)) for value, number in zip(along, numbers, strict=True) if number]
    return max(logarithms, default=-math.inf)


def _positive(value: Value) -> float:
    return float(value or 0.0)
