"""A functional or sequential Keras model as a flat list of calls, in an order in which they can be made again.

The layers of nested models stand in the list like all others.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bncli.errors import InvalidConfig

if TYPE_CHECKING:
    import keras


@dataclass(eq=False)
class Value:
    """What a call returns, or an input of the model.

    Attributes:
        n_axes: How many axes it has, that of the batch too.
        users: The calls that have it as an argument; a call that has it twice stands here twice.
        is_output: Whether the model returns it.
    """

    n_axes: int
    users: list[Call] = field(default_factory=list)
    is_output: bool = False


@dataclass(eq=False)
class Call:
    """One call of a layer, or of an operation such as `keras.ops.relu`.

    Attributes:
        layer: The layer.
        name: The layer's name, which no other layer has.
        args: The positional arguments of the call, with a `Value` for every tensor.
        kwargs: The other arguments, without the masks that Keras passes on with their tensors.
        outputs: What it returns, as a flat list.
    """

    layer: Any
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: list[Value] = field(default_factory=list)

    @property
    def first(self) -> Any:
        """The first argument: what a layer of one input is called on."""
        return self.args[0] if self.args else next(iter(self.kwargs.values()), None)

    @property
    def inputs(self) -> list[Value]:
        """The values that it gets, in the order of its arguments."""
        import keras

        return [leaf for leaf in keras.tree.flatten((self.args, self.kwargs)) if isinstance(leaf, Value)]

    @cached_property
    def others(self) -> dict[str, Any]:
        """All arguments but the first, by their names in the layer's method `call`."""
        bound = inspect.signature(self.layer.call).bind(*self.args, **self.kwargs)
        return dict(list(bound.arguments.items())[1:])

    def follower(self) -> Call | None:
        """Return the call that alone uses what this one returns, as its first argument; None if there is none."""
        value = self.outputs[0]
        if len(self.outputs) > 1 or value.is_output or len(value.users) != 1:
            return None
        return value.users[0] if value.users[0].first is value else None


@dataclass(frozen=True)
class Graph:
    """The calls of a model.

    Attributes:
        inputs: The input layers, with what they return.
        calls: The calls of all other layers.
        outputs: What the model returns.
        masked: Nested models that are called with a mask which their input does not carry; no call here knows of it.
    """

    inputs: list[tuple[Any, Value]]
    calls: list[Call]
    outputs: list[Value]
    masked: list[Any]

    @cached_property
    def n_calls(self) -> Counter[str]:
        """How often a layer is called, by its name."""
        return Counter(call.name for call in self.calls)

    @cached_property
    def layers(self) -> dict[str, Any]:
        """All layers but the inputs, by name."""
        return {call.name: call.layer for call in self.calls}


def read_graph(model: keras.Model) -> Graph:
    """Return the calls of a model.

    The model's own layers keep their names, and so does a layer of a nested model, unless another layer has its name
    already; then the nested model's name comes before it.

    Raises:
        InvalidConfig: The model is a subclass whose calls can't be read, or has no input shape yet.
    """
    if not is_graph(model):
        raise InvalidConfig(
            f"{type(model).__name__} {model.name!r} is a subclass of keras.Model, whose layers can't be rearranged. "
            "Allowed: Sequential and functional models. Use a function with the parameter norm, or the arm as-is."
        )
    inputs = [(tensor._keras_history.operation, Value(len(tensor.shape))) for tensor in _tensors(model, "inputs")]
    reader = _Reader([layer.name for layer, _ in inputs], [layer for layer in model.layers if not is_graph(layer)])
    outputs = reader.read(model, [value for _, value in inputs], None)
    for value in outputs:
        value.is_output = True
    return Graph(inputs, reader.calls, outputs, reader.masked)


def is_graph(layer: Any) -> bool:
    """Return whether a layer is a model whose calls can be read: a class may have a `call` of its own."""
    import keras

    known = ("Functional.call", "Sequential.call")
    return isinstance(layer, keras.Model) and getattr(type(layer).call, "__qualname__", "") in known


def _tensors(model: Any, which: str) -> list[Any]:
    try:
        return list(getattr(model, which))
    except AttributeError as error:
        raise InvalidConfig(
            f"{type(model).__name__} {model.name!r} has no input shape. Start it with keras.Input(shape)."
        ) from error


