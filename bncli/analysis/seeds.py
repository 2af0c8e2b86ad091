"""An interval that stays valid when seeds are added after looking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bncli.analysis.statistics import LEVEL, NO_INTERVAL, Interval

if TYPE_CHECKING:
    import numpy as np


PRIOR = 1.0
"""Variance of the effect sizes that the always-valid interval is tuned to: it is narrowest for differences of about one
standard deviation. It is valid for any."""

MIN_SEEDS = 10
"""The fewest seeds for which the always-valid interval has ends: five differences of equal size are all on one side in
6 % of cases, and then say nothing about their spread."""


def always_valid_interval(differences: Sequence[float] | np.ndarray) -> Interval:
    """Return a 95 % interval of the mean that may be read after every new seed.

    The usual interval misses the mean in 5 % at a number of seeds that was fixed beforehand. Who adds seeds until it
    excludes 0 is wrong far more often. This one misses the mean *at any time* in at most 5 %, for differences that are
    normal with any variance: a confidence sequence (Lai, 1976; Wang and Ramdas, 2024), made of the means that the
    Bayes factor of the t-test with a normal prior on the effect size (an e-value) does not reject by 1 / 0.05. It is
    about 1.7 times as wide as Student's interval.

    Args:
        differences: One difference per pair, in any order.

    Returns:
        The interval; infinite ends where no number of standard errors is enough, nan for fewer than two differences or
        one that is not finite. Below `MIN_SEEDS` the ends are infinite, too.

    Example:
        >>> low, high = always_valid_interval([0.1, 0.2, 0.3, 0.2, 0.1, 0.2, 0.3, 0.2, 0.1, 0.3])
        >>> print(f"{low:.3f} to {high:.3f}")
        0.100 to 0.300
    """
    import numpy as np

    sample = np.asarray(differences, dtype="float64")
    if len(sample) < 2 or not np.isfinite(sample).all():
        return NO_INTERVAL
    factor = always_valid_t(len(sample))
    if math.isinf(factor):
        return Interval(-math.inf, math.inf)
    origin = sample[0]  # equal values then have an interval of no width
    rest = sample - origin
    reach = factor * float(np.std(rest, ddof=1)) / math.sqrt(len(rest))
    middle = float(origin + np.mean(rest))
    return Interval(middle - reach, middle + reach)


def always_valid_t(n: int) -> float:
    """Return how many standard errors the always-valid interval reaches from the mean of `n` values.

    The Bayes factor is `r**-0.5 * ((1 + t**2 / v) / (1 + t**2 / (v * r)))**(n / 2)` with `v = n - 1` and
    `r = 1 + n * PRIOR`; it is solved for the t at which it is 1 / 0.05.

    Example:
        >>> [round(always_valid_t(n), 2) for n in (5, 10, 30)]
        [inf, 3.87, 3.35]
    """
    if n < MIN_SEEDS:
        return math.inf
    ratio = 1 + n * PRIOR
    base = (math.sqrt(ratio) / (1 - LEVEL)) ** (2 / n)
    return math.sqrt((n - 1) * (base - 1) / (1 - base / ratio))
