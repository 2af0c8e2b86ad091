"""What a claim is, and how claims are read from the `[[claims]]` tables of a study file.

A claim is tested by a measure over paired seeds, by a check, or not at all, with the reason; `judgement` has the rules.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bncli.claims import check, measures
from bncli.config import FIELDS
from bncli.errors import BncliError, InvalidConfig, shown
from bncli.registry import check_name
from bncli.study.study import Study
from bncli.tasks.metrics import HISTORY_METRICS, METRICS
from bncli.values import Value, is_finite, show

EXPECTATIONS = ("above", "below", "published")

MIN_SEEDS = 6
"""The fewest seeds of a verdict, unless a claim asks for others. With fewer, neither a sign-flip test nor a sign test
can have a p-value below 0.05: 2 / 2**6 = 0.03."""

COMPARISONS = ("difference", "ratio")

BEST = "best"
"""A value of `where`: the value of the axis at which the arm does best, chosen for each arm separately."""


@dataclass(frozen=True)
class Claim:
    """A published statement and how it is tested; each field is a key of a `[[claims]]` table.

    >>> claim = Claim("better", "BN is better.", measure="final", arm="batch", baseline="none", expect="above")
    >>> claim.test()
    'final val_accuracy: batch minus none, expected above 0'

    Attributes:
        id: Short name, unique in its study.
        statement: What is claimed, in one sentence.
        number: Its number among the claims that bncli ships; None for others.
        source: The author or title that it is quoted from.
        link: The address of the source; by default the study's `source`, empty for none.
        published: The figure as the source prints it.
        published_value: The figure as a number, in the unit of the measure.
        measure: A measure's name; empty if a check tests the claim, or if it can't be tested.
        metric: The metric that is measured.
        minus: The metric that measure `gap` subtracts.
        threshold: The value of the metric that a run must reach.
        last: How many of the last epochs are averaged.
        arm: The arm that is measured.
        where: Axis to value; `best` is the value at which the arm does best.
        baseline: The arm that it is compared with, seed by seed; empty for no comparison with another arm.
        baseline_where: Axis to value for the baseline; the axes that it omits are as in `where`.
        compare: `difference` (arm minus baseline) or `ratio` (arm divided by baseline).
        across: An axis over whose values the measured numbers are reduced to one number per seed.
        reduce: The reduction over that axis.
        expect: `above` or `below` the reference, or `published`: where one more run is expected.
        reference: The number that the measured value is compared with.
        at_least: Lower end of the band in which the value is expected; with `expect = "published"`, of a published
            range.
        at_most: Upper end of that band.
        margin: The smallest effect that counts, as a distance from the reference; for a level, how far the range of
            one more run may reach from its middle. See `smallest_effect` for the default.
        transfers_from: The setting that the claim was made for, if it is another one.
        check: The name of the check that tests the claim.
        not_testable: Why the claim can't be tested.
        min_seeds: With fewer seeds the verdict is `inconclusive`.
        note: How the settings differ from the source, and what the measure leaves open.
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
    margin: float = 0.0
    transfers_from: str = ""
    check: str = ""
    not_testable: str = ""
    min_seeds: int = MIN_SEEDS
    note: str = ""

    @property
    def is_band(self) -> bool:
        """Whether the value is expected in a band."""
        return self.at_least > -math.inf or self.at_most < math.inf

    @property
    def has_published_range(self) -> bool:
        """Whether a published figure is compared with the seeds."""
        return self.expect == "published" or (bool(self.expect) and self.published_value is not None)

    @property
    def published_range(self) -> tuple[float, float]:
        """Both ends of the published figure: equal for a number, apart for what was read off a plot."""
        if self.published_value is None:
            return self.at_least, self.at_most
        return self.published_value, self.published_value

    @property
    def smallest_effect(self) -> float:
        """The distance from the reference from which an effect counts: the margin, else half the published effect.

        0 without either: every effect counts.
        """
        if self.margin or self.published_value is None:
            return self.margin
        return abs(self.published_value - self.reference) / 2

    @property
    def compares(self) -> bool:
        """Whether two conditions are compared."""
        return bool(self.baseline or self.baseline_where)

    @property
    def statistic(self) -> Literal["mean", "median"]:
        """The statistic over seeds: the median if a value may be infinite, else the mean."""
        return "median" if {self.measure, self.across and self.reduce} & set(measures.CENSORED) else "mean"

    @property
    def sides(self) -> list[tuple[str, Mapping[str, Value]]]:
        """The arm with its `where`, and for a comparison also the baseline with its own."""
        own: list[tuple[str, Mapping[str, Value]]] = [(self.arm, self.where)]
        if self.compares:
            own.append((self.baseline or self.arm, {**self.where, **self.baseline_where}))
        return own

    @property
    def side_names(self) -> list[str]:
        """Names that tell the sides apart: the arms, or one arm with its values of the axes on which they differ."""
        axes = self.baseline_where if self.baseline in ("", self.arm) else {}
        return [_side(arm, {name: where[name] for name in axes}) for arm, where in self.sides]

    def test(self) -> str:
        """Return one line that says how the claim is tested."""
        if self.not_testable:
            return f"not testable: {self.not_testable}"
        if self.check:
            return f"check {self.check}: {check.REGISTRY.description(self.check)}"
        other = f"; claimed for {self.transfers_from}" if self.transfers_from else ""
        return f"{self._measured()}, expected {self._expected()}{other}"

    def _measured(self) -> str:
        unit = self.metric if "metric" in measures.parameters(self.measure) else ""
        past = f" to {self.threshold:g}" if "threshold" in measures.parameters(self.measure) else ""
        minus = f" minus {self.minus}" if self.measure == "gap" else ""
        along = f", {self.reduce} over {self.across}" if self.across else ""
        compared = " minus " if self.compare == "difference" else " divided by "
        sides = compared.join(_side(*side) for side in self.sides)
        return f"{self.measure} {unit}{past}{minus}{along}: {sides}".replace("  ", " ").replace(" :", ":")

    def _expected(self) -> str:
        if self.expect == "published":
            low, high = self.published_range
            return f"{low:g} where one more run is" if low == high else f"{low:g} to {high:g} where one more run is"
        if self.is_band:
            ends = [f"at least {self.at_least:g}"] * (self.at_least > -math.inf)
            return " and ".join(ends + [f"at most {self.at_most:g}"] * (self.at_most < math.inf))
        by = f" by {self.margin:g} or more" if self.margin else ""
        return f"{self.expect} {self.reference:g}{by}"


