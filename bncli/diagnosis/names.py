"""The layers of a network in their order, and what they are called where two of them share a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any


def layers_within(model: Any) -> list[Any]:
    """Return all layers within a model once, those of nested models in the place of the model.

    Keras' own list has the layers of nested models in reverse.
    """
    return [layer for layer, _ in _walk(model, (), set())]


def layer_names(model: Any) -> dict[int, str]:
    """Return a name for every layer within a model, by its `id`; no two layers have the same.

    A layer has its own name. Where others have it too, the models and layers around it stand before it, and a number
    behind it where that does not tell them apart.

    >>> import keras
    >>> part = lambda name: keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="dense")], name=name)
    >>> model = keras.Sequential([keras.Input((2,)), part("encoder"), part("decoder"), keras.layers.ReLU(name="end")])
    >>> [name for name in layer_names(model).values() if not name.startswith("input")]
    ['encoder', 'encoder/dense', 'decoder', 'decoder/dense', 'end']
    """
    paths = {id(layer): path for layer, path in _walk(model, (), set())}
    counts = Counter(path[-1] for path in paths.values())
    seen: Counter[str] = Counter()
    names = {}
    for key, path in paths.items():
        name = path[-1] if counts[path[-1]] == 1 else "/".join(path)
        seen[name] += 1
        names[key] = name if seen[name] == 1 else f"{name}#{seen[name]}"
    return names


def _walk(layer: Any, above: tuple[str, ...], known: set[int]) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """The layers within a layer, each with its name behind those of the layers around it: the first way to it."""
    for inner in layer._layers:  # Keras has no public way into nested models
        if id(inner) not in known:
            known.add(id(inner))
            path = (*above, inner.name)
            yield inner, path
            yield from _walk(inner, path, known)
