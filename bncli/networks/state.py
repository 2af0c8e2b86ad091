"""Whether Keras can call a model without its variables: only then can runs share one compiled program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bncli.errors import first_line
from bncli.networks.calls import is_graph

if TYPE_CHECKING:
    import keras

RANDOM = frozenset({
    "Multinomial", "ParameterizedTruncatedNormal", "RandomGamma", "RandomPoissonV2", "RandomShuffle",
    "RandomStandardNormal", "RandomUniform", "RandomUniformInt", "TruncatedNormal",
})  # fmt: skip
"""TensorFlow's operations whose random numbers depend on what was drawn before."""

PYTHON = frozenset({"EagerPyFunc", "PyFunc", "PyFuncStateless"})
"""Operations that call Python code in every step."""


def why_one_by_one(model: keras.Model, input_shape: tuple[int, ...]) -> str:
    """Return in a few words what keeps a model from sharing a program with others; an empty text if nothing does.

    `stateless_call` gives a model the values of all variables that Keras knows. A layer of the user's may have others,
    or random numbers of its own, which the runs in one program would share.

    Args:
        model: A built model.
        input_shape: Shape of one row.
    """
    for layer in _layers(model):
        if getattr(layer, "compute_dtype", None) == "float64":
            return f"layer {layer.name} computes in float64"
    if all(map(_is_of_keras, _layers(model))):
        return ""
    try:
        function = _traced(model, input_shape)
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything; `fit` may still be able to call it
        return f"Keras can't call it without its variables ({type(error).__name__}: {first_line(error)})"
    operations = set(_operations(function.graph.as_graph_def()))
    if operations & RANDOM:
        return "it draws random numbers that do not come from a keras.random.SeedGenerator"
    if operations & PYTHON:
        return "it calls Python code in every step"
    if any(value.dtype.name == "resource" for value in function.captured_inputs):
        return "it has a variable, or a state of random numbers, that Keras does not track"
    return ""


def _layers(model: Any) -> list[Any]:
    return list(model._flatten_layers(include_self=True))


def _is_of_keras(layer: Any) -> bool:
    return is_graph(layer) or type(layer).__module__.startswith("keras.")


def _traced(model: keras.Model, input_shape: tuple[int, ...]) -> Any:
    import tensorflow as tf

    def call(weights: Any, others: Any, x: Any) -> Any:
        return model.stateless_call(weights, others, x, training=True, return_losses=True)

    values = [
        [variable.value for variable in part] for part in (model.trainable_variables, model.non_trainable_variables)
    ]
    return tf.function(call, autograph=False).get_concrete_function(*values, tf.TensorSpec([None, *input_shape]))


def _operations(graph: Any) -> Iterator[str]:
    """The names of all operations in a graph and in the functions that it calls."""
    yield from (node.op for node in graph.node)
    yield from (node.op for function in graph.library.function for node in function.node_def)
