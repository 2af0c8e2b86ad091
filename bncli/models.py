"""The model factory: a line of words and an injected normalization become a `keras.Model`.

A spec is a line such as `conv32 pool conv64 flatten dense64`; a registered model is a name for one. `plan` turns
spec and fields into steps with shapes, without Keras, and finds every impossible combination; `build` makes
the Keras layers. No spec names a kind of normalization: the field `norm` does, and `none` leaves the places empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bncli import norms
from bncli.errors import InvalidConfig
from bncli.registry import Registry, nearest
from bncli.seeds import derive

if TYPE_CHECKING:
    import keras

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
WEIGHTED = ("dense", "conv", "lstm")

MAX_UNITS = 16_384
MAX_LAYERS = 1_000
_SIZED = "dense64, conv32, lstm32, dropout0.2"
_WORD = re.compile(r"(?P<kind>[a-z]+?)(?P<size>\d+(?:\.\d+)?)?(?:\*(?P<repeat>\d+))?")


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
class Word:
    """One word of a spec: `dense64` is kind `dense`, size 64."""

    kind: str
    size: float | None = None

    def __str__(self) -> str:
        return self.kind if self.size is None else f"{self.kind}{self.size:g}"


@dataclass(frozen=True)
class Step:
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


REGISTRY: Registry[Callable[[], str]] = Registry("model")
register = REGISTRY.register


@register("mlp")
def mlp() -> str:
    """Two hidden layers of 64 units."""
    return "dense64*2"


@register("cnn")
def cnn() -> str:
    """The learning-rate study's CNN cut down to 8x8 images: two convolutions, 64 units."""
    return "conv32 pool conv64 flatten dense64"


@register("circles-mlp")
def circles_mlp() -> str:
    """The circles tutorial's network: one hidden layer of 50 units."""
    return "dense50"


@register("lr-cnn")
def lr_cnn() -> str:
    """The learning-rate study's CNN: three convolutions, 64 units (93,322 parameters on 28x28)."""
    return "conv32 pool conv64 pool conv64 flatten dense64"


@register("mnist-cnn")
def mnist_cnn() -> str:
    """DataTechNotes' CNN, which normalizes in two places only (1,199,882 parameters on 28x28)."""
    return "conv32 conv64 norm pool dropout0.2 flatten dense128 dropout0.2 norm"


@register("tanh-dropout")
def tanh_dropout() -> str:
    """The Stack Overflow recipe: 64-64 with dropout 0.5 after each and a softmax over the classes."""
    return "dense64 dropout0.5 dense64 dropout0.5 softmax"


@register("paper-mlp")
def paper_mlp() -> str:
    """The BN paper's MNIST network: three hidden layers of 100 units (use activation sigmoid)."""
    return "dense100*3"


@register("lstm")
def lstm() -> str:
    """An LSTM of 32 units with the normalization after it; an image is read row by row."""
    return "lstm32"


def spec_of(model: str) -> str:
    """Return the spec behind a registered name, or `model` itself."""
    return REGISTRY[model]() if model in REGISTRY else model


def parse(model: str) -> tuple[Word, ...]:
    """Turn a registered name or a spec into words, repeats written out.

    Raises:
        InvalidConfig: A word that is none, a size that is missing or out of range, or no layer at all.
    """
    words = tuple(word for text in spec_of(model).split() for word in _parse_word(model, text))
    if not any(word.kind in WEIGHTED for word in words):
        raise InvalidConfig(f"model {model!r} has no layer with weights. Allowed: at least one of {_SIZED[:23]}.")
    if len(words) > MAX_LAYERS:
        raise InvalidConfig(f"model {model!r} has {len(words)} layers. Allowed: at most {MAX_LAYERS}.")
    return words


def _parse_word(model: str, text: str) -> tuple[Word, ...]:
    match = _WORD.fullmatch(text)
    kind = match["kind"] if match else text
    if match is None or kind not in _RANGES:
        known = [*REGISTRY, *_RANGES]
        raise InvalidConfig(
            f"Unknown layer {text!r} in model {model!r}. Allowed: a registered model ({', '.join(REGISTRY)}) or a "
            f"line of {_SIZED}, pool, flatten, norm, softmax, with repeats such as dense64*3.{nearest(text, known)}"
        )
    repeat = int(match["repeat"] or 1)
    if not 1 <= repeat <= MAX_LAYERS:
        raise InvalidConfig(f"{text!r} in model {model!r}: a repeat is 1 to {MAX_LAYERS}. Received: {repeat}.")
    return (Word(kind, _parse_size(model, text, kind, match["size"])),) * repeat


_RANGES: dict[str, tuple[float, float] | None] = {
    "dense": (1, MAX_UNITS),
    "conv": (1, MAX_UNITS),
    "lstm": (1, MAX_UNITS),
    "dropout": (0.0, 0.99),
    "pool": None,
    "flatten": None,
    "norm": None,
    "softmax": None,
}


def _parse_size(model: str, text: str, kind: str, size: str | None) -> float | None:
    allowed = _RANGES[kind]
    if allowed is None:
        if size is not None:
            raise InvalidConfig(f"{text!r} in model {model!r}: {kind} takes no number. Write {kind}.")
        return None
    low, high = allowed
    number = float(size) if size else -1.0
    whole = kind != "dropout"
    if not low <= number <= high or (whole and "." in str(size)):
        what = "a whole number" if whole else "a number"
        raise InvalidConfig(f"{text!r} in model {model!r}: {kind} needs {what} from {low:g} to {high:g} behind it.")
    return int(number) if whole else number


def places_norms(model: str) -> bool:
    """Whether the spec says itself where its normalizations go, so that `placement` has no effect."""
    return any(word.kind == "norm" for word in parse(model))


