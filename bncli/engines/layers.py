"""Forms of Keras' layers that vectorize over runs: the same weights and outputs, written with other operations.

`networks.forms.REPLACED` has the names of the layers that are replaced by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from bncli.backend import keras, tf
from bncli.config import RunConfig
from bncli.data.dataset import Dataset
from bncli.engines import philox
from bncli.engines.method import Method
from bncli.engines.recurrent import GatedGRU, GatedLSTM
from bncli.networks.building import build_model
from bncli.networks.copying import settings_of
from bncli.networks.drawing import in_turn
from bncli.networks.network import network_of


@in_turn()
def build_stackable(config: RunConfig, dataset: Dataset, method: Method) -> keras.Model:
    """Build a run's network from the layers that `method` needs; it has the variables of the oracle's network."""
    network = network_of(config.model)
    if network.digest:
        model = network.build(config, dataset.input_shape, dataset.n_classes, config.seed)
        return restacked(model) if method.stacked else model
    layers: dict[str, Callable[..., keras.Layer]] = {"dropout": PhiloxDropout}
    if method.stacked:
        layers |= {"lstm": partial(GatedLSTM, unroll=True), "gru": partial(GatedGRU, unroll=True)}
    if method.matrix_conv:
        layers |= {"conv": MatrixConv2D, "pool": ReshapedMaxPooling2D, "avgpool": ShiftedAveragePooling2D}
    return build_model(config, dataset.input_shape, dataset.n_classes, config.seed, layers)


def restacked(model: keras.Model) -> keras.Model:
    """Return a copy of a model in layers that stack; see `networks.forms` for which models have one."""

    def clone(layer: keras.Layer) -> keras.Layer:
        form = FORMS.get(type(layer).__name__, type(layer).from_config)
        return form(settings_of(layer))

    return keras.models.clone_model(model, clone_function=clone, recursive=True)


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
    """Keras' convolution as one product of patches and kernel matrix, which XLA can stack."""

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Return the convolution of `inputs`.

        Args:
            inputs: Shape (rows, height, width, channels).
            kernel: Shape (kernel height, kernel width, channels, filters).
        """
        size_h, size_w, n_in, n_out = kernel.shape
        if inputs.shape[1:3] == (size_h, size_w) and self.padding == "valid":
            flat = tf.matmul(tf.reshape(inputs, [-1, size_h * size_w * n_in]), tf.reshape(kernel, [-1, n_out]))
            return tf.reshape(flat, [-1, 1, 1, n_out])
        shifts = _shifts(inputs, (size_h, size_w), self.strides, self.padding, self.dilation_rate)
        height, width = shifts[0].shape[1:3]
        patches = tf.reshape(tf.concat(shifts, axis=-1), [-1, size_h * size_w * n_in])
        flat = tf.matmul(patches, tf.reshape(kernel, [size_h * size_w * n_in, n_out]))
        return tf.reshape(flat, [-1, height, width, n_out])


class ShiftedDepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
    """Keras' depthwise convolution as a sum of shifted inputs, each times one row of the kernel."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the convolution of `inputs`, shape (rows, height, width, channels)."""
        shifts = _shifts(inputs, self.kernel_size, self.strides, self.padding, self.dilation_rate)
        outputs = _depthwise(shifts, self.kernel)
        outputs = outputs + self.bias if self.use_bias else outputs
        return self.activation(outputs)


class ShiftedSeparableConv2D(keras.layers.SeparableConv2D):  # type: ignore[misc]
    """Keras' separable convolution: a depthwise one, then a product of each pixel's channels and a matrix."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the convolution of `inputs`, shape (rows, height, width, channels)."""
        shifts = _shifts(inputs, self.kernel_size, self.strides, self.padding, self.dilation_rate)
        each = _depthwise(shifts, self.depthwise_kernel)
        outputs = tf.matmul(each, tf.reshape(self.pointwise_kernel, self.pointwise_kernel.shape[2:]))
        outputs = outputs + self.bias if self.use_bias else outputs
        return self.activation(outputs)


class MatrixConv1D(keras.layers.Conv1D):  # type: ignore[misc]
    """Keras' convolution of sequences as one product of patches and kernel matrix."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the convolution of `inputs`, shape (rows, steps, channels)."""
        padding, (size, n_in, n_out) = self.padding, self.kernel.shape
        if padding == "causal":
            inputs, padding = tf.pad(inputs, [(0, 0), ((size - 1) * self.dilation_rate[0], 0), (0, 0)]), "valid"
        shifts = _shifts(inputs[:, :, None], (size, 1), (*self.strides, 1), padding, (*self.dilation_rate, 1))
        outputs = tf.matmul(tf.concat(shifts, axis=-1)[:, :, 0], tf.reshape(self.kernel, [size * n_in, n_out]))
        outputs = outputs + self.bias if self.use_bias else outputs
        return self.activation(outputs)


