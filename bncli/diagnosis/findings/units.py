"""Units and channels that carry nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import MEASURED, NOTE, PROBLEM, Finding, register
from bncli.diagnosis.wording import agreed, within

if TYPE_CHECKING:
    from bncli.diagnosis.layers import LayerReading

DEAD = 0.5
"""The share of a layer's units above which dead ones are a problem."""

SOME = 0.3
"""The share of a layer's units above which dead ones are noted: healthy networks have up to 0.2 (`benchmarks`)."""

FEW = 3
"""The number of dead units below which a share up to `DEAD` is not noted: one of four may be chance."""

SATURATED = 0.5
"""The share of a layer's outputs above which saturation is noted: healthy networks of sigmoid and tanh units have less
than 0.01 (`benchmarks`), gates may have more."""

FLAT = 0.75
"""The share of a layer's channels above which flat ones are noted: healthy networks have up to 0.62 behind rectified
units (`benchmarks`), and of the pixels of digits a third hardly varies."""


@register("dead-units")
def dead_units(case: Case) -> Iterator[Finding]:
    """Rectified units return 0 for every row: nothing they got can change, as their gradient is 0 too."""
    if case.readings is None:
        return
    layers = [reading for reading in case.readings.sound_layers if reading.is_rectified]
    dead = [reading for reading in layers if reading.dead_share > (SOME if reading.n_dead >= FEW else DEAD)]
    if dead:
        worst = max(dead, key=lambda reading: reading.dead_share)
        yield Finding(
            f"In {within(len(dead), len(layers), 'rectified layer')} many units return 0 for every "
            f"row: {worst.dead_share:.0%} of {worst.name}.",
            worst.dead_share,
            tuple(reading.name for reading in dead),
            "A lower learning rate, He initialization, or a normalization before the activation.",
            PROBLEM if worst.dead_share > DEAD else NOTE,
            MEASURED,
        )


@register("saturated-units")
def saturated_units(case: Case) -> Iterator[Finding]:
    """Sigmoid or tanh units are at their ends for most rows, where their gradient is almost 0."""
    if case.readings is None:
        return
    hidden = case.readings.layers[:-1]  # the output may be as sure as it likes
    flat = [reading for reading in hidden if reading.is_sound and reading.saturated_share > SATURATED]
    if flat:
        worst = max(flat, key=lambda reading: reading.saturated_share)
        yield Finding(
            f"{worst.saturated_share:.0%} of what {worst.name} returns is at the ends of its activation, where it has "
            "almost no slope.",
            worst.saturated_share,
            tuple(reading.name for reading in flat),
            "Smaller initial weights, a lower learning rate, or a normalization before the activation.",
            NOTE,
            MEASURED,
        )


@register("flat-channels")
def flat_channels(case: Case) -> Iterator[Finding]:
    """Channels vary less than epsilon: batch normalization passes hardly anything of them on."""
    norms = [] if case.readings is None else case.readings.sound_norms
    flat = [norm for norm in norms if norm.flat.mean() > FLAT]
    if flat:
        worst = max(flat, key=lambda norm: float(norm.flat.mean()))
        count = int(worst.flat.sum())
        yield Finding(
            f"{count} of {len(worst.flat)} channels that {worst.name} gets {agreed(count, 'has', 'have')} a variance "
            f"below its epsilon, {worst.layer.epsilon:g}.",
            count,
            tuple(norm.name for norm in flat),
            "Scale the inputs; look for dead units before it; or a smaller epsilon.",
            NOTE,
            MEASURED,
        )


@register("first-non-finite")
def first_non_finite(case: Case) -> Iterator[Finding]:
    """A layer returns infinite or NaN values for finite inputs."""
    readings = case.readings.layers if case.readings else []
    bad = [reading for reading in readings if reading.is_first_bad]
    if bad:
        yield Finding(
            f"{bad[0].name} is the first layer that returns infinite or NaN values for rows of the data{_why(bad[0])}.",
            len(bad),
            tuple(reading.name for reading in bad),
            "Look at its weights and at the size of what it gets. float16 overflows beyond 65,504: a normalization "
            "before it, or float32 for this layer."
            if bad[0].dtype == "float16"
            else "Look at its weights and at the size of what it gets.",
            certainty=MEASURED,
        )


def _why(reading: LayerReading) -> str:
    if reading.dtype == "float16":
        return f": what it gets reaches {reading.largest:,.0f}, and it computes in float16"
    return f"; what it gets reaches {reading.largest:.3g}"
