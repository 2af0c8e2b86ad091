"""Rewrites a graph for an arm: normalizations are removed, swapped in place, or placed before or after activations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bncli.errors import InvalidConfig
from bncli.networks.graphs import replayed
from bncli.networks.sites import Chain, Sites, has_activation, is_norm, learns_shift

if TYPE_CHECKING:
    import keras

IN_PLACE = "in-place"
"""The placement that keeps each normalization where it is."""


@dataclass(frozen=True)
class Norm:
    """What an arm puts at sites.

    Attributes:
        make: Returns a new layer; None for the arm `none`.
        placement: `in-place`, `before` or `after`.
        use_bias: `auto`, `true` or `false`: whether the linear layers at sites have a bias.
        cancels_bias: Whether the layer cancels a bias directly before it and learns a shift itself.
    """

    make: Callable[[], keras.Layer] | None
    placement: str = IN_PLACE
    use_bias: str = "auto"
    cancels_bias: bool = False


@dataclass
class Rewritten:
    """A rewritten model.

    Attributes:
        model: The new model, with new initial weights; layers that are kept have the names that they had.
        n_norms: How many normalizations it has at sites.
        n_sites: How many sites there are.
        biases: Layers that got a bias (true) or lost it (false).
    """

    model: keras.Model
    n_norms: int
    n_sites: int
    biases: dict[str, bool] = field(default_factory=dict)


def rewrite(model: keras.Model, norm: Norm) -> Rewritten:
    """Rewrite a graph.

    With `before` and `after`, every site where a linear layer and its activation follow each other gets exactly one
    normalization; those elsewhere are swapped in place. With `in-place`, each normalization is swapped.

    Args:
        model: A functional model without nested ones, see `graphs.unfolded`.
        norm: What the arm puts at its sites.

    Raises:
        InvalidConfig: The model has no place for it.
    """
    return _Rewriting(model, norm).result()


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copy the values of all layers of a graph but the normalizations to the layers of the same name in another.

    A bias that only one of them has keeps its initial value.
    """
    layers = {layer.name: layer for layer in source.layers}
    for layer in target.layers:
        if layer.name in layers and not is_norm(layer):
            values = {variable.path.split("/")[-1]: variable for variable in layers[layer.name].variables}
            for variable in layer.variables:
                name = variable.path.split("/")[-1]
                if name in values:
                    variable.assign(values[name])


class _Rewriting:
    """Decides for each node of a graph what takes its place."""

    def __init__(self, model: keras.Model, norm: Norm) -> None:
        self.model, self.norm, self.sites = model, norm, Sites(model)
        self.is_moved = norm.make is not None and norm.placement != IN_PLACE
        self.dropped = {id(node) for chain in self.sites.chains for node in chain.norms} if self.is_moved else set()
        self.behind: dict[int, str] = {}
        self.split: set[int] = set()
        self.names = {layer.name for layer in model.layers if not is_norm(layer)}
        self.n_norms = 0
        self.biases: dict[str, bool] = {}
        self._check()
        if self.is_moved:
            for chain in self.sites.chains:
                self._place(chain)
        self.wanted = self._wanted_biases()

    def _check(self) -> None:
        has_norms = any(is_norm(node.operation) for node in self.sites.nodes)
        if self.is_moved and not self.sites.chains:
            raise InvalidConfig(
                "The model has no site for a normalization before or after an activation: a linear layer whose output "
                "goes to an activation alone."
            )
        if self.norm.make and not self.is_moved and not has_norms:
            raise InvalidConfig("The model has no normalization to swap. Try a place, such as batch:before.")

    def _place(self, chain: Chain) -> None:
        """Note behind which node the new normalization comes, and whether an activation has to be split off."""
        linear = chain.linear
        name = f"{linear.operation.name}_norm"
        if self.norm.placement == "before":
            self.behind[id(linear)] = name
            self.split |= {id(linear.operation)} if has_activation(linear.operation) else set()
        else:
            self.behind[id(chain.activation or linear)] = name

    def _wanted_biases(self) -> dict[int, bool]:
        """Whether the linear layers at sites and before normalizations have a bias, by layer."""
        wanted: dict[int, bool] = {}
        chained = {id(chain.linear) for chain in self.sites.chains}
        for node in self.sites.nodes:
            behind = self.sites.norm_behind(node) if hasattr(node.operation, "use_bias") else None
            if behind or (id(node) in chained and self.is_moved):
                wanted[id(node.operation)] = self._wants_bias(node, behind)
        return wanted

    def _wants_bias(self, linear: Any, behind: Any) -> bool:
        if self.norm.use_bias != "auto":
            return self.norm.use_bias == "true"
        had = linear.operation.use_bias or (behind is not None and learns_shift(behind.operation))
        stays = behind is not None and self.norm.make is not None and id(behind) not in self.dropped
        is_followed = stays or (self.norm.placement == "before" and id(linear) in self.behind)
        return bool(had and not (is_followed and self.norm.cancels_bias))

    def result(self) -> Rewritten:
        model = replayed(self.model, self._emit, self._change)
        n_sites = len(self.sites.chains) + len(self.sites.elsewhere)
        return Rewritten(model, self.n_norms, n_sites, self.biases)

    def _change(self, layer: keras.Layer, config: dict[str, Any]) -> None:
        """Change the config of a linear layer: its bias, and whether its activation is split off."""
        wanted = self.wanted.get(id(layer))
        if wanted is not None and wanted != layer.use_bias:
            config["use_bias"] = wanted
            self.biases[layer.name] = wanted
        if id(layer) in self.split:
            config["activation"] = "linear"

    def _emit(self, node: Any, copy: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        import keras

        if is_norm(node.operation):
            if self.norm.make is None or id(node) in self.dropped:
                return args[0]
            return self._normalized(args[0], node.operation.name)
        outputs = copy(*args, **kwargs)
        is_split = id(node.operation) in self.split
        if id(node) in self.behind and (self.norm.placement == "before" or not is_split):
            outputs = self._normalized(outputs, self.behind[id(node)])
        if is_split:
            outputs = keras.layers.Activation(node.operation.activation)(outputs)
        return outputs

    def _normalized(self, inputs: Any, name: str) -> Any:
        """Call a new normalization; the name gets a number if another layer has it."""
        if self.norm.make is None:
            return inputs
        layer = self.norm.make()
        self.n_norms += 1
        layer.name = name if name not in self.names else f"{name}_{self.n_norms}"
        self.names.add(layer.name)
        return layer(inputs)
