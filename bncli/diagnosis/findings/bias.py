"""Biases that batch normalization cancels."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import NOTE, Finding, register
from bncli.networks.sites import direct_norms, is_linear
from bncli.values import counted


@register("redundant-bias")
def redundant_bias(case: Case) -> Iterator[Finding]:
    """Linear layers have a bias that the batch normalization behind them subtracts again."""
    import keras

    if case.graph is None:
        return
    found = []
    for layer in case.graph.layers.values():
        if is_linear(layer) and layer.use_bias:
            norms = list(direct_norms(case.graph, layer))
            if norms and all(norm and isinstance(norm.layer, keras.layers.BatchNormalization) for norm in norms):
                found.append(layer)
    if found:
        n_values = sum(int(layer.bias.shape[-1]) for layer in found)
        yield Finding(
            f"{counted(len(found), 'layer')} directly before batch normalization have a bias, "
            f"{counted(n_values, 'parameter')} that do nothing: the mean is subtracted with it.",
            n_values,
            tuple(layer.name for layer in found),
            "Make these layers with use_bias=False. Nothing else changes.",
            NOTE,
        )
