"""What a network costs: its weights, its arithmetic and the numbers that it keeps, for one row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bncli.networks.forms import why_not_stacked
from bncli.networks.layer import Layer
from bncli.networks.state import why_one_by_one
from bncli.networks.words import kind_of

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Cost:
    """What the planner needs to know of a network.

    Attributes:
        n_layers: Number of layers; a recurrent one counts once for every step, as it is unrolled.
        macs: Multiply-adds of one forward pass over one row.
        n_weights: Weights that multiply a layer's inputs.
        n_activations: Numbers that all layers compute for one row: outputs, a convolution's patches, the
            gates of a recurrent layer.
        n_outputs: Those of the layers with weights alone.
        widest: Numbers in the largest output of one layer.
        alone: What keeps the network from being vectorized over runs; an empty text if nothing does.
        one_by_one: What keeps runs from sharing a program at all, so that only `model.fit` trains them; see `state`.
    """

    n_layers: int
    macs: int
    n_weights: int
    n_activations: int
    n_outputs: int
    widest: int
    alone: str = ""
    one_by_one: str = ""


def cost_of_layers(layers: Sequence[Layer], input_shape: tuple[int, ...]) -> Cost:
    """Return the cost of a network that `lay_out` describes.

    >>> from bncli.config import RunConfig
    >>> from bncli.networks.layout import lay_out
    >>> cost_of_layers(lay_out(RunConfig(model="dense64"), (30,), 10), (30,)).macs == 30 * 64 + 64 * 10
    True
    """
    kinds = [(kind_of(layer.kind), layer) for layer in layers]
    sizes = [math.prod(layer.shape) for layer in layers]
    return Cost(
        n_layers=sum(layer.input_shape[0] if kind.is_recurrent else 1 for kind, layer in kinds),
        macs=sum(kind.n_positions(layer) * kind.n_multipliers(layer) for kind, layer in kinds),
        n_weights=sum(kind.n_multipliers(layer) for kind, layer in kinds),
        n_activations=math.prod(input_shape) + sum(sizes) + sum(kind.n_between(layer) for kind, layer in kinds),
        n_outputs=sum(size for size, layer in zip(sizes, layers, strict=True) if layer.has_weights),
        widest=max(sizes),
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
        one_by_one=why_one_by_one(model, input_shape),
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
    """Numbers in a layer's own weights of two and more dimensions; a GRU's biases have two."""
    own = layer.trainable_variables if not list(layer._flatten_layers(include_self=False)) else []
    return sum(math.prod(weight.shape) for weight in own if len(weight.shape) > 1 and weight.name != "bias")
