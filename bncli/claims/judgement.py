"""The rules that turn one value per seed into a verdict on a claim."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bncli.analysis.statistics import MIN_MEDIAN, Interval, bootstrap_interval, sign_flip_test
from bncli.claims.claim import Claim
from bncli.claims.power import advice_on_band, advice_on_effect, missing_seeds
from bncli.claims.prediction import overlaps, prediction_interval
from bncli.errors import InvalidConfig, shown

VERDICTS = (
    "reproduced",
    "direction only",
    "not reproduced",
    "contradicted",
    "does not transfer",
    "exact",
    "inconclusive",
    "not testable",
    "skipped",
)

UNMET = ("contradicted", "not reproduced")
"""The verdicts with which `verify --strict` fails; in a claim from another setting they read `does not transfer`."""

ENOUGH = 10
"""The fewest seeds that can confirm a published run: a value 4.5 standard deviations away then lies in the range of
98 % with a probability of 2 %, with 5 seeds of 31 % and with 3 of 73 % (simulated, normal values)."""

NO_VALUE = "The difference of two infinite values (such as losses of a diverged run) is undefined: try another metric."

WIDE = "One more run may lie anywhere in so wide a range, so that a single published run says little."

SMALL = 0.005
"""If no seed has a larger absolute value than this, six decimals are printed instead of three."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim, with the numbers behind it.

    Attributes:
        claim: The claim.
        verdict: One of `VERDICTS`.
        n: Number of seeds, or of pairs of runs with the same seed.
        value: Mean or median over the seeds; None if nothing was measured.
        low: Lower end of its 95 % interval.
        high: Upper end.
        text: What was measured, in one line.
        advice: How many more seeds would decide it, or how to get what is missing; may be empty.
        p_value: Two-sided p-value of the test that the verdict rests on; None for one that rests on no test.
    """

    claim: Claim
    verdict: str
    n: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    text: str = ""
    advice: str = ""
    p_value: float | None = None

    @property
    def measured(self) -> str:
        """What was measured, and the advice, as sentences without the final full stop."""
        return ". ".join(part.rstrip(".") for part in (self.text, self.advice) if part)


def judge(claim: Claim, values: Sequence[float]) -> Verdict:
    """Return the verdict on a claim.

    - A direction (`expect` is `above` or `below`) is `reproduced` if the 95 % interval lies on the claimed side of the
      reference, and the published value, if there is one, where one more run is expected (see `prediction_interval`).
      It is `direction only` if the published value lies elsewhere, if fewer than `ENOUGH` seeds can't tell, or if the
      interval ends below the smallest effect that counts, the claim's margin. It is `contradicted` if the whole
      interval lies where an opposite effect counts, else `not reproduced` if it lies below the smallest effect that
      counts, and `inconclusive` if the interval includes both: no effect and one that counts.
    - A level (`expect` is `published`) is `reproduced` if the published value, or part of the published range, lies
      where one more run is expected, else `not reproduced`. It is `inconclusive` if it lies there with fewer than
      `ENOUGH` seeds, or in a range that reaches further from its middle than the claim's margin.
    - A band is `reproduced` if the interval lies inside it, `contradicted` if the interval lies outside, and
      `inconclusive` if the interval includes an end of the band.
    - With too few seeds, or seeds without a value, every claim is `inconclusive`.
    - A claim from another setting does not transfer, where another would be `contradicted` or `not reproduced`.

    Directions and bands have a p-value, for `discovery.controlled`: that of the sign-flip test, or, where the median is
    judged, of the sign test, against the number that the interval excludes (or includes).

    >>> claim = Claim("better", "BN is better.", measure="final", arm="batch", baseline="none", expect="above")
    >>> judge(claim, [0.04, 0.05, 0.05, 0.06, 0.05, 0.04]).verdict
    'reproduced'

    Args:
        claim: The claim.
        values: One value per seed: the measure, or its difference or ratio between arm and baseline.

    Raises:
        InvalidConfig: The claim has no expectation.
    """
    if not (claim.expect or claim.is_band):
        raise InvalidConfig(f"Claim {shown(claim.id)} measures numbers and needs expect, at_least or at_most.")
    n, n_undefined = len(values), sum(map(math.isnan, values))
    if not n:
        return Verdict(claim, "inconclusive", text="no finished runs", advice=missing_seeds(0, claim.min_seeds))
    if n_undefined:
        return Verdict(claim, "inconclusive", n, text=f"{n_undefined} of {n} seeds have no value", advice=NO_VALUE)
    statistic = _statistic(claim, values)
    value, interval = typical(claim, values), bootstrap_interval(values, statistic)
    needed = least_seeds(claim, statistic)
    if n < needed:
        found = _Decision("inconclusive", advice=missing_seeds(n, needed))
    elif math.isnan(interval.low):
        found = _Decision("inconclusive", advice=NO_VALUE)
    else:
        found = _decide(claim, values, value, interval)
    verdict = "does not transfer" if claim.transfers_from and found.verdict in UNMET else found.verdict
    p_value = None if found.tested is None else p_value_against(values, found.tested, statistic)
    text = _text(claim, values, value, interval, statistic)
    return Verdict(claim, verdict, n, value, *interval, text, found.advice, p_value)


def least_seeds(claim: Claim, statistic: str) -> int:
    """Return the fewest seeds with which a claim can have another verdict than `inconclusive`.

    Args:
        claim: The claim.
        statistic: The statistic over seeds, `mean` or `median`.
    """
    return claim.min_seeds if statistic == "mean" else max(claim.min_seeds, MIN_MEDIAN)


@dataclass(frozen=True)
class _Decision:
    """A verdict, the number that the values are tested against (None for no test), and advice."""

    verdict: str
    tested: float | None = None
    advice: str = ""


def _decide(claim: Claim, values: Sequence[float], value: float, interval: Interval) -> _Decision:
    if claim.expect == "published":
        return _decide_level(claim, values)
    return _decide_band(claim, values, value, interval) if claim.is_band else _decide_side(claim, values, interval)


def _decide_level(claim: Claim, values: Sequence[float]) -> _Decision:
    low, high = prediction_interval(values)
    if not overlaps(values, *claim.published_range):
        return _Decision("not reproduced")
    if len(values) < ENOUGH:
        return _Decision("inconclusive", advice=missing_seeds(len(values), ENOUGH, "to confirm a published run takes"))
    if claim.margin and (high - low) / 2 > claim.margin:
        return _Decision("inconclusive", advice=WIDE)
    return _Decision("reproduced")


def _decide_side(claim: Claim, values: Sequence[float], interval: Interval) -> _Decision:
    side, smallest = (1 if claim.expect == "above" else -1), claim.smallest_effect
    low, high = sorted(side * (end - claim.reference) for end in interval)
    if low > 0:
        return _decide_size(claim, values, is_small=high < smallest)
    if high < -smallest:
        return _Decision("contradicted", claim.reference - side * smallest)
    if high < smallest:
        return _Decision("not reproduced", claim.reference + side * smallest)
    return _Decision("inconclusive", claim.reference, advice_on_effect(claim, values))


def _decide_size(claim: Claim, values: Sequence[float], *, is_small: bool) -> _Decision:
    """The verdict on an effect that has the claimed direction."""
    if is_small:
        counts = claim.reference + claim.smallest_effect * (1 if claim.expect == "above" else -1)
        return _Decision("direction only", claim.reference, f"It would count from {counts:.3g} on.")
    if claim.published_value is None:
        return _Decision("reproduced", claim.reference)
    if not overlaps(values, *claim.published_range):
        return _Decision("direction only", claim.reference)
    if len(values) < ENOUGH:
        advice = missing_seeds(len(values), ENOUGH, "to confirm the published size takes")
        return _Decision("direction only", claim.reference, advice)
    return _Decision("reproduced", claim.reference)


def _decide_band(claim: Claim, values: Sequence[float], value: float, interval: Interval) -> _Decision:
    ends = [end for end in (claim.at_least, claim.at_most) if math.isfinite(end)]
    nearest = min(ends, key=lambda end: abs(value - end))
    if claim.at_least <= interval.low and interval.high <= claim.at_most:
        return _Decision("reproduced", nearest)
    if interval.high < claim.at_least or interval.low > claim.at_most:
        return _Decision("contradicted", nearest)
    return _Decision("inconclusive", nearest, advice_on_band(claim, values, value))


def p_value_against(values: Sequence[float], number: float, statistic: str) -> float:
    """Return the two-sided p-value of the mean (sign-flip test) or the median (sign test) against a number.

    >>> p_value_against([1.0, 2.0, 3.0, 2.0, 1.0, 2.0], 0.0, "mean")
    0.03125
    >>> p_value_against([5.0, 6.0, 7.0, 8.0, 9.0, math.inf], 4.0, "median")
    0.03125

    Args:
        values: One value per seed; for the median they may be infinite.
        number: The number.
        statistic: `mean` or `median`.

    Returns:
        The p-value; 1 for the mean of fewer than five values, which no test can decide.
    """
    from scipy.special import bdtr

    if statistic == "mean":
        p_value = sign_flip_test([value - number for value in values])
        return 1.0 if math.isnan(p_value) else p_value
    n_above, n_below = (sum(side * value > side * number for value in values) for side in (1, -1))
    return min(1.0, 2 * float(bdtr(min(n_above, n_below), n_above + n_below, 0.5))) if n_above + n_below else 1.0


def _statistic(claim: Claim, values: Sequence[float]) -> Literal["mean", "median"]:
    """The claim's statistic, but the median if a value is infinite."""
    return claim.statistic if all(map(math.isfinite, values)) else "median"


def typical(claim: Claim, values: Sequence[float]) -> float:
    """Return the mean or median over seeds, whichever the claim uses."""
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
    seeds = f", seeds {' to '.join(map(spell, (min(values), max(values))))}" if len(values) > 1 else ""
    if claim.has_published_range and len(values) > 1:
        seeds += f", one more run {' to '.join(map(spell, prediction_interval(values)))}"
    n_inside = sum(claim.at_least <= number <= claim.at_most for number in values)
    inside = f", {n_inside} of them in the band" if claim.is_band and not claim.has_published_range else ""
    return f"{what} {spell(value)}{ends}, n = {len(values)}{seeds}{inside}"
