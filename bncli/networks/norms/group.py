"""Group normalization."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bncli.networks.grouping import groups_for
from bncli.networks.norms import Shape, register

if TYPE_CHECKING:
    import keras


def n_values(settings: Any, shape: Shape) -> int:
    """Return how many values of a sample there are in a group; raise `ValueError` if the groups don't divide it."""
    groups = groups_for(shape) if settings.groups is None else int(settings.groups)
    if shape[-1] % groups:
        raise ValueError(f"receives {shape[-1]} channels, which groups={groups} does not divide")
    return math.prod(shape) // groups


SPANS_PADDING = "takes its statistics over padded steps, too"


@register("group", aliases=("gn", "groupnorm"), alone="always outputs 0", n_values=n_values, masked=SPANS_PADDING)
def group(*, groups: int | None, norm_epsilon: float, center: bool, scale: bool) -> keras.Layer:
    """Gamma * (x - mean) / sqrt(var + epsilon) + beta, per sample over each of `groups` channel groups.

    The same in training and inference (Wu and He 2018, arXiv 1803.08494). `groups` must divide the number of channels.
    Without a number, every layer has the paper's 32 groups if that leaves two channels and four values or more in each;
    else the most, below 32, that leave four channels in each.
    """
    import keras

    settings = {"epsilon": norm_epsilon, "center": center, "scale": scale}
    if groups is not None:
        return keras.layers.GroupNormalization(groups=groups, **settings)
    from bncli.networks.layers import GroupNormalization

    return GroupNormalization(**settings)
