"""Dropout that changes the variance that batch normalizations get."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import MEASURED, NOTE, PROBLEM, Finding, register

SHIFT, LARGE = 1.2, 2.0
"""By which factor the variance in training may differ from that in inference, in the mean channel of a layer."""


@register("variance-shift")
def variance_shift(case: Case) -> Iterator[Finding]:
    """Dropout gives batch normalizations another variance in training than in inference (Li et al. 2018)."""
    import numpy as np

    if case.readings is None:
        return
    ratios = {}
    for norm in case.readings.norms:
        if norm.noisy is not None and norm.quiet is not None:
            epsilon = float(norm.layer.epsilon)
            ratios[norm.name] = float(np.exp(np.mean(np.log((norm.noisy + epsilon) / (norm.quiet + epsilon)))))
    off = {name: ratio for name, ratio in ratios.items() if max(ratio, 1 / ratio) > SHIFT}
    if off:
        worst = max(off, key=lambda name: max(off[name], 1 / off[name]))
        size = max(off[worst], 1 / off[worst])
        yield Finding(
            f"Dropout makes the variance that {worst} gets {off[worst]:.2f} times as large in training as in "
            "inference, where its averages are used (Li et al. 2018, arXiv 1801.05134).",
            off[worst],
            tuple(off),
            "Put dropout behind the last normalization; or bncli recalibrate, which estimates without dropout.",
            PROBLEM if size > LARGE else NOTE,
            MEASURED,
        )
