"""Batch normalizations that do not follow their batches in training."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import NOTE, Finding, register
from bncli.networks.sites import is_linear


@register("frozen")
def frozen(case: Case) -> Iterator[Finding]:
    """Batch normalizations are frozen (trainable=False) while other layers of the model train."""
    still = [layer for layer in case.batch_norms if not layer.trainable]
    layers = case.model._flatten_layers(include_self=False)
    others = [layer for layer in layers if is_linear(layer) and layer.trainable]
    if still and others:
        yield Finding(
            f"{len(still)} of {len(case.batch_norms)} batch normalizations are frozen while {len(others)} linear "
            "layers train: they keep the statistics of the data that they were trained on.",
            len(still),
            tuple(layer.name for layer in still),
            "Right for fine-tuning on data like the first. Otherwise set trainable=True, or compare with bncli compare "
            "--keep-weights --arms as-is,frozen,recalibrated.",
            NOTE,
        )


@register("training-argument")
def training_argument(case: Case) -> Iterator[Finding]:
    """Batch normalizations are called with training=True or False, which Keras overrides in fit and predict."""
    calls = [] if case.graph is None else [call for call in case.graph.calls if call.layer in case.batch_norms]
    always = [call.name for call in calls if call.others.get("training") is True]
    if always:
        yield Finding(
            f"{len(always)} of {len(case.batch_norms)} batch normalizations are called with training=True: where "
            "the model is called without the argument, a row's output depends on the rows around it.",
            len(always),
            tuple(always),
            "Leave the argument out: fit, evaluate and predict pass it on.",
            NOTE,
        )
    never = [call.name for call in calls if call.others.get("training") is False and call.layer.trainable]
    if never:
        yield Finding(
            f"{len(never)} of {len(case.batch_norms)} batch normalizations are called with training=False, which "
            "Keras 3 ignores in fit: they normalize with the batch, and their averages move.",
            len(never),
            tuple(never),
            "Set trainable=False on the layers to freeze them, or leave the argument out.",
            NOTE,
        )
