"""`build_model` turns the description of a network into a Keras model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bncli.networks import norms
from bncli.networks.initial import initializers, kernel_of
from bncli.networks.layout import Layer, NetworkFields, lay_out
from bncli.networks.seeds import derive

if TYPE_CHECKING:
    import keras


def build_model(
    fields: NetworkFields,
    input_shape: tuple[int, ...],
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
    built = [_build_layer(layer, fields, seed, layer_classes or {}) for layer in layers[:-1]]
    built.append(_build_layer(layers[-1], fields, seed, layer_classes or {}, dtype="float32"))
    model = keras.Sequential([keras.Input(input_shape), *built])
    if fields.init_scale != 1:
        for layer, keras_layer in zip(layers, built, strict=True):
            if layer.is_hidden:
                kernel = kernel_of(keras_layer)
                kernel.assign(kernel * fields.init_scale)
    return model


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
    classes: dict[str, Callable[..., keras.Layer]] = {
        "reshape": keras.layers.Reshape,
        "flatten": keras.layers.Flatten,
        "pool": keras.layers.MaxPooling2D,
        "dropout": keras.layers.Dropout,
        "activation": keras.layers.Activation,
        "dense": keras.layers.Dense,
        "conv": keras.layers.Conv2D,
        "lstm": keras.layers.LSTM,
        **layer_classes,
    }
    arguments: dict[str, dict[str, Any]] = {
        "reshape": {"target_shape": layer.shape},
        "pool": {"pool_size": 2},
        "dropout": {"rate": layer.value, "seed": derive(seed, "dropout", layer.number)},
        "activation": {"activation": layer.value},
        "dense": {"units": layer.value, "use_bias": layer.use_bias},
        "conv": {"filters": layer.value, "kernel_size": 3, "use_bias": layer.use_bias},
        "lstm": {"units": layer.value, "return_sequences": len(layer.shape) == 2},
    }
    if layer.has_weights:
        more |= {"name": f"{layer.kind}_{layer.number}", **initializers(layer, fields, seed)}
    return classes[layer.kind](**arguments.get(layer.kind, {}), **more)
