"""What a network costs: its weights, its arithmetic and the numbers that it keeps, for one row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bncli.networks.forms import why_not_stacked
from bncli.networks.layout import Layer

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Cost:
    """What the planner needs to know of a network.

    Attributes:
        n_layers: Number of layers.
        macs: Multiply-adds of one forward pass over one row.
        n_weights: Weights that multiply a layer's inputs.
        n_activations: Numbers that all layers compute for one row: outputs, a convolution's patches, an LSTM's gates.
        n_outputs: Those of the layers with weights alone.
        widest: Numbers in the largest output of one layer.
        alone: What keeps the network from being vectorized over runs; an empty text if nothing does.
    """

    n_layers: int
    macs: int
    n_weights: int
    n_activations: int
    n_outputs: int
    widest: int
    alone: str = ""


def cost_of_layers(layers: Sequence[Layer], input_shape: tuple[int, ...]) -> Cost:
    """Return the cost of a network that `lay_out` describes.

    >>> from bncli.config import RunConfig
    >>> from bncli.networks.layout import lay_out
    >>> cost_of_layers(lay_out(RunConfig(model="dense64"), (30,), 10), (30,)).macs == 30 * 64 + 64 * 10
    True
    """
    walk = list(_walk(layers, input_shape))
    return Cost(
        n_layers=len(layers),
        macs=sum(_n_positions(layer, shape) * _n_kernel(layer, shape) for layer, shape in walk),
        n_weights=sum(_n_kernel(layer, shape) for layer, shape in walk),
        n_activations=math.prod(input_shape) + sum(_n_activations(layer, shape) for layer, shape in walk),
        n_outputs=sum(math.prod(layer.shape) for layer, _ in walk if layer.has_weights),
        widest=max(math.prod(layer.shape) for layer in layers),
    )


def cost_of_model(model: keras.Model, input_shape: tuple[int, ...]) -> Cost:
    """Return the cost of any Keras model, as far as its layers tell their output shapes; those of a subclass don't.

    A layer's weights are taken to be applied at every position of its output.
    """
    layers = list(model._flatten_layers(include_self=False, recursive=True))
    outputs = {id(layer): _output_size(layer) for layer in layers}
    n_weights = {id(layer): _n_multipliers(layer) for layer in layers}
    macs = sum(n_weights[id(layer)] * outputs[id(layer)][1] for layer in layers)
    sizes = [outputs[id(layer)][0] for layer in layers]
    return Cost(
        n_layers=len(layers),
        macs=macs,
        n_weights=sum(n_weights.values()),
        n_activations=math.prod(input_shape) + sum(sizes),
        n_outputs=sum(outputs[id(layer)][0] for layer in layers if n_weights[id(layer)]),
        widest=max([math.prod(input_shape), *sizes]),
        alone=why_not_stacked(model),
    )


def _output_size(layer: keras.Layer) -> tuple[int, int]:
    """How many numbers a layer outputs for a row, and at how many positions; (0, 1) where it can't tell."""
    try:
        shape = layer.output.shape[1:]
    except (AttributeError, ValueError):
        return 0, 1
    if not shape or None in shape:
        return 0, 1
    return math.prod(shape), math.prod(shape[:-1])


def _n_multipliers(layer: keras.Layer) -> int:
    """Numbers in a layer's own weights of two and more dimensions."""
    own = layer.trainable_variables if not list(layer._flatten_layers(include_self=False)) else []
    return sum(math.prod(weight.shape) for weight in own if len(weight.shape) > 1)


def _walk(layers: Sequence[Layer], input_shape: tuple[int, ...]) -> Iterator[tuple[Layer, tuple[int, ...]]]:
    """Each layer with the shape of its inputs."""
    shape = input_shape
    for layer in layers:
        yield layer, shape
        shape = layer.shape


def _n_kernel(layer: Layer, shape: tuple[int, ...]) -> int:
    """Number of weights that multiply a layer's inputs."""
    if layer.kind == "conv":
        return 9 * shape[-1] * layer.shape[-1]
    if layer.kind == "dense":
        return shape[-1] * layer.shape[0]
    return 4 * layer.value * (shape[1] + layer.value) if layer.kind == "lstm" else 0


def _n_positions(layer: Layer, shape: tuple[int, ...]) -> int:
    """How often a layer applies its weights to one row: at every pixel, or at every time step."""
    if layer.kind == "conv":
        return math.prod(layer.shape[:2])
    return shape[0] if layer.kind == "lstm" else 1


def _n_activations(layer: Layer, shape: tuple[int, ...]) -> int:
    """Numbers that a layer computes for one row: its outputs, and a convolution's patches or an LSTM's gates."""
    outputs = math.prod(layer.shape)
    if layer.kind == "conv":
        return outputs + _n_positions(layer, shape) * 9 * shape[-1]
    return outputs + _n_positions(layer, shape) * 8 * layer.value if layer.kind == "lstm" else outputs
