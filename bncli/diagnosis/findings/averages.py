"""Moving averages that training never updated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import Finding, register
from bncli.diagnosis.wording import agreed, some_of


@register("averages-not-updated")
def averages_not_updated(case: Case) -> Iterator[Finding]:
    """The moving averages of a trained model are still 0 and 1, those of a new layer, or can't move (momentum=1)."""
    found = [layer for layer in case.batch_norms if is_stuck(layer) or (is_new(layer) and case.is_trained)]
    if not found:
        return
    who, count = some_of(len(found), len(case.batch_norms)), len(found)
    if any(map(is_stuck, found)):
        has, their = agreed(count, "has", "have"), agreed(count, "its average", "their averages")
        what = f"{who} {has} momentum 1, with which training never moves {their}."
        remedy = "Make the layers with a momentum below 1, such as 0.99."
    else:
        has, they = agreed(count, "has", "have"), agreed(count, "it does", "they do")
        what = f"{who} still {has} the moving mean 0 and variance 1 of a new layer: in inference {they} not normalize."
        remedy = "Call the model with training=True in your training loop, as fit does."
    yield Finding(what, count, case.names(found), f"{remedy}{_for_this_file(case)}")


def _for_this_file(case: Case) -> str:
    """What helps a model that is trained: one that never normalized in training either is spoilt by statistics.

    Of a model whose answers are NaN nobody knows.
    """
    if not case.is_trained or (case.readings and not case.readings.is_finite):
        return ""
    if case.readings is None:
        return " With --dataset bncli tells whether bncli recalibrate helps this model, or training again."
    if case.readings.is_better_with_population:
        return " This model is mended by bncli recalibrate."
    return " This model was trained without normalizing, too: recalibration would spoil it. Train it again."


def is_stuck(layer: Any) -> bool:
    """Return whether a batch normalization follows its batches, but with averages that never move."""
    return bool(layer.trainable) and float(layer.momentum) >= 1


def is_new(layer: Any) -> bool:
    """Return whether a batch normalization has the averages of a new layer."""
    import numpy as np

    return not np.asarray(layer.moving_mean).any() and bool((np.asarray(layer.moving_variance) == 1).all())
