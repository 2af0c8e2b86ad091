"""Weight decay on gamma and beta."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import NOTE, Finding, register


@register("decayed-scale")
def decayed_scale(case: Case) -> Iterator[Finding]:
    """Weight decay pulls gamma and beta towards 0."""
    named = {
        layer.name
        for layer in case.batch_norms
        if getattr(layer, "gamma_regularizer", None) or getattr(layer, "beta_regularizer", None)
    }
    if case.training.decays_norms:
        named |= {layer.name for layer in case.batch_norms if layer.trainable and (layer.scale or layer.center)}
    if named:
        layers = tuple(layer.name for layer in case.batch_norms if layer.name in named)
        yield Finding(
            f"Weight decay takes the gamma and beta of {len(layers)} of {len(case.batch_norms)} batch normalizations "
            "too: it pulls the scale towards 0, which is not where an unused scale would be (1).",
            len(layers),
            layers,
            "optimizer.exclude_from_weight_decay(var_names=['gamma', 'beta']); whether it matters: bncli sweep "
            "decay=all,kernels.",
            NOTE,
        )
