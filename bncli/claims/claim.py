"""Published claims, and the verdicts that stored runs give on them.

A claim stands in a study file as a table `[[claims]]`. What it says is tested by a measure over paired seeds, by an
exact check, or not at all, with the reason. The rules of the verdicts are in `judge`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bncli.claims import check, measures
from bncli.errors import BncliError, InvalidConfig
from bncli.registry import check_name
from bncli.study.study import Study
from bncli.tasks.metrics import HISTORY_METRICS, METRICS
from bncli.values import Value, show

EXPECTATIONS = ("above", "below", "published")

COMPARISONS = ("difference", "ratio")

BEST = "best"
"""In `where`: the value of the axis at which the arm does best, chosen for each arm by itself."""


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
            return f"check {self.check}: {check.REGISTRY.description(self.check)}"
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


def _side(arm: str, where: Mapping[str, Value]) -> str:
    return " ".join([arm, *(f"{name}={show(value)}" for name, value in where.items())])


_FIELDS = {item.name: item for item in dataclasses.fields(Claim)}

_NUMBERS = ("published_value", "threshold", "reference", "at_least", "at_most")

_WHOLE = {"number": 1, "last": 1, "min_seeds": 2}

_TABLES = ("where", "baseline_where")


def parse_claims(study: Study) -> tuple[Claim, ...]:
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
        check_name("check", claim.check, check.REGISTRY)
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
    check_name("metric", claim.metric, METRICS)
    check_name("metric", claim.minus, METRICS)
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