class _Reader:
    """Collects the calls of a model and of those nested in it."""

    def __init__(self, inputs: Sequence[str], own: Sequence[Any]) -> None:
        self.calls: list[Call] = []
        self.masked: list[Any] = []
        self._names: dict[int, str] = {id(layer): layer.name for layer in own}
        self._taken = {*inputs, *self._names.values()}

    def read(self, model: Any, given: list[Value], training: bool | None) -> list[Value]:
        """Add the calls of a model whose inputs are `given`; return its outputs."""
        import keras

        inputs, outputs = _tensors(model, "inputs"), _tensors(model, "outputs")
        known = {id(tensor): value for tensor, value in zip(inputs, given, strict=True)}
        for node in _in_order(outputs, set(known)):
            arguments = _arguments(node)
            args, kwargs = keras.tree.map_structure(lambda leaf, known=known: known.get(id(leaf), leaf), arguments)
            if training is not None and "training" in inspect.signature(node.operation.call).parameters:
                kwargs["training"] = training  # as a nested model passes it on to its layers
            found = self._values(model, node, args, kwargs)
            known |= {id(tensor): value for tensor, value in zip(node.outputs, found, strict=True)}
        return [known[id(tensor)] for tensor in outputs]

    def _values(self, model: Any, node: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Value]:
        import keras

        layer = node.operation
        if is_graph(layer):
            self.masked += [layer] if _has_own_mask(node) else []
            given = keras.tree.flatten(args[0] if args else next(iter(kwargs.values())))
            return self.read(layer, given, kwargs.get("training"))
        made = [Value(len(tensor.shape)) for tensor in node.outputs]
        call = Call(layer, self._name(layer, model.name), args, kwargs, made)
        for value in call.inputs:
            value.users.append(call)
        self.calls.append(call)
        return call.outputs

    def _name(self, layer: Any, model: str) -> str:
        if id(layer) not in self._names:
            name = layer.name if layer.name not in self._taken else f"{model}_{layer.name}"
            self._names[id(layer)] = free_name(name, self._taken)
            self._taken.add(self._names[id(layer)])
        return self._names[id(layer)]


def _arguments(node: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call without the masks that Keras finds by itself, as it will when the call is made again."""
    args, kwargs = node.arguments.args, node.arguments.kwargs
    if not any(name.endswith("mask") for name in kwargs):
        return args, dict(kwargs)
    bound = inspect.signature(node.operation.call).bind(*args, **kwargs).arguments
    first = next(iter(bound.values()))
    of = {name: first if name == "mask" else bound.get(name.removesuffix("_mask")) for name in kwargs}
    return args, {name: value for name, value in kwargs.items() if not _is_carried(name, value, of[name])}


def _is_carried(name: str, value: Any, tensors: Any) -> bool:
    """Whether an argument is the mask that Keras keeps with these tensors."""
    import keras

    if not name.endswith("mask") or value is None:
        return False
    masks = [mask for mask in keras.tree.flatten(value) if mask is not None]
    return {id(mask) for mask in masks} <= {
        id(getattr(each, "_keras_mask", None)) for each in keras.tree.flatten(tensors)
    }


def _input_tensors(node: Any) -> list[Any]:
    """The tensors among the arguments of a call, in their order."""
    import keras

    return [leaf for leaf in keras.tree.flatten(_arguments(node)) if isinstance(leaf, keras.KerasTensor)]


def _has_own_mask(node: Any) -> bool:
    """Whether a nested model is called with another mask than the one that Keras passes on with its input."""
    import keras

    bound = inspect.signature(node.operation.call).bind(*node.arguments.args, **node.arguments.kwargs).arguments
    inputs = keras.tree.flatten(next(iter(bound.values())))
    masks = [mask for mask in keras.tree.flatten(bound.get("mask")) if mask is not None]
    return not {id(mask) for mask in masks} <= {id(getattr(tensor, "_keras_mask", None)) for tensor in inputs}


def free_name(name: str, taken: set[str]) -> str:
    """Return the name, with a number behind it if it is taken.

    >>> free_name("dense", {"dense", "dense_1"})
    'dense_2'
    """
    found, number = name, 0
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def _in_order(outputs: list[Any], inputs: set[int]) -> list[Any]:
    """The nodes of Keras' graph behind the outputs, each after those whose outputs it needs.

    Not recursive: a network may be deeper than Python's stack.
    """
    done: set[int] = set()
    order: list[Any] = []
    waiting = _makers(outputs, inputs)[::-1]
    while waiting:
        node = waiting[-1]
        needed = [] if id(node) in done else _makers(_input_tensors(node), inputs)
        missing = [other for other in needed if id(other) not in done]
        waiting.extend(missing[::-1])
        if not missing:
            waiting.pop()
            order.extend([] if id(node) in done else [node])
            done.add(id(node))
    return order


def _makers(tensors: list[Any], inputs: set[int]) -> list[Any]:
    """The nodes that made the tensors, but for inputs."""
    histories = [tensor._keras_history for tensor in tensors if id(tensor) not in inputs]
    return [history.operation._inbound_nodes[history.node_index] for history in histories]
