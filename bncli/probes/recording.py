"""What the layers of a network get and return for some rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bncli.probes.hiding import hiding

if TYPE_CHECKING:
    import keras
    import numpy as np

See = Callable[["keras.Layer", Any, Any], None]
"""A function of a layer, what it gets first and what it returns, in one call of it."""


def record(model: keras.Model, x: np.ndarray, see: See, *, training: bool = False) -> None:
    """Call a model and show every call of its layers to a function, in their order.

    Subclassed and nested models, and layers that are called twice, are shown like all others, and so are functions such
    as `keras.ops.relu` in a functional model. Models themselves are not, and neither are layers that TensorFlow calls
    within a loop of its own, nor functions that a layer or a subclassed model calls.

    Args:
        model: A built model. It is left as it was, unless layers change in training mode.
        x: Rows, shape (rows, ...).
        see: The function, which gets eager tensors.
        training: Whether to call the model in training mode.

    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.ReLU(name="rectified")])
    >>> record(model, np.array([[-1.0, 2.0]], "float32"), lambda layer, x, y: print(layer.name, y.numpy()))
    rectified [[0. 2.]]
    """
    import keras

    layers = [
        layer for layer in model._flatten_layers(include_self=False) if not isinstance(layer, keras.Model)
    ]  # Keras has no public way into nested models
    with hiding((each, "call", _shown(each, see)) for each in (*layers, *functions_within(model))):
        model(x, training=training)


def functions_within(model: keras.Model) -> list[Any]:
    """Return the functions, such as `keras.ops.relu`, that functional models within a model call between their layers.

    >>> import keras
    >>> inputs = keras.Input((2,))
    >>> [type(each).__name__ for each in functions_within(keras.Model(inputs, keras.ops.relu(inputs)))]
    ['Relu']
    """
    import keras

    models = [layer for layer in model._flatten_layers() if isinstance(layer, keras.Model)]
    called = [each for inner in models for each in getattr(inner, "operations", ())]  # only functional ones have any
    return list({id(each): each for each in called if not isinstance(each, keras.Layer)}.values())


def _shown(layer: Any, see: See) -> Callable[..., Any]:
    import keras

    call = layer.call

    def shown(*args: Any, **kwargs: Any) -> Any:
        outputs = call(*args, **kwargs)
        given = next(iter(keras.tree.flatten((args, kwargs))), None)
        if hasattr(given, "numpy") and hasattr(outputs, "numpy"):
            see(layer, given, outputs)
        return outputs

    return shown


NOISE = ("rate", "stddev", "dropout", "recurrent_dropout")
"""The settings of layers that make noise in training mode; at 0 they make none."""


def noise_of(layer: Any) -> dict[str, float]:
    """Return the settings with which a layer makes noise in training mode; nothing for a layer without noise.

    A layer of the user counts if its class says so: `rate` may mean anything.

    >>> import keras
    >>> noise_of(keras.layers.Dropout(0.2)), noise_of(keras.layers.Dropout(0.0)), noise_of(keras.layers.Dense(2))
    ({'rate': 0.2}, {}, {})
    """
    kind = type(layer)
    if kind.__module__.split(".")[0] != "keras" and not any(
        word in kind.__name__.lower() for word in ("drop", "noise")
    ):
        return {}
    found = {name: vars(layer).get(name) for name in NOISE}  # an LSTM's are properties that show those of its cell
    return {name: value for name, value in found.items() if isinstance(value, float) and value > 0}


@contextmanager
def without_noise(model: keras.Model) -> Iterator[None]:
    """Switch dropout and noise of a model off in a block, in training mode too.

    What is traced in the block has none later either.
    """
    kept = [(layer, noise_of(layer)) for layer in model._flatten_layers(include_self=False)]
    for layer, settings in kept:
        for name in settings:
            setattr(layer, name, 0.0)
    try:
        yield
    finally:
        for layer, settings in kept:
            for name, value in settings.items():
                setattr(layer, name, value)
