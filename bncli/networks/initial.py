"""Initial weights. Those of a layer depend on the seed and the layer alone, so that all arms start from the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bncli.networks.layer import Layer
from bncli.networks.layout import NetworkFields, lay_out
from bncli.networks.seeds import derive
from bncli.networks.words import kind_of

if TYPE_CHECKING:
    import keras


def kernel_of(layer: keras.Layer) -> keras.Variable:
    """Return the kernel of a layer with weights; a recurrent one has it in its cell."""
    return getattr(layer, "cell", layer).kernel


def initializers(layer: Layer, fields: NetworkFields, seed: int) -> dict[str, keras.Initializer]:
    """Return the seeded initializers of a layer with weights, by the names of Keras' arguments.

    The output layer has Keras' default `glorot_uniform`, whatever initializer the run has for its hidden layers.
    """
    name = fields.kernel_initializer if layer.is_hidden else "glorot_uniform"
    found = {"kernel_initializer": initializer(name, derive(seed, "kernel", layer.number))}
    if kind_of(layer.kind).is_recurrent:
        found["recurrent_initializer"] = initializer("orthogonal", derive(seed, "recurrent", layer.number))
    return found


def initializer(name: str, seed: int) -> keras.Initializer:
    """Return Keras' initializer `name` with a seed."""
    import keras

    return keras.initializers.get({"class_name": name, "config": {"seed": seed}})


def seeded_values(
    model: keras.Model, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int, seed: int
) -> dict[int, Any]:
    """Return the initial values that `model` would have if it had been built with another seed.

    Drawing these values is much faster than building a model for every seed.

    Args:
        model: A model that `build_model` built from `fields`, `input_shape` and `n_classes`.
        fields: The network.
        input_shape: Shape of one row.
        n_classes: Number of classes.
        seed: The other seed.

    Returns:
        Values by the `id` of the variable; variables that don't depend on the seed are left out.
    """
    values: dict[int, Any] = {}
    for layer in lay_out(fields, input_shape, n_classes):
        if layer.kind == "dropout" and layer.value:  # at rate 0 the layer has no seed
            state = model.get_layer(layer.name).seed_generator.state
            values[id(state)] = [derive(seed, "dropout", layer.number), 0]
        if layer.has_weights:
            built = model.get_layer(layer.name)
            drawn, kernel = initializers(layer, fields, seed), kernel_of(built)
            values[id(kernel)] = drawn["kernel_initializer"](kernel.shape)
            if layer.is_hidden:
                values[id(kernel)] *= fields.init_scale
            if kind_of(layer.kind).is_recurrent:
                recurrent = built.cell.recurrent_kernel
                values[id(recurrent)] = drawn["recurrent_initializer"](recurrent.shape)
    return values