class ReshapedMaxPooling2D(keras.layers.MaxPooling2D):  # type: ignore[misc]
    """Keras' max pooling as a maximum over axes, which XLA compiles well.

    Where values tie, the first one gets the gradient, as in Keras; in windows that overlap, they share it.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the maximum of every window of `inputs`, shape (rows, height, width, channels)."""
        if self.padding == "same" or self.strides != self.pool_size:
            lowest = inputs.dtype.min
            return tf.reduce_max(tf.stack(_shifts(inputs, self.pool_size, self.strides, self.padding, fill=lowest)), 0)
        size_h, size_w = self.pool_size
        height, width, channels = inputs.shape[1] // size_h, inputs.shape[2] // size_w, inputs.shape[3]
        even = inputs[:, : height * size_h, : width * size_w]
        cells = tf.reshape(even, [-1, height, size_h, width, size_w, channels])
        return _first_largest(cells)


@tf.custom_gradient  # type: ignore[untyped-decorator,unused-ignore]
def _first_largest(cells: tf.Tensor) -> Any:
    """The maximum over axes 2 and 4; the gradient goes to the first of equal values, as in Keras' pooling."""
    largest = tf.reduce_max(cells, axis=(2, 4))
    size_h, size_w = cells.shape[2], cells.shape[4]

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        places = tf.reshape(tf.range(size_h * size_w, 0, -1), [1, 1, size_h, 1, size_w, 1])
        keys = tf.where(tf.equal(cells, largest[:, :, None, :, None]), tf.cast(places, cells.dtype), 0.0)
        first = tf.reduce_max(keys, axis=(2, 4), keepdims=True)
        return tf.where(tf.equal(keys, first), upstream[:, :, None, :, None], 0.0)

    return largest, gradient


class ShiftedAveragePooling2D(keras.layers.AveragePooling2D):  # type: ignore[misc]
    """Keras' average pooling as a sum of shifted inputs; with `same`, only cells of the image count."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the mean of every window of `inputs`, shape (rows, height, width, channels)."""

        def summed(images: tf.Tensor) -> tf.Tensor:
            return tf.add_n(_shifts(images, self.pool_size, self.strides, self.padding))

        return summed(inputs) / summed(tf.ones([1, *inputs.shape[1:3], 1], inputs.dtype))


def _depthwise(shifts: Sequence[tf.Tensor], kernel: tf.Tensor) -> tf.Tensor:
    """The sum of shifted images, each times its row of a kernel of shape (height, width, channels, multiplier)."""
    rows = tf.unstack(tf.reshape(kernel, [-1, *kernel.shape[2:]]))
    found = tf.add_n([shift[..., None] * row for shift, row in zip(shifts, rows, strict=True)])
    return tf.reshape(found, [-1, *found.shape[1:3], found.shape[3] * found.shape[4]])


def _shifts(
    images: tf.Tensor,
    sizes: Sequence[int],
    strides: Sequence[int],
    padding: str,
    dilation: Sequence[int] = (1, 1),
    fill: float = 0.0,
) -> list[tf.Tensor]:
    """What lies under each cell of a window of these sizes at all its places, row by row of the window."""
    spans = [(size - 1) * step + 1 for size, step in zip(sizes, dilation, strict=True)]
    if padding == "same":
        margins = [_margins(*each) for each in zip(images.shape[1:3], spans, strides, strict=True)]
        images = tf.pad(images, [(0, 0), *margins, (0, 0)], constant_values=fill)
    ends = [side - span + 1 for side, span in zip(images.shape[1:3], spans, strict=True)]
    return [
        images[:, top : top + ends[0] : strides[0], left : left + ends[1] : strides[1]]
        for top in range(0, spans[0], dilation[0])
        for left in range(0, spans[1], dilation[1])
    ]


def _margins(side: int, span: int, stride: int) -> tuple[int, int]:
    """How many cells TensorFlow adds before and after an image's side for the padding `same`."""
    total = max((math.ceil(side / stride) - 1) * stride + span - side, 0)
    return total // 2, total - total // 2


def _unrolled(layer: type[keras.layers.RNN]) -> Callable[[dict[str, Any]], keras.Layer]:
    """A recurrent layer without a loop over time steps, which would neither vectorize nor compile."""
    return lambda config: layer.from_config(config | {"unroll": True})


FORMS: dict[str, Callable[[dict[str, Any]], keras.Layer]] = {
    "Conv1D": MatrixConv1D.from_config,
    "Conv2D": MatrixConv2D.from_config,
    "DepthwiseConv2D": ShiftedDepthwiseConv2D.from_config,
    "SeparableConv2D": ShiftedSeparableConv2D.from_config,
    "MaxPooling2D": ReshapedMaxPooling2D.from_config,
    "AveragePooling2D": ShiftedAveragePooling2D.from_config,
    "Dropout": PhiloxDropout.from_config,
    "SimpleRNN": _unrolled(keras.layers.SimpleRNN),
    "LSTM": _unrolled(GatedLSTM),
    "GRU": _unrolled(GatedGRU),
}
"""The forms by the names of Keras' layers, as functions of a layer's config."""
