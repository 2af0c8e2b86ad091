"""What the normalizations and activations of a network get and return while it is called, also in a traced function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from bncli.networks.sites import activation_name, is_activation, is_linear, is_norm
from bncli.probes.recording import functions_within

if TYPE_CHECKING:
    import keras


class Tap(NamedTuple):
    """A tensor between two layers, or within one.

    Attributes:
        place: The layer's name, with a number behind it from its second call on.
        kind: `input` or `output` of a normalization, or the `preactivation` that an activation gets.
        layer: The normalization, the activation, or the linear layer that has one.
        activation: The name of the activation that gets it; an empty text for a normalization.
        tensor: It, shape (rows, ..., channels).
    """

    place: str
    kind: str
    layer: Any
    activation: str
    tensor: Any


@contextmanager
def tapped(model: keras.Model) -> Iterator[list[Tap]]:
    """Collect the taps of a model's calls in a block, in the order of the calls.

    Activations by functions of `keras.ops` are seen between the layers of functional models, and not within layers; a
    softmax is none here.
    """
    found: list[Tap] = []
    layers = [layer for layer in model._flatten_layers(include_self=False) if not hasattr(layer, "cell")]
    parts = [*layers, *functions_within(model)]
    hidden = [_Hiding(part, found) for part in parts if is_norm(part) or is_activation(part) or is_linear(part)]
    try:
        yield found
    finally:
        for each in hidden:
            each.undo()


class _Hiding:
    """Attributes of a layer that hide its own while it is watched.

    Args:
        layer: A normalization, an activation (a layer or a function), or a linear layer.
        found: Where taps are added.
    """

    def __init__(self, layer: Any, found: list[Tap]) -> None:
        self._layer, self._found = layer, found
        self._before = {name: layer.__dict__[name] for name in ("call", "activation") if name in layer.__dict__}
        self._counts: Counter[str] = Counter()
        name = activation_name(layer)
        if is_norm(layer):
            layer.__dict__["call"] = self._norm(layer.call)
        elif name and name != "softmax":
            function = "activation" if is_linear(layer) else "call"
            layer.__dict__[function] = self._activation(getattr(layer, function), name)

    def undo(self) -> None:
        """Give the layer its own attributes back."""
        for name in ("call", "activation"):
            self._layer.__dict__.pop(name, None)
        self._layer.__dict__.update(self._before)

    def _add(self, kind: str, tensor: Any, activation: str = "") -> None:
        self._counts[kind] += 1
        again = f" {self._counts[kind]}" if self._counts[kind] > 1 else ""
        self._found.append(Tap(f"{self._layer.name}{again}", kind, self._layer, activation, tensor))

    def _norm(self, call: Any) -> Any:
        def watched(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            outputs = call(inputs, *args, **kwargs)
            self._add("input", inputs)
            self._add("output", outputs)
            return outputs

        return watched

    def _activation(self, function: Any, name: str) -> Any:
        def watched(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            self._add("preactivation", inputs, name)
            return function(inputs, *args, **kwargs)

        return watched
