"""What a user's model takes and gives: checked before training, and made to give probabilities."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bncli.errors import InvalidConfig, shown
from bncli.networks.calls import is_graph
from bncli.tasks.task import ONE_QUANTITY

if TYPE_CHECKING:
    import keras

PROBABILITIES = "probabilities"
"""The name of the layer that makes probabilities of a model's logits."""

_NAME = re.compile(r"[A-Za-z0-9_.\\/>-]*")
"""What TensorFlow allows in the name of a scope."""


def check_model(model: Any, label: str, input_shape: tuple[int, ...], n_classes: int, hint: str) -> None:
    """Check that a function returned a model of one input and one output of the right shapes; build it if it is not.

    Args:
        model: What it returned.
        label: How messages call it.
        input_shape: The shape of one row.
        n_classes: The number of classes.
        hint: What to try if the output has another shape.
    """
    import keras
    import numpy as np

    if not isinstance(model, keras.Model):
        raise InvalidConfig(f"{label} must return a keras.Model. Received: {type(model).__name__}.")
    check_one_each(model, label)
    _check_names(model, label)
    try:
        outputs = model(np.zeros((2, *input_shape), "float32"), training=False)
    except ValueError:
        check_fits(model, label, input_shape)
        raise
    shape = tuple(getattr(outputs, "shape", ()))
    allowed = [(2, n_classes), *([(2, 1)] if n_classes == 2 else [])]
    if shape not in allowed:
        one = ", or (1,) for the second of two classes" if n_classes == 2 else ""
        what = "the quantity" if n_classes == ONE_QUANTITY else f"one number per class{one}"
        received = f"of shape {shape[1:]}" if shape else f"a {type(outputs).__name__}"
        raise InvalidConfig(
            f"{label}: the model's output for one row is {received}. Allowed: ({n_classes},), {what}.{hint}"
        )
    if n_classes == ONE_QUANTITY and _last_activation(model) == "softmax":
        raise InvalidConfig(
            f"{label}: the output layer has a softmax, which makes 1 of any number, but the label is a quantity. Leave "
            "the activation out."
        )


def _check_names(model: keras.Model, label: str) -> None:
    """Refuse what Keras builds but TensorFlow can't trace."""
    for layer in model._flatten_layers(include_self=False):
        if not _NAME.fullmatch(layer.name):
            raise InvalidConfig(
                f"{label}: TensorFlow can't train a layer named {shown(layer.name)}. Use letters, digits and any of "
                "_ . / -."
            )


def check_fits(model: keras.Model, label: str, row: tuple[int, ...]) -> None:
    """Check that rows of a shape can be the input of a model, as far as it tells."""
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple):
        return
    pairs = list(zip(shape[1:], row, strict=False))  # None stands for any size
    if len(shape) - 1 != len(row) or any(side not in (None, size) for side, size in pairs):
        raise InvalidConfig(f"{label} takes rows of shape {shape[1:]}, but the data has shape {row}.")


def check_one_each(model: keras.Model, label: str) -> None:
    """Check that a model has one input and one output, as far as it tells."""
    n_inputs, n_outputs = (len(getattr(model, which, None) or [0]) for which in ("inputs", "outputs"))
    if max(n_inputs, n_outputs) > 1:
        raise InvalidConfig(
            f"{label}: the model must have one input and one output. Received: inputs {n_inputs}, outputs {n_outputs}."
        )


def with_probabilities(model: keras.Model, input_shape: tuple[int, ...]) -> keras.Model:
    """Return a model whose outputs are probabilities: logits get a softmax, or a sigmoid for one output.

    The activation of the last layer tells which they are, or, where there is none, the outputs for random rows. A
    subclassed model becomes a layer of a sequential one, which knows its shapes.
    """
    import keras
    import numpy as np

    end = []
    if not _gives_probabilities(model, input_shape):
        n_outputs = model(np.zeros((1, *input_shape), "float32"), training=False).shape[-1]
        name = "sigmoid" if n_outputs == 1 else "softmax"
        end = [keras.layers.Activation(name, name=PROBABILITIES, dtype="float32")]
    if not is_graph(model):
        return keras.Sequential([keras.Input(input_shape), model, *end])
    return keras.Model(model.inputs[0], end[0](model.outputs[0])) if end else model


def _gives_probabilities(model: keras.Model, input_shape: tuple[int, ...]) -> bool:
    import keras
    import numpy as np

    name = _last_activation(model)
    if name is not None:
        return name in ("softmax", "sigmoid")
    rows = np.random.default_rng(0).normal(size=(64, *input_shape)).astype("float32")
    found = keras.ops.convert_to_numpy(model(rows, training=False))
    if found.min() < 0 or found.max() > 1:
        return False
    return found.shape[-1] == 1 or bool(np.allclose(found.sum(axis=-1), 1, atol=1e-3))


def _last_activation(model: keras.Model) -> str | None:
    """The name of the activation of a model's last layer; None if it has none, or where that can't be told."""
    import keras

    last = model.layers[-1] if is_graph(model) else None
    if isinstance(last, keras.layers.Softmax):
        return "softmax"
    name: str | None = getattr(getattr(last, "activation", None), "__name__", None)
    return name
