"""The figure of a network: its layers as boxes from top to bottom, with the sites of its normalizations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bncli.report.canvas import blank
from bncli.report.style import COLOURS, short, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bncli.networks.facts import LayerFacts
    from bncli.networks.sites import Site

ROWS = 26
"""Most layers in a column of the figure."""

MAX_LAYERS = 520
"""A network of more layers has no figure that anybody could read."""

BOX = (3.3, 0.62)
"""Width and height of a box, where the next box is 4.6 to the right and 1 below."""

STEP = 4.6

INK, FILL = "#333333", {"norm": "#FBE3D3", "linear": "#D6E8F5", "other": "#FFFFFF"}

MARKS: dict[str, dict[str, Any]] = {
    "site with a normalization": {"marker": "o", "color": COLOURS[2]},
    "site without one": {"marker": "o", "color": COLOURS[2], "markerfacecolor": "white"},
    "site whose normalization can't be moved": {"marker": "X", "color": COLOURS[2]},
}
"""How a site is marked, by what it is."""

Place = tuple[float, float]


def draw_network(layers: Sequence[LayerFacts], sites: Sequence[Site], title: str) -> Figure:
    """Draw the layers of a network in the order in which they are called, and an arrow for every value.

    Args:
        layers: The layers.
        sites: The sites, which are marked at the layers behind which they are.
        title: The title.
    """
    n_columns = math.ceil(len(layers) / ROWS)
    n_rows = min(len(layers), ROWS)
    figure = blank(0.62 * STEP * n_columns + 0.3, 0.36 * n_rows + 1.5)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(-2.1, STEP * (n_columns - 1) + 2.6), ylim=(-n_rows + 0.3, 0.9))
    places = {layer.name: _place(number) for number, layer in enumerate(layers)}
    for number, layer in enumerate(layers):
        for name in layer.inputs:
            if name in places:
                _draw_arrow(axes, places[name], places[layer.name], is_next=places[name] == _place(number - 1))
        _draw_box(axes, places[layer.name], layer)
    _draw_sites(axes, sites, places)
    figure.suptitle(wrapped(title, figure.get_figwidth()), fontsize=10)
    if sites:
        figure.legend(loc="outside lower center", ncols=1 if n_columns == 1 else len(MARKS), frameon=False, fontsize=8)
    return figure


def _place(number: int) -> Place:
    column, row = divmod(number, ROWS)
    return column * STEP, -float(row)


def _draw_box(axes: Axes, place: Place, layer: LayerFacts) -> None:
    from matplotlib.patches import FancyBboxPatch

    width, height = BOX
    kind = "norm" if layer.is_norm else "linear" if layer.is_linear else "other"
    corner = (place[0] - width / 2, place[1] - height / 2)
    axes.add_patch(
        FancyBboxPatch(corner, width, height, boxstyle="round,pad=0,rounding_size=0.12", fc=FILL[kind], ec=INK, lw=0.7)
    )
    shape = "" if layer.shape is None else "x".join("?" if size is None else str(size) for size in layer.shape)
    axes.text(*place, f"{short(layer.kind)}  {shape}", ha="center", va="center", fontsize=7.5, color=INK)


def _draw_arrow(axes: Axes, start: Place, end: Place, *, is_next: bool) -> None:
    """An arrow down to the next box; a curve on the right to a later one; a line across to another column."""
    width, height = BOX
    bend = "arc3"
    if is_next and start[0] == end[0]:
        start, end = (start[0], start[1] - height / 2), (end[0], end[1] + height / 2)
    elif start[0] == end[0]:
        bend = f"arc3,rad={-0.9 / max(1.0, (start[1] - end[1]) / 2):.3f}"
        start, end = (start[0] + width / 2, start[1]), (end[0] + width / 2, end[1])
    else:
        start, end = (start[0] + width / 2, start[1]), (end[0] - width / 2, end[1])
    look = {"arrowstyle": "-|>", "color": INK, "lw": 0.7, "shrinkA": 0, "shrinkB": 0, "connectionstyle": bend}
    axes.annotate("", xy=end, xytext=start, arrowprops=look | {"mutation_scale": 7})


def _draw_sites(axes: Axes, sites: Sequence[Site], places: dict[str, Place]) -> None:
    left = -BOX[0] / 2 - 0.18
    for label, look in MARKS.items():
        found = [places[site.layer] for site in sites if site.layer in places and _mark(site) == label]
        points = [(x + left, y) for x, y in found] or [(math.nan, math.nan)]
        axes.plot(*zip(*points, strict=True), ls="", ms=5, label=label if sites else None, **look)


def _mark(site: Site) -> str:
    if not site.is_movable:
        return "site whose normalization can't be moved"
    return "site with a normalization" if site.norm else "site without one"
