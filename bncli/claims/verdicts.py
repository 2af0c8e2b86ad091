"""Verdicts on the claims of a study, from its runs."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bncli.analysis.runs import has_learned
from bncli.analysis.tables import score_of
from bncli.claims import check, measures
from bncli.claims.claim import BEST, Claim, parse_claims
from bncli.claims.judgement import Verdict, judge, typical
from bncli.config import RunConfig
from bncli.resolution import has_value
from bncli.results import RunResult
from bncli.study.study import Condition, Study
from bncli.tasks.metrics import METRICS, default_of
from bncli.tasks.scores import SCORES
from bncli.values import Value

CHECKED_ELSEWHERE = "tested by a check, not by these runs: see bncli verify"


def needs(claim: Claim, condition: Condition, config: RunConfig) -> bool:
    """Return whether a claim is measured on the runs of a condition.

    Args:
        claim: The claim.
        condition: The condition.
        config: One of its runs.
    """
    return bool(claim.measure) and any(
        condition.arm == arm
        and _is_at(condition, config, {name: value for name, value in where.items() if value != BEST})
        for arm, where in claim.sides
    )


def _is_at(condition: Condition, config: RunConfig, where: Mapping[str, Value]) -> bool:
    """Whether a condition has the given values of axes; on an axis that has no effect on its arm, any value matches."""
    in_effect = [name for name, value in condition.values if value is not None and name in where]
    return all(has_value(config, name, where[name]) for name in in_effect)


def verdicts(
    study: Study,
    results: Iterable[RunResult],
    conditions: Mapping[RunConfig, Condition],
    trivial: float | None = None,
) -> list[Verdict]:
    """Return the verdicts on all claims of a study, in order; claims that need a check are `skipped`.

    Args:
        study: The study with its claims.
        results: Its results so far.
        conditions: The condition of every run.
        trivial: What the best constant answer scores, if it is known.
    """
    known = parse_claims(study)
    judged = verdicts_on([claim for claim in known if not claim.check], study, results, conditions, trivial)
    found = {verdict.claim.id: verdict for verdict in judged}
    return [found.get(claim.id) or Verdict(claim, "skipped", text=CHECKED_ELSEWHERE) for claim in known]


def verdicts_on(
    chosen: Sequence[Claim],
    study: Study,
    results: Iterable[RunResult],
    conditions: Mapping[RunConfig, Condition],
    trivial: float | None = None,
) -> list[Verdict]:
    """Return the verdicts on some claims of a study, and run the checks that they need.

    Args:
        chosen: The claims.
        study: Their study.
        results: Its results so far; failed runs are left out.
        conditions: The condition of every run.
        trivial: What the best constant answer gets by the score that compares arms on this data. If it is known, that
            is what a diverged run scores, and claims on scores say how many runs learned.
    """
    runs: dict[Condition, dict[int, RunResult]] = {}
    for result in results:
        if result.state != "failed":
            runs.setdefault(conditions[result.config], {})[result.config.seed] = _as_scored(result, trivial)
    grid = _Grid(runs, dict(study.axes), trivial)
    return [_verdict_on(claim, grid) for claim in chosen]


def _verdict_on(claim: Claim, grid: _Grid) -> Verdict:
    if claim.not_testable:
        return Verdict(claim, "not testable", text=claim.not_testable)
    if not claim.check:
        found = _judge_runs(claim, grid)
        return _untimed(found) if _shares_time(claim, grid) else found
    measured = check.run_check(claim.check)
    if measured.holds is not None:
        return Verdict(claim, "exact" if measured.holds else "contradicted", text=measured.text)
    found = judge(claim, measured.values)
    return dataclasses.replace(found, text=f"{measured.text}; {found.text}")


def _as_scored(result: RunResult, trivial: float | None) -> RunResult:
    """The run, with the trivial score as the validation score of a diverged one: its weights give no answer.

    Versions before 0.2.0 recorded the share of the first class there.
    """
    if result.state != "diverged" or trivial is None:
        return result
    return dataclasses.replace(result, metrics={**result.metrics, default_of(score_of([result])): trivial})


def _judge_runs(claim: Claim, grid: _Grid) -> Verdict:
    """The verdict on all seeds; where some runs did not learn, the seeds whose runs all did must agree with it.

    Few runs that don't learn decide a mean and are easily missed, so they alone are no verdict on how an arm scores.
    Where most seeds have one, that is the effect itself, and all seeds are judged.
    """
    if other := _other_metric(claim, grid):
        advice = f"Give the claim a metric that they have, such as {other}."
        return Verdict(claim, "inconclusive", text=f"the runs have no {claim.metric}", advice=advice)
    seeds = _seed_values(claim, grid)
    found, learners = judge(claim, [seed.value for seed in seeds]), [seed.value for seed in seeds if not seed.dead]
    if len(learners) == len(seeds):
        return found
    text = f"{found.text}; {_dead_runs(seeds)}"
    if len(learners) < max(claim.min_seeds, len(seeds) / 2):
        return dataclasses.replace(found, text=text)
    others = judge(claim, learners)
    if others.verdict == found.verdict:
        return dataclasses.replace(found, text=text)
    text = f"{text}, in the others {others.text} ({others.verdict})"
    advice = "Runs that don't learn decide: compare how many learn."
    return dataclasses.replace(found, verdict="inconclusive", text=text, advice=advice)


def _other_metric(claim: Claim, grid: _Grid) -> str:
    """The metric that compares arms on this data, if no run has the claim's; empty if one has, or none is needed."""
    used = [run for at, runs in grid.runs.items() for run in runs.values() if needs(claim, at, run.config)]
    if not used or "metric" not in measures.parameters(claim.measure):
        return ""
    is_final = claim.measure in measures.AT_THE_END
    has_it = any(claim.metric in (run.metrics if is_final else run.history) for run in used)
    return "" if has_it else default_of(score_of(used))


