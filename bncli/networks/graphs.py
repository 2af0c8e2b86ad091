"""Functional Keras models as graphs: copied layer by layer, nested models unfolded, with changes on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bncli.errors import InvalidConfig, shown

if TYPE_CHECKING:
    import keras

Emit = Callable[[Any, "keras.Operation", tuple[Any, ...], dict[str, Any]], Any]
"""Calls the copy of a node's operation on new tensors: `(node, copy, args, kwargs)` to outputs."""


def is_graph(model: object) -> bool:
    """Return whether a Keras model is functional or sequential, so that its layers and their order are known."""
    import keras

    return isinstance(model, keras.Sequential) or (isinstance(model, keras.Model) and hasattr(model, "operations"))


def unfolded(model: keras.Model, *, keep_weights: bool = False) -> keras.Model:
    """Return a copy of a graph without nested models; layers keep their names.

    Args:
        model: A functional or sequential model.
        keep_weights: Whether its weights are copied; otherwise the copy has new initial weights.

    Raises:
        InvalidConfig: A part of the model can't be copied.
    """
    pairs: dict[int, tuple[Any, Any]] = {}

    def emit(node: Any, copy: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        pairs[id(copy)] = node.operation, copy
        return copy(*args, **kwargs)

    found = replayed(model, emit)
    for original, copy in pairs.values() if keep_weights else ():
        for before, now in zip(getattr(original, "variables", ()), getattr(copy, "variables", ()), strict=True):
            now.assign(before)
    return found


Change = Callable[["keras.Layer", dict[str, Any]], None]
"""Changes the config of a layer before it is copied."""


def replayed(model: keras.Model, emit: Emit, change: Change | None = None) -> keras.Model:
    """Copy a graph, node by node.

    Args:
        model: A functional or sequential model.
        emit: Calls the copies.
        change: Called once for each layer.
    """
    import keras

    copies = _Copies(change)
    inputs = [keras.Input(each.shape[1:], dtype=each.dtype, name=_layer_of(each).name) for each in model.inputs]
    outputs = _replay(_functional(model), inputs, copies, emit)
    return keras.Model(_alone(inputs), _alone(outputs), name=model.name)


def nodes_of(model: keras.Model) -> Iterator[Any]:
    """Return the calls of a functional model in an order in which each finds its inputs made."""
    by_depth = model._nodes_by_depth
    for depth in sorted(by_depth, reverse=True):
        yield from (node for node in by_depth[depth] if node.operation is not None and not node.is_input)


@dataclass
class _Copies:
    """The copies of layers, made once each, with names that no other layer has."""

    change: Change | None
    by_layer: dict[int, Any] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def of(self, operation: Any, inside: str) -> Any:
        if id(operation) not in self.by_layer:
            self.by_layer[id(operation)] = self._copy(operation, inside)
        return self.by_layer[id(operation)]

    def _copy(self, operation: Any, inside: str) -> Any:
        import keras

        if not isinstance(operation, keras.Layer):
            return operation  # a function of keras.ops, which has no state
        if isinstance(operation, keras.layers.Lambda):
            raise InvalidConfig(f"Layer {shown(operation.name)} is a Lambda, which bncli does not copy.")
        if isinstance(operation, keras.Model):
            raise InvalidConfig(f"Layer {shown(operation.name)} is a subclass of keras.Model: its layers are unknown.")
        config = operation.get_config()
        if self.change:
            self.change(operation, config)
        if config["name"] in self.names:
            config["name"] = f"{inside}_{config['name']}"
        self.names.add(config["name"])
        return type(operation).from_config(config)


def _replay(model: keras.Model, inputs: list[Any], copies: _Copies, emit: Emit) -> list[Any]:
    """The outputs of a functional model's copy on new inputs."""
    import keras

    made = {id(old): new for old, new in zip(model.inputs, inputs, strict=True)}
    for node in nodes_of(model):
        args, kwargs = node.arguments.fill_in(made)
        if is_graph(node.operation):
            outputs = _replay(_functional(node.operation), keras.tree.flatten(args), copies, emit)
        else:
            outputs = emit(node, copies.of(node.operation, model.name), args, kwargs)
        for old, new in zip(node.outputs, keras.tree.flatten(outputs), strict=True):
            made[id(old)] = new
    return [made[id(each)] for each in model.outputs]


def _functional(model: keras.Model) -> keras.Model:
    import keras

    return keras.Model(model.inputs, model.outputs, name=model.name) if isinstance(model, keras.Sequential) else model


def _layer_of(tensor: Any) -> Any:
    """The layer that a symbolic tensor comes from."""
    return tensor._keras_history.operation


def _alone(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors
