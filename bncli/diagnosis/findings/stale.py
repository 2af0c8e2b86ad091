"""Layers whose moving averages are not those of the data."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import MEASURED, Finding, register

FAR = 0.5
"""How many standard deviations a mean may be off, in the median channel of a layer."""

FACTOR = 2.0
"""By which factor a variance may be off, in the median channel of a layer."""


@register("stale-averages")
def stale_averages(case: Case) -> Iterator[Finding]:
    """The moving averages of layers are far from the statistics of the training rows under the present weights."""
    import numpy as np

    if case.readings is None or not case.is_trained:
        return
    off = {}
    for norm in case.readings.norms:
        distance, factor = float(np.median(norm.distance)), float(np.exp(np.median(np.abs(np.log(norm.ratio)))))
        if distance > FAR or factor > FACTOR:
            off[norm.name] = distance, factor
    if off:
        worst = max(off, key=lambda name: max(off[name][0] / FAR, off[name][1] / FACTOR))
        distance, factor = off[worst]
        by_mean = distance / FAR > factor / FACTOR
        how = (
            f"mean is {distance:.2g} standard deviations off"
            if by_mean
            else f"variance is off by a factor of {factor:.2g}"
        )
        yield Finding(
            f"The moving averages of {len(off)} of {len(case.readings.norms)} batch normalizations are stale for this "
            f"data: in {worst} the {how} (median channel).",
            distance if by_mean else factor,
            tuple(off),
            "Check first that the rows are scaled as in training. If they are: bncli recalibrate; in training a lower "
            "momentum, or more steps.",
            certainty=MEASURED,
        )
