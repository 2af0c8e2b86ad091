"""Effect sizes and shares against closed forms and simulated data with a known answer."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from bncli.analysis.effects import FAR, hedges_g, sign_test, wilson_interval


def test_the_effect_size_is_corrected_by_hedges_factor():
    size, _ = hedges_g([1.0, 2.0, 3.0, 4.0, 5.0])
    d = 3 / np.std([1, 2, 3, 4, 5], ddof=1)
    assert size == pytest.approx(d * math.gamma(2) / (math.sqrt(2) * math.gamma(1.5)))
    assert hedges_g([-1.0, -2.0, -3.0, -4.0, -5.0]).size == -size


@pytest.mark.parametrize("n", [3, 5, 10, 30])
def test_the_effect_size_is_right_on_average_and_its_interval_covers_95_percent(n):
    """Cohen's d is 1.77 times too large with three pairs."""
    samples = np.random.default_rng(n).normal(1.0, 1.0, (1500, n))
    found = [hedges_g(sample) for sample in samples]
    assert np.mean([effect.size for effect in found]) == pytest.approx(1, abs=0.08)
    assert 0.93 < np.mean([effect.interval.low <= 1 <= effect.interval.high for effect in found]) < 0.97


@pytest.mark.parametrize("shift", [0.0, 0.7, -2.0])
def test_the_interval_inverts_the_noncentral_t_distribution(shift):
    sample = np.random.default_rng(3).normal(shift, 1.0, 8)
    _, (low, high) = hedges_g(sample)
    t = sample.mean() / scipy.stats.sem(sample)
    tails = [scipy.stats.nct.cdf(t, 7, end * math.sqrt(8)) for end in (low, high)]
    assert tails == pytest.approx([0.975, 0.025], abs=1e-6)


def test_far_effects_have_nearly_the_same_interval_by_the_short_way():
    sample = np.random.default_rng(0).normal(0.0, 1.0, 10)
    scaled = (sample - sample.mean()) / sample.std(ddof=1)
    below, above = (hedges_g(scaled + side * FAR / math.sqrt(10)) for side in (0.999, 1.001))
    assert above.interval == pytest.approx(below.interval, rel=0.01)


@pytest.mark.parametrize("values", [[], [0.3], [0.1, 0.3], [0.2, 0.2, 0.2], [0.6 - 0.5, 0.7 - 0.6, 0.1], [0.0] * 3])
def test_few_or_equal_differences_have_no_effect_size(values):
    size, interval = hedges_g(values)
    assert all(map(math.isnan, (size, *interval)))


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_is_scipys(counts):
    count, n = counts
    expected = scipy.stats.binomtest(count, n).proportion_ci(method="wilson")
    assert wilson_interval(count, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_without_seeds_there_is_no_share():
    assert all(map(math.isnan, wilson_interval(0, 0)))


@pytest.mark.parametrize(("better", "worse"), [(6, 0), (9, 1), (4, 4), (2, 5)])
def test_the_sign_test_is_the_binomial_one(better, worse):
    expected = scipy.stats.binomtest(better, better + worse).pvalue
    assert sign_test(better, worse) == sign_test(worse, better) == pytest.approx(expected)
    assert math.isnan(sign_test(4, 0))
