"""A Keras model with other normalizations: none, others in their places, or others before or after its activations."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from bncli.errors import InvalidConfig, first_line
from bncli.networks.biases import Biases, changed_biases
from bncli.networks.calls import Call, Graph, Value, free_name, read_graph
from bncli.networks.copying import carry_state, settings_of
from bncli.networks.sites import Chain, find_chains, has_activation, is_norm

if TYPE_CHECKING:
    import keras

Placement = Literal["in-place", "before", "after"]

ASKING = "Use a function with the parameter norm."

MakeNorm = Callable[[], Any]
"""A function that returns a new normalization layer."""


@dataclass(frozen=True)
class Change:
    """What rewriting changes in a model.

    Attributes:
        changed: At how many sites the normalizations are as asked for.
        n_sites: How many sites there are.
        biases_added: Linear layers that have a bias now.
        biases_removed: Linear layers that have no bias any more.
    """

    changed: int
    n_sites: int
    biases_added: tuple[str, ...]
    biases_removed: tuple[str, ...]


@dataclass(frozen=True)
class Rewritten(Change):
    """A rewritten model, and what was changed.

    Attributes:
        model: The new model, functional and flat; many inputs or outputs are lists. Its weights are drawn anew; see
            `copying.copy_weights`.
    """

    model: keras.Model


@dataclass
class Plan:
    """What becomes of the calls of a model; a call that is not named here is made again as it was.

    Attributes:
        removed: The calls of normalizations that are left out.
        replaced: New layers for normalization layers, by the names of the old ones.
        behind: New layers behind a call, each with the arguments of its own call.
        split: Names of linear layers whose activation became a layer.
        changed: At how many sites the normalizations are as asked for.
    """

    removed: set[Call] = field(default_factory=set)
    replaced: dict[str, Any] = field(default_factory=dict)
    behind: dict[Call, list[tuple[Any, dict[str, Any]]]] = field(default_factory=dict)
    split: set[str] = field(default_factory=set)
    changed: int = 0

    def direct_norm(self, linear: Call) -> tuple[Any, Any] | None:
        """Return the new normalization directly behind a linear layer, with the `training` of its call; or None."""
        new = self.behind.get(linear)
        if new:
            layer, arguments = new[0]
            is_direct = linear.name in self.split or not has_activation(linear.layer)
            return (layer, arguments.get("training")) if is_direct else None
        old = None if has_activation(linear.layer) else linear.follower()
        if not old or old in self.removed or old.name not in self.replaced:
            return None
        return self.replaced[old.name], old.others.get("training")


def rewrite(
    model: keras.Model,
    make_norm: MakeNorm | None,
    placement: Placement,
    *,
    use_bias: str = "auto",
    redundant: bool = False,
) -> Rewritten:
    """Return a model with other normalizations. Layers that don't change keep their names.

    Args:
        model: A functional or sequential model.
        make_norm: A function that returns a new normalization layer; with None, all normalizations are removed.
        placement: `in-place`: every normalization is swapped. `before` or `after`: every site gets one normalization,
            before or after the activation; normalizations elsewhere are swapped in place.
        use_bias: Whether the linear layers of the sites have a bias. `auto`: none directly before a normalization that
            makes it redundant; one where the shift that stood in for it is gone; else as it was.
        redundant: Whether the new normalization makes a bias directly before it redundant.

    Raises:
        InvalidConfig: The model can't be rewritten, or there is nothing to rewrite.
    """
    graph = read_graph(model)
    chains = find_chains(graph)
    _check(graph, are_removed=make_norm is None)
    plan = _plan(graph, chains, make_norm, placement)
    biases = changed_biases(graph, chains, plan.direct_norm, use_bias=use_bias, redundant=redundant)
    made = _Builder(graph, plan, biases).build(model.name)
    return Rewritten(plan.changed, len(chains), tuple(sorted(biases.added)), tuple(sorted(biases.removed)), made)


def _plan(graph: Graph, chains: list[Chain], make_norm: MakeNorm | None, placement: Placement) -> Plan:
    if make_norm is None:
        norms = {call for chain in chains for call in chain.norms}
        return Plan(removed=norms, changed=sum(bool(chain.norms) for chain in chains))
    if placement == "in-place":
        if not any(chain.norms for chain in chains):
            raise InvalidConfig(
                "The model has no normalization that could be swapped. Say where to put one, such as batch:before."
            )
        plan = Plan(changed=sum(bool(chain.norms) for chain in chains))
        return _swap(plan, make_norm, [norm for chain in chains for norm in chain.norms])
    _check_movable(chains, placement)
    return _Placing(graph, make_norm, is_before=placement == "before").plan(chains)


def _swap(plan: Plan, make_norm: MakeNorm, norms: list[Call]) -> Plan:
    """Swap normalizations in their places. A layer that is called twice becomes one new layer that is called twice."""
    for norm in norms:
        if norm.name not in plan.replaced:
            plan.replaced[norm.name] = _new_norm(make_norm, norm.name, norm.layer, trainable=norm.layer.trainable)
    return plan


def _new_norm(make_norm: MakeNorm, name: str, like: Any, *, trainable: bool) -> Any:
    """A new normalization that computes in the number format of another layer, and passes masks on as all do."""
    layer = make_norm()
    layer.supports_masking = True
    layer.name, layer.dtype_policy, layer.trainable = name, like.dtype_policy, trainable
    return layer


def _check_movable(chains: list[Chain], placement: Placement) -> None:
    if any(not chain.obstacle for chain in chains):
        return
    why = [f"{(chain.linear or chain.norms[0]).name!r}: {chain.obstacle}" for chain in chains]
    found = f" Found: {'; '.join(list(dict.fromkeys(why))[:3])}." if why else ""
    raise InvalidConfig(
        f"The model has no place where a normalization can be put {placement} an activation. Allowed: behind a hidden "
        f"dense or convolutional layer that an activation follows.{found}"
    )


class _Placing:
    """Puts one normalization before, or after, the activation of every site where that can be done."""

    def __init__(self, graph: Graph, make_norm: MakeNorm, *, is_before: bool) -> None:
        self.make_norm, self.is_before = make_norm, is_before
        self.taken = {*graph.n_calls, *(layer.name for layer, _ in graph.inputs)}
        self.result = Plan()

    def plan(self, chains: list[Chain]) -> Plan:
        """Return what becomes of the calls of all sites."""
        for chain in chains:
            if chain.obstacle or not chain.linear:
                _swap(self.result, self.make_norm, chain.norms)
            else:
                self._place(chain, chain.linear)
        return self.result

    def _place(self, chain: Chain, linear: Call) -> None:
        kept, moved = (chain.before, chain.after) if self.is_before else (chain.after, chain.before)
        self.result.changed += 1
        self.result.removed |= {moved} if moved else set()
        if kept:
            _swap(self.result, self.make_norm, [kept])
            return
        self.taken -= {moved.name} if moved else set()
        new = [self._norm(linear, moved)]
        if self.is_before and has_activation(linear.layer):
            self.result.split.add(linear.name)
            new.append((self._activation(linear), {}))
        self.result.behind[linear if self.is_before else chain.activation or linear] = new

    def _norm(self, linear: Call, moved: Call | None) -> tuple[Any, dict[str, Any]]:
        """A new normalization; one that only moves stays frozen if it was."""
        trainable = moved.layer.trainable if moved else True
        arguments = {key: value for key, value in moved.others.items() if not isinstance(value, Value)} if moved else {}
        return _new_norm(self.make_norm, self._name(linear, "norm"), linear.layer, trainable=trainable), arguments

    def _activation(self, linear: Call) -> Any:
        import keras

        config = settings_of(linear.layer)
        return keras.layers.Activation(
            config["activation"],
            name=self._name(linear, "activation"),
            dtype=linear.layer.dtype_policy,
            activity_regularizer=config.get("activity_regularizer"),
        )

    def _name(self, linear: Call, what: str) -> str:
        name = free_name(f"{linear.name}_{what}", self.taken)
        self.taken.add(name)
        return name


def _check(graph: Graph, *, are_removed: bool) -> None:
    """Refuse what a new graph can't be made of, by the layer's name."""
    import keras

    for name, layer in graph.layers.items():
        label = f"Layer {name!r} ({type(layer).__name__})"
        if isinstance(layer, keras.layers.Lambda):
            raise InvalidConfig(f"{label} can't be made again from its settings. {ASKING}")
        if isinstance(layer, keras.Layer) and any(map(is_norm, layer._flatten_layers(include_self=False))):
            raise InvalidConfig(f"{label} has a normalization within it. {ASKING}")
    for model in graph.masked:
        label = f"{type(model).__name__} {model.name!r}"
        raise InvalidConfig(f"{label} is called with a mask of its own, which would be lost. {ASKING}")
    _check_not_tied(graph)
    for call in graph.calls:
        if is_norm(call.layer) and not (are_removed or _has_last_axis(call)):
            label = f"Layer {call.name!r} ({type(call.layer).__name__})"
            raise InvalidConfig(f"{label} normalizes axis {call.layer.axis}. Allowed: the last axis, of the channels.")


def _check_not_tied(graph: Graph) -> None:
    owners: dict[int, str] = {}
    for name, layer in graph.layers.items():
        for weight in getattr(layer, "weights", []):
            if owners.setdefault(id(weight), name) != name:
                raise InvalidConfig(
                    f"Layers {owners[id(weight)]!r} and {name!r} share a weight, which new ones would not."
                )


def _has_last_axis(call: Call) -> bool:
    axes = call.layer.axis if isinstance(call.layer.axis, list | tuple) else [call.layer.axis]
    return bool({-1, call.first.n_axes - 1} & set(axes))


class _Builder:
    """Makes the calls of a model again, on new layers, as a plan says."""

    def __init__(self, graph: Graph, plan: Plan, biases: Biases) -> None:
        self.graph, self.plan, self.biases = graph, plan, biases
        self._layers: dict[str, Any] = dict(plan.replaced)
        self._tensors: dict[Value, Any] = {}

    def build(self, name: str) -> keras.Model:
        """Return the new model."""
        import keras

        for layer, value in self.graph.inputs:
            self._tensors[value] = type(layer).from_config(layer.get_config()).output
        for call in self.graph.calls:
            self._emit(call)
        inputs = [self._tensors[value] for _, value in self.graph.inputs]
        outputs = [self._tensors[value] for value in self.graph.outputs]
        return keras.Model(*(found[0] if len(found) == 1 else found for found in (inputs, outputs)), name=name)

    def _emit(self, call: Call) -> None:
        import keras

        if call in self.plan.removed:
            self._tensors[call.outputs[0]] = self._tensors[call.first]
            return
        found = keras.tree.flatten(self._made(call))
        for layer, arguments in self.plan.behind.get(call, []):
            found = [self._called(layer, found[0], arguments)]
        self._tensors |= dict(zip(call.outputs, found, strict=True))

    def _made(self, call: Call) -> Any:
        """What the call returns when it is made again."""
        if call.name in self.plan.replaced:
            return self._called(self._layers[call.name], self._filled(call.first), self._filled(call.others))
        is_new = call.name not in self._layers
        if is_new:
            self._layers[call.name] = self._clone(call)
        result = self._layers[call.name](*self._filled(call.args), **self._filled(call.kwargs))
        if is_new:
            carry_state(call.layer, self._layers[call.name])
        return result

    def _filled(self, arguments: Any) -> Any:
        import keras

        return keras.tree.map_structure(
            lambda leaf: self._tensors[leaf] if isinstance(leaf, Value) else leaf, arguments
        )

    def _called(self, layer: Any, tensor: Any, arguments: dict[str, Any]) -> Any:
        """Call a new layer with those of the old one's arguments that it takes: not all take a mask or `training`."""
        taken = inspect.signature(layer.call).parameters
        try:
            return layer(tensor, **{key: value for key, value in arguments.items() if key in taken})
        except (ValueError, TypeError) as error:
            what = f"{type(layer).__name__} {layer.name!r} can't be put on values of shape {tuple(tensor.shape[1:])}"
            groups, channels = getattr(layer, "groups", None), tensor.shape[-1]
            odd = f"groups={groups} does not divide {channels} channels" if groups and channels % groups else ""
            raise InvalidConfig(f"{what}: {odd or first_line(error)}.") from error

    def _clone(self, call: Call) -> Any:
        try:
            layer = type(call.layer).from_config(settings_of(call.layer) | self._settings(call))
        except Exception as error:
            what = f"Layer {call.name!r} ({type(call.layer).__name__}) can't be made again from its settings"
            raise InvalidConfig(f"{what}: {first_line(error)}. Give its class a get_config.") from error
        layer.name = call.name
        return layer

    def _settings(self, call: Call) -> dict[str, Any]:
        """The settings of a linear layer that change."""
        without = {"activation": None, "activity_regularizer": None} if call.name in self.plan.split else {}
        return without | self.biases.settings(call.name)
