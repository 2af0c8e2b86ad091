"""Normalizations in places that harm."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import LIKELY, NOTE, Finding, register
from bncli.diagnosis.wording import some_of
from bncli.networks.calls import Call
from bncli.networks.sites import is_activation, is_norm
from bncli.probes.recording import noise_of

RATE = 0.5
"""The share of values whose loss makes the variance 1 / (1 - 0.5) times as large. `variance-shift` measures it."""


@register("norm-before-output")
def norm_before_output(case: Case) -> Iterator[Finding]:
    """A normalization stands directly before the softmax or sigmoid of the output, and bounds how sure it can be."""
    if case.graph is None:
        return
    makers = {id(value): call for call in case.graph.calls for value in call.outputs}
    last = makers.get(id(case.graph.outputs[0]))
    before = makers.get(id(last.first)) if last and is_activation(last.layer) else last
    norm = before if before and is_norm(before.layer) else None
    if norm:
        yield Finding(
            f"{case.names([norm.layer])[0]} normalizes the logits: it fixes the mean and the spread of each class over "
            "the rows, and so how sure the answers can be.",
            1,
            case.names([norm.layer]),
            "Leave it out: the output layer needs its own scale.",
            NOTE,
            LIKELY,
        )


@register("dropout-before-norm")
def dropout_before_norm(case: Case) -> Iterator[Finding]:
    """Half of all values, or more, are dropped before a batch normalization, whose variance they double in training."""
    import keras

    if case.readings is not None or case.graph is None:  # with data, `variance-shift` measures it
        return
    makers = {id(value): call for call in case.graph.calls for value in call.outputs}
    norms = [call for call in case.graph.calls if isinstance(call.layer, keras.layers.BatchNormalization)]
    behind = list(dict.fromkeys(call.layer for call in norms if call.layer.trainable and _has_dropout(call, makers)))
    if behind:
        stands, gets = ("stands", "it gets") if len(behind) == 1 else ("stand", "they get")
        yield Finding(
            f"{some_of(len(behind), len(case.batch_norms))} {stands} behind dropout of half of all values or more, "
            f"which doubles the variance of what {gets} in training, but not in inference (Li et al. 2018, arXiv "
            "1801.05134).",
            len(behind),
            case.names(behind),
            "Put dropout behind the last normalization."
            + ("" if case.runs else " With --dataset the shift is measured."),
            NOTE,
            LIKELY,
        )


def _has_dropout(norm: Call, makers: dict[int, Call]) -> bool:
    """Whether dropout of `RATE` lies before a normalization, with no other normalization between."""
    near, seen = [makers.get(id(value)) for value in norm.inputs], set()
    while near:
        call = near.pop()
        if call is None or id(call) in seen or is_norm(call.layer):
            continue
        if "Dropout" in type(call.layer).__name__ and noise_of(call.layer).get("rate", 0) >= RATE:
            return True
        seen.add(id(call))
        near += [makers.get(id(value)) for value in call.inputs]
    return False
