"""What the moving averages cost."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.analysis.gap import LEAST_OF_ONE
from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import MEASURED, Finding, register

ERRORS = 3.0
"""How many standard errors of the paired difference a gap must have."""


@register("statistics-gap")
def statistics_gap(case: Case) -> Iterator[Finding]:
    """The moving averages cost accuracy: with population statistics the same weights score more."""
    if case.readings is None or not case.is_trained:
        return
    scores = case.readings.scores["val"]
    moving, population = scores["moving"], scores["population"]
    gap = population.accuracy - moving.accuracy
    difference = population.correct.astype(float) - moving.correct
    error = float(difference.std(ddof=1)) / len(difference) ** 0.5 if len(difference) > 1 else 0.0
    if gap > max(LEAST_OF_ONE, ERRORS * error):
        trained = case.readings.scores["train"]["batch"].accuracy
        yield Finding(
            f"Validation accuracy is {moving.accuracy:.3f} with the moving averages and {population.accuracy:.3f} with "
            f"population statistics of the same weights: the averages cost {gap:.3f} ± {1.96 * error:.3f}.",
            gap,
            tuple(layer.name for layer in case.batch_norms),
            "bncli recalibrate FILE.keras writes a file with population statistics. In training: a lower momentum, or "
            "more steps.",
            certainty=MEASURED,
            detail=f"Training rows score {trained:.3f} with batch statistics. Of the gap of "
            f"{trained - moving.accuracy:.3f} to validation, {gap:.3f} is statistics and "
            f"{trained - population.accuracy:.3f} overfitting.",
        )
