"""What a network costs: its weights, its arithmetic and the numbers that it keeps, for one row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

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
        conv_macs: Those of convolutions.
        n_weights: Weights that multiply a layer's inputs.
        n_activations: Numbers that all layers compute for one row: outputs, a convolution's patches, the
            gates of a recurrent layer.
        n_outputs: Those of the layers with weights alone.
        widest: The most of these numbers that one layer computes.
        alone: What keeps the network from being vectorized over runs; an empty text if nothing does.
        one_by_one: What keeps runs from sharing a program at all, so that only `model.fit` trains them; see `state`.
    """

    n_layers: int
    macs: int
    conv_macs: int
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
    macs = [kind.n_positions(layer) * kind.n_multipliers(layer) for kind, layer in kinds]
    return Cost(
        n_layers=sum(layer.input_shape[0] if kind.is_recurrent else 1 for kind, layer in kinds),
        macs=sum(macs),
        conv_macs=sum(own for own, (kind, _) in zip(macs, kinds, strict=True) if kind.has_window),
        n_weights=sum(kind.n_multipliers(layer) for kind, layer in kinds),
        n_activations=math.prod(input_shape) + sum(sizes) + sum(kind.n_between(layer) for kind, layer in kinds),
        n_outputs=sum(size for size, layer in zip(sizes, layers, strict=True) if layer.has_weights),
        widest=max(size + kind.n_between(layer) for size, (kind, layer) in zip(sizes, kinds, strict=True)),
    )


def cost_of_model(model: keras.Model, input_shape: tuple[int, ...]) -> Cost:
    """Return the cost of any Keras model, as far as its layers tell their output shapes; those of a subclass don't.

    A layer's weights are taken to be applied at every position of its output, those of a recurrent one at every step.
    """
    parts = [_part_of(layer) for layer in model._flatten_layers(include_self=False, recursive=True)]
    return Cost(
        n_layers=sum(part.n_steps for part in parts),
        macs=sum(part.macs for part in parts),
        conv_macs=sum(part.macs for part in parts if part.is_convolution),
        n_weights=sum(part.n_weights for part in parts),
        n_activations=math.prod(input_shape) + sum(part.size + part.n_between for part in parts),
        n_outputs=sum(part.size for part in parts if part.macs),
        widest=max([math.prod(input_shape), *(part.size + part.n_between for part in parts)]),
        alone=why_not_stacked(model),
        one_by_one=why_one_by_one(model, input_shape),
    )


class _Part(NamedTuple):
    """What one Keras layer costs: see `Cost`; `n_steps` is 1 but for recurrent layers."""

    size: int
    n_weights: int
    macs: int
    n_between: int = 0
    n_steps: int = 1
    is_convolution: bool = False


def _part_of(layer: keras.Layer) -> _Part:
    size, n_positions = _output_size(layer)
    if hasattr(layer, "cell"):
        return _recurrent_part(layer, size)
    kernels = _kernels([] if list(layer._flatten_layers(include_self=False)) else layer.trainable_variables)
    n_weights = sum(math.prod(shape) for shape in kernels)
    if hasattr(layer, "kernel_size") and kernels:
        n_between = n_positions * math.prod(kernels[0][:-1])
        return _Part(size, n_weights, n_weights * n_positions, n_between, is_convolution=True)
    return _Part(size, n_weights, n_weights * n_positions)


def _recurrent_part(layer: keras.Layer, size: int) -> _Part:
    """The costs of a recurrent layer; they are those of its cell, which is a layer of its own, for every step."""
    kernels = _kernels(layer.cell.trainable_variables)
    n_weights, n_steps = sum(math.prod(shape) for shape in kernels), _n_steps(layer)
    n_gates = kernels[0][-1] if kernels else 0
    return _Part(size, 0, n_weights * (n_steps - 1), n_steps * 2 * n_gates, n_steps)


def _kernels(weights: Sequence[keras.Variable]) -> list[tuple[int, ...]]:
    """The shapes of the weights of two and more dimensions; a GRU's biases have two."""
    return [weight.shape for weight in weights if len(weight.shape) > 1 and weight.name != "bias"]


def _n_steps(layer: keras.Layer) -> int:
    """How many steps a recurrent layer reads; 1 where it can't tell, as within `Bidirectional`."""
    try:
        return layer.input.shape[1] or 1
    except (AttributeError, ValueError):
        return 1


def _output_size(layer: keras.Layer) -> tuple[int, int]:
    """How many numbers a layer outputs for a row, and at how many positions; (0, 1) where it can't tell."""
    try:
        shape = layer.output.shape[1:]
    except (AttributeError, ValueError):
        return 0, 1
    if not shape or None in shape:
        return 0, 1
    return math.prod(shape), math.prod(shape[:-1])
