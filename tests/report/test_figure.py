"""Every figure on every kind of study, read from the artists and never from pixels."""

import pytest
from drawings import SHOWN, SIXTY, drawn, drawn_arms, labelled, legend, panels, titles
from fakes import TWO_AXES, diverged, evidence, failed, make_study
from matplotlib import pyplot
from matplotlib.colors import to_hex

from bncli.report import figure as drawing
from bncli.report.figures.curves import curves

RATES = (("lr", (0.001, 0.01, 0.1)),)

every_study = pytest.mark.parametrize("name", SHOWN)


@every_study
def test_every_figure_can_be_drawn_and_its_panels_have_room(name):
    for figure in drawn(name).values():
        assert max(figure.get_size_inches()) < 22
        for axes in panels(figure):
            box = axes.get_window_extent()
            assert min(box.width, box.height) > 0.8 * figure.dpi


@every_study
def test_the_outer_axes_are_labelled(name):
    for kind, figure in drawn(name).items():
        for axes in panels(figure):
            place = axes.get_subplotspec()
            named = axes.get_ylabel() or (kind == "differences" and axes.get_yticklabels())
            assert named or not place.is_first_col()
            assert axes.get_xlabel() or not place.is_last_row()


@every_study
def test_every_figure_says_something_and_how(name):
    for kind, figure in drawn(name).items():
        assert " ".join(figure.get_suptitle().split()) == figure.message.replace("$", r"\$")
        assert figure.message[-1] not in ".:"
        legends = [legend.get_title().get_text() for legend in figure.legends]
        below = legends[0] if legends else figure.get_supxlabel()
        assert " ".join(below.split()) == figure.method, kind
        assert figure.method


@every_study
def test_the_legend_lists_the_arms_in_order(name):
    for kind, figure in drawn(name).items():
        if kind == "heatmap":
            assert [title.replace("\n", "") for title in titles(figure)] == list(SHOWN[name].arms)
        elif kind == "differences":
            assert legend(figure) == drawn_arms(SHOWN[name])[1:]
        else:
            assert legend(figure) == drawn_arms(SHOWN[name])


@every_study
def test_an_arm_has_one_look_in_every_figure_and_no_other_arm_has_it(name):
    looks = {arm: set() for arm in drawn_arms(SHOWN[name])}
    for figure in drawn(name).values():
        for axes in panels(figure):
            for label, each in labelled(axes).items():
                if label in looks:
                    looks[label].add((to_hex(each.get_color()), each.get_marker()))
    n_looks = 1 if {"curves", "train_val", "lr", "reached"} & set(drawn(name)) else 0
    assert {arm: len(each) for arm, each in looks.items()} == dict.fromkeys(looks, n_looks)
    assert len(set().union(*looks.values())) == n_looks * len(looks)


def test_nothing_is_drawn_through_pyplot():
    figures = [figure for name in SHOWN for figure in drawn(name).values()]
    assert len(figures) > len(SHOWN)
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("two-axes", ["curves", "differences", "reached", "heatmap"]),
        ("no-axes", ["curves", "train_val", "differences", "reached"]),
        ("five-points", ["curves", "differences", "lr", "reached"]),
        ("sixty-points", ["differences", "lr"]),
        ("sixty-columns", ["lr", "heatmap"]),
        ("ignored-by-all", ["curves", "reached"]),
    ],
)
def test_a_study_gets_the_figures_that_it_has_data_for_in_the_order_of_the_report(name, expected):
    assert list(drawn(name)) == expected


def test_without_a_history_there_are_no_curves():
    assert list(drawing.draw_all(evidence(make_study(), failed))) == []


@pytest.mark.parametrize("axes", [(), TWO_AXES, RATES])
def test_every_figure_can_be_drawn_of_a_loss(axes):
    figures = drawing.draw_all(evidence(make_study(axes=axes), metric="val_loss"))
    for figure in figures.values():
        figure.draw_without_rendering()
    assert figures["curves"].axes[0].get_ylabel() == "validation loss"
    assert figures["curves"].axes[0].get_yscale() == "log"
    assert "guessing" not in figures["curves"].method


def overlaps(figure):
    """Pairs of titles, labels and legends that overlap or leave the figure, by their boxes."""
    texts = [figure._suptitle, *figure.legends]
    for axes in figure.axes:
        texts += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
    boxes = [text.get_window_extent() for text in texts if not hasattr(text, "get_text") or text.get_text()]
    whole = figure.bbox.padded(1)
    outside = [
        box
        for box in boxes
        if not (whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1)
    ]
    crossing = [
        (one, other)
        for place, one in enumerate(boxes)
        for other in boxes[:place]
        if one.padded(-1).overlaps(other.padded(-1))
    ]
    return outside, crossing


@pytest.mark.parametrize("name", ["two-axes", "no-axes", "ignored-axis", "five-points", "nine-arms", "long-labels"])
def test_no_text_overlaps_another_or_leaves_the_figure(name):
    for figure in drawn(name).values():
        assert overlaps(figure) == ([], [])


def test_a_long_legend_leaves_the_panel_its_height():
    few, many = (curves(SHOWN[name]) for name in ("no-axes", "nine-arms-no-axes"))
    heights = []
    for figure in (few, many):
        figure.draw_without_rendering()
        heights.append(figure.axes[0].get_window_extent().height)
    assert heights[1] > 0.9 * heights[0]


def test_panels_of_one_size_form_rows_and_columns():
    figure = curves(evidence(make_study(axes=(("lr", SIXTY[:10]),))))
    figure.draw_without_rendering()
    boxes = [axes.get_position() for axes in figure.axes]
    assert len({round(box.width, 4) for box in boxes}) == len({round(box.height, 4) for box in boxes}) == 1
    assert len({round(box.x0, 4) for box in boxes}) == 4
    assert len({round(box.y0, 4) for box in boxes}) == 3


@pytest.mark.parametrize(
    ("make", "metric", "expected"),
    [
        (failed, "val_accuracy", []),
        (failed, "val_loss", []),
        (diverged, "val_accuracy", ["curves", "differences", "lr", "reached"]),
        (diverged, "val_loss", ["curves", "reached"]),
    ],
)
def test_a_sweep_in_which_every_run_failed_or_diverged_gets_the_figures_that_have_data(make, metric, expected):
    figures = drawing.draw_all(evidence(make_study(axes=RATES), make, metric=metric))
    for figure in figures.values():
        figure.draw_without_rendering()
    assert list(figures) == expected
