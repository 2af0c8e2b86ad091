"""Batches that are filled up with samples that do not count, so that all batches of an epoch have one size."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bncli.backend import keras, tf
from bncli.networks.calls import read_graph

FEW_POSITIONS = 256
"""Up to so many values of a channel are summed by a loop; more of them by products of matrices, which are faster."""

SUMMED = 64
"""The most values that one product sums, one after the other; sums of sums lose less to rounding than one long sum."""

_counted = threading.local()


@contextmanager
def counted(weights: tf.Tensor | None) -> Iterator[None]:
    """Let samples count by their weights in the statistics of batch normalizations that are called in the block.

    Args:
        weights: Shape (samples,); None to count all alike.
    """
    _counted.weights = weights
    try:
        yield
    finally:
        _counted.weights = None


class CountedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Keras' batch normalization, for batches with samples that only fill them up; see `counted`."""

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return the normalized inputs; in training with the statistics of the samples that count."""
        weights = getattr(_counted, "weights", None)
        if weights is None or not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        counts = tf.reshape(weights, [-1, *[1] * (inputs.shape.rank - 2)]) * tf.ones(inputs.shape[:-1])
        counts = counts if mask is None else counts * tf.cast(mask, counts.dtype)
        if getattr(self, "renorm", False):
            return super().call(inputs, training=training, mask=counts)
        gamma = self.gamma if self.scale else tf.ones(inputs.shape[-1:])
        beta = self.beta if self.center else tf.zeros(inputs.shape[-1:])
        outputs, mean, variance = _normalized(inputs, gamma, beta, counts, self.epsilon, is_masked=mask is not None)
        for average, found in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + found * (1 - self.momentum))
        return outputs


def _normalized(
    x: tf.Tensor, gamma: Any, beta: Any, counts: tf.Tensor, epsilon: float, *, is_masked: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return x in batch normalization, and its mean and variance, of which there is no gradient.

    The gradient of x is written out: what would flow through the mean within the variance is a sum of deviations, and
    so zero (Ioffe and Szegedy 2015, section 3). XLA would compute it.

    Args:
        x: Shape (..., channels).
        gamma: Shape (channels,).
        beta: Shape (channels,).
        counts: What each position counts, shape (...).
        epsilon: The small number added to the variance.
        is_masked: Whether there may be a gradient from positions that do not count.
    """
    shape, n_positions, channels = x.shape, math.prod(x.shape[:-1]), x.shape[-1]
    n_counted, column = tf.reduce_sum(counts), tf.reshape(counts, [n_positions, 1])
    share, size = column / n_counted, max(size for size in range(1, SUMMED + 1) if n_positions % size == 0)

    def total(values: tf.Tensor) -> tf.Tensor:
        if n_positions <= FEW_POSITIONS:
            return tf.reduce_sum(values * column, axis=0)
        parts = tf.matmul(tf.reshape(counts, [-1, 1, size]), tf.reshape(values, [-1, size, channels]))
        return tf.reduce_sum(parts, axis=(0, 1))

    def of_all(values: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(values, axis=0) if is_masked else total(values)

    @tf.custom_gradient  # type: ignore[untyped-decorator,unused-ignore]
    def normalized(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> Any:
        x = tf.reshape(x, [n_positions, channels])
        mean = total(x) / n_counted
        variance = total(tf.square(x - mean)) / n_counted
        inverse = tf.math.rsqrt(variance + epsilon)
        factor = inverse * gamma

        def gradient(upstream: tf.Tensor, *_: Any) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            upstream = tf.reshape(upstream, [n_positions, channels])
            normal = (x - mean) * inverse
            to_beta, to_gamma = of_all(upstream), of_all(upstream * normal)
            to_x = factor * (upstream - share * (to_beta + normal * to_gamma))
            return tf.reshape(to_x, shape), to_gamma, to_beta

        return (tf.reshape(x * factor + (beta - mean * factor), shape), mean, variance), gradient

    found: tuple[tf.Tensor, tf.Tensor, tf.Tensor] = normalized(x, *map(tf.convert_to_tensor, (gamma, beta)))
    return found


SAMPLEWISE_LAYERS = frozenset({
    "InputLayer", "Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Identity", "Dropout", "PhiloxDropout",
    "BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization", "Rescaling", "Masking",
    "Flatten", "Reshape", "RepeatVector", "Embedding", "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum",
    "SimpleRNN", "GatedLSTM", "GatedGRU", "MatrixConv1D", "MatrixConv2D", "ShiftedDepthwiseConv2D",
    "ShiftedSeparableConv2D", "MaxPooling1D", "AveragePooling1D", "ReshapedMaxPooling2D", "ShiftedAveragePooling2D",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D",
    "ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D", "UpSampling1D", "UpSampling2D",
})  # fmt: skip
"""Layers that treat every sample by itself, along their last axis if they have one, or count samples here."""

SAMPLEWISE_OPERATIONS = frozenset({
    "Relu", "Relu6", "Sigmoid", "Tanh", "Gelu", "Silu", "Elu", "Selu", "LeakyRelu", "Softplus",
    "Add", "Subtract", "Multiply", "TrueDivide", "Negative", "Maximum", "Minimum", "Square", "Sqrt", "Exp", "Absolute",
    "Equal", "NotEqual", "Where", "ConvertToTensor",
})  # fmt: skip
"""Functions of `keras.ops` that do so: those that work value by value."""


def count_samples(model: keras.Model) -> bool:
    """Prepare a model in stackable layers for batches that are filled up; return whether nothing stands against it.

    Its normalizations then have the statistics of the samples that count. Nothing else may depend on other samples of
    the batch, as penalties on activations do, which are means over it.
    """
    layers = [layer for layer in model._flatten_layers(include_self=False) if not hasattr(layer, "layers")]
    parts = [layer for layer in layers if not hasattr(layer, "state_size") or hasattr(layer, "cell")]
    between = [call.layer for call in read_graph(model).calls if not isinstance(call.layer, keras.Layer)]
    if not (all(map(_is_samplewise, parts)) and all(map(_is_samplewise_operation, between))):
        return False
    for layer in layers:
        if type(layer) is keras.layers.BatchNormalization:
            layer.__class__ = CountedBatchNormalization
    return True


def _is_samplewise(layer: keras.Layer) -> bool:
    if layer.activity_regularizer is not None or type(layer).__name__ not in SAMPLEWISE_LAYERS:
        return False
    axis = getattr(layer, "axis", -1)
    axes = list(axis) if isinstance(axis, list | tuple) else [axis]
    ndim = layer.input_spec.ndim if isinstance(layer, keras.layers.BatchNormalization) else 0
    return axes in ([-1], [ndim - 1])


def _is_samplewise_operation(operation: Any) -> bool:
    """Whether a function works value by value, or is one with which masks are found, over the last axis."""
    name = type(operation).__name__
    return name in SAMPLEWISE_OPERATIONS or (name in ("All", "Any") and getattr(operation, "axis", None) in (-1, [-1]))
