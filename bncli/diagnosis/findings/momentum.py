"""Moving averages that forget too slowly, or too fast."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.analysis.lag import MAX_LEFT
from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import NOTE, Finding, register

TOO_FAST = 0.5
"""The momentum below which more than half of an average is its last batch."""


@register("slow-averages")
def slow_averages(case: Case) -> Iterator[Finding]:
    """The momentum is so high that the averages still hold initial values at the end of training."""
    steps = case.training.n_steps
    if not steps:
        return
    left = {layer.name: float(layer.momentum) ** steps for layer in case.batch_norms if layer.trainable}
    slow = {name: share for name, share in left.items() if share > MAX_LEFT}
    if slow:
        worst = max(slow.values())
        enough = MAX_LEFT ** (1 / steps)
        hold = "hold" if case.is_trained else "will hold"
        yield Finding(
            f"After {steps:,} training steps the moving averages of {len(slow)} of {len(case.batch_norms)} batch "
            f"normalizations {hold} {worst:.0%} of their initial values 0 and 1: momentum to the power of the steps.",
            worst,
            tuple(slow),
            f"A momentum of at most {_rounded_down(enough):g}, or more steps."
            + (" For this file: bncli recalibrate." if case.is_trained else ""),
        )


@register("fast-averages")
def fast_averages(case: Case) -> Iterator[Finding]:
    """The momentum is so low that the averages are those of the last few batches; PyTorch's 0.1 is Keras' 0.9."""
    fast = [layer for layer in case.batch_norms if layer.trainable and float(layer.momentum) < TOO_FAST]
    if fast:
        lowest = min(float(layer.momentum) for layer in fast)
        yield Finding(
            f"The moving averages of {len(fast)} of {len(case.batch_norms)} batch normalizations have momentum "
            f"{lowest:g}: {1 - lowest:.0%} of them is the last batch.",
            lowest,
            tuple(layer.name for layer in fast),
            f"If the number comes from PyTorch, Keras calls it 1 - momentum: {1 - lowest:g}.",
            NOTE,
        )


def _rounded_down(momentum: float) -> float:
    """The largest of the usual values that is not above a momentum."""
    usual = (0.999, 0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.5)
    return next((value for value in usual if value <= momentum), 0.0)
