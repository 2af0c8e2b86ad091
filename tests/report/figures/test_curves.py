"""The figures `curves` and `train_val`."""

import numpy as np
import pytest
from drawings import drawn, line, panels, titles
from fakes import complete, diverged, evidence, make_study

from bncli.report.figures.curves import curves


def test_curves_are_means_over_seeds_with_a_band_of_one_sd():
    scores = {0: (0.2, 0.4), 1: (0.4, 0.8)}
    axes = curves(evidence(make_study("none"), lambda config: complete(config, scores[config.seed]))).axes[0]
    assert line(axes, "none").get_xdata().tolist() == [1, 2]
    assert line(axes, "none").get_ydata() == pytest.approx([0.3, 0.6])
    sd = np.std([(0.2, 0.4), (0.4, 0.8)], axis=0, ddof=1)
    corners = axes.collections[0].get_paths()[0].vertices
    for epoch, mean, spread in zip((1, 2), (0.3, 0.6), sd, strict=True):
        heights = corners[corners[:, 0] == epoch][:, 1]
        assert [heights.min(), heights.max()] == pytest.approx([mean - spread, mean + spread])


def test_a_diverged_run_stays_in_the_mean_to_the_end():
    def make(config):
        return diverged(config, (0.4, 0.1)) if config.seed == 0 else complete(config, (0.4, 0.6, 0.8))

    given = evidence(make_study("none"), make)
    figure = curves(given)
    assert line(figure.axes[0], "none").get_ydata() == pytest.approx([0.4, 0.35, 0.45])
    assert given.conditions_table["mean_val_accuracy"].tolist() == pytest.approx([0.45])
    assert "diverged runs keep their last value" in figure.method


def test_a_run_that_its_patience_stopped_stays_in_the_mean_to_the_end():
    def make(config):
        return complete(config, (0.4, 0.5) if config.seed == 0 else (0.4, 0.6, 0.8))

    figure = curves(evidence(make_study("none", patience=1), make))
    assert line(figure.axes[0], "none").get_ydata() == pytest.approx([0.4, 0.55, 0.65])
    assert "stopped runs keep their last value" in figure.method


def test_curves_have_one_panel_per_point_and_one_row_per_value_of_the_first_axis():
    figure = drawn("two-axes")["curves"]
    names = [f"activation {activation}, lr {lr}" for activation in ("sigmoid", "relu") for lr in (0.01, 0.1)]
    assert titles(figure) == names
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == (2, 2)


def test_the_lowest_panel_of_each_column_has_numbered_epochs():
    figure = drawn("five-points")["curves"]
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == (2, 3)
    numbered = [any(text.get_text() for text in axes.get_xticklabels() if text.get_visible()) for axes in figure.axes]
    labelled = [axes.get_xlabel() for axes in figure.axes]
    assert numbered == [False, False, True, True, True]
    assert labelled == ["", "", "epoch", "epoch", "epoch"]


def test_an_arm_on_which_an_axis_has_no_effect_is_in_every_panel():
    figure = drawn("ignored-axis")["curves"]
    assert len(panels(figure)) == 4
    assert titles(figure)[0] == "norm_momentum 0.9, lr 0.01"
    low, high = (line(figure.axes[place], "none").get_ydata().tolist() for place in (0, 2))
    assert low == high


def test_an_axis_without_effect_is_left_out_of_the_title_of_its_panel():
    assert titles(drawn("ignored-at-a-value")["curves"]) == [
        "optimizer sgd, momentum 0.5",
        "optimizer sgd, momentum 0.9",
        "optimizer adam",
    ]
    assert titles(drawn("ignored-by-all")["curves"]) == [""]


def test_flags_are_spelled_as_a_user_types_them():
    assert titles(drawn("flags")["curves"])[0] == "center true"


def test_a_single_epoch_is_a_point_at_a_whole_number():
    axes = drawn("one-epoch")["curves"].axes[-1]
    assert line(axes, "none").get_marker() == "o"
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


@pytest.mark.parametrize(("name", "n_lines"), [("no-axes", 1), ("no-chance", 0)])
def test_the_trivial_score_is_a_dotted_line(name, n_lines):
    figure = drawn(name)["curves"]
    dotted = [each for each in figure.axes[0].get_lines() if each.get_linestyle() == ":"]
    assert [list(each.get_ydata()) for each in dotted] == [[0.5, 0.5]] * n_lines
    assert ("dotted: guessing the commonest class" in figure.method) == bool(n_lines)


@pytest.mark.parametrize(
    ("name", "caption"),
    [
        ("no-axes", "mean over seeds, n = 2; band: 1 sd; dotted: guessing the commonest class"),
        ("one-seed", "one seed; dotted: guessing the commonest class"),
        ("some-missing", "mean over seeds, n = 0 to 2; band: 1 sd; dotted: guessing the commonest class"),
    ],
)
def test_the_caption_says_how_many_seeds_there_are(name, caption):
    assert drawn(name)["curves"].method == caption


def test_training_and_validation_share_one_scale():
    left, right = drawn("no-axes")["train_val"].axes
    assert [left.get_title(), right.get_title()] == ["training accuracy (as fit reports it)", "validation accuracy"]
    assert left.get_ylim() == right.get_ylim()
    for arm in ("none", "batch:before"):
        assert line(left, arm).get_ydata() == pytest.approx(0.9 * line(right, arm).get_ydata())
