"""Figures as panels of the page: SVG elements in the page's colours, with the values of their curves as data."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from bncli.report.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
HREF = f"{{{XLINK}}}href"

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)

MAX_POINTS = 200
"""The most points of a curve whose values the page shows under the pointer; of a longer one, every k-th."""

VARIABLES = {colour.lower(): f"--arm{place}" for place, colour in enumerate(COLOURS)} | {
    "#000000": "--ink",
    "#ffffff": "--page",
    "#b0b0b0": "--grid",
    "#999999": "--soft",
}
"""The page's variables for the colours of figures, which differ between a light and a dark page."""

_COLOUR = re.compile("|".join(VARIABLES), re.IGNORECASE)


@dataclass(frozen=True)
class Panel:
    """A panel of a figure.

    Attributes:
        svg: What is drawn, without the element `svg` around it.
        view: Left, top, width and height of what it shows, in points.
        points: A list for each curve: the arm's place, then x and y in the panel and the two values of each point.
        xlabel: What the x axis shows.
        ylabel: What the y axis shows; empty if its values have no meaning.
    """

    svg: str
    view: str
    points: str
    xlabel: str
    ylabel: str


def to_svg(figure: Figure) -> str:
    """Return a figure as SVG without dates and versions, in which the parts of an arm have the class `arm-PLACE`."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    content = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    FigureCanvasSVG(figure).print_svg(content, metadata=nothing)  # type: ignore[no-untyped-call]
    return re.sub(r'\bid="arm-(\d+)(?:-bar)?"', r'class="arm-\1"', content.getvalue())


def panels_of(figure: Figure, name: str) -> list[Panel]:
    """Return the panels of a figure that was drawn in `style.page_style`.

    Args:
        figure: The figure.
        name: Its name, with which all ids in the panels begin.
    """
    boxes = _laid_out(figure)
    root = ElementTree.fromstring(to_svg(figure))
    drawn = {group.get("id", ""): group for group in root.iter(f"{{{SVG}}}g")}
    shared = [part for part in root.findall(f"{{{SVG}}}defs") if part.find(f"{{{SVG}}}style") is None]
    panels: list[Panel] = []
    for gid, (axes, box) in boxes.items():
        bars = [drawn[other] for other in drawn if other == gid.replace("panel", "bar")]
        body = "".join(_for_page(part, name) for part in (drawn[gid], *bars, *(shared if not panels else ())))
        panels.append(_panel(figure, axes, box, body))
    return panels


def arms_in(panels: list[Panel], labels: Mapping[int, str]) -> dict[int, str]:
    """Return the place and name of each arm that is drawn in some panel."""
    found = {int(place) for panel in panels for place in re.findall(r'class="arm-(\d+)"', panel.svg)}
    return {place: label for place, label in labels.items() if place in found}


def _laid_out(figure: Figure) -> dict[str, tuple[Axes, Bbox]]:
    """Lay a figure out and give its panels ids; return what each takes, in points."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.transforms import Bbox

    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    boxes = {}
    for place, axes in enumerate(figure.axes):
        if not str(axes.get_gid()).startswith("bar-"):
            axes.set_gid(f"panel-{place}")
            bars = [other for other in figure.axes if other.get_gid() == f"bar-{place}"]
            found = [each.get_tightbbox(renderer) for each in (axes, *bars)]
            boxes[f"panel-{place}"] = (axes, Bbox.union([box for box in found if box is not None]))
    return boxes


def _panel(figure: Figure, axes: Axes, box: Bbox, svg: str) -> Panel:
    width, height = figure.bbox.width, figure.bbox.height
    left, right = min(0.0, box.x0 - 2), max(width, box.x1 + 2)
    view = (left, height - box.y1 - 3, right - left, box.height + 6)
    points = json.dumps([*_curves(axes, height)], separators=(",", ":"))
    xlabel, ylabel = (text.split("\n")[0].replace("\\$", "$") for text in (axes.get_xlabel(), axes.get_ylabel()))
    return Panel(svg, " ".join(f"{value:.6g}" for value in view), points, xlabel, ylabel)


def _curves(axes: Axes, height: float) -> Iterator[list[float]]:
    """The points of each curve of an arm."""
    import numpy as np

    for line in axes.get_lines():
        arm = re.fullmatch(r"arm-(\d+)", str(line.get_gid()))
        values = np.asarray(line.get_xydata(), dtype=float)
        if not arm or line.get_transform() == axes.get_xaxis_transform():
            continue
        values = values[np.isfinite(values).all(axis=1)]
        values = values[:: max(1, math.ceil(len(values) / MAX_POINTS))]
        places = line.get_transform().transform(values)
        yield [
            int(arm[1]),
            *(
                round(float(number), digits)
                for (x, y), (value, score) in zip(places, values, strict=True)
                for number, digits in ((x, 1), (height - y, 1), *((each, _digits(each)) for each in (value, score)))
            ),
        ]


def _digits(value: float) -> int:
    """The number of decimals that keep four digits of a value."""
    return 3 if value == 0 else max(0, 3 - math.floor(math.log10(abs(value))))


def _for_page(part: ElementTree.Element, name: str) -> str:
    """An element as text, with ids that begin with the figure's name, and the page's variables as colours."""
    for element in part.iter():
        for key, value in element.attrib.items():
            if key == "id":
                value = f"{name}-{value}"
            elif key in ("style", "fill", "stroke"):
                value = _COLOUR.sub(lambda found: f"var({VARIABLES[found[0].lower()]})", value)
            elif key == HREF and value.startswith("#"):
                value = f"#{name}-{value[1:]}"
            element.set(key, value.replace("url(#", f"url(#{name}-"))
    return re.sub(r' xmlns(:xlink)?="[^"]*"', "", ElementTree.tostring(part, encoding="unicode"), count=2).strip()
