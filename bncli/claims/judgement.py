"""The rules that turn one value per seed into a verdict on a claim."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bncli.analysis.statistics import MIN_MEDIAN, Interval, bootstrap_interval
from bncli.claims.claim import Claim
from bncli.errors import InvalidConfig, shown

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
"""The verdicts with which `verify --strict` fails."""

TAIL = 0.01
"""A published value is in the range of the seeds between this quantile and the opposite one."""

ROUNDING = 1e-9
"""Rounding error that the difference of two decimal numbers may have."""

POWER = 0.8
"""Probability with which the advised number of seeds would show the effect."""

ENOUGH = 20
"""From this number of seeds on, the range of the seeds is taken from their own quantiles."""

NO_VALUE = "The difference of two infinite values (such as losses of a diverged run) is undefined: try another metric."

SMALL = 0.005
"""If no seed has a larger absolute value than this, six decimals are printed instead of three."""

MAX_ADVICE = 10_000
"""More seeds than this are not advised."""


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
        """What was measured, and the advice, as sentences without the final full stop."""
        return ". ".join(part.rstrip(".") for part in (self.text, self.advice) if part)


def judge(claim: Claim, values: Sequence[float]) -> Verdict:
    """Return the verdict on a claim.

    - A direction (`expect` is `above` or `below`) is `reproduced` if the 95 % interval lies on the claimed side of the
      reference, and the published value, if there is one, lies in the range of the seeds (see `plausible_range`). It
      is `direction only` if the published value lies outside that range, `not reproduced` if the interval includes
      the reference, and `contradicted` if the interval lies on the other side.
    - A level (`expect` is `published`) is `reproduced` if the published value lies in the range of the seeds, else
      `not reproduced`.
    - A band is `reproduced` if the interval lies inside it, `contradicted` if the interval lies outside, and
      `inconclusive` if the interval includes an end of the band.
    - With too few seeds, or seeds without a value, every claim is `inconclusive`.

    >>> claim = Claim("better", "BN is better.", measure="final", arm="batch", baseline="none", expect="above")
    >>> judge(claim, [0.04, 0.05, 0.05, 0.06, 0.05]).verdict
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
        return Verdict(claim, "inconclusive", text="no finished runs", advice=_missing_seeds(claim, 0, claim.min_seeds))
    if n_undefined:
        return Verdict(claim, "inconclusive", n, text=f"{n_undefined} of {n} seeds have no value", advice=NO_VALUE)
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
        return ("reproduced" if _is_in_range(claim.published_value, values) else "not reproduced"), ""
    if claim.is_band:
        return _decide_band(claim, values, value, interval)
    side = 1 if claim.expect == "above" else -1
    low, high = sorted(side * (end - claim.reference) for end in interval)
    if high < 0:
        return "contradicted", ""
    if low <= 0:
        return "not reproduced", _power_advice(claim, values)
    is_as_published = claim.published_value is None or _is_in_range(claim.published_value, values)
    return ("reproduced" if is_as_published else "direction only"), ""


def _decide_band(claim: Claim, values: Sequence[float], value: float, interval: Interval) -> tuple[str, str]:
    if claim.at_least <= interval.low and interval.high <= claim.at_most:
        return "reproduced", ""
    if interval.high < claim.at_least or interval.low > claim.at_most:
        return "contradicted", ""
    needed = _needed(min(abs(value - end) for end in (claim.at_least, claim.at_most)), values)
    if not all(map(math.isfinite, values)):
        return "inconclusive", "Some seeds never reach the threshold, so no number of seeds can be advised."
    if needed > MAX_ADVICE:
        return "inconclusive", "The value lies at the edge of the band: more seeds would hardly decide it."
    return "inconclusive", f"About {_more_seeds(max(1, needed - len(values)))} would decide it."


def _power_advice(claim: Claim, values: Sequence[float]) -> str:
    """Advice on how many seeds would show the published effect, if there is one."""
    effect = 0.0 if claim.published_value is None else abs(claim.published_value - claim.reference)
    if not effect or not all(map(math.isfinite, values)):
        return ""
    needed = max(_needed(effect, values), claim.min_seeds)
    if needed <= len(values):
        return f"{needed} seeds would have shown an effect as large as published."
    if needed > MAX_ADVICE:
        return "The published effect is too small to be found, given the spread of the seeds."
    return f"About {_more_seeds(needed - len(values))} would show an effect as large as published."


def _needed(effect: float, values: Sequence[float]) -> int:
    """How many seeds show an effect at the 5 % level (two-sided) with a power of 80 %, by Student's t.

    The number is above `MAX_ADVICE` if none of those numbers is enough. statsmodels would do this in one call, but
    takes 0.9 s to import (scipy.special: 0.2 s) and would be one more dependency.
    """
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


def _is_in_range(published: float | None, values: Sequence[float]) -> bool:
    low, high = plausible_range(values)
    return published is not None and low - ROUNDING <= published <= high + ROUNDING


def plausible_range(values: Sequence[float]) -> tuple[float, float]:
    """Return the range in which one more run is expected: its 1 % and 99 % quantiles.

    With `ENOUGH` seeds these are the quantiles of the seeds. The range of fewer seeds excludes many runs of the same
    kind (half of them at n = 3), so the prediction interval of a normal sample is taken: mean ± t s sqrt(1 + 1/n),
    with the standard deviation s and Student's t for n - 1 degrees of freedom.

    >>> low, high = plausible_range([0.83, 0.84, 0.85])
    >>> round(low, 2), round(high, 2)
    (0.76, 0.92)

    Args:
        values: One value per seed.
    """
    import numpy as np
    from scipy.special import stdtrit

    n = len(values)
    if n >= ENOUGH or n < 2 or not all(map(math.isfinite, values)):
        return _range(values)
    reach = float(stdtrit(n - 1, 1 - TAIL)) * float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / n)
    return float(np.mean(values)) - reach, float(np.mean(values)) + reach


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The 1 % and 99 % quantiles, each one of the values, which may be infinite."""
    import numpy as np

    low, high = np.quantile(values, (TAIL, 1 - TAIL), method="inverted_cdf").tolist()
    return low, high


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
    seeds = f", seeds {' to '.join(map(spell, _range(values)))}" if len(values) > 1 else ""
    n_inside = sum(claim.at_least <= number <= claim.at_most for number in values)
    inside = f", {n_inside} of them in the band" if claim.is_band else ""
    return f"{what} {spell(value)}{ends}, n = {len(values)}{seeds}{inside}"
