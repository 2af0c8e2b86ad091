"""The rules of verdicts, on values that are made to give each verdict."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from bncli.claims.claim import Claim
from bncli.claims.judgement import NO_VALUE, WIDE, judge, p_value_against

SPREAD = (-0.02, -0.01, 0.0, 0.01, 0.02)
"""Added to the seeds in turn: a standard deviation of 0.0145 over 20 seeds."""


def direction(**more):
    return Claim(
        "better", "BN is better.", measure="final", arm="batch:before", baseline="none", **{"expect": "above"} | more
    )


def around(middle, n=20):
    return [middle + SPREAD[seed % 5] for seed in range(n)]


# Directions.


def test_an_effect_as_published_is_reproduced():
    found = judge(direction(published_value=0.055), around(0.05))
    assert (found.verdict, found.n, found.advice) == ("reproduced", 20, "")
    assert found.value == pytest.approx(0.05)
    assert 0.04 < found.low < 0.05 < found.high < 0.06
    assert (
        found.text
        == "mean difference +0.050 [+0.044, +0.057], n = 20, seeds +0.030 to +0.070, one more run +0.012 to +0.088"
    )


def test_an_effect_without_a_published_figure_is_reproduced_by_its_direction():
    assert judge(direction(), around(0.05)).verdict == "reproduced"


def test_an_effect_of_another_size_is_direction_only():
    found = judge(direction(published_value=0.09), around(0.05))
    assert (found.verdict, found.advice) == ("direction only", "")
    found = judge(direction(published_value=0.5), around(0.05))
    assert (found.verdict, found.advice) == ("direction only", "It would count from 0.25 on.")


def test_few_seeds_show_a_direction_but_confirm_no_size():
    found = judge(direction(published_value=0.055), around(0.05, 6))
    assert (found.verdict, found.advice) == (
        "direction only",
        "4 more seeds are needed: to confirm the published size takes 10.",
    )


def test_no_effect_is_inconclusive_where_one_that_counts_is_not_excluded():
    found = judge(direction(published_value=0.005), around(0.0))
    assert (found.verdict, found.advice) == (
        "inconclusive",
        "A new study with about 267 other seeds would show the smallest effect that counts.",
    )
    assert judge(direction(), around(0.0)).verdict == "inconclusive"
    assert judge(direction(), around(0.0)).advice == ""


def test_no_effect_is_not_reproduced_where_half_of_the_published_one_is_excluded():
    found = judge(direction(published_value=0.05), around(0.0))
    assert (found.verdict, found.advice) == ("not reproduced", "")
    assert judge(direction(published_value=0.013), around(0.0)).verdict == "inconclusive"


def test_an_effect_that_is_too_small_to_be_found():
    found = judge(direction(published_value=0.0001), around(0.0))
    assert found.advice == "The smallest effect that counts is too small to be found, given the spread of the seeds."


def test_effects_smaller_than_the_margin_do_not_count():
    narrow = direction(margin=0.01)
    tiny = [0.004 + 0.1 * step for step in (-0.02, -0.01, 0, 0.01, 0.02)] * 4
    assert judge(narrow, tiny).verdict == "direction only"
    assert judge(narrow, [-value for value in tiny]).verdict == "not reproduced"
    assert judge(narrow, around(-0.012)).verdict == "not reproduced"
    assert judge(narrow, around(-0.05)).verdict == "contradicted"
    assert judge(narrow, around(0.05)).verdict == "reproduced"


@pytest.mark.parametrize(
    ("middle", "here", "elsewhere"),
    [(0.05, "reproduced", "reproduced"), (0.0, "not reproduced", "does not transfer"),
     (-0.05, "contradicted", "does not transfer")],
)  # fmt: skip
def test_what_does_not_hold_in_another_setting_does_not_transfer(middle, here, elsewhere):
    assert judge(direction(margin=0.03), around(middle)).verdict == here
    assert judge(direction(margin=0.03, transfers_from="Inception"), around(middle)).verdict == elsewhere


def test_an_effect_on_the_other_side_is_contradicted():
    assert judge(direction(), around(-0.05)).verdict == "contradicted"


def test_below_is_the_mirror_image():
    below = direction(expect="below", published_value=-0.05)
    assert [judge(below, around(x)).verdict for x in (-0.05, 0.0, 0.05)] == [
        "reproduced",
        "not reproduced",
        "contradicted",
    ]


def test_a_ratio_is_compared_with_its_own_reference():
    faster = direction(compare="ratio", reference=1.0)
    assert judge(faster, around(1.5)).verdict == "reproduced"
    assert judge(faster, around(0.5)).verdict == "contradicted"
    assert judge(faster, around(1.5)).text.startswith("mean ratio 1.500 [1.494, 1.507], n = 20")


def test_too_few_seeds_are_inconclusive():
    found = judge(direction(), around(0.05, 3))
    assert (found.verdict, found.n) == ("inconclusive", 3)
    assert found.advice == "3 more seeds are needed: a verdict takes 6."
    assert found.p_value is None
    assert judge(direction(), around(0.05, 5)).advice == "1 more seed is needed: a verdict takes 6."


def test_no_runs_are_inconclusive():
    found = judge(direction(), [])
    assert (found.verdict, found.n, found.value, found.text) == ("inconclusive", 0, None, "no finished runs")
    assert found.advice == "6 more seeds are needed: a verdict takes 6."


def test_equal_seeds_have_a_verdict():
    assert judge(direction(), [0.1] * 6).verdict == "reproduced"
    assert judge(direction(), [0.0] * 6).verdict == "inconclusive"
    assert judge(direction(margin=0.01), [0.0] * 6).verdict == "not reproduced"


# Levels and bands.


LEVEL = Claim("level", "It scores 0.85.", measure="final", arm="none", expect="published", published_value=0.85)


def test_a_published_value_where_one_more_run_is_expected_is_reproduced():
    assert judge(LEVEL, around(0.84)).verdict == "reproduced"
    assert judge(LEVEL, around(0.80)).verdict == "not reproduced"
    assert judge(LEVEL, around(0.84)).p_value is None
    assert judge(LEVEL, around(0.84)).text.endswith("seeds 0.820 to 0.860, one more run 0.802 to 0.878")


def test_few_seeds_confirm_no_published_value_but_can_reject_one():
    found = judge(LEVEL, around(0.84, 6))
    assert (found.verdict, found.advice) == (
        "inconclusive",
        "4 more seeds are needed: to confirm a published run takes 10.",
    )
    assert judge(LEVEL, around(0.6, 6)).verdict == "not reproduced"


def test_seeds_that_spread_further_than_the_margin_confirm_no_published_value():
    found = judge(replace(LEVEL, margin=0.01), around(0.84))
    assert (found.verdict, found.advice) == ("inconclusive", WIDE)
    assert judge(replace(LEVEL, margin=0.05), around(0.84)).verdict == "reproduced"


def test_a_published_range_is_reproduced_where_one_more_run_may_lie_in_it():
    hit = Claim("hit", "Epoch 30 to 40.", measure="hit_epoch", threshold=0.8, arm="none", expect="published")
    seeds = [20.0, 22.0, 24.0, 26.0, 28.0] * 4
    assert judge(replace(hit, at_least=30.0, at_most=40.0), seeds).verdict == "reproduced"
    assert judge(replace(hit, at_least=35.0, at_most=40.0), seeds).verdict == "not reproduced"
    assert judge(replace(hit, at_least=35.0), seeds).verdict == "not reproduced"


@pytest.mark.parametrize("effect", [0.005, 0.0065])
def test_the_seeds_that_are_advised_show_the_effect_four_times_of_five(effect):
    """Student's test of normal differences with the sd of `around` has that power at that n."""
    advice = judge(direction(margin=effect, min_seeds=2), around(0.0)).advice
    n = int(advice.split()[5])
    samples = np.random.default_rng(1).normal(effect, np.std(around(0.0), ddof=1), size=(4000, n))
    p_values = scipy.stats.ttest_1samp(samples, 0, axis=1).pvalue
    assert 0.76 <= np.mean(p_values < 0.05) <= 0.88