def _side(arm: str, where: Mapping[str, Value]) -> str:
    return " ".join([arm, *(f"{name}={show(value)}" for name, value in where.items())])


_FIELDS = {item.name: item for item in dataclasses.fields(Claim)}

_NUMBERS = ("published_value", "threshold", "reference", "at_least", "at_most", "margin")

_WHOLE = {"number": 1, "last": 1, "min_seeds": 2}

_TABLES = ("where", "baseline_where")


def parse_claims(study: Study) -> tuple[Claim, ...]:
    """Return the claims of a study, after checking them.

    Raises:
        UnknownName: There is no such key, measure, metric, arm or axis.
        InvalidConfig: A value has the wrong type, a claim has no test or more than one, or two have the same id.
    """
    found: list[Claim] = []
    for place, content in enumerate(study.claims, 1):
        name = shown(content.get("id", f"number {place}"))
        try:
            claim = _claim({"link": study.source, **content})
            _check_test(claim, set(content))
            if claim.measure:
                claim = _with_values(claim)
                _check_sides(claim, study)
        except BncliError as error:
            raise type(error)(f"Claim {name} of study {shown(study.name)}: {error}") from error
        found.append(claim)
    ids = [claim.id for claim in found]
    for repeated in (name for name in ids if ids.count(name) > 1):
        raise InvalidConfig(
            f"Study {shown(study.name)} has two claims with the id {shown(repeated)}. Give each claim its own id."
        )
    return tuple(found)


def _claim(content: Mapping[str, Any]) -> Claim:
    """Build a claim from its table, after checking the types."""
    for key, value in content.items():
        check_name("key", key, _FIELDS)
        _check_type(key, value)
    missing = [key for key in ("id", "statement") if not content.get(key)]
    if missing:
        raise InvalidConfig(f"{missing[0]} is missing. A claim needs an id and a statement.")
    floats = {key: float(content[key]) for key in _NUMBERS if key in content}
    return Claim(**{**content, **floats})


def _with_values(claim: Claim) -> Claim:
    """The claim with the values of its axes as a run has them: `swish` becomes `silu`."""
    where, baseline_where = (
        {name: _canonical(name, value) for name, value in table.items()}
        for table in (claim.where, claim.baseline_where)
    )
    return dataclasses.replace(claim, where=where, baseline_where=baseline_where)


def _canonical(name: str, value: Value) -> Value:
    """A value as its field has it; `best`, and what the field does not allow, as it is."""
    try:
        field = FIELDS[name]
        return value if value == BEST else field.check(name, field.parse(name, value) if type(value) is str else value)
    except (KeyError, BncliError):  # `_check_sides` says what is wrong
        return value


