"""What a claim is measured by: one number a run, one number along an axis.

A measure is a function of a result whose keyword parameters are the keys of a claim that it obeys. A reduction turns
the numbers of one seed along an axis into one. Worst is infinite: an epoch that never came, the loss of a diverged run.
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
"""Measures and reductions that may be infinite by design: their typical value is a median, not a mean."""

TIMED = ("hit_seconds", "epoch_seconds")
"""Measures in seconds, which runs that train together have in common."""

POSITIVE = ("tolerance", "highest")
"""Reductions over the logarithm of an axis."""

LOWER = ("hit_epoch", "hit_seconds", "epoch_seconds")
"""Measures of which less is better, whatever the metric."""

HIGHER = ("learned",)
"""Measures of which more is better, whatever the metric."""


def lower_is_better(name: str, metric: str) -> bool:
    """Whether less is better of the measure `name`, taken of `metric`."""
    return name in LOWER or (name not in HIGHER and metrics.lower_is_better(metric))


def parameters(name: str) -> tuple[str, ...]:
    """Return the keys of a claim that the measure `name` obeys."""
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
    """Whether the final metric is at the threshold or past it: 1 or 0."""
    return float(metrics.reaches(metric, result.metrics.get(metric), threshold))


@REGISTRY.register("hit_epoch")
def hit_epoch(result: RunResult, *, metric: str, threshold: float) -> float:
    """The first epoch, from 1, whose metric is at the threshold or past it; infinite if none is."""
    return float(results.hit_epoch(result, metric, threshold))


@REGISTRY.register("hit_seconds")
def hit_seconds(result: RunResult, *, metric: str, threshold: float) -> float:
    """The seconds of training until the hit epoch."""
    return hit_epoch(result, metric=metric, threshold=threshold) * epoch_seconds(result)


@REGISTRY.register("epoch_seconds")
def epoch_seconds(result: RunResult) -> float:
    """The seconds that an epoch takes."""
    return result.seconds / max(1, len(result.history.get("loss", [])))


def _number(metric: str, value: float | None) -> float:
    """The value, or the worst there is where a diverged run has none."""
    return value if value is not None else (math.inf if metrics.lower_is_better(metric) else -math.inf)


@REDUCTIONS.register("slope")
def slope(numbers: Sequence[float], along: Sequence[Value]) -> float:
    """The least-squares slope from one value of the axis to the next."""
    middle = (len(numbers) - 1) / 2
    weights = [place - middle for place in range(len(numbers))]
    return sum(w * number for w, number in zip(weights, numbers, strict=True)) / sum(w * w for w in weights)


@REDUCTIONS.register("tolerance")
def tolerance(numbers: Sequence[float], along: Sequence[Value]) -> float:
    """The widest range of neighbouring values, in decades, over which the measure is not 0; 0 if it always is."""
    widest, start = 0.0, math.inf
    for value, number in sorted(zip(map(_positive, along), numbers, strict=True)):
        start = min(start, value) if number else math.inf
        if number:
            widest = max(widest, math.log10(value / start))
    return widest


@REDUCTIONS.register("highest")
def highest(numbers: Sequence[float], along: Sequence[Value]) -> float:
    """The decimal logarithm of the highest value at which the measure is not 0; minus infinity if there is none."""
    held = [math.log10(_positive(value)) for value, number in zip(along, numbers, strict=True) if number]
    return max(held, default=-math.inf)


def _positive(value: Value) -> float:
    return float(value or 0.0)
