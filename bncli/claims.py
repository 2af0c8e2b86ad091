"""Published claims, and the verdicts that stored runs give on them.

A claim stands in a study file as a table `[[claims]]`. What it says is tested by a measure over paired seeds, by an
exact check, or not at all, with the reason. The rules of the verdicts are in `judge`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bncli import checks, measures
from bncli.config import RunConfig, Value
from bncli.errors import BncliError, InvalidConfig
from bncli.registry import check_name
from bncli.results import HISTORY_METRICS, LOWER_IS_BETTER, RunResult
from bncli.stats import MIN_MEDIAN, Interval, bootstrap_interval
from bncli.study import Condition, Study, show

VERDICTS = (
    "reproduced",
    "direction only",
    "not reproduced",
    "contradicted",
    "exact",
    "inconclusive",
    "not testable",
    "skipped",
)
UNMET = ("contradicted", "not reproduced")
"""The verdicts that `verify --strict` does not let pass."""

EXPECTATIONS = ("above", "below", "published")
COMPARISONS = ("difference", "ratio")
BEST = "best"
"""In `where`: the value of the axis at which the arm does best, chosen for each arm by itself."""

TAIL = 0.01
"""A published value is plausible between this quantile of the seeds and the opposite one."""

ROUNDING = 1e-9
"""What float64 may add to a difference of equal decimals."""

POWER = 0.8
"""How surely the seeds that an advice names would show the effect."""

ENOUGH = 20
"""From so many seeds on, their own range says what one more run may score."""

CHECKED_ELSEWHERE = "a check, not a matter of these runs: bncli verify makes it"

NO_VALUE = "A diverged run has no loss, and never minus never is nothing: try another metric or measure."

SMALL = 0.005
"""Where no seed differs by more than this, three decimals would tell nothing."""

MAX_ADVICE = 10_000
"""More seeds than this are no advice."""


@dataclass(frozen=True)
class Claim:
    """A published statement and how it is tested. Every field is a key of a study file's `[[claims]]`.

    Attributes:
        id: Short name, unique in its study.
        statement: What is claimed, in one sentence.
        number: Its number among the claims that bncli ships; None for others.
        source: Who says so.
        link: Where; the study's own source if not given, empty for nowhere.
        published: The figure as the source prints it.
        published_value: The figure as a number of the measure's unit.
        measure: A measure's name; empty where a check tests the claim, or nothing does.
        metric: The metric that is measured.
        minus: The metric that measure `gap` takes away.
        threshold: The value of the metric that counts as reached.
        last: How many of the last epochs are averaged.
        arm: The arm that is measured.
        where: Axis to value; `best` picks the value at which the arm does best.
        baseline: The arm that it is compared with, seed by seed; empty for none.
        baseline_where: The same as `where` for the baseline; what it does not name is as in `where`.
        compare: `difference` (arm minus baseline) or `ratio` (arm through baseline).
        across: An axis whose values together give one number a seed.
        reduce: The reduction over that axis.
        expect: `above` or `below` the reference; `published`: the published value lies among the seeds.
        reference: What the measured value is held against.
        at_least: Lower end of a band that the value is to lie in.
        at_most: Upper end of that band.
        check: The name of an exact check.
        not_testable: Why the claim can't be tested.
        min_seeds: Below this many seeds the verdict is `inconclusive`.
        note: In what the settings differ from the source, and what the measure leaves open.
    """

    id: str
    statement: str
    number: int | None = None
    source: str = ""
    link: str = ""
    published: str = ""
    published_value: float | None = None
    measure: str = ""
    metric: str = "val_accuracy"
    minus: str = "accuracy"
    threshold: float = math.nan
    last: int = 1
    arm: str = ""
    where: Mapping[str, Value] = field(default_factory=dict)
    baseline: str = ""
    baseline_where: Mapping[str, Value] = field(default_factory=dict)
    compare: str = "difference"
    across: str = ""
    reduce: str = "slope"
    expect: str = ""
    reference: float = 0.0
    at_least: float = -math.inf
    at_most: float = math.inf
    check: str = ""
    not_testable: str = ""
    min_seeds: int = 5
    note: str = ""

    @property
    def is_band(self) -> bool:
        """Whether the value is expected between two ends."""
        return self.at_least > -math.inf or self.at_most < math.inf

    @property
    def compares(self) -> bool:
        """Whether two conditions are set against each other."""
        return bool(self.baseline or self.baseline_where)

    @property
    def statistic(self) -> Literal["mean", "median"]:
        """What stands for all seeds: the median where a value may be infinite, else the mean."""
        return "median" if {self.measure, self.across and self.reduce} & set(measures.CENSORED) else "mean"

    def test(self) -> str:
        """Say in one line how the claim is tested."""
        if self.not_testable:
            return f"not testable: {self.not_testable}"
        if self.check:
            return f"check {self.check}: {checks.REGISTRY.description(self.check)}"
        return f"{self._measured()}, expected {self._expected()}"

    def _measured(self) -> str:
        unit = self.metric if "metric" in measures.parameters(self.measure) else ""
        past = f" to {self.threshold:g}" if "threshold" in measures.parameters(self.measure) else ""
        minus = f" minus {self.minus}" if self.measure == "gap" else ""
        along = f", {self.reduce} over {self.across}" if self.across else ""
        sides = _side(self.arm, self.where)
        if self.compares:
            other = _side(self.baseline or self.arm, {**self.where, **self.baseline_where})
            sides = f"{sides} {'minus' if self.compare == 'difference' else 'through'} {other}"
        return f"{self.measure} {unit}{past}{minus}{along}: {sides}".replace("  ", " ").replace(" :", ":")

    def _expected(self) -> str:
        if self.expect == "published":
            return f"{self.published_value:g} among the seeds"
        if self.is_band:
            ends = [f"at least {self.at_least:g}"] * (self.at_least > -math.inf)
            return " and ".join(ends + [f"at most {self.at_most:g}"] * (self.at_most < math.inf))
        return f"{self.expect} {self.reference:g}"


@dataclass(frozen=True)
class Verdict:
    """What the runs say on a claim.

    Attributes:
        claim: The claim.
        verdict: One of `VERDICTS`.
        n: Seeds, or pairs of seeds, behind it.
        value: The mean (or median) over seeds; None where nothing was measured.
        low: Lower end of its 95 % interval.
        high: Upper end.
        text: What was measured, in one line.
        advice: How many more seeds would settle it, or how to get what is missing; may be empty.
    """

    claim: Claim
    verdict: str
    n: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    text: str = ""
    advice: str = ""

    @property
    def measured(self) -> str:
        """What was measured, and the advice, as sentences without the last full stop."""
        return ". ".join(part.rstrip(".") for part in (self.text, self.advice) if part)


def _side(arm: str, where: Mapping[str, Value]) -> str:
    return " ".join([arm, *(f"{name}={show(value)}" for name, value in where.items())])


_FIELDS = {item.name: item for item in dataclasses.fields(Claim)}
_NUMBERS = ("published_value", "threshold", "reference", "at_least", "at_most")
_WHOLE = {"number": 1, "last": 1, "min_seeds": 2}
_TABLES = ("where", "baseline_where")


def parse(study: Study) -> tuple[Claim, ...]:
    """Read and check the claims of a study.

    Raises:
        UnknownName: A key, measure, metric, arm or axis that does not exist.
        InvalidConfig: A value of the wrong type, a claim without a test or with two, an id that is given twice.
    """
    found: list[Claim] = []
    for place, content in enumerate(study.claims, 1):
        name = repr(content.get("id", f"number {place}"))
        try:
            claim = _claim({"link": study.source, **content})
            _check_test(claim, set(content))
            if claim.measure:
                _check_sides(claim, study)
        except BncliError as error:
            raise type(error)(f"Claim {name} of study {study.name!r}: {error}") from error
        found.append(claim)
    ids = [claim.id for claim in found]
    for repeated in (name for name in ids if ids.count(name) > 1):
        raise InvalidConfig(f"Study {study.name!r} has two claims of the id {repeated!r}. Give each its own.")
    return tuple(found)


def _claim(content: Mapping[str, Any]) -> Claim:
    """Build a claim from its table, the types checked."""
    for key, value in content.items():
        check_name("key", key, _FIELDS)
        _check_type(key, value)
    missing = [key for key in ("id", "statement") if not content.get(key)]
    if missing:
        raise InvalidConfig(f"{missing[0]} is missing. A claim needs an id and a statement.")
    floats = {key: float(content[key]) for key in _NUMBERS if key in content}
    return Claim(**{**content, **floats})


def _check_type(key: str, value: Any) -> None:
    if key in _NUMBERS:
        allowed, good = "a number", isinstance(value, int | float) and not isinstance(value, bool)
        good = good and math.isfinite(value)
    elif key in _WHOLE:
        allowed, good = f"a whole number from {_WHOLE[key]}", type(value) is int and value >= _WHOLE[key]
    elif key in _TABLES:
        scalars = (str, int, float, bool)
        allowed = "a table of axes and values, e.g. { lr = 0.01 }"
        good = isinstance(value, dict) and all(isinstance(item, scalars) for item in value.values())
    else:
        allowed, good = "text", isinstance(value, str)
    if not good:
        raise InvalidConfig(f"{key} must be {allowed}. Received: {value!r}.")


def _check_test(claim: Claim, given: set[str]) -> None:
    """Raise unless the claim is tested in exactly one way, by keys that fit together."""
    ways = [key for key in ("measure", "check", "not_testable") if getattr(claim, key)]
    if len(ways) != 1:
        raise InvalidConfig(
            f"Needs exactly one of measure, check and not_testable. Received: {', '.join(ways) or 'none'}."
        )
    if claim.check:
        check_name("check", claim.check, checks.REGISTRY)
    expected = bool(claim.expect) + claim.is_band
    if expected > 1 or (claim.measure and not expected):
        raise InvalidConfig("Needs one expectation: expect = above, below or published; or at_least, at_most or both.")
    if claim.expect:
        check_name("expect", claim.expect, EXPECTATIONS)
    if claim.expect == "published" and claim.published_value is None:
        raise InvalidConfig("expect = 'published' needs published_value, the figure as a number.")
    if claim.at_least > claim.at_most:
        raise InvalidConfig(f"at_least {claim.at_least:g} is more than at_most {claim.at_most:g}.")
    _check_keys(claim, given)


_MEASURED = ("metric", "minus", "threshold", "last")
_NEEDED = {"threshold": "the value of the metric that counts as reached"}


def _check_keys(claim: Claim, given: set[str]) -> None:
    """Raise for a key that the measure does not obey, or needs and lacks."""
    obeyed = measures.parameters(claim.measure) if claim.measure else ()
    for key in [key for key in _MEASURED if key in given and key not in obeyed]:
        raise InvalidConfig(f"{key} has no effect on {f'measure {claim.measure!r}' if claim.measure else 'a check'}.")
    for key in [key for key in obeyed if key in _NEEDED and key not in given]:
        raise InvalidConfig(f"Measure {claim.measure!r} needs {key}: {_NEEDED[key]}.")
    if not claim.measure:
        return
    check_name("compare", claim.compare, COMPARISONS)
    check_name("reduce", claim.reduce, measures.REDUCTIONS)
    check_name("metric", claim.metric, LOWER_IS_BETTER)
    check_name("metric", claim.minus, LOWER_IS_BETTER)
    if claim.measure not in ("final", "gap", "learned"):
        check_name("metric with a history", claim.metric, HISTORY_METRICS)
    if "compare" in given and not claim.compares:
        raise InvalidConfig("compare has no effect without a baseline or a baseline_where.")
    if "reduce" in given and not claim.across:
        raise InvalidConfig("reduce has no effect without across, the axis to reduce.")


def _check_sides(claim: Claim, study: Study) -> None:
    """Raise unless arm, baseline and the places on the axes are in the study."""
    axes, labels = dict(study.axes), [arm.label for arm in study.arms]
    check_name("arm", claim.arm, labels)
    if claim.baseline:
        check_name("baseline", claim.baseline, labels)
    if claim.across:
        check_name("axis in across", claim.across, axes)
    for name, value in [*claim.where.items(), *claim.baseline_where.items()]:
        check_name("axis", name, axes)
        if value != BEST and value not in axes[name]:
            shown = ", ".join(map(show, axes[name]))
            raise InvalidConfig(f"The axis {name} has no value {show(value)}. Allowed: {shown}, or {BEST}.")
    for name in axes:
        if (name in claim.where) == (name == claim.across):
            other = "not both" if name == claim.across else f"or across = '{name}'"
            raise InvalidConfig(f"The study varies {name}: give where = {{ {name} = VALUE }} {other}.")
    if claim.across:
        _check_across(claim, axes[claim.across])


def _check_across(claim: Claim, along: Sequence[Value]) -> None:
    """Raise unless the axis can be reduced, and nothing else picks a value of it."""
    if claim.across in claim.baseline_where:
        raise InvalidConfig(f"{claim.across} is reduced by across and can't be in baseline_where too.")
    if BEST in (*claim.where.values(), *claim.baseline_where.values()):
        raise InvalidConfig(f"{BEST!r} and across can't go together: the best place would be another at each value.")
    if claim.reduce in measures.POSITIVE and not all(isinstance(value, int | float) and value > 0 for value in along):
        shown = ", ".join(map(show, along))
        raise InvalidConfig(f"reduce = '{claim.reduce}' takes an axis of numbers above 0. {claim.across} has {shown}.")
    if len(along) < 2:
        raise InvalidConfig(f"across takes an axis of two or more values. {claim.across} has {show(along[0])} only.")


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
    known = parse(study)
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
    measured = checks.run(claim.check)
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
    return pick(found, key=lambda runs: _typical(claim, list(runs.values())), default={})


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


def judge(claim: Claim, values: Sequence[float]) -> Verdict:
    """Give the verdict on a claim from one value a seed.

    A direction (`expect` above or below): `reproduced` if the 95 % interval lies on the claimed side of the reference
    and a published value, if there is one, among the seeds (see `_plausible`); `direction only` if it does not lie
    there; `not reproduced` if the interval holds the reference; `contradicted` if it lies on the other side.
    `expect = "published"`: `reproduced` if the published value lies among the seeds, else `not reproduced`. A band:
    `reproduced` if the interval lies in it, `contradicted` if it lies outside, `inconclusive` if it straddles an end.
    Too few seeds, or seeds without a value: `inconclusive`.
    """
    if not (claim.expect or claim.is_band):
        raise InvalidConfig(f"Claim {claim.id!r} measures numbers and needs an expectation to judge them by.")
    n, n_void = len(values), sum(map(math.isnan, values))
    if not n:
        return Verdict(claim, "inconclusive", text="no finished runs", advice=_missing_seeds(claim, 0, claim.min_seeds))
    if n_void:
        return Verdict(claim, "inconclusive", n, text=f"{n_void} of {n} seeds have no value", advice=NO_VALUE)
    statistic = _statistic(claim, values)
    value, interval = _typical(claim, values), bootstrap_interval(values, statistic)
    needed = claim.min_seeds if statistic == "mean" else max(claim.min_seeds, MIN_MEDIAN)
    if n < needed:
        verdict, advice = "inconclusive", _missing_seeds(claim, n, needed)
    elif math.isnan(interval.low):
        verdict, advice = "inconclusive", NO_VALUE
    else:
        verdict, advice = _decide(claim, values, value, interval)
    return Verdict(claim, verdict, n, value, *interval, _text(claim, values, value, interval, statistic), advice)


def _decide(claim: Claim, values: Sequence[float], value: float, interval: Interval) -> tuple[str, str]:
    if claim.expect == "published":
        return ("reproduced" if _is_among(claim.published_value, values) else "not reproduced"), ""
    if claim.is_band:
        return _decide_band(claim, values, value, interval)
    side = 1 if claim.expect == "above" else -1
    low, high = sorted(side * (end - claim.reference) for end in interval)
    if high < 0:
        return "contradicted", ""
    if low <= 0:
        return "not reproduced", _power_advice(claim, values)
    is_as_published = claim.published_value is None or _is_among(claim.published_value, values)
    return ("reproduced" if is_as_published else "direction only"), ""


def _decide_band(claim: Claim, values: Sequence[float], value: float, interval: Interval) -> tuple[str, str]:
    if claim.at_least <= interval.low and interval.high <= claim.at_most:
        return "reproduced", ""
    if interval.high < claim.at_least or interval.low > claim.at_most:
        return "contradicted", ""
    needed = _needed(min(abs(value - end) for end in (claim.at_least, claim.at_most)), values)
    if not all(map(math.isfinite, values)):
        return "inconclusive", "Some seeds never get there, and how many would settle it can't be told."
    if needed > MAX_ADVICE:
        return "inconclusive", "The value stands at the edge of the band: more seeds would hardly settle it."
    return "inconclusive", f"About {_more_seeds(max(1, needed - len(values)))} would settle it."


def _power_advice(claim: Claim, values: Sequence[float]) -> str:
    """Say how many seeds would find the published effect, if there is one."""
    effect = 0.0 if claim.published_value is None else abs(claim.published_value - claim.reference)
    if not effect or not all(map(math.isfinite, values)):
        return ""
    needed = max(_needed(effect, values), claim.min_seeds)
    if needed <= len(values):
        return f"An effect as published would have shown with {needed} seeds."
    if needed > MAX_ADVICE:
        return "The published effect is too small against the spread of seeds to be found."
    return f"About {_more_seeds(needed - len(values))} would show an effect as published."


def _needed(effect: float, values: Sequence[float]) -> int:
    """Seeds that find an effect at 5 % (two-sided) with a power of 80 %, by Student's t; many if none do."""
    import numpy as np
    from scipy.special import stdtrit

    if not all(map(math.isfinite, values)) or len(values) < 2:
        return 2 * MAX_ADVICE
    n = np.arange(2, MAX_ADVICE + 1)
    reach = (stdtrit(n - 1, 0.975) + stdtrit(n - 1, POWER)) * np.std(values, ddof=1) / np.sqrt(n)
    return int(n[reach <= effect][0]) if (reach <= effect).any() else 2 * MAX_ADVICE


