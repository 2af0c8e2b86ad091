"""The verdict on a comparison: better, worse, equivalent or undecided."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from bncli.analysis.effects import sign_test
from bncli.analysis.learning import LearnedPairs, learned_pairs
from bncli.analysis.pairs import Differences, paired_differences
from bncli.analysis.runs import Trivial
from bncli.analysis.statistics import MIN_PAIRS, bootstrap_interval, mean, sign_flip_test
from bncli.analysis.tables import Runs
from bncli.tasks.metrics import lower_is_better

if TYPE_CHECKING:
    import numpy as np


SIGNIFICANT = 0.05
"""The p-value, corrected by Holm's method, below which a difference is called better or worse."""

TOST_LEVEL = 0.9
"""Coverage of the interval that must lie within the margin: two one-sided tests at 5 % each (Schuirmann, 1987)."""

BETTER, WORSE, EQUIVALENT, UNDECIDED = VERDICTS = ("better", "worse", "equivalent", "undecided")


class Finding(NamedTuple):
    """What a comparison found before the correction for the number of comparisons.

    Attributes:
        p_value: nan if there are too few pairs.
        side: `better` or `worse`: on which side the difference is if it is significant; empty if it is on none.
    """

    p_value: float
    side: str


def finding_of(differences: Differences, metric: str) -> Finding:
    """Return the finding of a mean difference: its sign-flip test, and its side if its 95 % interval excludes 0.

    The test and the interval are two methods, which disagree in 17 to 28 % of the studies with six or five pairs and a
    medium effect. So both must speak for a side.

    Args:
        differences: The paired differences.
        metric: What they are differences of.
    """
    values, (low, high) = differences
    gain = -mean(values) if lower_is_better(metric) else mean(values)
    includes_0 = low <= 0 <= high or gain == 0
    return Finding(sign_flip_test(values), "" if includes_0 else _side(gain))


def finding_between(runs: Runs, others: Runs, metric: str, trivial: Trivial | None) -> Finding:
    """Return the finding of one arm against another: of their mean difference, or of `finding_where_some_learned`.

    Args:
        runs: The runs of the arm.
        others: Those of the other.
        metric: What is compared.
        trivial: What the best constant answer scores; None if it isn't known, and all runs count alike.
    """
    pairs = None if trivial is None else learned_pairs(runs, others, metric, trivial)
    if pairs and pairs.is_mixed:
        return finding_where_some_learned(pairs, metric)
    return finding_of(paired_differences(runs, others, metric), metric)


def finding_where_some_learned(pairs: LearnedPairs, metric: str) -> Finding:
    """Return the finding where one side learned in some pairs and not in others.

    It has two parts: whether a run learns (exact sign test of the pairs in which one side learned alone, McNemar's) and
    how well, among pairs in which both did. The p-value is twice the smaller one of both (Bonferroni). The side is that
    of this part, and none if the other part is significant on the other side.

    Args:
        pairs: The pairs that learned.
        metric: What is compared.
    """
    only_arm, only_baseline = pairs.arm - pairs.both, pairs.baseline - pairs.both
    often = Finding(sign_test(only_arm, only_baseline), _side(only_arm - only_baseline))
    parts = [part for part in (often, finding_of(pairs.differences, metric)) if not math.isnan(part.p_value)]
    if not parts:
        return Finding(math.nan, "")
    first, *rest = sorted(parts)
    is_contradicted = any(2 * part.p_value < SIGNIFICANT and part.side != first.side for part in rest if part.side)
    return Finding(min(1.0, 2 * first.p_value), "" if is_contradicted else first.side)


def _side(gain: float) -> str:
    return BETTER if gain > 0 else WORSE if gain < 0 else ""


def is_equivalent(differences: np.ndarray, margin: float | None) -> bool:
    """Return whether two one-sided tests at 5 % show that a mean difference is smaller than a margin.

    They do if its 90 % interval lies within the margin on both sides of 0.

    Args:
        differences: One per pair; with fewer than `MIN_PAIRS` nothing is equivalent.
        margin: The smallest difference that matters; None if nothing is to be called equivalent.
    """
    if margin is None or len(differences) < MIN_PAIRS:
        return False
    low, high = bootstrap_interval(differences, level=TOST_LEVEL)
    return -margin < low and high < margin


def verdict_of(finding: Finding, p_holm: float, *, equivalent: bool) -> str:
    """Return the verdict on a comparison. A difference within the margin is equivalent, significant or not.

    Args:
        finding: What it found.
        p_holm: Its p-value, corrected for the number of comparisons.
        equivalent: Whether it is smaller than the margin.
    """
    if equivalent:
        return EQUIVALENT
    return finding.side if finding.side and p_holm < SIGNIFICANT else UNDECIDED


def pairs_needed(n_tests: int) -> int:
    """Return the fewest pairs whose smallest p-value, 2 / 2**n, is significant after the correction for all tests.

    Args:
        n_tests: How many tests are corrected for each other.

    Example:
        >>> pairs_needed(1), pairs_needed(6)
        (6, 8)
    """
    return max(MIN_PAIRS, math.ceil(math.log2(2 * n_tests / SIGNIFICANT)))
