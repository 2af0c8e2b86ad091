"""Measures of a run, and reductions along an axis."""

import math

import pytest
from fakes import complete, diverged

from bncli.claims import measures
from bncli.config import RunConfig

RUN = complete(RunConfig(), (0.5, 0.9, 0.7), train_accuracy=0.8, seconds=6.0)
DIVERGED = diverged(RunConfig(), (0.5, 0.1))


@pytest.mark.parametrize(
    ("name", "settings", "value"),
    [
        ("final", {"metric": "val_accuracy"}, 0.7),
        ("first", {"metric": "val_accuracy"}, 0.5),
        ("best", {"metric": "val_accuracy"}, 0.9),
        ("late_mean", {"metric": "val_accuracy", "last": 2}, 0.8),
        ("gap", {"metric": "train_accuracy", "minus": "val_accuracy", "last": 2}, 0.0),
        ("gap", {"metric": "val_accuracy", "minus": "train_accuracy", "last": 2}, -0.1),
        ("learned", {"metric": "val_accuracy", "threshold": 0.7}, 1),
        ("learned", {"metric": "val_accuracy", "threshold": 0.8}, 0),
        ("hit_epoch", {"metric": "val_accuracy", "threshold": 0.8}, 2),
        ("hit_epoch", {"metric": "val_accuracy", "threshold": 0.95}, math.inf),
        ("hit_seconds", {"metric": "val_accuracy", "threshold": 0.8}, 4),
        ("epoch_seconds", {}, 2),
    ],
)
def test_a_measure_of_a_complete_run(name, settings, value):
    assert measures.REGISTRY[name](RUN, **settings) == pytest.approx(value)


@pytest.mark.parametrize("name", ["final", "late_mean"])
def test_the_loss_of_a_diverged_run_is_infinite(name):
    settings = {key: {"metric": "loss", "last": 1}[key] for key in measures.parameters(name)}
    assert measures.REGISTRY[name](DIVERGED, **settings) == math.inf


@pytest.mark.parametrize(
    ("numbers", "expected"), [([0, 0, 0], 0), ([1, 0, 1], 0), ([0, 1, 1], 1), ([1, 1, 0], 1), ([1, 1, 1], 2)]
)
def test_tolerance_is_the_widest_range_in_decades_in_whatever_order(numbers, expected):
    axis = [0.01, 0.1, 1.0]
    assert measures.tolerance(numbers, axis) == pytest.approx(expected)
    assert measures.tolerance(numbers[::-1], axis[::-1]) == pytest.approx(expected)


def test_highest_is_minus_infinity_if_the_measure_is_always_0():
    assert measures.highest([0, 0], [0.1, 1.0]) == -math.inf
    assert measures.highest([1, 0], [0.1, 1.0]) == pytest.approx(-1)


@pytest.mark.parametrize(
    ("name", "metric", "lower"),
    [
        ("final", "val_accuracy", False),
        ("final", "val_loss", True),
        ("hit_epoch", "val_accuracy", True),
        ("learned", "val_loss", False),
    ],
)
def test_lower_is_better(name, metric, lower):
    assert measures.lower_is_better(name, metric) is lower
