"""The layers of a network with their output shapes, from its spec and the fields of a run; needs no Keras.

Every combination that can't be built is refused here, before anything is trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from bncli.errors import InvalidConfig, shown
from bncli.networks import norms
from bncli.networks.spec import WEIGHTED, Word, n_output_units, parse_spec, places_norms

ACTIVATIONS = (
    "relu", "sigmoid", "tanh", "elu", "selu", "gelu", "silu", "leaky_relu", "relu6", "celu", "mish",
    "softplus", "softsign", "hard_sigmoid", "hard_silu", "hard_tanh", "exponential", "linear",
)  # fmt: skip

INITIALIZERS = (
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",
    "random_uniform", "random_normal", "truncated_normal", "orthogonal",
)  # fmt: skip

IN_PLACE = "in-place"
"""The placement that keeps each normalization of a model of the user's where it is."""

PLACEMENTS = ("before", "after", "input", IN_PLACE)

USE_BIAS = ("auto", "true", "false", "unshifted")

NORM_FIELDS = (
    "norm", "placement", "norm_input", "norm_output", "norm_momentum", "norm_epsilon", "center", "scale", "groups",
    "ghost",
)  # fmt: skip
"""The fields of a run that describe its normalizations."""


class NetworkFields(Protocol):
    """The fields of a run that describe its network; a `RunConfig` has them."""

    @property
    def model(self) -> str: ...
    @property
    def activation(self) -> str: ...
    @property
    def kernel_initializer(self) -> str: ...
    @property
    def init_scale(self) -> float: ...
    @property
    def use_bias(self) -> str: ...
    @property
    def norm(self) -> str: ...
    @property
    def placement(self) -> str: ...
    @property
    def norm_input(self) -> bool: ...
    @property
    def norm_output(self) -> bool: ...
    @property
    def groups(self) -> int | None: ...
    @property
    def center(self) -> bool: ...


@dataclass(frozen=True)
class Layer:
    """The description of one layer, from which a Keras layer is built.

    Attributes:
        kind: `reshape`, `dense`, `conv`, `pool`, `dropout`, `flatten`, `lstm`, `norm` or `activation`.
        shape: Output shape without the batch axis.
        value: Units, filters, the dropout rate or the activation's name; None for the other kinds.
        number: Position among the layers of the same kind (for layers with weights: among all of these), from 0. Seeds
            are derived from it.
        use_bias: Whether a linear layer has a bias.
        is_output: Whether this is the output layer.
    """

    kind: str
    shape: tuple[int, ...]
    value: Any = None
    number: int = 0
    use_bias: bool = True
    is_output: bool = False

    @property
    def has_weights(self) -> bool:
        """Whether this is a dense, convolutional or LSTM layer."""
        return self.kind in WEIGHTED

    @property
    def is_hidden(self) -> bool:
        """Whether this layer has weights and is not the output layer."""
        return self.has_weights and not self.is_output


