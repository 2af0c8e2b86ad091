"""The always-valid interval."""

import math

import numpy as np
import pytest

from bncli.analysis.seeds import MIN_SEEDS, always_valid_interval, always_valid_t
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
