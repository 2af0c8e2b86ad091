"""Statistics against scipy, closed forms and simulated data with a known answer."""

import itertools
import math
import time

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bncli.analysis import statistics
from bncli.analysis.statistics import (
    MAX_EXACT,
    MAX_GRID,
    MAX_RESAMPLED,
    MIN_PAIRS,
    MIN_RESAMPLED,
    bootstrap_interval,
    holm,
    sign_flip_test,
)

numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))
samples = st.integers(2, 12).flatmap(lambda n: arrays("float64", n, elements=numbers))


# The interval of the mean

DRAWS = {
    "normal": (lambda rng, size: rng.normal(3.0, 2.0, size), 3.0),
    "exponential": (lambda rng, size: rng.exponential(2.0, size), 2.0),
}
COVERAGE = {
    "normal": {2: (0.93, 0.97), 3: (0.93, 0.97), 5: (0.93, 0.97), 6: (0.91, 0.97), 10: (0.93, 0.97), 30: (0.93, 0.97)},
    "exponential": {3: (0.84, 0.91), 5: (0.84, 0.91), 10: (0.87, 0.94), 30: (0.90, 0.96)},
}
"""Limits for the share of 1,000 intervals that cover the true mean; for a skewed distribution it is below 95 %."""


@pytest.mark.parametrize(("name", "n"), [(name, n) for name, bounds in COVERAGE.items() for n in bounds])
def test_intervals_of_the_mean_cover_it(name, n):
    draw, mean = DRAWS[name]
    intervals = [bootstrap_interval(sample) for sample in draw(np.random.default_rng(n), (1000, n))]
    low, high = COVERAGE[name][n]
    assert low <= np.mean([interval.low <= mean <= interval.high for interval in intervals]) <= high


@pytest.mark.parametrize("n", [6, 10, 30])
def test_the_interval_is_scipys_at_the_expanded_level(n):
    sample = np.random.default_rng(n).exponential(size=n)
    tail = scipy.stats.norm.cdf(math.sqrt(n / (n - 1)) * scipy.stats.t.ppf(0.025, n - 1))
    level = 1 - 2 * tail
    found = scipy.stats.bootstrap(
        (sample,), np.mean, confidence_level=level, n_resamples=40_000, method="percentile", rng=1
    ).confidence_interval
    assert bootstrap_interval(sample) == pytest.approx(found, abs=0.05 * sample.std())


@pytest.mark.parametrize("n", [2, 3, 5, MAX_RESAMPLED + 1])
def test_few_and_very_many_values_have_students_interval(n):
    sample = np.random.default_rng(n).normal(size=n)
    expected = scipy.stats.t.interval(0.95, n - 1, loc=sample.mean(), scale=scipy.stats.sem(sample))
    assert bootstrap_interval(sample) == pytest.approx(expected, rel=1e-9)


def test_at_the_ends_of_the_bootstrap_it_is_close_to_students_interval():
    for n in (MIN_RESAMPLED, 30, MAX_RESAMPLED):
        sample = np.random.default_rng(n).normal(size=n)
        expected = scipy.stats.t.interval(0.95, n - 1, loc=sample.mean(), scale=scipy.stats.sem(sample))
        assert bootstrap_interval(sample) == pytest.approx(expected, abs=0.4 * (expected[1] - expected[0]) / 2)


@settings(deadline=None)
@given(samples)
def test_the_mean_lies_in_its_interval(sample):
    low, high = bootstrap_interval(sample)
    slack = 1e-9 * np.abs(sample).max()
    assert low - slack <= sample.mean() <= high + slack


@settings(deadline=None)
@given(samples, st.sampled_from(["mean", "median"]), st.floats(0.01, 100), numbers)
def test_intervals_move_and_stretch_with_the_values(sample, statistic, factor, shift):
    expected = [shift + factor * end for end in bootstrap_interval(sample, statistic)]
    slack = 1e-7 * (factor * np.abs(sample).max() + abs(shift) + 1)
    assert bootstrap_interval(shift + factor * sample, statistic) == pytest.approx(expected, abs=slack, nan_ok=True)


@pytest.mark.parametrize(("statistic", "n"), [("mean", 2), ("mean", 3), ("mean", 6), ("median", 6), ("median", 17)])
def test_equal_values_have_an_interval_of_no_width(statistic, n):
    assert bootstrap_interval([0.1] * n, statistic) == (0.1, 0.1)


