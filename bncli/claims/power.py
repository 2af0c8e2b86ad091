"""How many seeds would decide a claim, as advice in one sentence.

The advice is a new study: who adds seeds to those that have been judged judges twice, and errs more often than 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bncli.claims.claim import Claim

POWER = 0.8
"""Probability with which the advised number of seeds would show the effect."""

MAX_ADVICE = 10_000
"""More seeds than this are not advised."""


def missing_seeds(n: int, needed: int, purpose: str = "a verdict takes") -> str:
    """Return advice for fewer seeds than are needed.

    >>> missing_seeds(5, 6)
    '1 more seed is needed: a verdict takes 6.'

    Args:
        n: The number of seeds.
        needed: The number that is needed.
        purpose: What takes that number.
    """
    lacking = max(needed - n, 1)
    return f"{more_seeds(lacking)} {'is' if lacking == 1 else 'are'} needed: {purpose} {needed}."


def advice_on_effect(claim: Claim, values: Sequence[float]) -> str:
    """Return how many seeds would show the smallest effect that counts, the claim's margin; empty without one.

    Args:
        claim: A claimed direction.
        values: One value per seed.
    """
    if not claim.smallest_effect or not all(map(math.isfinite, values)):
        return ""
    needed = max(seeds_for(claim.smallest_effect, values), claim.min_seeds)
    if needed > MAX_ADVICE:
        return "The smallest effect that counts is too small to be found, given the spread of the seeds."
    return f"A new study with about {needed} other seeds would show the smallest effect that counts."


def advice_on_band(claim: Claim, values: Sequence[float], value: float) -> str:
    """Return how many seeds would tell whether a value lies in the claim's band.

    Args:
        claim: A claimed band.
        values: One value per seed.
        value: Their mean or median.
    """
    needed = seeds_for(min(abs(value - end) for end in (claim.at_least, claim.at_most)), values)
    if not all(map(math.isfinite, values)):
        return "Some seeds never reach the threshold, so no number of seeds can be advised."
    if needed > MAX_ADVICE:
        return "The value lies at the edge of the band: more seeds would hardly decide it."
    return f"A new study with about {needed} other seeds would decide it."


def seeds_for(effect: float, values: Sequence[float]) -> int:
    """Return how many seeds show an effect at the 5 % level (two-sided) with a power of 80 %, by Student's t.

    The number is above `MAX_ADVICE` if none of those numbers is enough. statsmodels would do this in one call, but
    takes 0.9 s to import (scipy.special: 0.2 s) and would be one more dependency.

    Args:
        effect: The difference that is to be shown.
        values: One value per seed, which give the spread.
    """
    import numpy as np
    from scipy.special import stdtrit

    if not all(map(math.isfinite, values)) or len(values) < 2:
        return 2 * MAX_ADVICE
    n = np.arange(2, MAX_ADVICE + 1)
    reach = (stdtrit(n - 1, 0.975) + stdtrit(n - 1, POWER)) * np.std(values, ddof=1) / np.sqrt(n)
    return int(n[reach <= effect][0]) if (reach <= effect).any() else 2 * MAX_ADVICE


def more_seeds(number: int) -> str:
    """Return `1 more seed`, `2 more seeds`, ..."""
    return f"{number} more {'seed' if number == 1 else 'seeds'}"
