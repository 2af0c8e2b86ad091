"""What the normalizations and activations of a network get and return while it is called, also in a traced function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from bncli.networks.sites import activation_name, is_activation, is_linear, is_norm
from bncli.probes.hiding import Cover, hiding
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
        mask: Which steps of sequences are data, shape (rows, steps); None if nothing says that some are padding.
    """

    place: str
    kind: str
    layer: Any
    activation: str
    tensor: Any
    mask: Any = None


@contextmanager
def tapped(model: keras.Model) -> Iterator[list[Tap]]:
    """Collect the taps of a model's calls in a block, in the order of the calls.

    Activations by functions of `keras.ops` are seen between the layers of functional models, and not within layers; a
    softmax is none here.
    """
    found: list[Tap] = []
    layers = [layer for layer in model._flatten_layers(include_self=False) if not hasattr(layer, "cell")]
    with hiding(cover for part in (*layers, *functions_within(model)) for cover in _covers(part, found)):
        yield found


def _covers(layer: Any, found: list[Tap]) -> list[Cover]:
    """What adds the taps of a layer's calls, if it normalizes or activates."""
    counts: Counter[str] = Counter()
    name = activation_name(layer)

    masks = [None]

    def add(kind: str, tensor: Any, mask: Any, activation: str = "") -> None:
        counts[kind] += 1
        again = f" {counts[kind]}" if counts[kind] > 1 else ""
        found.append(Tap(f"{layer.name}{again}", kind, layer, activation, tensor, mask))

    def normalizing(call: Any) -> Any:
        def watched(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            outputs = call(inputs, *args, **kwargs)
            add("input", inputs, mask_of(inputs))
            add("output", outputs, mask_of(inputs))
            return outputs

        return watched

    def activating(function: Any) -> Any:
        def watched(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            add("preactivation", inputs, masks[-1] if is_linear(layer) else mask_of(inputs), name)
            return function(inputs, *args, **kwargs)

        return watched

    def noting(call: Any) -> Any:
        def watched(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            masks[:] = [mask_of(inputs)]
            return call(inputs, *args, **kwargs)

        return watched

    if is_norm(layer):
        return [(layer, "call", normalizing(layer.call))]
    if name in ("", "softmax"):
        return []
    if is_linear(layer):
        return [(layer, "call", noting(layer.call)), (layer, "activation", activating(layer.activation))]
    return [(layer, "call", activating(layer.call))] if is_activation(layer) else []


def mask_of(tensor: Any) -> Any:
    """The mask that Keras keeps with a tensor, if it is one of steps; Keras has no public way to it."""
    mask = getattr(tensor, "_keras_mask", None)
    return mask if mask is not None and mask.shape == tensor.shape[: mask.shape.rank] else None
