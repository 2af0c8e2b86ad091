"""Batch normalizations that do not follow their batches in training."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import NOTE, Finding, register
from bncli.diagnosis.wording import agreed, some_of
from bncli.networks.sites import is_linear
from bncli.values import counted


@register("frozen")
def frozen(case: Case) -> Iterator[Finding]:
    """Batch normalizations are frozen (trainable=False) while layers before them train."""
    still = [layer for layer in case.batch_norms if not layer.trainable]
    linear = [layer for layer in case.layers if is_linear(layer)]
    last = case.layers.index(still[-1]) if still else 0
    others = [layer for layer in linear if layer.trainable and case.layers.index(layer) < last]
    if still and others:
        yield Finding(
            f"{some_of(len(still), len(case.batch_norms))} {agreed(len(still), 'is', 'are')} frozen while "
            f"{counted(len(others), 'linear layer')} before {agreed(len(still), 'it', 'them')} "
            f"{agreed(len(others), 'trains', 'train')}: what {agreed(len(still), 'it gets', 'they get')} changes, the "
            f"statistics {agreed(len(still), 'it has', 'they have')} do not.",
            len(still),
            case.names(still),
            "Right for fine-tuning on data like the first. Otherwise set trainable=True, or compare with bncli compare "
            "--keep-weights --arms as-is,frozen,recalibrated.",
            NOTE,
        )


@register("training-argument")
def training_argument(case: Case) -> Iterator[Finding]:
    """Batch normalizations are called with training=True or False, which Keras overrides in fit and predict."""
    calls = [] if case.graph is None else [call for call in case.graph.calls if call.layer in case.batch_norms]
    for value, told in (
        (True, "where the model is called without the argument, a row's output depends on the rows around it"),
        (False, "Keras 3 ignores it in fit, where they normalize with the batch, and their averages move"),
    ):
        layers = [call.layer for call in calls if call.others.get("training") is value and call.layer.trainable]
        if layers:
            yield Finding(
                f"{some_of(len(layers), len(case.batch_norms))} {agreed(len(layers), 'is', 'are')} called with "
                f"training={value}: {told}.",
                len(layers),
                case.names(layers),
                "Leave the argument out: fit, evaluate and predict pass it on."
                if value
                else "Set trainable=False on the layers to freeze them, or leave the argument out.",
                NOTE,
            )
