"""Where a Keras model has normalizations, and where it could have some.

A site is a linear layer, its activation, and the normalizations before and after the activation, in a row: nothing else
uses what they return. The output layer is no site. Any other normalization is a site of its own, state `elsewhere`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from bncli.networks.calls import Call, Graph, read_graph

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Site:
    """A place of a model where a normalization is or could be.

    Attributes:
        layer: The linear layer; for a normalization elsewhere, the layer before it, or itself behind an input.
        state: Where the normalization is: `none`, `before` or `after` the activation, `both`, or `elsewhere`.
        norm: Name of the normalization layer (the first of two), if there is one.
        norm_class: Its class.
        obstacle: Why the normalization can't be put before or after the activation; None if it can.
    """

    layer: str
    state: str
    norm: str | None
    norm_class: str | None
    obstacle: str | None

    @property
    def is_movable(self) -> bool:
        """Whether the normalization can be put before and after the activation."""
        return self.obstacle is None


@dataclass(frozen=True)
class Chain:
    """The calls of a site.

    Attributes:
        linear: The linear layer; None for a normalization elsewhere.
        activation: The activation layer; None if it is within the linear layer.
        before: The normalization before the activation, or one elsewhere.
        after: The normalization after the activation.
        obstacle: See `Site`.
    """

    linear: Call | None
    activation: Call | None
    before: Call | None
    after: Call | None
    obstacle: str | None

    @property
    def norms(self) -> list[Call]:
        """The normalizations there are."""
        return [norm for norm in (self.before, self.after) if norm]

    @property
    def state(self) -> str:
        """See `Site`."""
        if not self.linear:
            return "elsewhere"
        return {0: "none", 2: "both"}.get(len(self.norms), "before" if self.before else "after")


def find_sites(model: keras.Model) -> list[Site]:
    """Return the sites of a model, from input to output.

    Raises:
        InvalidConfig: The model is no Sequential or functional one.
    """
    graph = read_graph(model)
    makers = {id(value): call.name for call in graph.calls for value in call.outputs}
    return [_site(chain, makers) for chain in find_chains(graph)]


def _site(chain: Chain, makers: dict[int, str]) -> Site:
    norm = next(iter(chain.norms), None)
    place = chain.linear.name if chain.linear else makers.get(id(norm.first), norm.name) if norm else ""
    norm_class = type(norm.layer).__name__ if norm else None
    return Site(place, chain.state, norm.name if norm else None, norm_class, chain.obstacle)


def find_chains(graph: Graph) -> list[Chain]:
    """Return the calls of every site, in the order of their first calls."""
    chains = {id(call): chain for call in graph.calls if is_linear(call.layer) and (chain := _chain(graph, call))}
    within = {id(norm) for chain in chains.values() for norm in chain.norms}
    for call in graph.calls:
        if is_norm(call.layer) and id(call) not in within:
            chains[id(call)] = Chain(None, None, call, None, "it does not stand next to a linear layer's activation")
    return [chains[id(call)] for call in graph.calls if id(call) in chains]


def _chain(graph: Graph, linear: Call) -> Chain | None:
    """The site of a linear layer; None if it has no activation of its own or makes the output."""
    if _makes_output(linear):
        return None
    before = None if has_activation(linear.layer) else _norm(linear.follower())
    activation = None if has_activation(linear.layer) else (before or linear).follower()
    if not has_activation(linear.layer) and not (activation and is_activation(activation.layer)):
        return None
    after = _norm_after(activation or linear)
    return Chain(linear, activation, before, after, _obstacle(graph, linear, activation or linear, before, after))


def _norm(call: Call | None) -> Call | None:
    return call if call and is_norm(call.layer) else None


def _norm_after(call: Call) -> Call | None:
    """The normalization after an activation: a pooling or a dropout may stand between."""
    found = call.follower()
    while found and is_passed(found.layer):
        found = found.follower()
    return _norm(found)


def _obstacle(graph: Graph, linear: Call, activation: Call, before: Call | None, after: Call | None) -> str | None:
    for call in (linear, before, after):
        if call and graph.n_calls[call.name] > 1:
            return f"{call.name!r} is called {graph.n_calls[call.name]} times"
    users = activation.outputs[0].users
    if not after and any(is_norm(user.layer) for user in users):
        return f"{activation.name!r} is used by a normalization and by other layers"
    if getattr(linear.layer, "data_format", None) == "channels_first":
        return f"the channels of {linear.name!r} are on its first axis"
    return None


def _makes_output(call: Call) -> bool:
    """Whether the model returns what a linear layer makes, with nothing that learns from other values behind it."""
    last: Call | None = call
    while last and not last.outputs[0].is_output:
        last = last.follower()
        if last and not any(kind(last.layer) for kind in (is_norm, is_activation, is_passed, _reshapes)):
            return False
    return last is not None


def direct_norms(graph: Graph, layer: Any) -> Iterator[Call | None]:
    """For every call of a linear layer, the normalization that alone uses what it returns; None if there is none."""
    for call in graph.calls:
        if call.layer is layer:
            yield None if has_activation(layer) else _norm(call.follower())


def has_activation(layer: Any) -> bool:
    """Return whether a linear layer activates what it returns."""
    import keras

    return layer.activation is not keras.activations.linear


def is_linear(layer: Any) -> bool:
    """Return whether a layer is dense or convolutional."""
    convs = [f"Conv{n}D{kind}" for n in (1, 2, 3) for kind in ("", "Transpose")]
    split = [f"{kind}Conv{n}D" for n in (1, 2) for kind in ("Depthwise", "Separable")]
    return isinstance(layer, _classes("Dense", *convs, *split))


def makes_mask(model: keras.Model) -> bool:
    """Return whether a layer of a model says which steps of a sequence are padding."""
    layers = model._flatten_layers(include_self=False)
    return any(type(layer).__name__ == "Masking" or getattr(layer, "mask_zero", False) for layer in layers)


def is_norm(layer: Any) -> bool:
    """Return whether a layer is one of Keras' normalizations that learn or estimate."""
    return isinstance(layer, _classes(*(f"{kind}Normalization" for kind in ("Batch", "Layer", "Group", "RMS"))))


