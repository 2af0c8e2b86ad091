"""The number of seeds that would decide a claim."""

import math

import numpy as np
import pytest
from scipy.special import stdtrit

from bncli.claims.claim import Claim
from bncli.claims.power import MAX_ADVICE, advice_on_effect, seeds_for


@pytest.mark.parametrize("effect", [0.4, 0.8, 1.5])
def test_the_number_of_seeds_shows_the_effect_with_a_power_of_80_percent(effect):
    rng = np.random.default_rng(2)
    needed = seeds_for(effect, rng.normal(size=10_000))
    sample = rng.normal(effect, 1, size=(4000, needed))
    reach = stdtrit(needed - 1, 0.975) * sample.std(axis=1, ddof=1) / math.sqrt(needed)
    assert np.mean(abs(sample.mean(axis=1)) > reach) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(
    ("effect", "values"), [(1e-6, [1.0, 2.0]), (1.0, [1.0]), (1.0, [1.0, math.inf]), (0.0, [1.0, 2.0])]
)
def test_no_number_is_advised_that_is_too_large_or_not_known(effect, values):
    assert seeds_for(effect, values) > MAX_ADVICE


def test_equal_values_take_the_fewest_seeds():
    assert seeds_for(1.0, [1.0, 1.0]) == 2


@pytest.mark.parametrize(
    ("margin", "values", "expected"),
    [
        (0.01, [0.0, 0.02, 0.01], "A new study with about 10 other seeds would show the smallest effect that counts."),
        (1e-6, [0.0, 1.0], "The smallest effect that counts is too small to be found, given the spread of the seeds."),
        (0.0, [0.0, 1.0], ""),
        (0.01, [0.0, math.inf], ""),
    ],
)
def test_the_advice_is_one_sentence(margin, values, expected):
    claim = Claim("a", "s", measure="final", arm="batch", baseline="none", expect="above", margin=margin)
    assert advice_on_effect(claim, values) == expected
