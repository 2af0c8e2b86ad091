"""The layers of a network with their output shapes, from its spec and the fields of a run; needs no Keras.

Every combination that can't be built is refused here, before anything is trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NoReturn, Protocol

from bncli.data.sequences import FILL, is_sequence
from bncli.errors import InvalidConfig, shown
from bncli.networks import norms
from bncli.networks.layer import Layer, Shape, Window, Word
from bncli.networks.spec import ends_branch, n_output_units, output_activation, parse_spec, places_norms
from bncli.networks.words import BLOCK, END, LINEAR, RECURRENT, Misfit, kind_of

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
    def padding(self) -> float | None: ...
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
    def keep_weights(self) -> bool: ...
    @property
    def norm(self) -> str: ...
    @property
    def placement(self) -> str: ...
    @property
    def norm_input(self) -> bool: ...
    @property
    def norm_output(self) -> bool: ...
    @property
    def norm_momentum(self) -> float: ...
    @property
    def groups(self) -> int | None: ...
    @property
    def center(self) -> bool: ...


def check_has_weights(fields: NetworkFields) -> None:
    """Refuse to keep the weights of a model that is built for every run.

    Raises:
        InvalidConfig: They are to be kept.
    """
    if fields.keep_weights:
        raise InvalidConfig(
            f"keep_weights is for models that have weights: a .keras file. Received: {shown(fields.model)}."
        )


def lay_out(fields: NetworkFields, input_shape: Shape, n_classes: int) -> tuple[Layer, ...]:
    """Return the layers of a network, from input to output.

    Every hidden linear layer gets its activation and, by `placement`, a normalization before or after it. A recurrent
    layer gets its normalization after it. With `input`, only the network's input is normalized. A spec with the word
    `norm` is normalized there only. An image is flattened for a dense layer, and read row by row by a recurrent one.
    Padded steps of sequences are masked: recurrent layers skip them, and batch normalization leaves them out of its
    statistics. A dense layer gets all steps, flattened, and takes padded ones for data.

    A residual block outputs the activation of the sum of its branch and a shortcut (He et al. 2015, arXiv 1512.03385).
    The last linear layer of the branch has no activation of its own; the one behind the sum is in its place. So with
    `before` that layer is normalized before the sum, and with `after` the normalization follows the block's
    activation, as it follows every other. The shortcut is the block's input, or, where the shapes differ, a linear
    projection of it: a 1x1 convolution with the stride of the branch, or a dense layer. With `before` a projection is
    normalized, too, as in the paper; with `after` it is not, because it has no activation; nor is it where the word
    `norm` says what is normalized.

    Args:
        fields: The network.
        input_shape: Shape of one row: (features,), (height, width, channels), or (steps, features) of sequences.
        n_classes: Number of classes; `ONE_QUANTITY` in regression.

    Raises:
        InvalidConfig: A layer can't take the output of the layer before it, or a block's input can't be projected.

    >>> from bncli.config import RunConfig
    >>> network = RunConfig(model="dense8", norm="batch", placement="after")
    >>> [layer.kind for layer in lay_out(network, (2,), 2)]
    ['dense', 'activation', 'norm', 'dense', 'activation']
    """
    return _Layout(fields, input_shape).lay_out(n_classes)


@dataclass(frozen=True)
class _Block:
    """A residual block whose branch is being laid out.

    Attributes:
        words: The words of its branch.
        start: Position of the layer that its input comes from.
        shape: Shape of its input.
    """

    words: tuple[Word, ...]
    start: int
    shape: Shape

    def __str__(self) -> str:
        return " ".join(map(str, (BLOCK, *self.words, END)))


class _Layout:
    """Goes through the words of a spec once; keeps the layers so far and the shape that the last one outputs."""

    def __init__(self, fields: NetworkFields, input_shape: Shape) -> None:
        self.fields = fields
        self.shape = input_shape
        self.position = -1
        self.layers: list[Layer] = []
        self.counts: dict[str, int] = {}
        self.words = parse_spec(fields.model)
        self.placement = None if places_norms(fields.model) else fields.placement
        self.block: _Block | None = None

    def lay_out(self, n_classes: int) -> tuple[Layer, ...]:
        self.add_input()
        for place in range(len(self.words)):
            self.add_word(place)
        self.add_output(n_classes)
        return tuple(self.layers)

    def add(self, kind: str, shape: Shape, value: Any = None, *, inputs: tuple[int, ...] = (), **more: Any) -> None:
        has_weights = kind_of(kind).has_weights
        counted_as = "weighted" if has_weights else kind
        number = self.counts.get(counted_as, 0)
        self.counts[counted_as] = number + 1
        more |= {"has_weights": has_weights, "input_shape": self.shape, "inputs": inputs or (self.position,)}
        self.layers.append(Layer(kind, shape, value, number, **more))
        self.shape, self.position = shape, len(self.layers) - 1

    def add_input(self) -> None:
        first = next(word.kind for word in self.words if word.kind != BLOCK)
        if is_sequence(self.shape) and first not in ("dense", "flatten"):
            self.add("masking", self.shape, FILL if self.fields.padding is None else self.fields.padding)
        if first == "dense" and len(self.shape) > 1:
            self.add_kind(Word("flatten"))
        if first in RECURRENT and len(self.shape) == 3:
            self.add("reshape", (self.shape[0], self.shape[1] * self.shape[2]))
        if self.fields.norm_input or self.placement == "input":
            self.add_norm()

    def add_word(self, place: int) -> None:
        word, later = self.words[place], self.words[place + 1 :]
        if word.kind == BLOCK:
            inside = takewhile(lambda other: other.kind != END, later)
            self.block = _Block(tuple(inside), self.position, self.shape)
        elif word.kind == END and self.block:
            self.close(self.block)
        elif word.kind in LINEAR:
            is_last = ends_branch(self.words, place)
            self.add_linear(word, is_last=is_last, norm_follows=is_last and later[0].kind == "norm")
        elif word.kind in RECURRENT:
            self.add_recurrent(word, is_last=not any(other.kind in RECURRENT for other in later))
        elif word.kind == "norm":
            self.add_norm()
        elif word.kind != "softmax":
            self.add_kind(word)
        elif later:
            self.refuse("softmax must be the last word, because it sets the output layer")

    def add_kind(self, word: Word, **more: Any) -> None:
        """Add the layer that a word stands for, without what belongs beside it."""
        self.add(word.kind, self.output_shape(word), word.size, window=word.window, **more)

    def output_shape(self, word: Word) -> Shape:
        try:
            return kind_of(word.kind).output_shape(word, self.shape)
        except Misfit as misfit:
            self.refuse(str(misfit))

    def add_linear(self, word: Word, *, is_last: bool, norm_follows: bool = False) -> None:
        """Add a linear layer; the last one of a block's branch has its activation behind the sum."""
        self.add_kind(word, use_bias=self.has_bias(norm_follows=norm_follows or self.placement == "before"))
        if self.placement == "before":
            self.add_norm()
        if not is_last:
            self.add_activation()

    def add_activation(self) -> None:
        self.add("activation", self.shape, self.fields.activation)
        if self.placement == "after":
            self.add_norm()

    def add_recurrent(self, word: Word, *, is_last: bool) -> None:
        shape = self.output_shape(word)
        self.add(word.kind, shape if is_last else (self.shape[0], *shape), word.units)
        if self.placement in ("before", "after"):
            self.add_norm()

    def close(self, block: _Block) -> None:
        """Add a block's shortcut to its branch, and what follows the sum."""
        branch, shape = self.position, self.shape
        self.position, self.shape, self.block = block.start, block.shape, None
        if shape != block.shape:
            self.add_projection(block, shape)
        self.add("add", shape, inputs=(branch, self.position))
        self.add_activation()

    def add_projection(self, block: _Block, shape: Shape) -> None:
        """Add the linear layer that gives a block's input the shape of its branch's output."""
        word = Word("dense", shape[-1])
        if len(shape) == 3:
            stride = math.prod(kind_of(inner.kind).step(inner) for inner in block.words)
            word = Word("conv", shape[-1], Window(1, stride))
        found = self.output_shape(word)
        if found != shape:
            self.refuse(
                f"the block {block} outputs shape {shape}, to which its input can't be added, not even projected with "
                f"stride {word.window.stride} to {found}: put :same behind its convolutions, and pool even sides only"
            )
        self.add_linear(word, is_last=True)

    def add_output(self, n_classes: int) -> None:
        if len(self.shape) != 1:
            self.refuse(f"the output layer needs a flat input but receives shape {self.shape}: put flatten at the end")
        units = n_output_units(self.fields.model, n_classes)
        normalized = self.fields.norm_output
        self.add("dense", (units,), units, use_bias=self.has_bias(norm_follows=normalized), is_output=True)
        if normalized:
            self.add_norm()
        self.add("activation", (units,), output_activation(n_classes, units))

    def add_norm(self) -> None:
        """Add a normalization layer, unless the run's normalization is `none`."""
        if self.fields.norm == norms.NONE:
            return
        is_masked = is_sequence(self.shape) and any(layer.kind == "masking" for layer in self.layers)
        reason = norms.why_not(self.fields, self.shape, is_masked=is_masked)
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