def _dead_runs(seeds: Sequence[_Seed]) -> str:
    """In how many seeds a run did not learn, and of which side of the claim."""
    counts = Counter(name for seed in seeds for name in seed.dead)
    one, *others = counts
    of_one, of_each = (f" of {one}", "") if not others else ("", _of_each(counts))
    return f"in {sum(bool(seed.dead) for seed in seeds)} of {len(seeds)} seeds a run{of_one} did not learn{of_each}"


def _of_each(counts: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{count} of {name}' for name, count in counts.items())})"


def _shares_time(claim: Claim, grid: _Grid) -> bool:
    """Whether the claim measures seconds of runs that were not timed one by one."""
    used = (run for at, runs in grid.runs.items() for run in runs.values() if needs(claim, at, run.config))
    return claim.measure in measures.TIMED and any(run.engine != "keras" for run in used)


def _untimed(found: Verdict) -> Verdict:
    """The verdict if the seeds of a condition share one measured time, so that they have no spread."""
    text = f"about {found.value:.2g}, timed once for all {found.n} seeds" if found.value is not None else found.text
    advice = "Stacked runs share one timing: try --engine keras with a new --out."
    return Verdict(found.claim, "inconclusive", found.n, found.value, text=text, advice=advice)


@dataclass(frozen=True)
class _Grid:
    """Finished runs by condition and seed, the axes of their study, and what the best constant answer scores."""

    runs: Mapping[Condition, Mapping[int, RunResult]]
    axes: Mapping[str, Sequence[Value]]
    trivial: float | None = None

    def at(self, arm: str, where: Mapping[str, Value]) -> Mapping[int, RunResult]:
        """The runs of an arm by seed."""
        for condition, runs in self.runs.items():
            if condition.arm == arm and _is_at(condition, next(iter(runs.values())).config, where):
                return runs
        return {}


@dataclass(frozen=True)
class _Score:
    """The value of one side of a claim for a seed, and whether the runs behind it learned."""

    value: float
    learned: bool = True


@dataclass(frozen=True)
class _Seed:
    """The claim's value for a seed, and the sides whose runs behind it did not learn."""

    value: float
    dead: tuple[str, ...] = ()


def _seed_values(claim: Claim, grid: _Grid) -> list[_Seed]:
    """The claim's value for every seed for which all runs are finished."""
    own, *others = (_side_values(claim, arm, where, grid) for arm, where in claim.sides)
    compare = _difference if claim.compare == "difference" else _ratio
    found = []
    for seed in own:
        if all(seed in other for other in others):
            scores = [own[seed], *(other[seed] for other in others)]
            dead = (name for name, score in zip(claim.side_names, scores, strict=True) if not score.learned)
            value = compare(scores[0].value, scores[1].value) if others else scores[0].value
            found.append(_Seed(value, tuple(dead)))
    return found


def _side_values(claim: Claim, arm: str, where: Mapping[str, Value], grid: _Grid) -> dict[int, _Score]:
    """One value per seed for the arm or the baseline, at its best values and reduced along the axis of `across`."""
    if not claim.across:
        return _best_values(claim, arm, where, grid)
    along = list(grid.axes[claim.across])
    columns = [_best_values(claim, arm, {**where, claim.across: value}, grid) for value in along]
    reduce = measures.REDUCTIONS[claim.reduce]
    rows = {seed: [column[seed] for column in columns] for seed in columns[0] if all(seed in c for c in columns)}
    return {
        seed: _Score(reduce([score.value for score in row], along), all(score.learned for score in row))
        for seed, row in rows.items()
    }


def _best_values(claim: Claim, arm: str, where: Mapping[str, Value], grid: _Grid) -> dict[int, _Score]:
    """One value per seed; on axes whose value is `best`, where the arm's mean or median over seeds is best."""
    free = [name for name, value in where.items() if value == BEST]
    found = []
    for values in itertools.product(*(grid.axes[name] for name in free)):
        at = {**where, **dict(zip(free, values, strict=True))}
        if runs := _run_values(claim, grid.at(arm, at), grid.trivial):
            found.append(runs)
    pick = min if measures.lower_is_better(claim.measure, claim.metric) else max
    return pick(found, key=lambda runs: typical(claim, [score.value for score in runs.values()]), default={})


def _run_values(claim: Claim, runs: Mapping[int, RunResult], trivial: float | None) -> dict[int, _Score]:
    measure = measures.REGISTRY[claim.measure]
    settings = {key: getattr(claim, key) for key in measures.parameters(claim.measure)}
    tells = claim.measure in measures.SCORES and _is_score(claim.metric)
    return {
        seed: _Score(measure(run, **settings), not tells or trivial is None or has_learned(run, trivial, claim.metric))
        for seed, run in runs.items()
    }


def _is_score(metric: str) -> bool:
    """Whether a metric says how well the whole network answers, which a run that did not learn decides."""
    known = METRICS[metric]
    return known.score in SCORES and known.part != "fit"


def _difference(own: float, other: float) -> float:
    """Arm minus baseline; 0 also if both are infinite."""
    return 0.0 if own == other else own - other


def _ratio(own: float, other: float) -> float:
    """Arm divided by baseline; 1 if they are equal, also if both are 0 or infinite."""
    if own == other:
        return 1.0
    return own / other if other else math.inf
