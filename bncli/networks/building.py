"""The model factory: a layout and a normalization become a `keras.Model`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bncli.networks import norms
from bncli.networks.initial import initializers, is_hidden, kernel_of
from bncli.networks.layout import Layer, NetworkFields, lay_out
from bncli.networks.seeds import derive
from bncli.networks.spec import WEIGHTED

if TYPE_CHECKING:
    import keras


def build_model(
    fields: NetworkFields,
    input_shape: tuple[int, ...],
    n_classes: int,
    seed: int,
    layers: Mapping[str, Callable[..., keras.Layer]] | None = None,
) -> keras.Model:
    """Build the network of `plan`; each layer's initial weights depend on (seed, layer) alone.

    The kernel initializer is for hidden layers; the output layer keeps Keras' `glorot_uniform`.

    Args:
        fields: The network.
        input_shape: Shape of one row.
        n_classes: Number of classes.
        seed: Seed of weights and dropout masks.
        layers: Other makers, by kind of step, than Keras' own layers (an engine's equivalent forms).
    """
    import keras

    steps = lay_out(fields, input_shape, n_classes)
    made = [_layer(step, fields, seed, layers or {}) for step in steps]
    model = keras.Sequential([keras.Input(input_shape), *made])
    if fields.init_scale != 1:
        for kernel in (kernel_of(layer) for step, layer in zip(steps, made, strict=True) if is_hidden(step)):
            kernel.assign(kernel * fields.init_scale)
    return model


def _layer(
    step: Layer, fields: NetworkFields, seed: int, layers: Mapping[str, Callable[..., keras.Layer]]
) -> keras.Layer:
    import keras

    if step.kind == "norm":
        return norms.make(fields)
    makers: dict[str, Callable[..., keras.Layer]] = {
        "reshape": keras.layers.Reshape,
        "flatten": keras.layers.Flatten,
        "pool": keras.layers.MaxPooling2D,
        "dropout": keras.layers.Dropout,
        "activation": keras.layers.Activation,
        "dense": keras.layers.Dense,
        "conv": keras.layers.Conv2D,
        "lstm": keras.layers.LSTM,
        **layers,
    }
    arguments: dict[str, dict[str, Any]] = {
        "reshape": {"target_shape": step.shape},
        "pool": {"pool_size": 2},
        "dropout": {"rate": step.value, "seed": derive(seed, "dropout", step.number)},
        "activation": {"activation": step.value},
        "dense": {"units": step.value, "use_bias": step.use_bias},
        "conv": {"filters": step.value, "kernel_size": 3, "use_bias": step.use_bias},
        "lstm": {"units": step.value, "return_sequences": len(step.shape) == 2},
    }
    more = initializers(step, fields, seed) | {"name": f"{step.kind}_{step.number}"} if step.kind in WEIGHTED else {}
    return makers[step.kind](**arguments.get(step.kind, {}), **more)
