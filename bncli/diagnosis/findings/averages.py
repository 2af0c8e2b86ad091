"""Moving averages that training never updated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import Finding, register


@register("averages-not-updated")
def averages_not_updated(case: Case) -> Iterator[Finding]:
    """The moving averages of a trained model are still 0 and 1, those of a new layer."""
    new = [layer for layer in case.batch_norms if _is_new(layer)]
    if new and case.is_trained:
        yield Finding(
            f"{len(new)} of {len(case.batch_norms)} batch normalizations still have the moving mean 0 and variance 1 "
            "of a new layer: in inference they do not normalize.",
            len(new),
            tuple(layer.name for layer in new),
            "Call the model with training=True in your training loop, as fit does; for this file, bncli recalibrate.",
        )


def _is_new(layer: Any) -> bool:
    import numpy as np

    return not np.asarray(layer.moving_mean).any() and bool((np.asarray(layer.moving_variance) == 1).all())
