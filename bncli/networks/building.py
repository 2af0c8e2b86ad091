"""`build_model` turns the description of a network into a Keras model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bncli.networks import norms
from bncli.networks.drawing import in_turn
from bncli.networks.initial import initializers, kernel_of
from bncli.networks.layer import Layer, Shape
from bncli.networks.layout import NetworkFields, lay_out
from bncli.networks.naming import fresh_names
from bncli.networks.seeds import derive
from bncli.networks.words import kind_of

if TYPE_CHECKING:
    import keras


@in_turn()
def build_model(
    fields: NetworkFields,
    input_shape: Shape,
    n_classes: int,
    seed: int,
    layer_classes: Mapping[str, Callable[..., keras.Layer]] | None = None,
) -> keras.Model:
    """Build the network that `lay_out` describes; a layer's initial weights depend on the seed and the layer alone.

    Args:
        fields: The network.
        input_shape: Shape of one row.
        n_classes: Number of classes.
        seed: Seed of the initial weights and the dropout masks.
        layer_classes: Layer classes by kind (`conv`, `lstm`, ...) that replace Keras' own, for an engine that needs
            equivalent ones.
    """
    import keras

    layers = lay_out(fields, input_shape, n_classes)
    with fresh_names():
        built = [_build_layer(layer, fields, seed, layer_classes or {}) for layer in layers[:-1]]
        built.append(_build_layer(layers[-1], fields, seed, layer_classes or {}, dtype="float32"))
        is_chain = all(len(layer.inputs) == 1 for layer in layers)
        network = [keras.Input(input_shape), *built]
        model = keras.Sequential(network) if is_chain else _connect(layers, built, input_shape)
    if fields.init_scale != 1:
        for layer, keras_layer in zip(layers, built, strict=True):
            if layer.is_hidden:
                kernel = kernel_of(keras_layer)
                kernel.assign(kernel * fields.init_scale)
    return model


def _connect(layers: Sequence[Layer], built: Sequence[keras.Layer], input_shape: Shape) -> keras.Model:
    """Call every layer on the outputs of those that come before it."""
    import keras

    outputs = {-1: keras.Input(input_shape)}
    for position, (layer, keras_layer) in enumerate(zip(layers, built, strict=True)):
        given = [outputs[place] for place in layer.inputs]
        outputs[position] = keras_layer(given if len(given) > 1 else given[0])
    return keras.Model(outputs[-1], outputs[len(layers) - 1])


def _build_layer(
    layer: Layer,
    fields: NetworkFields,
    seed: int,
    layer_classes: Mapping[str, Callable[..., keras.Layer]],
    **more: Any,
) -> keras.Layer:
    """One layer; `more` are arguments that only some have: the last one outputs float32, as probabilities need it."""
    import keras

    if layer.kind == "norm":
        return norms.make(fields)
    kind = kind_of(layer.kind)
    if layer.has_weights:
        more |= {"name": layer.name, **initializers(layer, fields, seed)}
    if layer.kind == "dropout":
        more |= {"name": layer.name, "seed": derive(seed, "dropout", layer.number)}
    return layer_classes.get(layer.kind, getattr(keras.layers, kind.keras_class))(**kind.arguments(layer), **more)
