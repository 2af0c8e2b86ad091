"""Which Keras models can be vectorized over runs: those whose layers all have a form that can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.networks.calls import is_graph, read_graph

if TYPE_CHECKING:
    import keras

PLAIN = frozenset({
    "InputLayer", "Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Identity",
    "BatchNormalization", "GhostBatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization",
    "UnitNormalization", "PReLU", "Embedding", "EinsumDense", "MultiHeadAttention", "ActivityRegularization",
    "Flatten", "Masking", "Reshape", "Permute", "RepeatVector", "Rescaling", "Normalization",
    "ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D", "UpSampling1D", "UpSampling2D",
    "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot",
    "MaxPooling1D", "AveragePooling1D",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D",
})  # fmt: skip
"""Classes of Keras' layers, and of bncli's, that vectorize as they are."""

REPLACED = frozenset({
    "Conv1D", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "MaxPooling2D", "AveragePooling2D", "Dropout",
    "SimpleRNN", "LSTM", "GRU",
})  # fmt: skip
"""Those for which `engines.layers` has a form that does."""

OPERATIONS = frozenset({
    "Relu", "Relu6", "Sigmoid", "Tanh", "Softmax", "LogSoftmax", "Gelu", "Silu", "Elu", "Selu", "LeakyRelu", "Softplus",
    "Add", "Subtract", "Multiply", "TrueDivide", "Negative", "Maximum", "Minimum", "Square", "Sqrt", "Exp", "Absolute",
    "Equal", "NotEqual", "All", "Any", "Where", "ConvertToTensor",
    "Mean", "Sum", "Max", "Reshape", "Concatenate", "GetItem", "ExpandDims", "Squeeze", "Transpose",
})  # fmt: skip
"""Classes of the functions of `keras.ops` that vectorize as they are, between layers."""


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
    between = [call.layer for call in read_graph(model).calls if not isinstance(call.layer, keras.Layer)]
    unknown = next((type(each).__name__ for each in between if type(each).__name__ not in OPERATIONS), "")
    return f"it calls the function {unknown} of keras.ops between its layers" if unknown else ""


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
        ("dropout", (getattr(cell, "dropout", 0) or getattr(layer, "_dropout", 0)) > 0),
        ("recurrent_dropout", getattr(cell, "recurrent_dropout", 0) > 0),
        ("synchronized=True", bool(getattr(layer, "synchronized", False))),
    )