def band(low=-math.inf, high=math.inf):
    return Claim("band", "It lies there.", measure="final", arm="none", at_least=low, at_most=high)


def test_a_band_is_reproduced_contradicted_or_inconclusive():
    assert judge(band(0.8, 0.9), around(0.85)).verdict == "reproduced"
    assert judge(band(0.8), around(0.85)).verdict == "reproduced"
    assert judge(band(high=0.8), around(0.85)).verdict == "contradicted"
    found = judge(band(0.8, 0.9), around(0.804))
    assert found.verdict == "inconclusive"
    assert found.advice == "A new study with about 106 other seeds would decide it."
    assert found.text == "mean 0.804 [0.798, 0.811], n = 20, seeds 0.784 to 0.824, 12 of them in the band"


def test_a_value_at_the_edge_of_a_band_can_not_be_decided():
    found = judge(band(0.8, 0.9), around(0.8))
    assert found.advice == "The value lies at the edge of the band: more seeds would hardly decide it."


# Hit epochs of runs that never reach the threshold.


def hits(**more):
    return Claim("hit", "It reaches 0.8.", measure="hit_epoch", threshold=0.8, arm="none", **more)


def test_seeds_that_never_reach_the_threshold_count_as_never():
    early = judge(hits(at_most=20), [15.0] * 18 + [math.inf] * 2)
    assert (early.verdict, early.value) == ("reproduced", 15.0)
    assert early.text == "median 15 [15, 15], n = 20, seeds 15 to never, 18 of them in the band"
    never = judge(hits(at_most=20), [15.0] * 2 + [math.inf] * 18)
    assert (never.verdict, never.value) == ("contradicted", math.inf)
    assert never.text.startswith("median never [never, never], n = 20")


