"""From a spec and the fields of a run to layers with shapes, without Keras; finds every impossible combination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from bncli.errors import InvalidConfig
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

PLACEMENTS = ("before", "after", "input")

USE_BIAS = ("auto", "true", "false")


class NetworkFields(Protocol):
    """The fields of a run that choose its network; `RunConfig` has them."""

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
    def groups(self) -> int: ...
    @property
    def center(self) -> bool: ...


@dataclass(frozen=True)
class Layer:
    """One layer to be: what it is, what it puts out.

    Attributes:
        kind: `reshape`, `dense`, `conv`, `pool`, `dropout`, `flatten`, `lstm`, `norm` or `activation`.
        shape: Output shape without the batch axis.
        value: Units, filters, dropout rate or the activation's name.
        number: Place among the layers of this purpose, from 0; seeds derive from it.
        use_bias: Whether a linear layer has a bias.
        is_output: Whether it is the layer that puts out the classes.
    """

    kind: str
    shape: tuple[int, ...]
    value: Any = None
    number: int = 0
    use_bias: bool = True
    is_output: bool = False


def lay_out(fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> tuple[Layer, ...]:
    """Lay out the network that `fields` describe, layer by layer.

    Hidden weighted layers become linear, norm, activation (`placement` before) or linear, activation, norm
    (after) or get none (input: only the data is normalized), unless the spec places its norms itself. An image fed
    to a dense layer is flattened, fed to an LSTM is read row by row.

    Raises:
        InvalidConfig: A layer that can't take what the one before it puts out.
    """
    return _Layout(fields, input_shape).lay_out(n_classes)


class _Layout:
    """Walks through the words once, keeping the shape so far and the steps."""

    def __init__(self, fields: NetworkFields, input_shape: tuple[int, ...]) -> None:
        self.fields = fields
        self.shape = input_shape
        self.steps: list[Layer] = []
        self.counts: dict[str, int] = {}
        self.words = parse_spec(fields.model)
        self.explicit = places_norms(fields.model)

    def lay_out(self, n_classes: int) -> tuple[Layer, ...]:
        if self.words[0].kind == "dense" and len(self.shape) > 1:
            self.add("flatten", (_size(self.shape),))
        if self.words[0].kind == "lstm" and len(self.shape) == 3:
            self.add("reshape", (self.shape[0], self.shape[1] * self.shape[2]))
        if self.fields.norm_input or (self.fields.placement == "input" and not self.explicit):
            self.add_norm()
        for index, word in enumerate(self.words):
            self.add_word(index, word)
        self.add_output(n_classes)
        return tuple(self.steps)

    def add(self, kind: str, shape: tuple[int, ...], value: Any = None, **more: Any) -> None:
        purpose = "weighted" if kind in WEIGHTED else kind
        number = self.counts.get(purpose, 0)
        self.counts[purpose] = number + 1
        self.shape = shape
        self.steps.append(Layer(kind, shape, value, number, **more))

    def add_word(self, index: int, word: Word) -> None:
        if word.kind in ("dense", "conv"):
            shape = self.linear_shape(word)
            self.add_linear(word.kind, shape, int(word.size or 0))
        elif word.kind == "lstm":
            self.add_lstm(index, int(word.size or 0))
        elif word.kind == "norm":
            self.add_norm()
        elif word.kind == "softmax":
            if index != len(self.words) - 1:
                self.refuse("softmax ends a spec: it is the output over all classes")
        elif word.kind == "dropout":
            self.add("dropout", self.shape, word.size)
        elif word.kind == "pool":
            self.add("pool", self.pooled_shape())
        else:
            self.add("flatten", (_size(self.shape),))

    def linear_shape(self, word: Word) -> tuple[int, ...]:
        if word.kind == "dense":
            if len(self.shape) != 1:
                self.refuse(f"{word} needs a flat input but receives shape {self.shape}: put flatten before it")
            return (int(word.size or 0),)
        if len(self.shape) != 3:
            self.refuse(f"{word} needs an image (height, width, channels) but receives shape {self.shape}")
        if min(self.shape[:2]) < 3:
            self.refuse(f"{word} has a 3x3 kernel but receives only {self.shape[0]}x{self.shape[1]} pixels")
        return (self.shape[0] - 2, self.shape[1] - 2, int(word.size or 0))

    def pooled_shape(self) -> tuple[int, ...]:
        if len(self.shape) != 3:
            self.refuse(f"pool needs an image (height, width, channels) but receives shape {self.shape}")
        if min(self.shape[:2]) < 2:
            self.refuse(f"pool leaves nothing of {self.shape[0]}x{self.shape[1]} pixels")
        return (self.shape[0] // 2, self.shape[1] // 2, self.shape[2])

    def add_linear(self, kind: str, shape: tuple[int, ...], units: int) -> None:
        normed = self.fields.norm != norms.NONE and not self.explicit
        before, after = (normed and self.fields.placement == place for place in ("before", "after"))
        self.add(kind, shape, units, use_bias=self.has_bias(before))
        if before:
            self.add_norm()
        self.add("activation", shape, self.fields.activation)
        if after:
            self.add_norm()

    def add_lstm(self, index: int, units: int) -> None:
        if len(self.shape) != 2:
            self.refuse(f"lstm{units} needs a sequence or an image but receives shape {self.shape}")
        more = any(word.kind == "lstm" for word in self.words[index + 1 :])
        self.add("lstm", (self.shape[0], units) if more else (units,), units)
        if not self.explicit and self.fields.placement != "input":
            self.add_norm()

    def add_output(self, n_classes: int) -> None:
        if len(self.shape) != 1:
            self.refuse(f"the output layer needs a flat input but receives shape {self.shape}: end in flatten or dense")
        units = n_output_units(self.fields.model, n_classes)
        normed = self.fields.norm_output and self.fields.norm != norms.NONE
        self.add("dense", (units,), units, use_bias=self.has_bias(normed), is_output=True)
        if normed:
            self.add_norm()
        self.add("activation", (units,), "sigmoid" if units == 1 else "softmax")

    def add_norm(self) -> None:
        """Put a normalization here, unless the arm is `none`."""
        name = self.fields.norm
        if name == norms.NONE:
            return
        channels, groups = self.shape[-1], self.fields.groups if name == "group" else 1
        if channels % groups:
            self.refuse(f"groups={groups} does not divide the {channels} channels that norm 'group' receives")
        values = channels // groups * (_size(self.shape[:-1]) if name == "group" else 1)
        if name in norms.PER_SAMPLE and values < 2:
            self.refuse(f"norm {name!r} over a single value wipes it out (shape {self.shape}); batch can do this")
        self.add("norm", self.shape)

    def has_bias(self, norm_follows: bool) -> bool:
        """Whether a linear layer has a bias; `auto` leaves it to the norm's own shift where that follows at once.

        Before batch normalization a bias is exactly redundant (Ioffe and Szegedy 2015, section 3.2); for the
        other norms it is the common economy.
        """
        if self.fields.use_bias != "auto":
            return self.fields.use_bias == "true"
        shifts = "center" in norms.fields(self.fields.norm) and self.fields.center
        return not (norm_follows and shifts)

    def refuse(self, reason: str) -> None:
        raise InvalidConfig(f"model {self.fields.model!r} can't be built: {reason}.")


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