def n_output_units(model: str, n_classes: int) -> int:
    """Return 1 for two classes (one sigmoid unit) unless the spec ends in `softmax`; else one unit a class."""
    return 1 if n_classes == 2 and parse(model)[-1].kind != "softmax" else n_classes


def plan(fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> tuple[Step, ...]:
    """Lay out the network that `fields` describe, layer by layer.

    Hidden weighted layers become linear, norm, activation (`placement` before) or linear, activation, norm
    (after) or get none (input: only the data is normalized), unless the spec places its norms itself. An image fed
    to a dense layer is flattened, fed to an LSTM is read row by row.

    Raises:
        InvalidConfig: A layer that can't take what the one before it puts out.
    """
    return _Planner(fields, input_shape).lay_out(n_classes)


class _Planner:
    """Walks through the words once, keeping the shape so far and the steps."""

    def __init__(self, fields: NetworkFields, input_shape: tuple[int, ...]) -> None:
        self.fields = fields
        self.shape = input_shape
        self.steps: list[Step] = []
        self.counts: dict[str, int] = {}
        self.words = parse(fields.model)
        self.explicit = places_norms(fields.model)

    def lay_out(self, n_classes: int) -> tuple[Step, ...]:
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
        self.steps.append(Step(kind, shape, value, number, **more))

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


def build(
    fields: NetworkFields,
    input_shape: tuple[int, ...],
    n_classes: int,
    seed: int,
    layers: Mapping[str, Callable[..., keras.Layer]] | None = None,
) -> keras.Model:
    """Build the network of `plan`; each layer's initial weights depend on (seed, layer) alone.

    The kernel initializer is for hidden layers; the output layer keeps Keras' `glorot_uniform`.

    Args:
        fields: The network.
        input_shape: Shape of one row.
        n_classes: Number of classes.
        seed: Seed of weights and dropout masks.
        layers: Other makers, by kind of step, than Keras' own layers (an engine's equivalent forms).
    """
    import keras

    steps = plan(fields, input_shape, n_classes)
    made = [_layer(step, fields, seed, layers or {}) for step in steps]
    model = keras.Sequential([keras.Input(input_shape), *made])
    if fields.init_scale != 1:
        for kernel in (_kernel(layer) for step, layer in zip(steps, made, strict=True) if _is_hidden(step)):
            kernel.assign(kernel * fields.init_scale)
    return model


def _layer(
    step: Step, fields: NetworkFields, seed: int, layers: Mapping[str, Callable[..., keras.Layer]]
) -> keras.Layer:
    import keras

    if step.kind == "norm":
        return norms.make(fields)
    makers: dict[str, Callable[..., keras.Layer]] = {
        "reshape": keras.layers.Reshape,
        "flatten": keras.layers.Flatten,
        "pool": keras.layers.MaxPooling2D,
        "dropout": keras.layers.Dropout,
        "activation": keras.layers.Activation,
        "dense": keras.layers.Dense,
        "conv": keras.layers.Conv2D,
        "lstm": keras.layers.LSTM,
        **layers,
    }
    arguments: dict[str, dict[str, Any]] = {
        "reshape": {"target_shape": step.shape},
        "pool": {"pool_size": 2},
        "dropout": {"rate": step.value, "seed": derive(seed, "dropout", step.number)},
        "activation": {"activation": step.value},
        "dense": {"units": step.value, "use_bias": step.use_bias},
        "conv": {"filters": step.value, "kernel_size": 3, "use_bias": step.use_bias},
        "lstm": {"units": step.value, "return_sequences": len(step.shape) == 2},
    }
    more = _initializers(step, fields, seed) | {"name": f"{step.kind}_{step.number}"} if step.kind in WEIGHTED else {}
    return makers[step.kind](**arguments.get(step.kind, {}), **more)


def _is_hidden(step: Step) -> bool:
    return step.kind in WEIGHTED and not step.is_output


def _kernel(layer: keras.Layer) -> keras.Variable:
    """The kernel of a weighted layer; an LSTM keeps it in its cell."""
    return getattr(layer, "cell", layer).kernel


def _initializers(step: Step, fields: NetworkFields, seed: int) -> dict[str, Any]:
    """The seeded initializers of a weighted layer, by Keras' argument names."""
    chosen = "glorot_uniform" if step.is_output else fields.kernel_initializer
    found = {"kernel_initializer": initializer(chosen, derive(seed, "kernel", step.number))}
    if step.kind == "lstm":
        found["recurrent_initializer"] = initializer("orthogonal", derive(seed, "recurrent", step.number))
    return found


def initializer(name: str, seed: int) -> keras.Initializer:
    """Return the Keras initializer `name` with a seed of its own."""
    import keras

    return type(keras.initializers.get(name))(seed=seed)


def seeded_values(
    model: keras.Model, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int, seed: int
) -> dict[str, Any]:
    """The initial values, by path of the variable, in which `model` would differ had it been built with `seed`.

    Drawing these alone is much cheaper than building a model for every seed.
    """
    values: dict[str, Any] = {}
    for step, layer in zip(plan(fields, input_shape, n_classes), model.layers, strict=True):
        if step.kind == "dropout" and step.value:  # at rate 0 the layer keeps no seed
            values[layer.seed_generator.state.path] = [derive(seed, "dropout", step.number), 0]
        if step.kind in WEIGHTED:
            drawn, kernel = _initializers(step, fields, seed), _kernel(layer)
            values[kernel.path] = drawn["kernel_initializer"](kernel.shape)
            if _is_hidden(step):
                values[kernel.path] *= fields.init_scale
            if step.kind == "lstm":
                recurrent = layer.cell.recurrent_kernel
                values[recurrent.path] = drawn["recurrent_initializer"](recurrent.shape)
    return values
