"""Moving averages that forget too slowly, or too fast."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.analysis.gap import has_population
from bncli.analysis.lag import MAX_LEFT
from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import EXACT, LIKELY, NOTE, PROBLEM, Finding, register
from bncli.diagnosis.findings.gap import loss_of_runs
from bncli.diagnosis.statistics import MOVING, POPULATION
from bncli.diagnosis.wording import agreed, some_of, within

TOO_FAST = 0.5
"""The momentum below which more than half of an average is its last batch."""

SAME = 0.99
"""The share of a loss from which on another one is as good."""

PYTORCH = (0.1, 0.01, 0.001, 0.03, 0.003, 0.0003, 0.05)
"""Momenta of PyTorch's networks, which hardly anyone means in Keras, where they are called 0.9, 0.99, ..."""


@register("slow-averages")
def slow_averages(case: Case) -> Iterator[Finding]:
    """The momentum is so high that the averages still hold initial values at the end of training."""
    steps = case.training.n_steps
    if not steps or _is_mended(case):
        return
    left = {id(layer): float(layer.momentum) ** steps for layer in case.live_norms if float(layer.momentum) < 1}
    slow = [layer for layer in case.live_norms if left.get(id(layer), 0) > MAX_LEFT]
    if slow:
        worst = max(left[id(layer)] for layer in slow)
        enough = MAX_LEFT ** (1 / steps)
        hold = "hold" if case.is_trained or case.runs else "will hold"
        yield Finding(
            f"After {steps:,} training {agreed(steps, 'step', 'steps')} the moving averages of "
            f"{within(len(slow), len(case.batch_norms))} {hold} {worst:.0%} of their initial values 0 and 1: "
            "momentum to the power of the steps.",
            worst,
            case.names(slow),
            (
                f"A momentum of at most {_rounded_down(enough):g}, or more steps."
                if _rounded_down(enough)
                else "More steps."
            )
            + (" For this file: bncli recalibrate." if case.is_trained else ""),
            NOTE if has_population(case.runs) and not loss_of_runs(case) else PROBLEM,
            LIKELY if case.is_trained and case.readings is None else EXACT,
        )


def _is_mended(case: Case) -> bool:
    """Whether the averages of a trained model are as good as population statistics: it may have been recalibrated."""
    if case.readings is None or not case.is_trained:
        return False
    scores = case.readings.scores["train"]
    return scores[POPULATION].loss > SAME * scores[MOVING].loss


@register("fast-averages")
def fast_averages(case: Case) -> Iterator[Finding]:
    """The momentum is so low that the averages are those of the last few batches."""
    fast = [layer for layer in case.live_norms if float(layer.momentum) < TOO_FAST and not _is_pytorch(layer)]
    if fast:
        lowest = min(float(layer.momentum) for layer in fast)
        yield Finding(
            f"{some_of(len(fast), len(case.batch_norms))} {agreed(len(fast), 'has', 'have')} momentum {lowest:g}: "
            f"{1 - lowest:.0%} of the moving averages is the last batch.",
            lowest,
            case.names(fast),
            "A momentum of at least 0.9, unless each batch has thousands of rows.",
            NOTE,
        )


@register("pytorch-momentum")
def pytorch_momentum(case: Case) -> Iterator[Finding]:
    """The momentum is one of PyTorch's, which means the opposite there: PyTorch's 0.1 is Keras' 0.9."""
    fast = [layer for layer in case.live_norms if _is_pytorch(layer)]
    if fast:
        lowest = min(float(layer.momentum) for layer in fast)
        yield Finding(
            f"{some_of(len(fast), len(case.batch_norms))} {agreed(len(fast), 'has', 'have')} momentum {lowest:g}. "
            "That is PyTorch's way, where it is the share of the new batch; in Keras it is that of the old average: "
            f"{1 - lowest:.0%} of the moving averages is the last batch.",
            lowest,
            case.names(fast),
            f"momentum={1 - lowest:g}, which is PyTorch's {lowest:g}.",
            PROBLEM,
            LIKELY,
        )


def _is_pytorch(layer: object) -> bool:
    return any(abs(float(getattr(layer, "momentum", 1)) - value) < 1e-9 for value in PYTORCH)


def _rounded_down(momentum: float) -> float:
    """The largest of the usual values that is not above a momentum."""
    usual = (0.999, 0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.5)
    return next((value for value in usual if value <= momentum), 0.0)
