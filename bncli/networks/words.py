"""What bncli knows of each word of a spec: its number and options, its output, its Keras layer and its arithmetic.

To add a word, register a class here; the grammar, the layout, building, costs and documentation ask it. The first line
of its docstring is its description in the documentation.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from bncli.networks.layer import Layer, Shape, Word
from bncli.registry import Registry

MAX_UNITS = 16_384

BLOCK, END = "{", "}"
"""The words that begin and end a residual block."""


class Misfit(ValueError):
    """A layer can't take the output of the layer before it; the message says why."""


class Kind:
    """What is the same for all words of a kind.

    Attributes:
        example: A word of this kind, for messages and documentation.
        keras_class: The name of its Keras layer; empty for the normalization, which the arm decides.
        sizes: Range of the number that follows the word; None for a word without a number.
        is_whole: Whether that number is a whole one.
        has_window: Whether the options of a window may follow.
        is_linear: Whether it is a linear layer, which gets an activation and a normalization beside it.
        is_recurrent: Whether it reads a sequence.
        in_block: Whether it may stand in a residual block.
    """

    example = ""
    keras_class = ""
    sizes: tuple[float, float] | None = None
    is_whole = True
    has_window = False
    is_linear = False
    is_recurrent = False
    in_block = False

    @property
    def has_weights(self) -> bool:
        """Whether it is a layer with weights."""
        return self.is_linear or self.is_recurrent

    def output_shape(self, word: Word, shape: Shape) -> Shape:
        """Return the shape of the output for an input.

        Raises:
            Misfit: The layer can't take such an input.
        """
        return shape

    def step(self, word: Word) -> int:
        """Return over how many pixels of its input the layer goes from one pixel of its output to the next."""
        return 1

    def arguments(self, layer: Layer) -> dict[str, Any]:
        """Return the arguments of the Keras layer that a description stands for, without names and initializers."""
        return {}

    def n_multipliers(self, layer: Layer) -> int:
        """Return how many weights multiply the layer's inputs."""
        return 0

    def n_positions(self, layer: Layer) -> int:
        """Return how often the layer applies these weights to one row."""
        return 1

    def n_between(self, layer: Layer) -> int:
        """Return how many numbers the layer computes for one row besides its output."""
        return 0


WORDS: Registry[type[Kind]] = Registry("word")

register = WORDS.register


@cache
def kind_of(name: str) -> Kind:
    """Return what there is to know of a kind of words or layers."""
    return OTHERS[name]() if name in OTHERS else WORDS[name]()


def check_image(word: Word, shape: Shape, smallest: int) -> None:
    """Check that a shape is that of an image of at least `smallest` pixels in both directions."""
    if len(shape) != 3:
        raise Misfit(f"{word} needs an image (height, width, channels) but receives shape {shape}")
    height, width, _ = shape
    if min(height, width) < smallest:
        raise Misfit(f"{word} needs at least {smallest}x{smallest} pixels but receives {height}x{width}")


@register("dense")
class Dense(Kind):
    """`Dense` with 64 units and the activation."""

    example, keras_class, sizes = "dense64", "Dense", (1, MAX_UNITS)
    is_linear = in_block = True

    def output_shape(self, word: Word, shape: Shape) -> Shape:
        """Return a flat shape, for a flat input only."""
        if len(shape) != 1:
            raise Misfit(f"{word} needs a flat input but receives shape {shape}: put flatten before it")
        return (word.units,)

    def arguments(self, layer: Layer) -> dict[str, Any]:
        """Return the units, and whether there is a bias."""
        return {"units": layer.value, "use_bias": layer.use_bias}

    def n_multipliers(self, layer: Layer) -> int:
        """Return the size of the kernel."""
        return layer.input_shape[-1] * layer.shape[0]


@register("conv")
class Conv(Kind):
    """`Conv2D` with 32 filters, a 3x3 kernel, no padding, and the activation; it takes options."""

    example, keras_class, sizes = "conv32", "Conv2D", (1, MAX_UNITS)
    has_window = is_linear = in_block = True

    def output_shape(self, word: Word, shape: Shape) -> Shape:
        """Return how many places the window has."""
        check_image(word, shape, 1 if word.window.padding == "same" else word.window.kernel)
        return (*map(word.window.places, shape[:2]), word.units)

    def step(self, word: Word) -> int:
        """Return the stride."""
        return word.window.stride

    def arguments(self, layer: Layer) -> dict[str, Any]:
        """Return the filters and their window, and whether there is a bias."""
        window = layer.window
        size = {"kernel_size": window.kernel, "strides": window.stride, "padding": window.padding}
        return {"filters": layer.value, **size, "use_bias": layer.use_bias}

    def n_multipliers(self, layer: Layer) -> int:
        """Return the size of the kernel."""
        return self._n_seen(layer) * layer.shape[-1]

    def n_positions(self, layer: Layer) -> int:
        """Return the number of pixels of the output."""
        return math.prod(layer.shape[:2])

    def n_between(self, layer: Layer) -> int:
        """Return the size of all patches that the window sees."""
        return self.n_positions(layer) * self._n_seen(layer)

    def _n_seen(self, layer: Layer) -> int:
        return layer.window.kernel**2 * layer.input_shape[-1]