@pytest.mark.parametrize("n", [3, 10])
def test_an_interval_of_a_lower_level_is_narrower_and_covers_less(n):
    samples = np.random.default_rng(n).normal(3.0, 2.0, (1000, n))
    wide, narrow = ([bootstrap_interval(sample, level=level) for sample in samples] for level in (0.95, 0.9))
    assert all(one.low <= other.low <= other.high <= one.high for one, other in zip(wide, narrow, strict=True))
    assert 0.87 <= np.mean([interval.low <= 3 <= interval.high for interval in narrow]) <= 0.93


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("values", [[], [0.5], [0.5, math.nan, 0.6]])
def test_one_value_or_a_missing_one_has_no_interval(values, statistic):
    assert all(map(math.isnan, bootstrap_interval(values, statistic)))


def test_an_infinite_mean_has_no_interval():
    assert all(map(math.isnan, bootstrap_interval([1.0, 2.0, math.inf])))


def test_the_same_values_have_the_same_interval():
    sample = np.random.default_rng(0).normal(size=20)
    first = bootstrap_interval(sample), bootstrap_interval(sample, "median"), sign_flip_test(sample)
    for cached in (statistics._resample_counts, statistics._middle_ranks, statistics._tails):
        cached.cache_clear()
    assert (bootstrap_interval(sample), bootstrap_interval(sample, "median"), sign_flip_test(sample)) == first


# The interval of the median


