"""RMS normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.networks.norms import register

if TYPE_CHECKING:
    import keras


@register("rms", aliases=("rmsnorm",), alone="outputs only its sign", masked="loses the mask of padded steps in Keras")
def rms(*, norm_epsilon: float) -> keras.Layer:
    """Gamma * x / sqrt(mean(x**2) + epsilon), per sample over the last axis; no mean is subtracted.

    The same in training and inference (Zhang and Sennrich 2019, arXiv 1910.07467). Keras' layer always has gamma and
    never beta, so `center` and `scale` have no effect.
    """
    import keras

    return keras.layers.RMSNormalization(epsilon=norm_epsilon)