def is_passed(layer: Any) -> bool:
    """Return whether a normalization behind this layer is still one after the activation before it."""
    pools = [f"{kind}Pooling{n}D" for kind in ("Max", "Average", "GlobalMax", "GlobalAverage") for n in (1, 2, 3)]
    drops = ["Dropout", "AlphaDropout", "GaussianDropout", *(f"SpatialDropout{n}D" for n in (1, 2, 3))]
    return isinstance(layer, _classes(*pools, *drops))


def is_activation(layer: Any) -> bool:
    """Return whether this is an activation: a layer, or a function such as `keras.ops.relu`."""
    import keras

    if isinstance(layer, _classes("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax")):
        return True
    return not isinstance(layer, keras.Layer) and type(layer).__name__.lower() in _functions()


def activation_name(layer: Any) -> str:
    """Return the name of the function that a layer or an operation activates with; an empty text for none.

    A layer whose activation is a layer has none of its own. A rectifier with a slope or a threshold is a `leaky_relu`.

    >>> import keras
    >>> dense, leaky = keras.layers.Dense(2, activation="tanh"), keras.layers.ReLU(negative_slope=0.1)
    >>> activation_name(dense), activation_name(leaky), activation_name(keras.layers.Flatten())
    ('tanh', 'leaky_relu', '')
    """
    if hasattr(layer, "activation"):
        name = str(getattr(layer.activation, "__name__", ""))
        return "" if name == "linear" else name
    if not is_activation(layer):
        return ""
    kind = type(layer).__name__.lower()
    if kind == "relu" and any(vars(layer).get(name) for name in ("negative_slope", "threshold")):
        return "leaky_relu"
    return _functions().get(kind, kind)


@cache
def _functions() -> dict[str, str]:
    """The names of Keras' activations by the lower-case names of their classes."""
    import keras

    return {name.replace("_", ""): name for name in dir(keras.activations)}


def _reshapes(layer: Any) -> bool:
    crops = [f"Cropping{n}D" for n in (1, 2, 3)]
    return isinstance(layer, _classes("Reshape", "Flatten", "Permute", "Identity", *crops))


@cache
def _classes(*names: str) -> tuple[type, ...]:
    import keras

    return tuple(getattr(keras.layers, name) for name in names)