def _missing_seeds(claim: Claim, n: int, needed: int) -> str:
    lacking = max(needed - n, 1)
    return f"{_more_seeds(lacking)} {'is' if lacking == 1 else 'are'} needed: a verdict takes {needed}."


def _more_seeds(number: int) -> str:
    return f"{number} more {'seed' if number == 1 else 'seeds'}"


def _is_among(published: float | None, values: Sequence[float]) -> bool:
    low, high = _plausible(values)
    return published is not None and low - ROUNDING <= published <= high + ROUNDING


def _plausible(values: Sequence[float]) -> tuple[float, float]:
    """The 1 % and 99 % quantiles of one more run: those of the seeds.

    Below `ENOUGH` finite seeds, whose range leaves out many a run of the same kind (half of them at n = 3), those of
    the t distribution that predicts one more value of a normal sample.
    """
    import numpy as np
    from scipy.special import stdtrit

    n = len(values)
    if n >= ENOUGH or n < 2 or not all(map(math.isfinite, values)):
        return _range(values)
    reach = stdtrit(n - 1, 1 - TAIL) * float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / n)
    return float(np.mean(values)) - reach, float(np.mean(values)) + reach


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The 1 % and 99 % quantiles, each a value that occurs, so that infinity is no trouble."""
    import numpy as np

    low, high = np.quantile(values, (TAIL, 1 - TAIL), method="inverted_cdf").tolist()
    return low, high


def _statistic(claim: Claim, values: Sequence[float]) -> Literal["mean", "median"]:
    """What stands for all seeds: the claim's statistic, but the median where a value is infinite."""
    return claim.statistic if all(map(math.isfinite, values)) else "median"