def lay_out(fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> tuple[Layer, ...]:
    """Return the layers of a network, from input to output.

    Every hidden dense or convolutional layer gets its activation and, by `placement`, a normalization before or after
    it. An LSTM gets its normalization after it. With `input`, only the network's input is normalized. A spec with the
    word `norm` is normalized there only. An image is flattened for a dense layer, and read row by row by an LSTM.

    Args:
        fields: The network.
        input_shape: Shape of one row: (features,), or (height, width, channels).
        n_classes: Number of classes.

    Raises:
        InvalidConfig: A layer can't take the output of the layer before it.

    >>> from bncli.config import RunConfig
    >>> network = RunConfig(model="dense8", norm="batch", placement="after")
    >>> [layer.kind for layer in lay_out(network, (2,), 2)]
    ['dense', 'activation', 'norm', 'dense', 'activation']
    """
    return _Layout(fields, input_shape).lay_out(n_classes)


class _Layout:
    """Goes through the words of a spec once; keeps the layers so far and the shape that the last one outputs."""

    def __init__(self, fields: NetworkFields, input_shape: tuple[int, ...]) -> None:
        self.fields = fields
        self.shape = input_shape
        self.layers: list[Layer] = []
        self.counts: dict[str, int] = {}
        self.words = parse_spec(fields.model)
        self.placement = None if places_norms(fields.model) else fields.placement

    def lay_out(self, n_classes: int) -> tuple[Layer, ...]:
        self.add_input()
        for index, word in enumerate(self.words):
            self.add_word(word, self.words[index + 1 :])
        self.add_output(n_classes)
        return tuple(self.layers)

    def add(self, kind: str, shape: tuple[int, ...], value: Any = None, **more: Any) -> None:
        counted_as = "weighted" if kind in WEIGHTED else kind
        number = self.counts.get(counted_as, 0)
        self.counts[counted_as] = number + 1
        self.shape = shape
        self.layers.append(Layer(kind, shape, value, number, **more))

    def add_input(self) -> None:
        first = self.words[0].kind
        if first == "dense" and len(self.shape) > 1:
            self.add_flatten()
        if first == "lstm" and len(self.shape) == 3:
            self.add("reshape", (self.shape[0], self.shape[1] * self.shape[2]))
        if self.fields.norm_input or self.placement == "input":
            self.add_norm()

    def add_word(self, word: Word, later: tuple[Word, ...]) -> None:
        match word.kind:
            case "dense" | "conv":
                self.add_linear(word)
            case "lstm":
                self.add_lstm(word, return_sequences=any(other.kind == "lstm" for other in later))
            case "norm":
                self.add_norm()
            case "dropout":
                self.add("dropout", self.shape, word.size)
            case "pool":
                self.add_pool()
            case "flatten":
                self.add_flatten()
            case "softmax" if later:
                self.refuse("softmax must be the last word, because it sets the output layer")

    def add_linear(self, word: Word) -> None:
        shape = self.dense_shape(word) if word.kind == "dense" else self.conv_shape(word)
        self.add(word.kind, shape, word.units, use_bias=self.has_bias(norm_follows=self.placement == "before"))
        if self.placement == "before":
            self.add_norm()
        self.add("activation", shape, self.fields.activation)
        if self.placement == "after":
            self.add_norm()

    def dense_shape(self, word: Word) -> tuple[int, ...]:
        if len(self.shape) != 1:
            self.refuse(f"{word} needs a flat input but receives shape {self.shape}: put flatten before it")
        return (word.units,)

    def conv_shape(self, word: Word) -> tuple[int, ...]:
        height, width, _ = self.image_shape(str(word), smallest=3)
        return (height - 2, width - 2, word.units)

    def add_pool(self) -> None:
        height, width, channels = self.image_shape("pool", smallest=2)
        self.add("pool", (height // 2, width // 2, channels))

    def image_shape(self, word: str, smallest: int) -> tuple[int, ...]:
        """The shape so far, if it is an image of at least `smallest` pixels in both directions."""
        if len(self.shape) != 3:
            self.refuse(f"{word} needs an image (height, width, channels) but receives shape {self.shape}")
        height, width, _ = self.shape
        if min(height, width) < smallest:
            self.refuse(f"{word} needs at least {smallest}x{smallest} pixels but receives {height}x{width}")
        return self.shape

    def add_flatten(self) -> None:
        self.add("flatten", (math.prod(self.shape),))

    def add_lstm(self, word: Word, *, return_sequences: bool) -> None:
        if len(self.shape) != 2:
            self.refuse(f"{word} needs a sequence or an image but receives shape {self.shape}")
        self.add("lstm", (self.shape[0], word.units) if return_sequences else (word.units,), word.units)
        if self.placement in ("before", "after"):
            self.add_norm()

    def add_output(self, n_classes: int) -> None:
        if len(self.shape) != 1:
            self.refuse(f"the output layer needs a flat input but receives shape {self.shape}: put flatten at the end")
        units = n_output_units(self.fields.model, n_classes)
        normalized = self.fields.norm_output
        self.add("dense", (units,), units, use_bias=self.has_bias(norm_follows=normalized), is_output=True)
        if normalized:
            self.add_norm()
        self.add("activation", (units,), "sigmoid" if units == 1 else "softmax")

    def add_norm(self) -> None:
        """Add a normalization layer, unless the run's normalization is `none`."""
        if self.fields.norm == norms.NONE:
            return
        reason = norms.why_not(self.fields, self.shape)
        if reason:
            self.refuse(reason)
        self.add("norm", self.shape)

    def has_bias(self, *, norm_follows: bool) -> bool:
        """Whether a linear layer has a bias.

        With `auto` it has none directly before a normalization with a shift that subtracts each channel's own mean, as
        batch does: there a bias has no effect at all (Ioffe and Szegedy 2015, section 3.2). With `unshifted` it has
        none directly before any normalization with a shift, although layer and group normalization mix the channels
        and don't cancel it.
        """
        use_bias, norm = self.fields.use_bias, self.fields.norm
        if use_bias in ("true", "false"):
            return use_bias == "true"
        is_left_out = norm_follows and norms.learns_shift(norm, center=self.fields.center)
        return not (is_left_out and (use_bias == "unshifted" or norms.facts(norm).cancels_bias))

    def refuse(self, reason: str) -> NoReturn:
        raise InvalidConfig(f"model {shown(self.fields.model)} can't be built: {reason}.")
