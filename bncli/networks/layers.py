"""Normalization layers that Keras does not have."""

from __future__ import annotations

from typing import Any

from bncli.backend import keras
from bncli.networks.grouping import groups_for


class GroupNormalization(keras.layers.GroupNormalization):  # type: ignore[misc]
    """Keras' group normalization with a number of groups that fits its input; once it is built, it is Keras' layer."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Choose the number of groups, and make the weights."""
        self.groups = groups_for(tuple(side or 1 for side in input_shape[1:]))
        self.__class__ = keras.layers.GroupNormalization
        self.__class__.build(self, input_shape)


@keras.saving.register_keras_serializable(package="bncli")
class GhostBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Keras' batch normalization, in training with the statistics of chunks of the batch.

    So does data-parallel training without synchronization: every device normalizes with its own share of the batch,
    and Keras takes the mean of the averages that the devices keep (Hoffer et al. 2017, "Train longer, generalize
    better", arXiv 1705.08741). In inference it is `BatchNormalization`. The channels are on the last axis.

    Args:
        ghost: Samples per chunk, at least 2. The last chunk has what is left of the batch; a single sample, which has
            no statistics of its own behind a dense layer, joins the chunk before it.
        settings: Arguments of `BatchNormalization`.
    """

    def __init__(self, ghost: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.ghost = ghost

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Return the normalized inputs; in training, update the moving averages."""
        if not (training and self.trainable) or (inputs.shape[0] or self.ghost + 1) <= self.ghost:
            return super().call(inputs, training=training, mask=mask)
        x = keras.ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        if mask is None:
            shares = keras.ops.ones_like(x[..., :1])
        else:
            shares = keras.ops.cast(keras.ops.expand_dims(mask, -1), x.dtype)
        chunks = self._chunks(keras.ops.shape(x)[0], x.dtype)
        counts = keras.ops.maximum(_summed(chunks, shares), 1)
        mean = _summed(chunks, x * shares) / counts
        off = x - _spread(chunks, mean, x)
        variance = _summed(chunks, off * off * shares) / counts
        self._update(self.moving_mean, mean)
        self._update(self.moving_variance, variance)
        factor = keras.ops.rsqrt(variance + self.epsilon) * (self.gamma if self.scale else 1)
        outputs = off * _spread(chunks, factor, x) + (self.beta if self.center else 0)
        return keras.ops.cast(outputs, self.compute_dtype)

    def _chunks(self, n_samples: Any, dtype: Any) -> Any:
        """Which samples are in which chunk, as ones in a matrix of shape (chunks, samples)."""
        n_chunks = keras.ops.maximum((n_samples + self.ghost - 2) // self.ghost, 1)
        places = keras.ops.minimum(keras.ops.arange(n_samples) // self.ghost, n_chunks - 1)
        return keras.ops.cast(keras.ops.arange(n_chunks)[:, None] == places[None], dtype)

    def _update(self, average: Any, found: Any) -> None:
        mean = keras.ops.cast(keras.ops.mean(found, axis=0), average.dtype)
        average.assign(average * self.momentum + mean * (1 - self.momentum))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "ghost": self.ghost}


def _summed(chunks: Any, values: Any) -> Any:
    """Sums over the samples and positions of every chunk, shape (chunks, channels)."""
    positions = tuple(range(1, len(values.shape) - 1))
    return keras.ops.matmul(chunks, keras.ops.sum(values, axis=positions) if positions else values)


def _spread(chunks: Any, values: Any, like: Any) -> Any:
    """The values of a sample's chunk for every sample, in a shape that goes with `like`."""
    of_samples = keras.ops.matmul(keras.ops.transpose(chunks), values)
    for _ in range(len(like.shape) - 2):
        of_samples = of_samples[:, None]
    return of_samples
