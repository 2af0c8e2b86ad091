"""What a score loses to the moving averages of batch normalization, as measured with population statistics."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bncli.analysis.runs import Trivial, has_learned
from bncli.analysis.statistics import known_values, mean
from bncli.analysis.tables import Conditions, Results, results_by_condition, score_of
from bncli.config import RunConfig
from bncli.results import RunResult
from bncli.study.study import Condition
from bncli.tasks.metrics import DEFAULT, METRICS, POPULATION, default_of, population_of

LEAST = 0.01
"""The smallest gap worth a sentence: of an accuracy or R² as it is, of a loss as a share of it."""

LEAST_OF_ONE = 0.03
"""The same for a single seed, which has no spread: two standard errors of an accuracy of 0.9 over 400 rows."""


@dataclass(frozen=True)
class Gap:
    """A condition whose moving and population statistics differ by more than its seeds do.

    Attributes:
        condition: The condition.
        config: One of its runs.
        metric: What is measured, e.g. `val_accuracy`.
        moving: Its mean over seeds with moving averages.
        population: Its mean with population statistics.
        n_gaps: How many conditions have such a gap; this one is the largest.
        runs: The runs of the condition that count.
        n_runs: How many runs it has.
    """

    condition: Condition
    config: RunConfig
    metric: str
    moving: float
    population: float
    n_gaps: int = 1
    runs: tuple[RunResult, ...] = ()
    n_runs: int = 0

    @property
    def size(self) -> float:
        """The absolute difference."""
        return abs(self.moving - self.population)

    @property
    def is_loss(self) -> bool:
        """Whether the moving averages make the score worse."""
        return (self.moving > self.population) == METRICS[self.metric].lower_is_better


def find_gap(
    results: Results, conditions: Conditions, metric: str = DEFAULT, trivial: Trivial | None = None
) -> Gap | None:
    """Return the largest gap between moving and population statistics.

    A gap counts if it is larger than the standard deviation over seeds of the score with population statistics, and
    larger than `LEAST`; with one seed, if it is larger than `LEAST_OF_ONE`. Runs that learned nothing even with
    population statistics don't count: what they score is not for their averages.

    Args:
        results: The runs.
        conditions: The condition of each.
        metric: What arms are compared by; the default metric takes the place of one without a population twin.
        trivial: What the best constant answer scores, if it is known.

    Returns:
        The gap; None if there is none, or if the runs have no such metrics, as those of bncli 0.1.
    """
    plain = metric.removeprefix(POPULATION)
    plain = plain if population_of(plain) else default_of(score_of(results))
    gaps = [
        replace(gap, n_runs=len(runs))
        for condition, runs in results_by_condition(results, conditions).items()
        if (gap := _gap_of(condition, [run for run in runs if _counts(run, trivial)], plain))
    ]
    if not gaps:
        return None
    return replace(max(gaps, key=lambda gap: gap.size), n_gaps=len(gaps))


def _counts(run: RunResult, trivial: Trivial | None) -> bool:
    return trivial is None or has_learned(run, trivial, POPULATION)


def _gap_of(condition: Condition, runs: Results, metric: str) -> Gap | None:
    twin = f"{POPULATION}{metric}"
    both = [run for run in runs if None not in (run.metrics.get(metric), run.metrics.get(twin))]
    moving, population = (known_values(run.metrics[name] for run in both) for name in (metric, twin))
    if not both:
        return None
    gap = Gap(condition, both[0].config, metric, mean(moving), mean(population), runs=tuple(both))
    least = LEAST if len(both) > 1 else LEAST_OF_ONE
    scale = 1.0 if METRICS[metric].is_share else abs(gap.population)
    spread = float(population.std(ddof=1)) if len(both) > 1 else 0.0
    return gap if gap.size > max(spread, least * scale) and math.isfinite(gap.size) else None


def has_population(results: Results) -> bool:
    """Return whether any run was scored with population statistics."""
    return any(name.startswith(POPULATION) for result in results for name in result.metrics)