@pytest.mark.parametrize("n", [5, 7, 9, 15, 31])
def test_the_median_of_an_odd_number_of_values_has_efrons_interval(n):
    """The median of a resample is at most the k-th value where at least half of the resample is."""
    at_most = scipy.stats.binom.sf((n - 1) // 2, n, np.arange(1, n + 1) / n)
    low, high = (int(np.searchsorted(at_most, tail)) + 1 for tail in (0.025, 0.975))
    assert bootstrap_interval(np.arange(1, n + 1), "median") == (low, high)


@pytest.mark.parametrize("n", [6, 8, 10, 30])
def test_the_median_of_an_even_number_of_values_has_the_interval_of_resampling(n):
    sample = np.sort(np.random.default_rng(n).normal(size=n))
    drawn = np.median(sample[np.random.default_rng(5).integers(0, n, (100_000, n))], axis=1)
    found = bootstrap_interval(sample, "median")
    shares = [np.mean(drawn <= found.low), np.mean(drawn < found.low), np.mean(drawn <= found.high)]
    assert shares[1] < 0.03
    assert shares[0] > 0.02
    assert shares[2] > 0.97
    assert np.mean(drawn < found.high) < 0.98


@pytest.mark.parametrize(("n", "least"), [(5, 0.90), (10, 0.92), (30, 0.92)])
def test_intervals_of_the_median_cover_it(n, least):
    sample = np.random.default_rng(n).exponential(size=(1000, n))
    intervals = [bootstrap_interval(values, "median") for values in sample]
    assert least <= np.mean([low <= math.log(2) <= high for low, high in intervals]) <= 0.98


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_median_of_few_values_has_no_interval(n):
    assert all(map(math.isnan, bootstrap_interval(range(n), "median")))


def test_infinite_epochs_are_later_than_all_others():
    never = math.inf
    assert bootstrap_interval([3, 4, 5, 6, never], "median") == (3, never)
    assert bootstrap_interval([never] * 6, "median") == (never, never)
    assert bootstrap_interval([5] * 20 + [never], "median") == (5, 5)


# The sign-flip test


def test_equal_signs_have_the_smallest_p_value_there_is():
    for n in range(MIN_PAIRS, MAX_EXACT + 1):
        assert sign_flip_test(np.linspace(0.01, 0.02, n)) == 2 / 2**n
    assert sign_flip_test([1, 2, 3, 4, 5]) == 2 / 32


def test_below_five_pairs_there_is_no_p_value():
    assert math.isnan(sign_flip_test([1, 2, 3, 4]))
    assert math.isnan(sign_flip_test([]))


@pytest.mark.parametrize("missing", [math.nan, math.inf])
def test_of_a_difference_that_is_not_finite_there_is_no_p_value(missing):
    assert math.isnan(sign_flip_test([1, 2, 3, 4, missing]))


def test_differences_of_zero_on_average_have_a_p_value_of_1():
    assert sign_flip_test([0.0] * 6) == 1.0
    assert sign_flip_test([0.0] * 30) == 1.0
    assert sign_flip_test([0.1, -0.1, 0.1, -0.1, 0.1, -0.1]) == 1.0


def test_differences_of_0_leave_the_others_their_signs():
    assert sign_flip_test([0.0, 0.0, 0.1, 0.2, 0.3]) == 2 / 2**3


@pytest.mark.parametrize("n", [5, 8, 11])
def test_the_exact_p_value_is_scipys(n):
    for seed in range(5):
        sample = np.random.default_rng(seed).normal(0.4, size=n).round(1)
        found = scipy.stats.permutation_test((sample,), np.mean, permutation_type="samples", n_resamples=2**n, rng=0)
        assert sign_flip_test(sample) == found.pvalue


@pytest.mark.parametrize("n", [6, 10, 16])
def test_on_ranks_it_is_wilcoxons_test(n):
    sample = np.arange(1, n + 1) * np.where(np.arange(n) % 3 == 0, -1, 1)
    assert sign_flip_test(sample) == pytest.approx(scipy.stats.wilcoxon(sample, method="exact").pvalue, rel=1e-12)


def test_the_exact_test_never_rejects_a_true_hypothesis_too_often():
    """Under the hypothesis all signs are equally likely: over all of them, p <= a in at most a share a of cases."""
    sizes = np.random.default_rng(3).exponential(size=8)
    p_values = np.array([sign_flip_test(sizes * signs) for signs in itertools.product((1, -1), repeat=8)])
    for level in (0.01, 0.05, 0.1, 0.5):
        assert level - 2 / 2**8 < np.mean(p_values <= level) <= level


@pytest.mark.parametrize("n", [10, 25])
def test_the_test_rejects_5_percent_of_true_hypotheses_and_most_false_ones(n):
    noise = np.random.default_rng(n).normal(size=(1000, n))
    assert 0.03 < np.mean([sign_flip_test(sample) <= 0.05 for sample in noise]) < 0.07
    assert np.mean([sign_flip_test(sample + 1.5) <= 0.05 for sample in noise[:100]]) > 0.9


@pytest.mark.parametrize("n", [17, 20])
def test_the_p_value_counted_on_a_grid_is_the_exact_one_or_slightly_larger(n, monkeypatch):
    samples = np.random.default_rng(n).normal(0.3, size=(6, n))
    found = np.array([sign_flip_test(sample) for sample in samples])
    monkeypatch.setattr(statistics, "MAX_EXACT", n)
    exact = np.array([sign_flip_test(sample) for sample in samples])
    assert (found >= exact * (1 - 1e-9)).all()
    assert found == pytest.approx(exact, rel=0.06)


def test_sums_that_tie_count_as_reached_on_the_grid_too():
    """With equal sizes the sum is a count of signs, whose distribution is binomial."""
    sample = np.where(np.arange(30) < 9, -1 / 143, 1 / 143)
    assert sign_flip_test(sample) == pytest.approx(2 * scipy.stats.binom.cdf(9, 30, 0.5), rel=1e-9)


@pytest.mark.parametrize("n", [17, 30, 60, MAX_GRID])
def test_equal_signs_have_the_smallest_p_value_beyond_the_exact_test_too(n):
    assert sign_flip_test(np.random.default_rng(n).uniform(1, 2, n)) == 2 / 2**n


def test_unanimous_pairs_stay_significant_among_ten_thousand():
    """Random flips could not show less than one through their number: among 500 comparisons none was significant."""
    p_values = [sign_flip_test(np.linspace(0.1, 0.2, 30))] * 10_000
    assert max(holm(p_values)) < 1e-4


def test_beyond_the_grid_the_sums_are_normal():
    sample = np.random.default_rng(0).normal(0.1, size=MAX_GRID)
    on_grid = sign_flip_test(sample)
    more = sign_flip_test(np.concatenate([sample, [0.0] * 5]))  # differences of 0 change no sum
    assert more == pytest.approx(on_grid, rel=0.03)
    assert sign_flip_test([0.0] * (MAX_GRID + 1)) == 1


@pytest.mark.parametrize("n", [17, 30, MAX_GRID + 100])
def test_the_test_rejects_5_percent_of_true_hypotheses_beyond_the_exact_one_too(n):
    noise = np.random.default_rng(n).exponential(size=(800, n)) * np.random.default_rng(1).choice([-1, 1], (800, n))
    assert 0.03 < np.mean([sign_flip_test(sample) <= 0.05 for sample in noise]) < 0.07


def test_500_comparisons_of_30_pairs_take_well_under_a_second():
    samples = np.random.default_rng(0).normal(0.1, size=(500, 30))
    start = time.process_time()
    for sample in samples:
        sign_flip_test(sample)
    assert time.process_time() - start < 1


# Corrections


def test_holm_on_a_worked_example():
    """Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 is 0.02, 0.03, 0.06, 0.04, and none falls below an earlier."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_counts_only_the_known_p_values():
    nan = math.nan
    assert holm([nan, 0.02, nan, 0.03]) == pytest.approx([nan, 0.04, nan, 0.04], nan_ok=True)
    assert holm([nan]) == pytest.approx([nan], nan_ok=True)
    assert (holm([]), holm([0.4])) == ([], [0.4])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_lies_between_the_p_value_and_bonferronis(p_values):
    corrected = holm(p_values)
    for p, q in zip(p_values, corrected, strict=True):
        assert p <= q <= min(1, p * len(p_values)) + 1e-12
    assert sorted(corrected) == [q for _, q in sorted(zip(p_values, corrected, strict=True))]
