"""Instance normalization."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bncli.networks.norms import Shape, register
from bncli.networks.norms.group import SPANS_PADDING

if TYPE_CHECKING:
    import keras


def n_values(_: Any, shape: Shape) -> int:
    """Return how many values of a sample there are in a channel."""
    return math.prod(shape[:-1])


@register(
    "instance",
    aliases=("instancenorm", "instance_norm"),
    cancels_bias=True,
    alone="always outputs 0",
    n_values=n_values,
    masked=SPANS_PADDING,
)
def instance(*, norm_epsilon: float, center: bool, scale: bool) -> keras.Layer:
    """Gamma * (x - mean) / sqrt(var + epsilon) + beta, per sample and channel over space; for images only.

    The same in training and inference (Ulyanov et al. 2016, arXiv 1607.08022): group normalization with one channel a
    group.
    """
    import keras

    return keras.layers.GroupNormalization(groups=-1, epsilon=norm_epsilon, center=center, scale=scale)
