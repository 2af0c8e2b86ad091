"""The rules by which values of seeds become a verdict."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bncli.analysis.statistics import MIN_MEDIAN, Interval, bootstrap_interval
from bncli.claims.claim import Claim
from bncli.errors import InvalidConfig

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

TAIL = 0.01
"""A published value is plausible between this quantile of the seeds and the opposite one."""

ROUNDING = 1e-9
"""What float64 may add to a difference of equal decimals."""

POWER = 0.8
"""How surely the seeds that an advice names would show the effect."""

ENOUGH = 20
"""From so many seeds on, their own range says what one more run may score."""

NO_VALUE = "A diverged run has no loss, and never minus never is nothing: try another metric or measure."

SMALL = 0.005
"""Where no seed differs by more than this, three decimals would tell nothing."""

MAX_ADVICE = 10_000
"""More seeds than this are no advice."""


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
    value, interval = typical(claim, values), bootstrap_interval(values, statistic)
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


def typical(claim: Claim, values: Sequence[float]) -> float:
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
