"""Which linear layers get or lose their bias when normalizations change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bncli.networks.calls import Call, Graph
from bncli.networks.sites import Chain, direct_norms, is_linear


@dataclass(frozen=True)
class Biases:
    """The linear layers, by name, whose bias changes."""

    added: frozenset[str]
    removed: frozenset[str]

    def settings(self, name: str) -> dict[str, bool]:
        """Return the setting of a layer that changes, if one does."""
        return {"use_bias": name in self.added} if name in self.added | self.removed else {}


def changed_biases(
    graph: Graph,
    chains: list[Chain],
    new_norm: Callable[[Call], tuple[Any, Any] | None],
    *,
    use_bias: str,
    redundant: bool,
) -> Biases:
    """Return which biases change; see `rewriting.rewrite`.

    Args:
        graph: The calls of the old model.
        chains: Its sites.
        new_norm: Returns the new normalization directly behind the call of a linear layer, with the `training` that it
            is called with; or None.
        use_bias: `auto`, `true` or `false`.
        redundant: Whether the new normalization makes a bias directly before it redundant.
    """
    at_sites = {chain.linear.name for chain in chains if chain.linear}
    had, has = {}, {}
    for name, layer in graph.layers.items():
        if is_linear(layer):
            old = list(direct_norms(graph, layer))
            new = [new_norm(call) for call in graph.calls if call.layer is layer]
            if name in at_sites or any(old):
                had[name], has[name] = layer.use_bias, use_bias == "true"
                if use_bias == "auto":
                    has[name] = _has_bias(layer, old, new, redundant=redundant)
    added = frozenset(name for name in has if has[name] and not had[name])
    return Biases(added, frozenset(name for name in has if had[name] and not has[name]))


def _has_bias(layer: Any, old: list[Call | None], new: list[Any], *, redundant: bool) -> bool:
    """Whether a linear layer has a bias by the rule `auto`. A layer that is called often has one for all its calls."""
    if redundant and all(found and _follows_the_batch(*found) for found in new):
        return False
    return layer.use_bias or any(map(_lost_its_shift, old, [found[0] if found else None for found in new]))


def _follows_the_batch(norm: Any, training: Any) -> bool:
    """Whether a normalization subtracts the mean of what it gets; a frozen one subtracts an average that stays."""
    return norm.trainable and training is not False


def _lost_its_shift(old: Call | None, new: Any) -> bool:
    """Whether the shift behind a layer without bias is gone: batch normalization's makes up for the bias exactly."""
    import keras

    if old is None or not getattr(old.layer, "center", False):
        return False
    is_exact = isinstance(old.layer, keras.layers.BatchNormalization)
    return is_exact or not getattr(new, "center", False)
