"""Dropout that changes the variance that batch normalizations get."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import MEASURED, NOTE, Finding, register
from bncli.diagnosis.wording import agreed

SHIFT = 2.5
"""By which factor the variance in training may differ from that in inference, in the mean channel of a layer: dropout
of half the values directly before a layer makes it about 2. It hardly ever costs much: of networks on digits with 2 to
5.9 (`benchmarks`) none lost more than 0.009 of its accuracy. What it costs in a model is in `statistics-gap`."""


@register("variance-shift")
def variance_shift(case: Case) -> Iterator[Finding]:
    """Dropout gives batch normalizations another variance in training than in inference (Li et al. 2018)."""
    norms = [] if case.readings is None else case.readings.sound_norms
    shifts = {norm.name: norm.shift for norm in norms if norm.layer.trainable}
    off = {name: shift for name, shift in shifts.items() if _size(shift) > SHIFT}
    if off:
        worst = max(off, key=lambda name: _size(off[name]))
        others = len(off) - 1
        more = f" In {others} more {agreed(others, 'layer', 'layers')} it is more than {SHIFT:g}." if others else ""
        yield Finding(
            f"Dropout makes the variance that {worst} gets {off[worst]:.2f} times as large in training as in "
            f"inference, where its averages are used (Li et al. 2018, arXiv 1801.05134).{more}",
            off[worst],
            tuple(off),
            "Put dropout behind the last normalization; or bncli recalibrate, which estimates without dropout.",
            NOTE,
            MEASURED,
        )


def _size(shift: float) -> float:
    return max(shift, 1 / shift)
