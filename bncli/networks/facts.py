"""Facts about a built network, for `bncli model`: its layers, its parameters, its normalizations and biases."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bncli.networks.calls import is_graph, read_graph
from bncli.networks.sites import is_linear, is_norm

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class LayerFacts:
    """One layer of a network.

    Attributes:
        name: Its name.
        kind: Its class.
        shape: What it returns for one row; None where Keras does not know.
        n_parameters: Its weights and statistics.
        inputs: The layers whose values it gets.
        is_norm: Whether it is a normalization.
        is_linear: Whether it is a dense or convolutional layer.
        has_bias: Whether it has a bias; None if it is not linear.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...] | None
    n_parameters: int
    inputs: tuple[str, ...]
    is_norm: bool
    is_linear: bool
    has_bias: bool | None


def layer_facts(model: keras.Model) -> list[LayerFacts]:
    """Return the layers of a model in the order in which they are called, those of nested models like all others.

    The layers of a subclassed model stand in the order in which Keras keeps them, and their inputs are unknown.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="hidden")])
    >>> [(layer.name, layer.shape, layer.n_parameters) for layer in layer_facts(model)]
    [('hidden', (2,), 10)]
    """
    if any(not is_graph(part) for part in _models(model)):
        return [_facts(layer, layer.name, ()) for layer in _leaves(model)]
    graph = read_graph(model)
    makers = {id(value): layer.name for layer, value in graph.inputs}
    found: dict[str, LayerFacts] = {}
    for call in graph.calls:
        makers |= {id(value): call.name for value in call.outputs}
    for call in graph.calls:
        inputs = tuple(dict.fromkeys(makers[id(value)] for value in call.inputs))
        found.setdefault(call.name, _facts(call.layer, call.name, inputs))
    return list(found.values())


def _models(model: keras.Model) -> list[keras.Model]:
    """A model and the models nested in it."""
    import keras

    return [model, *(layer for layer in model._flatten_layers() if isinstance(layer, keras.Model))]


def _leaves(layer: Any) -> Iterator[Any]:
    """The layers in a layer, but for inputs; those of Keras' own classes are not taken apart."""
    import keras

    for part in layer._layers:
        is_whole = type(part).__module__.startswith("keras.") and not isinstance(part, keras.Model)
        if not isinstance(part, keras.layers.InputLayer):
            yield from [part] if is_whole or not part._layers else _leaves(part)


def _facts(layer: Any, name: str, inputs: tuple[str, ...]) -> LayerFacts:
    weights = getattr(layer, "weights", [])
    return LayerFacts(
        name,
        type(layer).__name__,
        _shape(layer),
        sum(math.prod(weight.shape) for weight in weights),
        inputs,
        is_norm(layer),
        is_linear(layer),
        layer.use_bias if is_linear(layer) else None,
    )


def _shape(layer: Any) -> tuple[int | None, ...] | None:
    """The shape of what a layer returns for one row; None if Keras does not know it, or calls return several."""
    shapes = {tuple(tensor.shape[1:]) for node in layer._inbound_nodes for tensor in node.outputs}
    return shapes.pop() if len(shapes) == 1 else None


@dataclass(frozen=True)
class ArmFacts:
    """What a network is in one arm.

    Attributes:
        n_parameters: All its parameters, statistics too.
        n_trainable: Those that are trained.
        norms: How often each class of normalizations stands in it.
        without_bias: The hidden linear layers without bias.
        layers: Its layers.
    """

    n_parameters: int
    n_trainable: int
    norms: dict[str, int]
    without_bias: tuple[str, ...]
    layers: tuple[LayerFacts, ...]


def arm_facts(model: keras.Model) -> ArmFacts:
    """Return the facts about the network of an arm."""
    layers = layer_facts(model)
    kinds = [layer.kind for layer in layers if layer.is_norm]
    return ArmFacts(
        int(model.count_params()),
        sum(math.prod(weight.shape) for weight in model.trainable_weights),
        {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
        tuple(layer.name for layer in layers if layer.has_bias is False),
        tuple(layers),
    )