def _check_type(key: str, value: Any) -> None:
    # pydantic or msgspec are not used: 30 to 40 ms more for every command, and no shorter with these messages.
    if key in _NUMBERS:
        allowed, good = "a number", isinstance(value, int | float) and not isinstance(value, bool)
        good = good and is_finite(value)
    elif key in _WHOLE:
        allowed, good = f"a whole number from {_WHOLE[key]}", type(value) is int and value >= _WHOLE[key]
    elif key in _TABLES:
        scalars = (str, int, float, bool)
        allowed = "a table of axes and values, e.g. { lr = 0.01 }"
        good = isinstance(value, dict) and all(isinstance(item, scalars) for item in value.values())
    else:
        allowed, good = "text", isinstance(value, str)
    if not good:
        raise InvalidConfig(f"{key} must be {allowed}. Received: {shown(value)}.")


def _check_test(claim: Claim, given: set[str]) -> None:
    """Raise an error unless the claim is tested in exactly one way and its keys fit together."""
    ways = [key for key in ("measure", "check", "not_testable") if getattr(claim, key)]
    if len(ways) != 1:
        raise InvalidConfig(
            f"Needs exactly one of measure, check and not_testable. Received: {', '.join(ways) or 'none'}."
        )
    if claim.check:
        check_name("check", claim.check, check.REGISTRY)
    _check_expectation(claim, given)
    _check_keys(claim, given)


def _check_expectation(claim: Claim, given: set[str]) -> None:
    """Raise an error unless the claim expects one thing, and has the figures for it."""
    expected = bool(claim.expect) + (claim.is_band and claim.expect != "published")
    if expected > 1 or (claim.measure and not expected):
        raise InvalidConfig("Needs one expectation: expect = above, below or published; or at_least, at_most or both.")
    if claim.expect:
        check_name("expect", claim.expect, EXPECTATIONS)
    if claim.expect == "published" and (claim.published_value is None) != claim.is_band:
        raise InvalidConfig(
            "expect = 'published' needs published_value, the figure as a number, or the ends of a range in which it "
            "lies, at_least, at_most or both."
        )
    if claim.at_least > claim.at_most:
        raise InvalidConfig(f"at_least {claim.at_least:g} is more than at_most {claim.at_most:g}.")
    if claim.margin < 0 or ("margin" in given and not claim.expect):
        raise InvalidConfig("margin must be 0 or more, and takes expect = above, below or published.")
    if claim.transfers_from and claim.published_value is not None:
        raise InvalidConfig("A figure from another setting is no figure of this one. Leave out published_value.")


_MEASURED = ("metric", "minus", "threshold", "last")

_NEEDED = {"threshold": "the value of the metric that a run must reach"}


def _check_keys(claim: Claim, given: set[str]) -> None:
    """Raise an error for a key that the measure ignores, or for one that it needs and that is missing."""
    used = measures.parameters(claim.measure) if claim.measure else ()
    for key in [key for key in _MEASURED if key in given and key not in used]:
        raise InvalidConfig(f"{key} has no effect on {f'measure {claim.measure!r}' if claim.measure else 'a check'}.")
    for key in [key for key in used if key in _NEEDED and key not in given]:
        raise InvalidConfig(f"Measure {claim.measure!r} needs {key}: {_NEEDED[key]}.")
    if not claim.measure:
        return
    check_name("compare", claim.compare, COMPARISONS)
    check_name("reduce", claim.reduce, measures.REDUCTIONS)
    check_name("metric", claim.metric, METRICS)
    check_name("metric", claim.minus, METRICS)
    if claim.measure not in measures.AT_THE_END:
        check_name("metric with a history", claim.metric, HISTORY_METRICS)
    if "compare" in given and not claim.compares:
        raise InvalidConfig("compare has no effect without a baseline or a baseline_where.")
    if "reduce" in given and not claim.across:
        raise InvalidConfig("reduce has no effect without across, the axis to reduce.")


def _check_sides(claim: Claim, study: Study) -> None:
    """Raise an error unless arm, baseline and the values of the axes are in the study."""
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
            raise InvalidConfig(
                f"The study varies {name}: give either where = {{ {name} = VALUE }} or across = '{name}'."
            )
    if claim.across:
        _check_across(claim, axes[claim.across])


def _check_across(claim: Claim, along: Sequence[Value]) -> None:
    """Raise an error unless the axis can be reduced and no other key chooses a value of it."""
    if claim.across in claim.baseline_where:
        raise InvalidConfig(f"{claim.across} is the axis of across and can't be in baseline_where too.")
    if claim.reduce in measures.POSITIVE and not all(isinstance(value, int | float) and value > 0 for value in along):
        shown = ", ".join(map(show, along))
        raise InvalidConfig(f"reduce = '{claim.reduce}' needs an axis of numbers above 0. {claim.across} has {shown}.")
    if len(along) < 2:
        raise InvalidConfig(f"across needs an axis with two or more values. {claim.across} has only {show(along[0])}.")
