"""What the moving averages cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bncli.analysis.gap import LEAST_OF_ONE, Gap, find_gap
from bncli.analysis.statistics import bootstrap_interval
from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import MEASURED, NOTE, PROBLEM, Finding, register
from bncli.diagnosis.statistics import BATCH, MOVING, POPULATION
from bncli.study.study import Condition
from bncli.tasks.metrics import METRICS
from bncli.tasks.metrics import POPULATION as PREFIX
from bncli.tasks.scores import SCORES
from bncli.values import capital, counted

if TYPE_CHECKING:
    from bncli.diagnosis.readings import Score

ERRORS = 3.0
"""How many standard errors of the paired difference a gap must have."""

_CONDITION = Condition("", ())
"""The condition of recorded runs, which are of one: its name is not used."""


@register("statistics-gap")
def statistics_gap(case: Case) -> Iterator[Finding]:
    """The moving averages cost accuracy: with population statistics the same weights score more."""
    if case.runs:
        yield from _over_seeds(case)
    if case.readings is None or not case.is_trained or not case.batch_norms or not case.readings.is_finite:
        return  # an average that is NaN costs accuracy too, and is found as such
    scores = case.readings.scores["val"]
    moving, population = scores[MOVING], scores[POPULATION]
    gap, error = population.score - moving.score, _error(population, moving)
    if gap > max(LEAST_OF_ONE, ERRORS * error):
        frozen = "" if case.live_norms else " trainable=True lets the layers follow their batches."
        yield Finding(
            f"{_validation(case)} is {moving.score:.3f} with the moving averages and {population.score:.3f} with "
            f"population statistics of the same weights: the averages cost {gap:.3f} ± {1.96 * error:.3f}.",
            gap,
            case.names(case.batch_norms),
            "bncli recalibrate FILE.keras writes a file with population statistics. In training:"
            + (frozen or " a lower momentum, or more steps."),
            certainty=MEASURED,
            detail=_shares(case.readings.scores["train"][BATCH].score, moving.score, population.score),
        )


def loss_of_runs(case: Case) -> Gap | None:
    """Return what the averages cost the recorded runs of a condition, by the rules of the report; None for nothing."""
    found = find_gap(case.runs, dict.fromkeys((run.config for run in case.runs), _CONDITION), trivial=case.trivial)
    return found if found and found.is_loss else None


def _over_seeds(case: Case) -> Iterator[Finding]:
    """What the averages cost the recorded runs of a condition."""
    found = loss_of_runs(case)
    if found is None:
        return
    names = (found.metric, f"{PREFIX}{found.metric}")
    scores = [tuple(run.metrics[name] for name in names) for run in found.runs]
    costs = [population - moving for moving, population in scores]  # type: ignore[operator]
    interval = bootstrap_interval(costs)
    n_worse = sum(cost > 0 for cost in costs)
    between = f" (95 % interval {interval.low:.3f} to {interval.high:.3f})" if len(costs) > 1 else ""
    seeds = f"{counted(len(costs), 'seed')}{' that learn' if len(costs) < found.n_runs else ''}"
    yield Finding(
        f"{capital(METRICS[found.metric].label)} is {found.moving:.3f} with the moving averages and "
        f"{found.population:.3f} with population statistics, in the mean of {seeds}: the "
        f"averages cost {found.size:.3f}{between}; they cost something in {n_worse} of {len(costs)}.",
        found.size,
        case.names(case.batch_norms),
        "A lower norm_momentum, or more epochs. To choose between arms: --metric " + f"{PREFIX}{found.metric}.",
        NOTE if interval.low <= 0 else PROBLEM,
        MEASURED,
    )


def _validation(case: Case) -> str:
    """What the score of validation rows is called at the start of a sentence."""
    return f"Validation {SCORES[case.readings.score_name].label}" if case.readings else ""


def _error(one: Score, other: Score) -> float:
    """The standard error of the mean difference of two scores of the same rows."""
    difference = one.points.astype(float) - other.points
    return float(difference.std(ddof=1)) / len(difference) ** 0.5 if len(difference) > 1 else 0.0


def _shares(trained: float, moving: float, population: float) -> str:
    """What of the distance to the score in training is for the statistics, and what for overfitting."""
    told = f"Training rows score {trained:.3f} with batch statistics."
    if trained < population:
        return told
    return (
        f"{told} Of the gap of {trained - moving:.3f} to validation, {population - moving:.3f} is statistics and "
        f"{trained - population:.3f} overfitting."
    )
