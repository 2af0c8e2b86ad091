"""Weights of one model in another, layer by layer, so that arms start from the same values."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from bncli.networks.calls import read_graph

if TYPE_CHECKING:
    import keras


def copy_weights(source: keras.Model, target: keras.Model) -> list[str]:
    """Copy the values of all weights that two models share, by the names of their layers; nested models count as flat.

    Returns:
        The layers of `target` that have a weight without a counterpart of the same name and shape.

    Raises:
        InvalidConfig: A model is no Sequential or functional one.
    """
    layers = read_graph(source).layers
    missing = []
    for name, layer in read_graph(target).layers.items():
        like = layers.get(name) if type(layers.get(name)) is type(layer) else None  # a swapped norm starts afresh
        pairs = _pairs(_weights(like), _weights(layer))
        for old, new in pairs:
            new.assign(old)
        if pairs:
            _settle(layer)
        missing += [name] if len(pairs) < len(_weights(layer)) else []
    return missing


def settings_of(layer: Any) -> dict[str, Any]:
    """Return a layer's config for `from_config`, with the Python functions that it calls, such as an activation.

    A config has only the names of functions, and Keras finds no function by its name that is not registered.
    """
    config: dict[str, Any] = layer.get_config()
    owned = {key: getattr(layer, key, None) for key, value in config.items() if isinstance(value, dict)}
    return config | {key: value for key, value in owned.items() if callable(value) and not hasattr(value, "get_config")}


def carry_state(source: Any, target: Any) -> None:
    """Copy what a layer has learned from data before training, as `keras.layers.Normalization` does by `adapt`."""
    if hasattr(source, "finalize_state"):
        for old, new in _pairs(_weights(source), _weights(target)):
            new.assign(old)
        _settle(target)


def _settle(layer: Any) -> None:
    """Have a layer with a state of its own take it from its weights."""
    getattr(layer, "finalize_state", lambda: None)()


def _weights(layer: Any) -> list[Any]:
    """The weights of a layer, and the state of its random numbers: arms drop the same units."""
    return list(getattr(layer, "variables", []))


def _pairs(old: list[Any], new: list[Any]) -> list[tuple[Any, Any]]:
    """The weights of two layers that belong together: all, by position, or those whose name and shape are the same.

    Names alone won't do: the layers within a layer may have been numbered.
    """
    if [tuple(weight.shape) for weight in old] == [tuple(weight.shape) for weight in new]:
        return list(zip(old, new, strict=True))
    counts = Counter(weight.name for weight in [*old, *new])
    known = {(weight.name, tuple(weight.shape)): weight for weight in old if counts[weight.name] == 2}
    found = [(known.get((weight.name, tuple(weight.shape))), weight) for weight in new]
    return [(before, weight) for before, weight in found if before is not None]
