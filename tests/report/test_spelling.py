"""Numbers, intervals and labels as texts."""

import math

import pytest
from fakes import evidence, make_study

from bncli.report.spelling import counted, epochs, interval, number, point_label, sparkline, threshold_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.91234, "0.912"),
        (math.nan, "-"),
        (None, "-"),
        (math.inf, "inf"),
        (9999.0, "9999.000"),
        (1.5e30, "1.5e+30"),
        (0.0, "0.000"),
        (-0.0004, "0.000"),
        (-0.0006, "-0.001"),
    ],
)
def test_a_number_has_three_decimals(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("parts", "sign", "text"),
    [
        ((0.5, 0.4, 0.6), "", "0.500 [0.400, 0.600]"),
        ((0.5, -0.4, 0.6), "+", "+0.500 [-0.400, +0.600]"),
        ((0.01, -0.0001, 0.019), "+", "+0.010 [0.000, +0.019]"),
        ((0.5, math.nan, math.nan), "+", "+0.500"),
        ((math.nan, math.nan, math.nan), "", "-"),
    ],
)
def test_a_number_is_followed_by_its_interval(parts, sign, text):
    assert interval(*parts, sign=sign) == text


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((5.0, 4.0, 6.5), "5 [4, 6.5]"),
        ((5.0, 4.0, math.inf), "5 [4, never]"),
        ((math.inf, 3.0, math.inf), "never"),
        ((5.0, math.nan, math.nan), "5"),
        ((math.nan, math.nan, math.nan), "-"),
    ],
)
def test_an_infinite_epoch_is_never(parts, text):
    assert epochs(*parts) == text


def test_counts_and_points_are_spelled_with_their_names():
    assert [counted(n, "run") for n in (0, 1, 2, 1000)] == ["0 runs", "1 run", "2 runs", "1,000 runs"]
    assert point_label(["center", "lr", "momentum"], [True, 1e-5, None]) == "center true, lr 1e-05"
    assert point_label([], []) == ""


def test_a_long_curve_is_shown_by_every_kth_value_and_the_last():
    assert sparkline([0.0] * 19 + [1.0], 0.0, 1.0) == "▁▁▁▁▁▁▁▁▁█"
    assert sparkline([0.0, math.nan, 2.0], 0.0, 1.0) == "▁ █"
    assert sparkline([0.5, 0.5], 0.5, 0.5) == "▁▁"
    assert sparkline([], 0.0, 1.0) == ""


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({}, "val_accuracy reaches the baseline's best average"),
        ({"metric": "loss", "threshold": 0.25}, "loss reaches 0.25"),
        ({"metric": "train_accuracy"}, "val_accuracy reaches the baseline's best average"),
    ],
)
def test_the_threshold_is_named_with_the_metric_of_the_curves(choice, text):
    assert threshold_text(evidence(make_study(), **choice)) == text
