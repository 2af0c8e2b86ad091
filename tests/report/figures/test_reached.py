"""The figure `reached`."""

import itertools

import pytest
from drawings import labelled, line, panels, titles
from fakes import IGNORED_AXIS, complete, evidence, make_study

from bncli.report.figures.curves import curves
from bncli.report.figures.reached import reached


def test_a_seed_that_never_reaches_the_threshold_keeps_the_share_below_1():
    def make(config):
        return complete(config, (0.5, 0.7, 0.9) if config.seed else (0.5, 0.6, 0.6))

    given = evidence(make_study("none", seeds=range(4)), make, threshold=0.65)
    figure = reached(given)
    assert line(figure.axes[0], "none").get_xydata().tolist() == [[1, 0], [2, 0.75], [3, 0.75]]
    assert figure.method == "the smoothed val_accuracy reaches 0.65; n = 4"


def test_a_baseline_on_which_an_axis_has_no_effect_is_drawn_in_every_panel():
    """As in the README's own sweep, where `none` had panels of its own."""
    given = evidence(make_study(axes=IGNORED_AXIS))
    figure = reached(given)
    assert titles(figure) == titles(curves(given))
    assert [sorted(labelled(axes)) for axes in panels(figure)] == [["batch:before", "none"]] * 4


def test_every_arm_has_one_curve_in_a_panel_where_the_axis_has_an_effect_on_the_baseline_alone():
    study = make_study("batch:before,none,layer:before", (("norm_momentum", (0.9, 0.99)),))
    figure = reached(evidence(study))
    for axes in panels(figure):
        assert sorted(line.get_label() for line in axes.get_lines()) == ["batch:before", "layer:before", "none"]


def test_curves_that_are_equal_do_not_hide_each_other():
    study = make_study("none,batch:before,layer:before")
    axes = reached(evidence(study, lambda config: complete(config, (0.5, 0.7, 0.9)), threshold=0.65)).axes[0]
    lines = [line(axes, arm) for arm in ("none", "batch:before", "layer:before")]
    heights = [each.get_transform().transform((1, 0.5))[1] for each in lines]
    apart = [round(72 / axes.figure.dpi * (high - low), 6) for low, high in itertools.pairwise(heights)]
    assert apart == [2, 2]
    assert heights[1] == pytest.approx(axes.transData.transform((1, 0.5))[1])
    assert axes.get_ylim() == (-0.04, 1.04)
    assert axes.get_xlim() == plt_limits(1, 3)


def plt_limits(low, high):
    """The limits with matplotlib's margins: the shift of curves does not change them."""
    margin = 0.05 * (high - low)
    return pytest.approx((low - margin, high + margin))
