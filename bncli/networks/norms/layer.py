"""Layer normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.networks.norms import register

if TYPE_CHECKING:
    import keras


@register("layer", aliases=("ln", "layernorm", "layer_norm", "layernormalization"), alone="always outputs 0")
def layer(*, norm_epsilon: float, center: bool, scale: bool) -> keras.Layer:
    """Gamma * (x - mean) / sqrt(var + epsilon) + beta, per sample over the last axis.

    The same in training and inference (Ba et al. 2016, arXiv 1607.06450). As in Keras, an image is normalized over its
    channels at each position.
    """
    import keras

    return keras.layers.LayerNormalization(epsilon=norm_epsilon, center=center, scale=scale)