def _typical(claim: Claim, values: Sequence[float]) -> float:
    """The value that stands for all seeds."""
    import numpy as np

    return float(np.mean(values) if _statistic(claim, values) == "mean" else statistics.median(values))


def _text(claim: Claim, values: Sequence[float], value: float, interval: Interval, statistic: str) -> str:
    """What was measured in one line: `mean difference +0.018 [+0.014, +0.021], n = 30, seeds -0.01 to +0.04`."""
    known = [abs(number) for number in values if math.isfinite(number)]
    is_whole = all(number == round(2 * number) / 2 for number in known)
    decimals = 3 if max(known, default=1.0) >= SMALL else 6

    def spell(number: float) -> str:
        if math.isnan(number):
            return "-"
        if math.isinf(number) and not claim.compares:
            return "never"
        sign = "+" if claim.compares and claim.compare == "difference" else ""
        text = f"{number:{sign}.4g}" if is_whole or abs(number) >= 10 else f"{number:{sign}.{decimals}f}"
        return text if float(text) else text.lstrip("+-")

    what = f"{statistic} {claim.compare}" if claim.compares else statistic
    ends = "" if math.isnan(interval.low) else " [{}, {}]".format(*map(spell, interval))
    span = f", seeds {' to '.join(map(spell, _range(values)))}" if len(values) > 1 else ""
    held = sum(claim.at_least <= number <= claim.at_most for number in values)
    inside = f", {held} of them in the band" if claim.is_band else ""
    return f"{what} {spell(value)}{ends}, n = {len(values)}{span}{inside}"
