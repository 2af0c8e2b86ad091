"""Forms of Keras' layers that vectorize over runs: the same weights and outputs, written with other operations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from bncli.backend import keras, tf
from bncli.config import RunConfig
from bncli.data.datasets import Dataset
from bncli.engines import philox
from bncli.engines.method import Method
from bncli.networks.building import build_model
from bncli.networks.network import network_of


def build_stackable(config: RunConfig, dataset: Dataset, method: Method) -> keras.Model:
    """Build a run's network from the layers that `method` needs; it has the variables of the oracle's network."""
    network = network_of(config.model)
    if not network.can_stack:
        return network.build(config, dataset.input_shape, dataset.n_classes, config.seed)
    layers: dict[str, Callable[..., keras.Layer]] = {"dropout": PhiloxDropout}
    if method.stacked:
        layers["lstm"] = _unrolled_lstm
    if method.matrix_conv:
        layers |= {"conv": MatrixConv2D, "pool": ReshapedMaxPooling2D}
    return build_model(config, dataset.input_shape, dataset.n_classes, config.seed, layers)


def _unrolled_lstm(**arguments: Any) -> keras.Layer:
    """Keras' LSTM without a loop over time steps, which would neither vectorize nor compile."""
    return keras.layers.LSTM(unroll=True, **arguments)


class PhiloxDropout(keras.layers.Dropout):  # type: ignore[misc]
    """Keras' dropout, bit for bit, with random numbers from `philox`, which vectorize over runs."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the inputs; in training, set a share `rate` of them to 0 and divide the others by 1 - `rate`."""
        if not training or self.rate == 0:
            return inputs
        seed = tf.math.floormod(self.seed_generator.next(), tf.int32.max - 1)  # as Keras wraps it
        noise = philox.uniform(seed, math.prod(inputs.shape))
        kept = tf.reshape(noise, inputs.shape) >= self.rate
        return tf.where(kept, inputs * (1.0 / (1.0 - self.rate)), 0.0)


class MatrixConv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """Keras' convolution (stride 1, no padding) as one product of patches and kernel matrix, which XLA can stack."""

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Return the convolution of `inputs`.

        Args:
            inputs: Shape (rows, height, width, channels).
            kernel: Shape (kernel height, kernel width, channels, filters).
        """
        size_h, size_w, n_in, n_out = kernel.shape
        height, width = inputs.shape[1] - size_h + 1, inputs.shape[2] - size_w + 1
        shifts = [inputs[:, i : i + height, j : j + width] for i in range(size_h) for j in range(size_w)]
        patches = tf.reshape(tf.concat(shifts, axis=-1), [-1, size_h * size_w * n_in])
        flat = tf.matmul(patches, tf.reshape(kernel, [size_h * size_w * n_in, n_out]))
        return tf.reshape(flat, [-1, height, width, n_out])


class ReshapedMaxPooling2D(keras.layers.MaxPooling2D):  # type: ignore[misc]
    """Keras' 2x2 max pooling as a maximum over two axes, which XLA compiles well.

    Where values tie, they share the gradient; in Keras the first one gets it all. After ReLU, ties are zeros, whose
    gradient is zero anyway.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the maximum of every 2x2 square of `inputs`, shape (rows, height, width, channels)."""
        height, width, channels = inputs.shape[1] // 2, inputs.shape[2] // 2, inputs.shape[3]
        even = inputs[:, : height * 2, : width * 2]
        return tf.reduce_max(tf.reshape(even, [-1, height, 2, width, 2, channels]), axis=(2, 4))
