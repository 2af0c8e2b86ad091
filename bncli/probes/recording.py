"""What the layers of a network get and return for some rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import numpy as np

See = Callable[["keras.Layer", Any, Any], None]
"""A function of a layer, what it gets first and what it returns, in one call of it."""


def record(model: keras.Model, x: np.ndarray, see: See, *, training: bool = False) -> None:
    """Call a model and show every call of its layers to a function, in their order.

    Subclassed and nested models, and layers that are called twice, are shown like all others; models themselves are
    not, and neither are layers that TensorFlow calls within a loop of its own.

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
    with _watched(layers, see):
        model(x, training=training)


@contextmanager
def _watched(layers: list[Any], see: See) -> Iterator[None]:
    """Let layers show their calls; an attribute of the object hides the method of its class."""
    for layer in layers:
        layer.__dict__["call"] = _shown(layer, layer.call, see)
    try:
        yield
    finally:
        for layer in layers:
            del layer.__dict__["call"]


def _shown(layer: Any, call: Callable[..., Any], see: See) -> Callable[..., Any]:
    import keras

    def shown(*args: Any, **kwargs: Any) -> Any:
        outputs = call(*args, **kwargs)
        given = next(iter(keras.tree.flatten((args, kwargs))), None)
        if hasattr(given, "numpy") and hasattr(outputs, "numpy"):
            see(layer, given, outputs)
        return outputs

    return shown


NOISE = {"rate": 0.0, "stddev": 0.0, "dropout": 0.0, "recurrent_dropout": 0.0}
"""The settings of layers that make noise in training mode, and their values without noise."""


@contextmanager
def without_noise(model: keras.Model) -> Iterator[None]:
    """Switch dropout and noise of a model off in a block, in training mode too.

    What is traced in the block has none later either.
    """
    kept = []
    for layer in model._flatten_layers(include_self=False):
        for name, value in NOISE.items():
            if isinstance(getattr(layer, name, None), float):
                kept.append((layer, name, getattr(layer, name)))
                setattr(layer, name, value)
    try:
        yield
    finally:
        for layer, name, value in kept:
            setattr(layer, name, value)
