"""False-discovery control: which verdicts of a page still stand when all its tests are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bncli.claims.judgement import Verdict

RATE = 0.05
"""The expected share of false ones among the verdicts that rest on a test."""

METHOD = (
    "False-discovery control over this page: of the verdicts that rest on a test of seeds, at most 5 % are expected to "
    "be due to chance (Benjamini-Hochberg, {n} tests)."
)


def controlled(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return the verdicts of a page in the same order; those that don't stand among so many are `inconclusive`.

    Every verdict on a direction or band rests on a test with a p-value, see `judgement.judge`. The procedure of
    Benjamini and Hochberg (1995) keeps the expected share of false rejections among them at 5 %. It is proven for
    independent and positively dependent tests; two-sided tests that share runs, as here, keep that share in
    simulations (Reiner-Benaim 2007, and this package's tests).

    Args:
        verdicts: All verdicts of the page.
    """
    tested = [verdict for verdict in verdicts if verdict.p_value is not None]
    adjusted = iter(benjamini_hochberg([verdict.p_value for verdict in tested if verdict.p_value is not None]))
    return [verdict if verdict.p_value is None else _kept(verdict, next(adjusted), len(tested)) for verdict in verdicts]


def _kept(verdict: Verdict, adjusted: float, n_tests: int) -> Verdict:
    if adjusted <= RATE or verdict.verdict == "inconclusive":
        return verdict
    others = f", but {adjusted:.2g} among the {n_tests} tests of this page" if n_tests > 1 else ""
    return replace(verdict, verdict="inconclusive", advice=f"p = {verdict.p_value:.2g} alone{others}.")


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for the false-discovery rate by the step-up method of Benjamini and Hochberg (1995).

    `scipy.stats.false_discovery_control` computes the same; importing scipy.stats would add 0.6 s to every report.

    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5])
    [0.04, 0.05333333333333334, 0.05333333333333334, 0.5]

    Args:
        p_values: One per test.
    """
    corrected, least = [1.0] * len(p_values), 1.0
    ranked = sorted(((p, place) for place, p in enumerate(p_values)), reverse=True)
    for rank, (p, place) in zip(range(len(ranked), 0, -1), ranked, strict=True):
        least = min(least, p * len(ranked) / rank)
        corrected[place] = least
    return corrected


def method(verdicts: Sequence[Verdict]) -> str:
    """Return one sentence that says how the verdicts of a page were controlled; empty if none rests on a test."""
    n = sum(verdict.p_value is not None for verdict in verdicts)
    return METHOD.format(n=n) if n else ""
