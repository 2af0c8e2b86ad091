"""Functions of layers, hidden by others for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

Cover = tuple[Any, str, Callable[..., Any]]
"""A layer, the name of one of its functions, and what is called in its place."""


@contextmanager
def hiding(covers: Iterable[Cover]) -> Iterator[None]:
    """Hide functions of layers in a block: an attribute of the object hides the method of its class.

    >>> import keras, numpy as np
    >>> layer = keras.layers.ReLU()
    >>> with hiding([(layer, "call", lambda x: x)]):
    ...     layer(np.array([-1.0])).numpy()
    array([-1.], dtype=float32)
    >>> layer(np.array([-1.0])).numpy()
    array([0.], dtype=float32)
    """
    covers = list(covers)
    before = [(layer, name, vars(layer)[name]) for layer, name, _ in covers if name in vars(layer)]
    for layer, name, function in covers:
        layer.__dict__[name] = function  # Keras would track what is set
    try:
        yield
    finally:
        for layer, name, _ in covers:
            del layer.__dict__[name]
        for layer, name, function in before:
            layer.__dict__[name] = function