class Recurrent(Kind):
    """A layer that reads a sequence; all but the last of a network return one.

    Attributes:
        n_gates: How many products of inputs and state it makes in each step.
    """

    sizes, is_recurrent = (1, MAX_UNITS), True
    n_gates = 0

    def output_shape(self, word: Word, shape: Shape) -> Shape:
        """Return the shape of the state after the last step."""
        if len(shape) != 2:
            raise Misfit(f"{word} needs a sequence or an image but receives shape {shape}")
        return (word.units,)

    def arguments(self, layer: Layer) -> dict[str, Any]:
        """Return the units, and whether a sequence follows."""
        return {"units": layer.value, "return_sequences": len(layer.shape) == 2}

    def n_multipliers(self, layer: Layer) -> int:
        """Return the size of both kernels."""
        units: int = layer.value
        return self.n_gates * units * (layer.input_shape[1] + units)

    def n_positions(self, layer: Layer) -> int:
        """Return the number of steps."""
        return layer.input_shape[0]

    def n_between(self, layer: Layer) -> int:
        """Return the size of the gates, before and after their activation."""
        units: int = layer.value
        return self.n_positions(layer) * 2 * self.n_gates * units


@register("lstm")
class LSTM(Recurrent):
    """`LSTM` with 32 units."""

    example, keras_class, n_gates = "lstm32", "LSTM", 4


@register("gru")
class GRU(Recurrent):
    """`GRU` with 32 units, as Keras has it (`reset_after=True`)."""

    example, keras_class, n_gates = "gru32", "GRU", 3


@register("dropout")
class Dropout(Kind):
    """`Dropout` with rate 0.2."""

    example, keras_class, sizes = "dropout0.2", "Dropout", (0.0, 0.99)
    is_whole, in_block = False, True

    def arguments(self, layer: Layer) -> dict[str, Any]:
        """Return the rate."""
        return {"rate": layer.value}


@register("pool")
class Pool(Kind):
    """`MaxPooling2D`, 2x2."""

    example, keras_class, in_block = "pool", "MaxPooling2D", True

    def output_shape(self, word: Word, shape: Shape) -> Shape:
        """Return half the height and the width."""
        check_image(word, shape, 2)
        height, width, channels = shape
        return (height // 2, width // 2, channels)

    def step(self, word: Word) -> int:
        """Return the side of the window."""
        return 2

    def arguments(self, layer: Layer) -> dict[str, Any]:
        """Return the side of the window."""
        return {"pool_size": 2}


@register("avgpool")
class AvgPool(Pool):
    """`AveragePooling2D`, 2x2."""

    example, keras_class = "avgpool", "AveragePooling2D"


@register("gap")
class Gap(Kind):
    """`GlobalAveragePooling2D`: one number per channel, its mean over the image."""

    example, keras_class = "gap", "GlobalAveragePooling2D"

    def output_shape(self, word: Word, shape: Shape) -> Shape:
        """Return the number of channels."""
        check_image(word, shape, 1)
        return shape[-1:]


@register("flatten")
class Flatten(Kind):
    """`Flatten`."""

    example, keras_class = "flatten", "Flatten"

    def output_shape(self, word: Word, shape: Shape) -> Shape:
        """Return the number of all values."""
        return (math.prod(shape),)


@register("norm")
class Norm(Kind):
    """The normalization of the arm, at this place; hidden layers then get none by themselves."""

    example, in_block = "norm", True


@register("softmax")
class Softmax(Kind):
    """Only at the end: one output unit per class, even for two classes."""

    example = "softmax"


class Reshape(Kind):
    """The layer that makes a sequence of the rows of an image."""

    keras_class = "Reshape"

    def arguments(self, layer: Layer) -> dict[str, Any]:
        """Return the shape."""
        return {"target_shape": layer.shape}


class Masking(Kind):
    """The layer that tells the layers behind it which steps of a sequence are padding."""

    keras_class = "Masking"

    def arguments(self, layer: Layer) -> dict[str, Any]:
        """Return the value of padded steps."""
        return {"mask_value": layer.value}


class Activation(Kind):
    """The activation behind a linear layer or a block."""

    keras_class = "Activation"

    def arguments(self, layer: Layer) -> dict[str, Any]:
        """Return the name of the function."""
        return {"activation": layer.value}


class Add(Kind):
    """The sum of a block's branch and its shortcut."""

    keras_class = "Add"


OTHERS: dict[str, type[Kind]] = {"reshape": Reshape, "masking": Masking, "activation": Activation, "add": Add}
"""The kinds of layers that come without a word of their own."""

LINEAR = tuple(name for name in WORDS if WORDS[name].is_linear)
"""The words that make linear layers."""

RECURRENT = tuple(name for name in WORDS if WORDS[name].is_recurrent)
"""The words that make recurrent layers."""
