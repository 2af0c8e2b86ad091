"""The words of a spec and the layers that they become, as plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]
"""The shape of one row: (features,), (steps, features) or (height, width, channels)."""

MAX_KERNEL, MAX_STRIDE = 15, 8

PADDINGS = ("valid", "same")


@dataclass(frozen=True)
class Window:
    """What a convolution sees at a time, written behind its word: `:k5:s2:same`.

    Attributes:
        kernel: Width and height in pixels.
        stride: Pixels from one place to the next.
        padding: `valid`: the window stays inside the image; `same`: the image is padded with zeros, so that with
            stride 1 the output is as large as the input.
    """

    kernel: int = 3
    stride: int = 1
    padding: str = "valid"

    def places(self, side: int) -> int:
        """Return how many places the window has along a side of an image.

        >>> Window().places(8), Window(5, 2).places(8), Window(5, 2, "same").places(8)
        (6, 2, 4)
        """
        return math.ceil((side if self.padding == "same" else side - self.kernel + 1) / self.stride)

    def __str__(self) -> str:
        parts = (f"k{self.kernel}", f"s{self.stride}", self.padding)
        usual = (f"k{Window.kernel}", f"s{Window.stride}", Window.padding)
        return "".join(f":{part}" for part, default in zip(parts, usual, strict=True) if part != default)


@dataclass(frozen=True)
class Word:
    """One word of a spec: `dense64` is of kind `dense` and size 64; the braces of a block are words, too."""

    kind: str
    size: float | None = None
    window: Window = Window()

    @property
    def units(self) -> int:
        """The size as a whole number of units or filters; 0 for a word without a size."""
        return int(self.size or 0)

    def __str__(self) -> str:
        return f"{self.kind}{'' if self.size is None else f'{self.size:g}'}{self.window}"


@dataclass(frozen=True)
class Layer:
    """The description of one layer, from which a Keras layer is built.

    Attributes:
        kind: A word of `words.WORDS` that makes a layer, or `reshape`, `activation` or `add`.
        shape: Output shape without the batch axis.
        value: Units, filters, the dropout rate or the activation's name; None for the other kinds.
        number: Position among the layers of the same kind (for layers with weights: among all of these), from 0. Seeds
            are derived from it.
        use_bias: Whether a linear layer has a bias.
        is_output: Whether this is the output layer.
        has_weights: Whether this is a linear or recurrent layer.
        window: What a convolution sees at a time.
        input_shape: Shape of its inputs.
        inputs: The positions of the layers that its inputs come from; -1 is the network's input.
    """

    kind: str
    shape: Shape
    value: Any = None
    number: int = 0
    use_bias: bool = True
    is_output: bool = False
    has_weights: bool = False
    window: Window = Window()
    input_shape: Shape = ()
    inputs: tuple[int, ...] = (-1,)

    @property
    def name(self) -> str:
        """The name of the Keras layer, where it has to be found again."""
        return f"{self.kind}_{self.number}"

    @property
    def is_hidden(self) -> bool:
        """Whether this layer has weights and is not the output layer."""
        return self.has_weights and not self.is_output