def test_an_arm_is_faster_than_a_baseline_that_never_reaches_the_threshold():
    faster = hits(expect="below", baseline="batch:before")
    assert judge(faster, [-math.inf] * 10).verdict == "reproduced"
    assert judge(faster, [math.inf] * 10).verdict == "contradicted"
    assert judge(faster, [0.0] * 10).verdict == "inconclusive"


@given(st.lists(st.floats(-5, 5, allow_subnormal=False), min_size=6, max_size=12), st.floats(-1, 1))
def test_above_and_below_have_opposite_verdicts(values, reference):
    one = judge(direction(reference=reference), values).verdict
    other = judge(direction(reference=reference, expect="below"), values).verdict
    mirrored = {"reproduced": "contradicted", "contradicted": "reproduced", "inconclusive": "inconclusive"}
    assert other == mirrored[one]


@given(st.lists(st.sampled_from([1.0, 2.0, 7.5, math.inf]), min_size=1, max_size=12))
def test_the_verdict_on_infinite_values_follows_the_majority_of_seeds(values):
    found = judge(hits(at_most=3), values)
    share = sum(value <= 3 for value in values) / len(values)
    assert (found.verdict == "inconclusive") or len(values) >= 5
    assert found.verdict != "reproduced" or share > 0.5
    assert found.verdict != "contradicted" or share < 0.5


def test_a_median_of_few_seeds_has_no_verdict():
    found = judge(hits(at_most=20, min_seeds=3), [15.0] * 4)
    assert (found.verdict, found.advice) == ("inconclusive", "1 more seed is needed: a verdict takes 5.")


def test_infinite_differences_of_both_signs_have_no_median():
    found = judge(hits(expect="below", baseline="batch:before"), [-math.inf] * 5 + [math.inf] * 5)
    assert (found.verdict, found.advice) == ("inconclusive", NO_VALUE)


def test_no_number_of_seeds_is_advised_if_some_never_reach_the_threshold():
    found = judge(hits(at_most=20), [15.0] * 11 + [math.inf] * 9)
    assert (found.verdict, found.value) == ("inconclusive", 15.0)
    assert found.advice == "Some seeds never reach the threshold, so no number of seeds can be advised."


def test_the_p_value_is_of_the_number_that_the_verdict_excludes():
    assert judge(direction(), around(0.05, 6)).p_value == pytest.approx(2 / 2**6)
    assert judge(direction(margin=0.1), around(0.05, 6)).p_value == pytest.approx(2 / 2**6)
    assert judge(direction(), around(0.0)).p_value == 1
    none = judge(direction(margin=0.05), around(0.0))
    assert none.p_value == p_value_against(around(0.0), 0.05, "mean") < 0.001
    inside = judge(band(0.8, 0.9), around(0.85))
    assert inside.p_value == p_value_against(around(0.85), 0.8, "mean") < 0.001


def test_the_p_value_of_a_median_is_that_of_the_sign_test():
    found = judge(hits(at_most=20), [15.0] * 18 + [math.inf] * 2)
    assert found.p_value == pytest.approx(scipy.stats.binomtest(2, 20).pvalue)
    assert p_value_against([1.0] * 6, 1.0, "median") == 1
    assert p_value_against([1.0, 2.0], 0.0, "mean") == 1


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_p_values_of_no_effect_are_small_as_often_as_they_say(statistic):
    drawn = np.random.default_rng(0).normal(size=(1500, 12))
    p_values = np.array([p_value_against(row.tolist(), 0.0, statistic) for row in drawn])
    assert 0.02 <= np.mean(p_values <= 0.05) <= 0.065
