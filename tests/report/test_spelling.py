"""Numbers, intervals and labels as texts."""

import math
import re

import pytest
from fakes import evidence, make_study
from hypothesis import given
from hypothesis import strategies as st

from bncli.report.spelling import (
    effect,
    epochs,
    interval,
    number,
    point_label,
    ratio,
    short_number,
    sparkline,
    threshold_text,
)
from bncli.values import counted


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
        ((0.956, 0.956, 0.956), "", "0.956 (all equal)"),
        ((0.1, 0.1 - 1e-17, 0.1 + 2e-9), "+", "+0.100 (all equal)"),
        ((0.0, -1e-17, 1e-17), "+", "0.000 (all equal)"),
        ((0.956, 0.9559, 0.9561), "", "0.956 [0.956, 0.956]"),
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


@pytest.mark.parametrize(
    ("value", "text"),
    [(109.371, "> 100"), (-109.371, "< -100"), (99.9, "+99.90"), (-0.0001, "0.00"), (math.nan, "-")],
)
def test_an_effect_size_that_is_no_measurement_is_a_bound(value, text):
    assert effect(value) == text


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((math.inf, math.inf, math.inf), "baseline never"),
        ((math.inf, 2.0, math.inf), "baseline never"),
        ((0.0, 0.0, 0.0), "arm never"),
        ((3.0, 2.0, math.inf), "3 [2, baseline never]"),
        ((2.0, 0.0, math.inf), "undecided"),
        ((math.inf, 0.0, math.inf), "undecided"),
        ((0.0, 0.0, math.inf), "undecided"),
        ((3.0, 0.0, 4.0), "3 [arm never, 4]"),
        ((3.0, math.nan, math.nan), "3"),
        ((math.nan, math.nan, math.nan), "-"),
    ],
)
def test_a_speed_up_over_what_never_comes_is_said_in_words(parts, text):
    assert ratio(*parts) == text


@given(st.floats(allow_nan=True) | st.floats(-0.001, 0.001))
def test_nothing_is_spelled_as_minus_zero(value):
    for text in (number(value), number(value, "+"), effect(value), short_number(value), interval(value, value, value)):
        assert not re.search(r"-0(\.0+)?(?![.\d])", text)


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
        ({}, "the smoothed val_accuracy reaches 95% of the baseline's gain"),
        ({"metric": "loss", "threshold": 0.25}, "the smoothed loss reaches 0.25"),
        ({"metric": "train_accuracy"}, "the smoothed val_accuracy reaches 95% of the baseline's gain"),
    ],
)
def test_the_threshold_is_named_with_the_metric_of_the_curves(choice, text):
    assert threshold_text(evidence(make_study(), **choice)) == text
