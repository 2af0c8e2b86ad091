"""Where one more run is expected: coverage by simulation against known distributions."""

import math

import numpy as np
import pytest

from bncli.claims.judgement import ENOUGH
from bncli.claims.prediction import overlaps, prediction_interval

DRAWS = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "skewed": lambda rng, shape: 1 - rng.gamma(2, 0.01, size=shape),
    "some dead": lambda rng, shape: np.where(rng.random(shape) < 0.1, 0.1, rng.normal(0.97, 0.005, shape)),
}


def coverage(kind, n, repeats=1500):
    rng = np.random.default_rng(n)
    seeds, more = DRAWS[kind](rng, (repeats, n)), DRAWS[kind](rng, repeats)
    return np.mean([overlaps(row, value, value) for row, value in zip(seeds, more, strict=True)])


@pytest.mark.parametrize("n", [3, 5, 10, 19, 20, 30, 98, 99, 150])
def test_one_more_normal_run_is_inside_as_often_at_every_number_of_seeds(n):
    assert 0.97 <= coverage("normal", n) <= 0.992


@pytest.mark.parametrize(("n", "least"), [(5, 0.95), (30, 0.96), (150, 0.97)])
def test_one_more_skewed_run_is_inside_nearly_as_often(n, least):
    assert coverage("skewed", n) >= least


@pytest.mark.parametrize(("n", "least"), [(10, 0.94), (30, 0.98), (150, 0.975)])
def test_a_run_that_did_not_learn_is_expected_again(n, least):
    assert coverage("some dead", n) >= least


def test_the_fewest_seeds_that_confirm_a_run_seldom_confirm_one_far_away():
    rng = np.random.default_rng(0)

    def confirmed(n):
        return np.mean([overlaps(row, 4.5, 4.5) for row in rng.normal(size=(2000, n))])

    assert confirmed(ENOUGH) < 0.035 < confirmed(ENOUGH - 2)
    assert confirmed(3) > 0.6


def test_many_seeds_have_their_own_quantiles():
    values = list(range(1, 200))
    assert prediction_interval(values) == (2, 198)
    assert prediction_interval([*values, math.inf]) == (2, 198)


def test_the_range_includes_every_one_of_few_seeds():
    low, high = prediction_interval([0.97] * 19 + [0.1])
    assert low == 0.1
    assert high > 0.97
    assert prediction_interval([0.97] * 19 + [math.inf]) == (0.97, math.inf)
    assert prediction_interval([0.5]) == (0.5, 0.5)


def test_a_published_range_need_only_touch():
    assert overlaps([0.5] * 5, 0.5, 0.6)
    assert overlaps([0.5] * 5, -math.inf, 0.5)
    assert not overlaps([0.5] * 5, 0.500001, 0.6)
