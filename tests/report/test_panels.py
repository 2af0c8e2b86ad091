"""Figures as panels of the page: colours, ids, views and the points under the pointer."""

import html
import itertools
import json
import re

import pytest
from fakes import TRIVIAL, TWO_AXES, complete, evidence, learned, make_study

from bncli.report.canvas import panel_grid
from bncli.report.figure import REGISTRY
from bncli.report.panels import MAX_POINTS, arms_in, panels_of, to_svg
from bncli.report.style import own_style, page_style


def panels(shown, name="curves"):
    with own_style(), page_style():
        return panels_of(REGISTRY[name](shown), name)


@pytest.fixture(scope="module")
def shown():
    return evidence(make_study(axes=TWO_AXES, seeds=range(3)), learned, TRIVIAL)


def test_each_setting_is_a_panel_of_the_same_width_below_the_last_one(shown):
    views = [[float(value) for value in panel.view.split()] for panel in panels(shown)]
    assert len(views) == 4
    assert len({(left, width) for left, _, width, _ in views}) == 1
    assert all(above[1] + above[3] < below[1] + 7 for above, below in itertools.pairwise(views))


def test_a_curve_of_many_epochs_has_some_of_its_points():
    def long(config):
        return complete(config, tuple(epoch / 1000 for epoch in range(1000)))

    (panel,) = panels(evidence(make_study(epochs=1000), long, TRIVIAL))
    curves = json.loads(panel.points)
    assert [curve[0] for curve in curves] == [0, 1]
    assert {(len(curve) - 1) // 4 for curve in curves} == {MAX_POINTS}
    assert curves[0][3:5] == [1, 0]
    assert (panel.xlabel, panel.ylabel) == ("epoch", "validation accuracy")


def test_points_lie_within_what_the_panel_shows(shown):
    for name in ("curves", "differences", "reached"):
        for panel in panels(shown, name):
            left, top, width, height = map(float, panel.view.split())
            for _, *numbers in json.loads(panel.points):
                assert all(left < x < left + width for x in numbers[::4])
                assert all(top < y < top + height for y in numbers[1::4])


def test_colour_bars_are_part_of_their_panels(shown):
    found = panels(shown, "heatmap")
    assert len(found) == 2
    assert all("heatmap-bar-" in panel.svg for panel in found)


def test_text_that_looks_like_markup_or_a_colour_stays_text():
    nasty = 'a" id="x" style="fill:#000000" <b>url(#y)'
    with own_style(), page_style():
        figure, (axes,) = panel_grid(evidence(make_study()), [nasty], "x", "y")
        axes.plot([0, 1], [0, 1])
        (panel,) = panels_of(figure, "mine")
    body = html.unescape("".join(re.findall(r"<text[^>]*>([^<]*)</text>", panel.svg)))
    assert "".join(nasty.split()) in "".join(body.split())


def test_arms_are_found_by_their_place(shown):
    found = panels(shown, "differences")
    assert arms_in(found, {0: "none", 1: "batch:before"}) == {1: "batch:before"}
    assert arms_in(panels(shown), {0: "none", 1: "batch:before"}) == {0: "none", 1: "batch:before"}


def test_a_file_has_no_colours_of_the_page_and_no_id_twice(shown):
    with own_style():
        text = to_svg(REGISTRY["differences"](shown))
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert "var(--" not in text
    assert 'class="arm-1"' in text
    assert ">activation sigmoid, lr 0.01</text>" in text
