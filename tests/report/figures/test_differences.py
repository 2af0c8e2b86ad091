"""The figure `differences`."""

import numpy as np
import pytest
from drawings import drawn
from fakes import evidence, gaining, make_study
from matplotlib.colors import to_hex

from bncli.report.figures.differences import differences


@pytest.mark.parametrize(
    ("gains", "face"), [((0.1, 0.12, 0.11, 0.1, 0.13, 0.1), "#0072b2"), ((0.1, -0.1, 0.05, 0.0, -0.06, 0.0), "#ffffff")]
)
def test_a_difference_is_a_point_on_its_interval_hollow_if_it_is_not_decided(gains, face):
    given = evidence(make_study(seeds=range(6)), gaining(gains), 0.2)
    row = given.differences_table.iloc[0]
    bar, point, zero = differences(given).axes[0].get_lines()
    assert point.get_xdata() == pytest.approx([np.mean(gains)])
    assert bar.get_xdata() == pytest.approx([row["low"], row["high"]])
    assert to_hex(point.get_markerfacecolor()) == face
    assert list(zero.get_xdata()) == [0, 0]


@pytest.mark.parametrize(("metric", "side"), [("val_accuracy", "right"), ("val_loss", "left")])
def test_the_axis_says_on_which_side_an_arm_is_better(metric, side):
    axes = differences(evidence(make_study(), metric=metric)).axes[0]
    assert axes.get_xlabel().endswith(f"({side} of 0: better than none)")


def test_differences_are_in_the_order_of_the_study_and_named_by_point():
    axes = drawn("two-axes")["differences"].axes[0]
    names = [text.get_text().replace("\n", " ") for text in axes.get_yticklabels()]
    assert names == [f"activation {activation}, lr {lr}" for activation in ("sigmoid", "relu") for lr in (0.01, 0.1)]
    assert axes.yaxis_inverted()


def test_with_one_seed_the_caption_mentions_no_interval():
    assert drawn("one-seed")["differences"].method == "one seed"
