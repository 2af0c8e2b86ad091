"""Initial weights: each layer's depend on (seed, layer) alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bncli.networks.layout import Layer, NetworkFields, lay_out
from bncli.networks.seeds import derive
from bncli.networks.spec import WEIGHTED

if TYPE_CHECKING:
    import keras


def is_hidden(step: Layer) -> bool:
    return step.kind in WEIGHTED and not step.is_output


def kernel_of(layer: keras.Layer) -> keras.Variable:
    """The kernel of a weighted layer; an LSTM keeps it in its cell."""
    return getattr(layer, "cell", layer).kernel


def initializers(step: Layer, fields: NetworkFields, seed: int) -> dict[str, Any]:
    """The seeded initializers of a weighted layer, by Keras' argument names."""
    chosen = "glorot_uniform" if step.is_output else fields.kernel_initializer
    found = {"kernel_initializer": initializer(chosen, derive(seed, "kernel", step.number))}
    if step.kind == "lstm":
        found["recurrent_initializer"] = initializer("orthogonal", derive(seed, "recurrent", step.number))
    return found


def initializer(name: str, seed: int) -> keras.Initializer:
    """Return the Keras initializer `name` with a seed of its own."""
    import keras

    return type(keras.initializers.get(name))(seed=seed)


def seeded_values(
    model: keras.Model, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int, seed: int
) -> dict[str, Any]:
    """The initial values, by path of the variable, in which `model` would differ had it been built with `seed`.

    Drawing these alone is much cheaper than building a model for every seed.
    """
    values: dict[str, Any] = {}
    for step, layer in zip(lay_out(fields, input_shape, n_classes), model.layers, strict=True):
        if step.kind == "dropout" and step.value:  # at rate 0 the layer keeps no seed
            values[layer.seed_generator.state.path] = [derive(seed, "dropout", step.number), 0]
        if step.kind in WEIGHTED:
            drawn, kernel = initializers(step, fields, seed), kernel_of(layer)
            values[kernel.path] = drawn["kernel_initializer"](kernel.shape)
            if is_hidden(step):
                values[kernel.path] *= fields.init_scale
            if step.kind == "lstm":
                recurrent = layer.cell.recurrent_kernel
                values[recurrent.path] = drawn["recurrent_initializer"](recurrent.shape)
    return values
