"""Keras' layers in forms that stack: the same weights and results, vectorized over runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from bncli.config import RunConfig
from bncli.data.datasets import Dataset
from bncli.engines import philox
from bncli.engines.backend import keras, tf
from bncli.engines.method import Method
from bncli.networks.building import build_model


def build_stackable(config: RunConfig, dataset: Dataset, method: Method) -> keras.Model:
    """Build a run's network with the layer forms that the method wants; variables come in the oracle's order."""
    layers: dict[str, Callable[..., keras.Layer]] = {"dropout": PhiloxDropout}
    if method.stacked:
        layers["lstm"] = _unrolled_lstm
    if method.matrix_conv:
        layers |= {"conv": MatrixConv2D, "pool": ReshapedMaxPooling2D}
    return build_model(config, dataset.input_shape, dataset.n_classes, config.seed, layers)


def _unrolled_lstm(**arguments: Any) -> keras.Layer:
    """Keras' LSTM written out step by step: a loop inside would neither vectorize nor compile."""
    return keras.layers.LSTM(unroll=True, **arguments)


class PhiloxDropout(keras.layers.Dropout):  # type: ignore[misc]
    """Keras' dropout with the oracle's masks in a form that stacks: see `philox`."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drop entries in training and scale the others up."""
        if not training or self.rate == 0:
            return inputs
        seed = tf.math.floormod(self.seed_generator.next(), tf.int32.max - 1)  # as Keras wraps it
        noise = philox.uniform(seed, math.prod(inputs.shape))
        kept = tf.reshape(noise, inputs.shape) >= self.rate
        return tf.where(kept, inputs * (1.0 / (1.0 - self.rate)), 0.0)


class MatrixConv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """Keras' convolution as patches x kernel matrix: the same weights and sums, in a form that stacks under XLA."""

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Return the valid convolution of `inputs` (rows, height, width, channels) with `kernel`."""
        size_h, size_w, n_in, n_out = kernel.shape
        height, width = inputs.shape[1] - size_h + 1, inputs.shape[2] - size_w + 1
        shifts = [inputs[:, i : i + height, j : j + width] for i in range(size_h) for j in range(size_w)]
        patches = tf.reshape(tf.concat(shifts, axis=-1), [-1, size_h * size_w * n_in])
        flat = tf.matmul(patches, tf.reshape(kernel, [size_h * size_w * n_in, n_out]))
        return tf.reshape(flat, [-1, height, width, n_out])


class ReshapedMaxPooling2D(keras.layers.MaxPooling2D):  # type: ignore[misc]
    """Keras' 2x2 maximum as a reduction, which XLA compiles well.

    Where pixels tie, the gradient is shared between them instead of going to the first. Ties come from ReLU's zeros,
    where it is zero anyway.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the maximum of every 2x2 square of (rows, height, width, channels)."""
        height, width, channels = inputs.shape[1] // 2, inputs.shape[2] // 2, inputs.shape[3]
        even = inputs[:, : height * 2, : width * 2]
        return tf.reduce_max(tf.reshape(even, [-1, height, 2, width, 2, channels]), axis=(2, 4))
