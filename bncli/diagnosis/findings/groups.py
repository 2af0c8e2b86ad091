"""Normalizations within a sample whose statistics are over too few values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import NOTE, PROBLEM, Finding, register
from bncli.diagnosis.wording import agreed
from bncli.values import counted

FEW = 4
"""The number of values below which statistics say little; of two, only which is larger is left."""


@register("small-groups")
def small_groups(case: Case) -> Iterator[Finding]:
    """Group or layer normalization has so few values in a group that little or nothing of them is left."""
    sizes = {id(layer): size for layer in case.layers if (size := _n_values(layer)) is not None and size < FEW}
    if sizes:
        least = min(sizes.values())
        left = {1: "nothing but beta is", 2: "only which of the two is larger is"}.get(least, "little is")
        yield Finding(
            f"{counted(len(sizes), 'normalization')} {agreed(len(sizes), 'has', 'have')} statistics over "
            f"{'' if len(sizes) == 1 else 'as few as '}{counted(least, 'value')} of a sample: {left} left.",
            least,
            case.names(layer for layer in case.layers if id(layer) in sizes),
            "Fewer groups, or another normalization.",
            PROBLEM if least < 3 else NOTE,
        )


def _n_values(layer: Any) -> int | None:
    """Over how many values of a sample a layer's statistics are; None for other layers, and where sizes are open."""
    import keras

    shape = (layer.get_build_config() or {}).get("input_shape") if hasattr(layer, "get_build_config") else None
    if not shape:
        return None
    if isinstance(layer, keras.layers.GroupNormalization):
        channels = shape[layer.axis]
        groups = channels if layer.groups == -1 else layer.groups
        within: list[int | None] = [side for axis, side in enumerate(shape) if axis not in (0, layer.axis % len(shape))]
        return math.prod(side or FEW for side in within) * int(channels // groups)
    if isinstance(layer, keras.layers.LayerNormalization):
        axes = [layer.axis] if isinstance(layer.axis, int) else layer.axis
        return math.prod(shape[axis] or FEW for axis in axes)
    return None
