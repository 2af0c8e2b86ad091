"""Units and channels that carry nothing."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import MEASURED, NOTE, PROBLEM, Finding, register

DEAD = 0.5
"""The share of a layer's units above which dead ones are a problem."""

SOME = 0.2
"""The share of a layer's units above which dead ones are noted."""

SATURATED = 0.5
"""The share of a layer's outputs above which saturation is noted."""


@register("dead-units")
def dead_units(case: Case) -> Iterator[Finding]:
    """Rectified units return 0 for every row: nothing they got can change, as their gradient is 0 too."""
    if case.readings is None:
        return
    layers = [reading for reading in case.readings.layers if reading.activation in ("relu", "relu6")]
    shares = {reading.name: float((reading.zeros == reading.n_rows).mean()) for reading in layers}
    dead = {name: share for name, share in shares.items() if share > SOME}
    if dead:
        worst = max(dead, key=dead.__getitem__)
        yield Finding(
            f"In {len(dead)} of {len(layers)} rectified layers more than a fifth of the units return 0 for every row: "
            f"{dead[worst]:.0%} of {worst}.",
            dead[worst],
            tuple(dead),
            "A lower learning rate, He initialization, or a normalization before the activation.",
            PROBLEM if dead[worst] > DEAD else NOTE,
            MEASURED,
        )


@register("saturated-units")
def saturated_units(case: Case) -> Iterator[Finding]:
    """Sigmoid or tanh units are at their ends for most rows, where their gradient is almost 0."""
    if case.readings is None:
        return
    layers = [reading for reading in case.readings.layers if reading.n_values]
    last = case.readings.layers[-1] if case.readings.layers else None
    shares = {reading.name: reading.saturated / reading.n_values for reading in layers if reading is not last}
    flat = {name: share for name, share in shares.items() if share > SATURATED}
    if flat:
        worst = max(flat, key=flat.__getitem__)
        yield Finding(
            f"{flat[worst]:.0%} of what {worst} returns is at the ends of its activation, where it has almost no "
            "slope.",
            flat[worst],
            tuple(flat),
            "Smaller initial weights, a lower learning rate, or a normalization before the activation.",
            NOTE,
            MEASURED,
        )


@register("flat-channels")
def flat_channels(case: Case) -> Iterator[Finding]:
    """Channels vary less than epsilon: batch normalization passes hardly anything of them on, or makes noise large."""
    if case.readings is None:
        return
    found = {}
    for norm in case.readings.norms:
        variance = norm.population[1]
        flat = (variance < float(norm.layer.epsilon)) & (variance >= 0)
        if flat.mean() > SOME:
            found[norm.name] = int(flat.sum()), len(flat)
    if found:
        worst = max(found, key=lambda name: found[name][0] / found[name][1])
        count, n = found[worst]
        yield Finding(
            f"{count} of {n} channels that {worst} gets have a variance below its epsilon.",
            count,
            tuple(found),
            "Scale the inputs; look for dead units before it; or a smaller epsilon.",
            NOTE,
            MEASURED,
        )


@register("first-non-finite")
def first_non_finite(case: Case) -> Iterator[Finding]:
    """A layer returns infinite or NaN values for finite inputs."""
    readings = case.readings.layers if case.readings else []
    bad = [reading.name for reading in readings if reading.is_first_bad]
    if bad:
        yield Finding(
            f"{bad[0]} is the first layer that returns infinite or NaN values for rows of the data.",
            len(bad),
            tuple(bad),
            "Look at its weights and at the size of what it gets; with float16, at what overflows 65,504.",
            certainty=MEASURED,
        )
