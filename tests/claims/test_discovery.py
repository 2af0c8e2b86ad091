"""False-discovery control over the verdicts of a page."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from bncli.claims.claim import Claim
from bncli.claims.discovery import benjamini_hochberg, controlled, method
from bncli.claims.judgement import Verdict, judge

CLAIM = Claim("better", "BN is better.", measure="final", arm="batch", baseline="none", expect="above")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_corrected_p_values_are_those_of_scipy(p_values):
    assert benjamini_hochberg(p_values) == pytest.approx(scipy.stats.false_discovery_control(p_values))


def test_a_verdict_that_is_one_of_many_tests_is_inconclusive():
    verdicts = [Verdict(CLAIM, "reproduced", p_value=p) for p in (0.001, 0.03, 0.6)]
    kept = controlled(verdicts)
    assert [each.verdict for each in kept] == ["reproduced", "reproduced", "inconclusive"]
    alone = controlled([Verdict(CLAIM, "reproduced", p_value=0.03)])
    assert alone[0].verdict == "reproduced"
    many = controlled(
        [Verdict(CLAIM, "contradicted", p_value=0.03), *[Verdict(CLAIM, "inconclusive", p_value=0.5)] * 2]
    )
    assert (many[0].verdict, many[0].advice) == (
        "inconclusive",
        "p = 0.03 alone, but 0.09 among the 3 tests of this page.",
    )


def test_verdicts_without_a_test_stay_and_are_not_counted():
    exact = Verdict(CLAIM, "exact")
    found = controlled([exact, Verdict(CLAIM, "reproduced", p_value=0.03), exact])
    assert [each.verdict for each in found] == ["exact", "reproduced", "exact"]


def test_a_verdict_that_no_test_supports_is_inconclusive_by_itself():
    (found,) = controlled([Verdict(CLAIM, "reproduced", p_value=0.0625)])
    assert (found.verdict, found.advice) == ("inconclusive", "p = 0.062 alone.")


def test_what_is_undecided_keeps_its_advice():
    (found,) = controlled([Verdict(CLAIM, "inconclusive", p_value=0.5, advice="More seeds.")])
    assert found.advice == "More seeds."


def test_the_page_says_how_many_tests_it_counts():
    assert method([Verdict(CLAIM, "exact")]) == ""
    assert method([Verdict(CLAIM, "reproduced", p_value=0.01)] * 2) == (
        "False-discovery control over this page: of the verdicts that rest on a test of seeds, at most 5 % are "
        "expected to be due to chance (Benjamini-Hochberg, 2 tests)."
    )


def test_few_verdicts_of_a_page_are_false_though_arms_share_their_baseline():
    """Of 12 arms, 4 differ from a baseline that all share: without control 13 % of the verdicts are false."""
    rng, effects = np.random.default_rng(0), np.repeat([0.8, 0.0], [4, 8])
    shares, uncontrolled = [], []
    for _ in range(150):
        runs, baseline = rng.normal(size=(12, 20)) / 2**0.5, rng.normal(size=20) / 2**0.5
        page = [judge(CLAIM, (run - baseline + effect).tolist()) for run, effect in zip(runs, effects, strict=True)]
        for found, kept in ((page, uncontrolled), (controlled(page), shares)):
            decided = [verdict.verdict in ("reproduced", "contradicted") for verdict in found]
            kept.append(sum(decided[4:]) / max(1, sum(decided)))
    assert np.mean(shares) < 0.05 < np.mean(uncontrolled)
