"""Sites: the places in a graph where a normalization is or could be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bncli.errors import InvalidConfig, shown
from bncli.networks.graphs import nodes_of

if TYPE_CHECKING:
    import keras

LINEAR = (
    "Dense", "Conv1D", "Conv2D", "Conv3D", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D",
    "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose",
)  # fmt: skip
"""Classes of layers behind which a normalization can stand."""

NORMS = ("BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization")
"""Classes of layers that normalize."""

ACTIVATIONS = ("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU")
"""Classes of layers that apply an activation function."""


@dataclass(frozen=True)
class Chain:
    """A linear layer, its normalizations and its activation, each with a single consumer.

    Attributes:
        linear: The call of the linear layer.
        before: The call of the normalization before the activation; None if there is none.
        activation: The call of the activation; None if it is an argument of the linear layer.
        after: The call of the normalization after the activation; None if there is none.
    """

    linear: Any
    before: Any = None
    activation: Any = None
    after: Any = None

    @property
    def norms(self) -> list[Any]:
        """The calls of normalizations."""
        return [node for node in (self.before, self.after) if node]


@dataclass(frozen=True)
class Site:
    """A place where a normalization is or could be, for people to read.

    Attributes:
        layer: The linear layer; for a normalization elsewhere, that layer itself.
        state: `none`, `before`, `after` (or both, `before and after`) the activation, or `elsewhere`: a normalization
            that is no neighbour of a linear layer and its activation. It can be removed or swapped, but not moved.
        norm: The class of the normalization that is there; None if none is.
    """

    layer: str
    state: str
    norm: str | None = None


class Sites:
    """The sites of a functional model without nested ones.

    Args:
        model: See `graphs.unfolded`.

    Raises:
        InvalidConfig: A normalization layer is called twice, or does not normalize over the last axis.
    """

    def __init__(self, model: keras.Model) -> None:
        self.nodes = list(nodes_of(model))
        self._ends = {id(tensor) for tensor in model.outputs}
        self._consumers: dict[int, list[Any]] = defaultdict(list)
        for node in self.nodes:
            for tensor in node.input_tensors:
                self._consumers[id(tensor)].append(node)
        _check_norms(node.operation for node in self.nodes if is_norm(node.operation))

    @cached_property
    def chains(self) -> list[Chain]:
        """The sites at which a normalization can be placed before or after an activation."""
        found = (self._chain(node) for node in self.nodes if type(node.operation).__name__ in LINEAR)
        return [chain for chain in found if chain]

    @cached_property
    def elsewhere(self) -> list[Any]:
        """The calls of normalizations that are in no chain."""
        chained = {id(node) for chain in self.chains for node in chain.norms}
        return [node for node in self.nodes if is_norm(node.operation) and id(node) not in chained]

    def list(self) -> list[Site]:
        """Return all sites, from input to output."""
        found = [(chain.linear, _site_of(chain)) for chain in self.chains]
        found += [
            (node, Site(node.operation.name, "elsewhere", type(node.operation).__name__)) for node in self.elsewhere
        ]
        order = {id(node): place for place, node in enumerate(self.nodes)}
        return [site for _, site in sorted(found, key=lambda pair: order[id(pair[0])])]

    def norm_behind(self, linear: Any) -> Any:
        """Return the normalization whose only input is what a linear layer computes; None if there is none."""
        after = None if has_activation(linear.operation) else self._next(linear)
        return after if after and is_norm(after.operation) else None

    def _chain(self, linear: Any) -> Chain | None:
        before = activation = after = None
        if not has_activation(linear.operation):
            before = self.norm_behind(linear)
            activation = self._next(before or linear)
            if activation is None or not is_activation(activation.operation):
                return None
        last = activation or linear
        if any(id(tensor) in self._ends for tensor in last.outputs):
            return None
        following = self._next(last)
        if following and is_norm(following.operation):
            after = following
        return Chain(linear, before, activation, after)

    def _next(self, node: Any) -> Any:
        """The only consumer of what a node computes; None if there are more, or if the model outputs it."""
        (tensor,) = node.outputs
        users = self._consumers[id(tensor)]
        return users[0] if len(users) == 1 and id(tensor) not in self._ends else None


def is_norm(operation: Any) -> bool:
    """Return whether a layer normalizes."""
    return type(operation).__name__ in NORMS


def is_activation(operation: Any) -> bool:
    """Return whether an operation is an activation function: a layer, or a function of `keras.ops`."""
    return type(operation).__name__ in ACTIVATIONS or type(operation).__module__.endswith("ops.nn")


def has_activation(layer: Any) -> bool:
    """Return whether a linear layer applies an activation itself."""
    return getattr(getattr(layer, "activation", None), "__name__", "linear") != "linear"


def learns_shift(layer: Any) -> bool:
    """Return whether a normalization layer learns a shift."""
    return bool(getattr(layer, "center", False))


def _site_of(chain: Chain) -> Site:
    states = [name for name, node in (("before", chain.before), ("after", chain.after)) if node]
    norm = type(chain.norms[0].operation).__name__ if chain.norms else None
    return Site(chain.linear.operation.name, " and ".join(states) or "none", norm)


def _check_norms(layers: Iterable[Any]) -> None:
    seen: set[int] = set()
    for layer in layers:
        if id(layer) in seen:
            raise InvalidConfig(
                f"Normalization layer {shown(layer.name)} is called more than once; bncli rewrites only those that are "
                "called once."
            )
        seen.add(id(layer))
        axis = getattr(layer, "axis", -1)
        axes = list(axis) if isinstance(axis, list | tuple) else [axis]
        if not {*axes} <= {-1, len(layer.input.shape) - 1}:
            raise InvalidConfig(
                f"Layer {shown(layer.name)} normalizes over axis {shown(axis)}; bncli rewrites only the last axis."
            )
