"""The figure `heatmap`."""

import pytest
from drawings import SHOWN, drawn, panels
from fakes import TWO_AXES, complete, evidence, make_study

from bncli.report.figures.heatmap import heatmap


def cell_texts(axes):
    return {
        (int(text.get_position()[1]), int(text.get_position()[0])): text.get_text()
        for text in axes.texts
        if text.get_text()
    }


@pytest.mark.parametrize("name", ["two-axes", "all-diverged", "ignored-axis", "nine-arms", "long-labels", "one-seed"])
def test_the_cells_show_the_means(name):
    given = SHOWN[name]
    rows, columns = (list(dict.fromkeys(given.conditions_table[f"param_{axis}"].dropna())) for axis in given.axes)
    for axes, arm in zip(panels(drawn(name)["heatmap"]), given.arms, strict=True):
        shown = cell_texts(axes)
        assert len(shown) == len(rows) * len(columns)
        for _, condition in given.conditions_table[given.conditions_table["arm"] == arm].iterrows():
            row, column = (condition[f"param_{axis}"] for axis in given.axes)
            at_rows = [rows.index(row)] if row == row else range(len(rows))
            for place in at_rows:
                assert shown[place, columns.index(column)] == f"{condition['mean_val_accuracy']:.3f}"


def test_a_condition_without_numbers_is_an_empty_cell():
    baseline, _ = panels(drawn("some-missing")["heatmap"])
    assert set(cell_texts(baseline)) == {(0, 1), (1, 1)}


def test_too_many_cells_for_text_have_colours_only_and_fewer_ticks():
    for axes in panels(drawn("sixty-columns")["heatmap"]):
        assert cell_texts(axes) == {}
        assert axes.images[0].get_array().shape == (2, 60)
        assert len(axes.get_xticks()) == 30


def test_all_arms_share_one_colour_scale_from_the_worst_or_guessing_to_one():
    means = SHOWN["nine-arms"].conditions_table["mean_val_accuracy"]
    low = min(means.min(), SHOWN["nine-arms"].trivial)
    assert {axes.images[0].get_clim() for axes in panels(drawn("nine-arms")["heatmap"])} == {(low, 1.0)}


def test_rows_and_columns_are_named_by_the_values_of_the_axes():
    axes = drawn("two-axes")["heatmap"].axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["sigmoid", "relu"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.01", "0.1"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("activation", "lr")


@pytest.mark.parametrize(("n_unlearned", "n_hatched"), [(1, 0), (2, 1), (3, 1)])
def test_a_cell_is_hatched_where_half_of_the_seeds_did_not_learn(n_unlearned, n_hatched):
    def make(config):
        is_low = config.norm == "none" and config.lr > 0.05 and config.activation == "relu"
        return complete(config, (0.5, 0.5) if is_low and config.seed < n_unlearned else (0.5, 0.9))

    figure = heatmap(evidence(make_study(axes=TWO_AXES, seeds=(0, 1, 2, 3)), make))
    baseline, other = panels(figure)
    assert [patch.get_xy() for patch in baseline.patches] == [(0.5, 0.5)] * n_hatched
    assert len(other.patches) == 0
    assert ("hatched: at least half of the seeds did not learn" in figure.method) == bool(n_hatched)
