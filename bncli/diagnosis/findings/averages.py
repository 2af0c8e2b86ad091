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
    stuck = [layer for layer in case.live_norms if float(layer.momentum) >= 1]
    new = [layer for layer in case.batch_norms if _is_new(layer) and case.is_trained]
    found = [layer for layer in case.batch_norms if layer in stuck or layer in new]
    if not found:
        return
    who, count = some_of(len(found), len(case.batch_norms)), len(found)
    if stuck:
        has, their = agreed(count, "has", "have"), agreed(count, "its average", "their averages")
        what = f"{who} {has} momentum 1, with which training never moves {their}."
        remedy = "Make the layers with a momentum below 1, such as 0.99."
    else:
        has, they = agreed(count, "has", "have"), agreed(count, "it does", "they do")
        what = f"{who} still {has} the moving mean 0 and variance 1 of a new layer: in inference {they} not normalize."
        remedy = "Call the model with training=True in your training loop, as fit does."
    recalibrated = " For this file: bncli recalibrate." if case.is_trained else ""
    yield Finding(what, count, case.names(found), remedy + recalibrated)


def _is_new(layer: Any) -> bool:
    import numpy as np

    return not np.asarray(layer.moving_mean).any() and bool((np.asarray(layer.moving_variance) == 1).all())
