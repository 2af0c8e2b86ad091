"""Weight decay on gamma and beta."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import EXACT, LIKELY, NOTE, Finding, register
from bncli.diagnosis.wording import within


@register("decayed-scale")
def decayed_scale(case: Case) -> Iterator[Finding]:
    """Weight decay pulls gamma and beta towards 0."""
    regularized = [
        layer
        for layer in case.live_norms
        if getattr(layer, "gamma_regularizer", None) or getattr(layer, "beta_regularizer", None)
    ]
    decayed = [layer for layer in case.live_norms if layer.scale or layer.center] if case.training.decays_norms else []
    layers = [layer for layer in case.batch_norms if layer in regularized or layer in decayed]
    if layers:
        is_sure = case.training.is_decay_sure or bool(regularized)
        unless = "" if is_sure else " The file does not tell whether the optimizer left them out."
        yield Finding(
            f"Weight decay takes the gamma and beta of {within(len(layers), len(case.batch_norms))} too: it pulls the "
            f"scale towards 0, while that of a new layer is 1.{unless}",
            len(layers),
            case.names(layers),
            "optimizer.exclude_from_weight_decay(var_names=['gamma', 'beta']); whether it matters: bncli sweep "
            "decay=all,kernels.",
            NOTE,
            EXACT if is_sure else LIKELY,
        )
