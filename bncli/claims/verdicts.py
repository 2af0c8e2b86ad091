"""What stored runs say on claims."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bncli.claims import check, measures
from bncli.claims.claim import BEST, Claim, parse_claims
from bncli.claims.judgement import Verdict, judge, typical
from bncli.config import RunConfig
from bncli.results import RunResult
from bncli.study.study import Condition, Study
from bncli.values import Value

CHECKED_ELSEWHERE = "a check, not a matter of these runs: bncli verify makes it"


def takes(claim: Claim, condition: Condition) -> bool:
    """Whether the claim is measured on runs of this condition."""
    if not claim.measure:
        return False
    sides = [(claim.arm, claim.where)]
    if claim.compares:
        sides.append((claim.baseline or claim.arm, {**claim.where, **claim.baseline_where}))
    return any(
        condition.arm == arm
        and all(value is None or where.get(name, BEST) in (value, BEST) for name, value in condition.values)
        for arm, where in sides
    )


def verdicts(study: Study, results: Iterable[RunResult], conditions: Mapping[RunConfig, Condition]) -> list[Verdict]:
    """Judge the claims of a study by its runs; those that take a check, and maybe TensorFlow, are `skipped`.

    Args:
        study: The study with its claims.
        results: Its results so far.
        conditions: The condition of every run.
    """
    known = parse_claims(study)
    judged = verdicts_on([claim for claim in known if not claim.check], study, results, conditions)
    found = {verdict.claim.id: verdict for verdict in judged}
    return [found.get(claim.id) or Verdict(claim, "skipped", text=CHECKED_ELSEWHERE) for claim in known]


def verdicts_on(
    chosen: Sequence[Claim], study: Study, results: Iterable[RunResult], conditions: Mapping[RunConfig, Condition]
) -> list[Verdict]:
    """Judge some claims of a study, and run the checks that they take."""
    runs: dict[Condition, dict[int, RunResult]] = {}
    for result in results:
        if result.state != "failed":
            runs.setdefault(conditions[result.config], {})[result.config.seed] = result
    grid = _Grid(runs, dict(study.axes))
    return [_verdict_on(claim, grid) for claim in chosen]


def _verdict_on(claim: Claim, grid: _Grid) -> Verdict:
    if claim.not_testable:
        return Verdict(claim, "not testable", text=claim.not_testable)
    if not claim.check:
        found = judge(claim, _seed_values(claim, grid))
        return _untimed(found) if _shares_time(claim, grid) else found
    measured = check.run_check(claim.check)
    if measured.holds is not None:
        return Verdict(claim, "exact" if measured.holds else "contradicted", text=measured.text)
    found = judge(claim, measured.values)
    return dataclasses.replace(found, text=f"{measured.text}; {found.text}")


def _shares_time(claim: Claim, grid: _Grid) -> bool:
    """Whether the claim is about seconds, and of runs that were not timed one by one."""
    used = (run for at, runs in grid.runs.items() if takes(claim, at) for run in runs.values())
    return claim.measure in measures.TIMED and any(run.engine != "keras" for run in used)


def _untimed(found: Verdict) -> Verdict:
    """The verdict where the seeds of a condition share one measured time, so that their spread tells nothing."""
    text = f"about {found.value:.2g}, timed once for all {found.n} seeds" if found.value is not None else found.text
    advice = "Runs that train together share one time: try --engine keras and a new --out."
    return Verdict(found.claim, "inconclusive", found.n, found.value, text=text, advice=advice)


@dataclass(frozen=True)
class _Grid:
    """Finished runs by condition and seed, and the axes that the conditions stand on."""

    runs: Mapping[Condition, Mapping[int, RunResult]]
    axes: Mapping[str, Sequence[Value]]

    def at(self, arm: str, where: Mapping[str, Value]) -> Mapping[int, RunResult]:
        """The runs of an arm at a point, by seed; an axis that is void on the arm is met by any value."""
        for condition, runs in self.runs.items():
            meets = (value is None or value == where[name] for name, value in condition.values)
            if condition.arm == arm and all(meets):
                return runs
        return {}


def _seed_values(claim: Claim, grid: _Grid) -> tuple[float, ...]:
    """The claim's number for every seed that has all the runs which it needs."""
    own = _side_values(claim, claim.arm, claim.where, grid)
    if not claim.compares:
        return tuple(own.values())
    other = _side_values(claim, claim.baseline or claim.arm, {**claim.where, **claim.baseline_where}, grid)
    compare = _difference if claim.compare == "difference" else _ratio
    return tuple(compare(own[seed], other[seed]) for seed in own if seed in other)


def _side_values(claim: Claim, arm: str, where: Mapping[str, Value], grid: _Grid) -> dict[int, float]:
    """One number a seed for an arm at a point, best values looked up, reduced along the axis of `across`."""
    if BEST in where.values():
        return _best_values(claim, arm, where, grid)
    if not claim.across:
        return _run_values(claim, grid.at(arm, where))
    along = list(grid.axes[claim.across])
    columns = [_run_values(claim, grid.at(arm, {**where, claim.across: value})) for value in along]
    reduce = measures.REDUCTIONS[claim.reduce]
    seeds = [seed for seed in columns[0] if all(seed in column for column in columns)]
    return {seed: reduce([column[seed] for column in columns], along) for seed in seeds}


def _best_values(claim: Claim, arm: str, where: Mapping[str, Value], grid: _Grid) -> dict[int, float]:
    """One number a seed at the point at which the arm does best by the typical value of all its seeds."""
    free = [name for name, value in where.items() if value == BEST]
    found = []
    for values in itertools.product(*(grid.axes[name] for name in free)):
        at = {**where, **dict(zip(free, values, strict=True))}
        if runs := _run_values(claim, grid.at(arm, at)):
            found.append(runs)
    pick = min if measures.lower_is_better(claim.measure, claim.metric) else max
    return pick(found, key=lambda runs: typical(claim, list(runs.values())), default={})


def _run_values(claim: Claim, runs: Mapping[int, RunResult]) -> dict[int, float]:
    measure = measures.REGISTRY[claim.measure]
    settings = {key: getattr(claim, key) for key in measures.parameters(claim.measure)}
    return {seed: measure(result, **settings) for seed, result in runs.items()}


def _difference(own: float, other: float) -> float:
    """Arm minus baseline; where neither ever got there, they are alike."""
    return 0.0 if own == other else own - other


def _ratio(own: float, other: float) -> float:
    """Arm through baseline; where neither ever got there, they are alike."""
    if own == other:
        return 1.0
    return own / other if other else math.inf
