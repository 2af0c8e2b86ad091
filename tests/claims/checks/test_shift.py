"""The checks of the inside of networks compare the right numbers."""

import numpy as np
import pytest

from bncli.claims.check import run_check
from bncli.claims.checks import shift
from bncli.claims.checks.shift import Networks, paired


def test_a_paired_difference_is_with_normalization_minus_without():
    found = paired(np.array([1.0, 2.0]), np.array([0.5, 3.0]), "thing")
    assert found.values == (-0.5, 1.0)
    assert found.text == "thing: 1.5 without batch normalization, 1.75 with; digits, 30 seeds"


@pytest.fixture
def measured(monkeypatch):
    """Two seeds, whose shift has a tenth of the distance and 1.5 times the cosine with normalization."""
    shapes = np.array([[[1.0, 5.0, 0.5], [0.2, 7.0, 0.0]], [[2.0, 5.0, 0.5], [0.5, 6.0, 0.1]]])
    values = np.full((2, 2, 3, 2), [10.0, 0.5])
    fakes = {
        "none": Networks(np.array([0.5, 0.6]), np.array([2.0, 3.0]), shapes, values),
        "batch": Networks(np.array([0.1, 0.1]), np.array([1.0, 4.0]), shapes, values * [0.1, 1.5]),
    }
    monkeypatch.setattr(shift, "trained_networks", lambda activation, norm: fakes[norm])
    monkeypatch.setattr(shift, "EPOCHS", (0, 4))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("saturated-share", (-0.4, -0.5)),
        ("percentile-path", (-1.0, 1.0)),
        ("skew-relu", (-0.8, -1.5)),
        ("kurtosis-sigmoid", (2.0, 1.0)),
        ("zeros-relu", (-0.5, -0.4)),
        ("shift-distance-relu", (-1.0, -1.0)),
        ("shift-cosine-sigmoid", (0.25, 0.25)),
    ],
)
def test_each_check_compares_the_right_numbers(name, values, measured):
    assert run_check(name).values == pytest.approx(values)


def test_the_ratio_of_distances_is_given_by_epoch(measured):
    assert run_check("shift-distance-relu").text == (
        "distance with batch normalization / without: 0.1 (after 0, 4 epochs: 0.1, 0.1); digits, 30 seeds"
    )


def test_each_epoch_of_the_training_counts_alike(monkeypatch):
    monkeypatch.setattr(shift, "EPOCHS", (0, 1, 10))
    assert shift.over_training(np.array([5.0, 1.0, 1.0])) == pytest.approx((3.0 + 9.0) / 10)
