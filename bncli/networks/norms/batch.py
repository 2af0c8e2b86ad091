"""Batch normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.networks.norms import register

if TYPE_CHECKING:
    import keras


@register("batch", aliases=("bn", "batchnorm", "batch_norm", "batchnormalization"), cancels_bias=True)
def batch(*, norm_momentum: float, norm_epsilon: float, center: bool, scale: bool, ghost: int | None) -> keras.Layer:
    """Gamma * (x - mean) / sqrt(var + epsilon) + beta, per channel over the batch (and space).

    In training, mean and var are those of the batch. In inference they are moving averages, which start at 0 and 1 and
    which every training step sets to `momentum * moving + (1 - momentum) * batch` (Ioffe and Szegedy 2015,
    arXiv 1502.03167; as in Keras, the averages are of the biased variance). After s steps, `momentum ** s` of the
    initial values is left: with 0.99, 1 % is left after 459 steps.

    With `ghost`, mean and var in training are those of chunks of so many samples; see `layers.GhostBatchNormalization`.
    """
    import keras

    settings = {"momentum": norm_momentum, "epsilon": norm_epsilon, "center": center, "scale": scale}
    if ghost is None:
        return keras.layers.BatchNormalization(**settings)
    from bncli.networks.layers import GhostBatchNormalization

    return GhostBatchNormalization(ghost=ghost, **settings)
