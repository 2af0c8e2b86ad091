"""Which Keras models can be vectorized over runs: those whose layers all have a form that can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.networks.calls import is_graph

if TYPE_CHECKING:
    import keras

PLAIN = frozenset({
    "InputLayer", "Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Identity",
    "BatchNormalization", "GhostBatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization",
    "Flatten", "Reshape", "Permute", "Rescaling", "ZeroPadding2D", "Cropping2D",
    "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D",
})  # fmt: skip
"""Classes of Keras' layers, and of bncli's, that vectorize as they are."""

REPLACED = frozenset({"Conv2D", "DepthwiseConv2D", "MaxPooling2D", "AveragePooling2D", "Dropout", "LSTM", "GRU"})
"""Those for which `engines.layers` has a form that does."""


def why_not_stacked(model: keras.Model) -> str:
    """Return in a few words what keeps a model from being vectorized; an empty text if nothing does.

    Args:
        model: A built model, of any kind.
    """
    import keras

    if not is_graph(model):
        return f"{type(model).__name__} is a subclass of keras.Model"
    for layer in model.layers:
        reason = why_not_stacked(layer) if isinstance(layer, keras.Model) else _why_not(layer)
        if reason:
            return reason
    operations = {id(operation) for operation in getattr(model, "operations", ())} - set(map(id, model.layers))
    return "it calls functions of keras.ops between its layers" if operations else ""


def _why_not(layer: keras.Layer) -> str:
    """What keeps one layer from being vectorized."""
    name = type(layer).__name__
    if not type(layer).__module__.startswith(("keras.", "bncli.")):
        return f"layer {layer.name} is of the user's class {name}"
    if name not in PLAIN | REPLACED:
        return f"{name} (layer {layer.name}) has no form that stacks"
    option = next((text for text, is_set in _options(layer) if is_set), "")
    return f"{name} with {option} (layer {layer.name}) has no form that stacks" if option else ""


def _options(layer: keras.Layer) -> tuple[tuple[str, bool], ...]:
    """Options that no form has, and whether the layer has them."""
    cell = getattr(layer, "cell", None)
    return (
        ("groups", getattr(layer, "groups", 1) != 1 and hasattr(layer, "kernel")),
        ("channels first", getattr(layer, "data_format", "channels_last") == "channels_first"),
        ("noise_shape", getattr(layer, "noise_shape", None) is not None),
        ("stateful=True", bool(getattr(layer, "stateful", False))),
        ("dropout", getattr(cell, "dropout", 0) > 0),
        ("recurrent_dropout", getattr(cell, "recurrent_dropout", 0) > 0),
        ("synchronized=True", bool(getattr(layer, "synchronized", False))),
    )
