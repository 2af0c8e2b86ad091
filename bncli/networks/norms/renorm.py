"""Batch renormalization."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from bncli.networks.norms import register

if TYPE_CHECKING:
    import keras

SINCE = (3, 14)
"""The first version of Keras 3 whose `BatchNormalization` takes `renorm`."""

MAX_SCALE, MAX_SHIFT = 3.0, 5.0
"""The limits of r and d at the end of the paper's training. Keras has no schedule that widens them on the way."""


def missing() -> str:
    """Return why Keras does not have batch renormalization; an empty text if it does."""
    version = metadata.version("keras")
    if tuple(map(int, version.split(".")[:2])) >= SINCE:
        return ""
    return f"needs Keras {SINCE[0]}.{SINCE[1]} or later, and this is Keras {version}. Try: pip install --upgrade keras"


@register("renorm", aliases=("batch_renorm", "batchrenorm"), cancels_bias=True, missing=missing)
def renorm(*, norm_momentum: float, norm_epsilon: float, center: bool, scale: bool) -> keras.Layer:
    """Batch normalization, corrected in training towards its moving averages: gamma * (r * x_hat + d) + beta.

    x_hat is x normalized by its batch; r = sd / moving sd, within [1/3, 3], and d = (mean - moving mean) / moving sd,
    within [-5, 5], are constants for the gradient (Ioffe 2017, arXiv 1702.03275). Within these limits, training
    normalizes with the moving averages, as inference does.
    """
    import keras

    return keras.layers.BatchNormalization(
        momentum=norm_momentum,
        epsilon=norm_epsilon,
        center=center,
        scale=scale,
        renorm=True,
        renorm_clipping={"rmin": 1 / MAX_SCALE, "rmax": MAX_SCALE, "dmax": MAX_SHIFT},
        renorm_momentum=norm_momentum,
    )
