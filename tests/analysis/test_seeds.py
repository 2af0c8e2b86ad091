"""The always-valid interval, and the number of seeds that it takes."""

import math

import numpy as np
import pytest

from bncli.analysis.seeds import MIN_SEEDS, always_valid_interval, always_valid_t, needed_seeds
from bncli.analysis.statistics import bootstrap_interval


def test_the_interval_is_the_set_of_means_with_a_small_bayes_factor():
    sample = np.random.default_rng(0).normal(1, 1, 20)
    n, ratio = len(sample), 1 + len(sample)
    for end in always_valid_interval(sample):
        t2 = n * (sample.mean() - end) ** 2 / sample.var(ddof=1)
        factor = ratio**-0.5 * ((1 + t2 / (n - 1)) / (1 + t2 / ((n - 1) * ratio))) ** (n / 2)
        assert factor == pytest.approx(20)


def test_the_interval_is_wider_than_the_usual_one_and_open_for_few_seeds():
    sample = np.random.default_rng(0).normal(1, 1, 30)
    usual, always = bootstrap_interval(sample), always_valid_interval(sample)
    assert always.low < usual.low < usual.high < always.high
    assert always_valid_interval(sample[: MIN_SEEDS - 1]) == (-math.inf, math.inf)
    assert always_valid_interval([0.5] * 10) == (0.5, 0.5)
    assert all(math.isnan(end) for end in (*always_valid_interval([0.5]), *always_valid_interval([0.5, math.nan])))


def ever_wrong(sample, looks, reach):
    """The share of rows for which 0 is excluded at any look, by a reach in standard errors."""
    wrong = np.zeros(len(sample), bool)
    for n in looks:
        part = sample[:, :n]
        wrong |= abs(part.mean(axis=1)) > reach(n) * part.std(axis=1, ddof=1) / math.sqrt(n)
    return float(wrong.mean())


@pytest.mark.parametrize("looks", [range(5, 31, 5), range(2, 101)])
def test_whoever_looks_again_and_again_is_wrong_in_at_most_5_percent(looks):
    from scipy.special import stdtrit

    sample = np.random.default_rng(1).normal(size=(4000, 100))
    assert ever_wrong(sample, looks, lambda n: stdtrit(n - 1, 0.975)) > 0.14
    assert ever_wrong(sample, looks, always_valid_t) <= 0.05


def test_the_number_of_seeds_shows_the_effect_with_the_power_that_was_asked_for():
    rng = np.random.default_rng(2)
    needed = needed_seeds(0.8, rng.normal(size=10_000))
    shown = ever_wrong(rng.normal(0.8, 1, size=(4000, needed)), [needed], always_valid_t)
    assert shown == pytest.approx(0.8, abs=0.05)
    assert needed_seeds(1e-6, [1.0, 2.0]) is None
    assert needed_seeds(1.0, [1.0]) is None
    assert needed_seeds(1.0, [1.0, 1.0]) == MIN_SEEDS
