"""Layers whose moving averages are not those of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import MEASURED, NOTE, PROBLEM, Finding, register
from bncli.diagnosis.findings.averages import is_new, is_stuck
from bncli.diagnosis.wording import agreed, some_of, within

if TYPE_CHECKING:
    from bncli.diagnosis.layers import NormReading

FAR = 0.3
"""How many standard deviations a mean may be off, in the median channel of a layer. Over healthy networks, ten seeds
each, the worst layer is 0.02 to 0.18 off (`benchmarks/diagnosis.py`); LSTMs with 0.2 to 0.26 lost up to 0.08 of their
accuracy to it."""

FACTOR = 2.0
"""By which factor a variance may be off, in the median channel of a layer: over the same networks it is 1.0 to 1.4."""


@register("stale-averages")
def stale_averages(case: Case) -> Iterator[Finding]:
    """The moving averages of layers are far from the statistics of the training rows under the present weights."""
    if case.readings is None or not case.is_trained or not case.readings.is_finite:
        return  # what helps depends on the scores, which NaN decides
    known = [norm for norm in case.readings.norms if not (is_new(norm.layer) or is_stuck(norm.layer))]
    off = [norm for norm in known if norm.distance > FAR or norm.factor > FACTOR]
    live, frozen = ([norm for norm in off if norm.layer.trainable is state] for state in (True, False))
    total = len(case.readings.norms)
    if live:
        helps = case.readings.is_better_with_population
        yield _finding(
            live,
            f"The moving averages of {within(len(live), total)} are stale for this data",
            "Check first that the rows are scaled as in training. If they are: "
            + (
                "bncli recalibrate; in training a lower momentum, or more steps."
                if helps
                else "the model answers no better with other statistics, and may have been trained with these."
            ),
            PROBLEM if helps else NOTE,
        )
    if frozen:
        yield _finding(
            frozen,
            f"{some_of(len(frozen), total)} "
            f"{agreed(len(frozen), 'is', 'are')} frozen with the statistics of other data",
            "Check first that the rows are scaled as in training. What was trained behind frozen layers may count on "
            "their statistics: bncli compare --keep-weights --arms as-is,frozen,recalibrated tells.",
            NOTE,
        )


def _finding(off: Sequence[NormReading], what: str, remedy: str, severity: str) -> Finding:
    worst = max(off, key=lambda norm: max(norm.distance / FAR, norm.factor / FACTOR))
    by_mean = worst.distance / FAR > worst.factor / FACTOR
    how = (
        f"mean is {worst.distance:.2g} standard deviations off"
        if by_mean
        else f"variance is off by a factor of {worst.factor:.2g}"
    )
    return Finding(
        f"{what}: in {worst.name} the {how} (median channel).",
        worst.distance if by_mean else worst.factor,
        tuple(norm.name for norm in off),
        remedy,
        severity,
        MEASURED,
    )
