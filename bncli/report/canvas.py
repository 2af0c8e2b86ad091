"""The figure itself: its panels, their names, its title, its legend; in a file or as panels of the page."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from bncli.analysis.evidence import Evidence
from bncli.errors import InvalidConfig
from bncli.report.style import CHAR, in_page, own_style, wrapped
from bncli.values import plain_text

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


PANEL = (3.4, 2.5)
"""Width and height of a panel with its labels, in inches."""

PAGE_WIDTH = 4.4
"""Width of a panel in the page, in inches; the page shows it larger or smaller."""


DPI = 130
"""Resolution of figures as PNG, in dots per inch."""


@dataclass(frozen=True)
class Wish:
    """What a user wants of a figure other than what it is by itself.

    Attributes:
        size: Width and height in inches; None for the figure's own.
        dpi: Resolution as PNG; None for the figure's own.
        title: The title; None for the figure's own.
    """

    size: tuple[float, float] | None = None
    dpi: int | None = None
    title: str | None = None


DEFAULT = Wish()

_wish: ContextVar[Wish] = ContextVar("_wish", default=DEFAULT)


def as_wished(draw: Callable[[], Figure], wish: Wish) -> Figure:
    """Draw a figure, within `own_style`, so that it has the size, resolution and title that a user wants.

    Args:
        draw: Draws the figure.
        wish: What the user wants.
    """
    token = _wish.set(wish)
    try:
        figure = draw()
    finally:
        _wish.reset(token)
    if wish.size:
        natural = draw().get_size_inches()
        figure.set_size_inches(*wish.size)
        _check_room(figure, natural)
    return figure


def _check_room(figure: Figure, natural: np.ndarray) -> None:
    """Raise `InvalidConfig` if the panels of a figure do not fit beside its texts."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "constrained_layout not applied")
        try:
            figure.draw_without_rendering()
        except UserWarning:
            width, height = figure.get_size_inches()
            raise InvalidConfig(
                f"--size {width:g}x{height:g} is too small for this figure. By itself it has "
                f"{natural[0]:.3g}x{natural[1]:.3g}."
            ) from None


def blank(width: float, height: float) -> Figure:
    """Return an empty figure, which a notebook shows as a picture.

    Args:
        width: Width in inches.
        height: Height in inches.
    """
    if in_page():
        return _figure_class()(figsize=(PAGE_WIDTH, height), layout="constrained")
    wish = _wish.get()
    return _figure_class()(figsize=wish.size or (width, height), layout="constrained", dpi=wish.dpi or DPI)


@cache
def _figure_class() -> type[Figure]:
    """`Figure` with what notebooks ask for; they know figures of pyplot only."""
    from matplotlib.figure import Figure

    class ShownFigure(Figure):
        message, method = "", ""

        def _repr_png_(self) -> bytes:
            return to_png(self)

    return ShownFigure


def to_png(figure: Figure) -> bytes:
    """Return a figure as PNG, drawn in bncli's own style."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    content = io.BytesIO()
    with own_style():
        FigureCanvasAgg(figure).print_png(content)  # type: ignore[no-untyped-call]
    return content.getvalue()


def panel_grid(evidence: Evidence, labels: Sequence[str], xlabel: str, ylabel: str) -> tuple[Figure, list[Axes]]:
    """Return a figure with one titled panel per label; panels share their scales, the outer ones name them.

    Args:
        evidence: The study; the values of its first axis become the rows of the grid, if it has several axes.
        labels: The titles of the panels.
        xlabel: What the x axes show.
        ylabel: What the y axes show.
    """
    n_columns = _n_columns(evidence, len(labels))
    figure, grid = grid_of(len(labels), n_columns, PANEL, (0.6, 1.0))
    panels = list(grid.flat[: len(labels)])
    for axes, label in zip(panels, labels, strict=True):
        axes.set_title(wrapped(label, PANEL[0], size=9), fontsize=9)
        axes.grid(alpha=0.25, lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    name_axes(grid, len(labels), xlabel, ylabel)
    return figure, panels


def grid_of(
    n_panels: int,
    n_columns: int,
    size: tuple[float, float],
    room: tuple[float, float],
    sharey: bool | Literal["row"] = True,
) -> tuple[Figure, np.ndarray]:
    """Return a figure with a grid of panels, as an array of rows and columns whose last row may not be full.

    In the page the panels stand in one column, in the order of the rows.

    Args:
        n_panels: How many panels there are.
        n_columns: How many of them are in a row.
        size: Width and height of a panel, in inches.
        room: Width and height of what is around the panels, in inches.
        sharey: Whether all panels share their scale, or `row` for those of a row.
    """
    n_rows = math.ceil(n_panels / n_columns)
    if in_page():
        figure = blank(PAGE_WIDTH, (size[1] + 0.5) * n_rows * n_columns)
        panels = figure.subplots(n_rows * n_columns, 1, sharex=True, sharey=sharey is True, squeeze=False)
        grid: np.ndarray = panels.reshape(n_rows, n_columns)
        for row in grid if sharey == "row" else []:
            for axes in row[1:]:
                axes.sharey(row[0])
    else:
        figure = blank(max(5.4, size[0] * n_columns + room[0]), size[1] * n_rows + room[1])
        grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=sharey, squeeze=False)
    for axes in grid.flat[n_panels:]:
        axes.remove()
    return figure, grid


def name_axes(grid: np.ndarray, n_panels: int, xlabel: str, ylabel: str) -> None:
    """Name the axes of the outer panels of a grid; in the page, where panels may stand anywhere, of all.

    Args:
        grid: What `grid_of` returns.
        n_panels: How many panels there are.
        xlabel: What the x axes show.
        ylabel: What the y axes show.
    """
    for axes in lowest(grid, n_panels):
        axes.set_xlabel(xlabel)
        axes.tick_params(labelbottom=True)
    for axes in grid.flat[:n_panels] if in_page() else grid[:, 0]:
        axes.set_ylabel(ylabel)


def lowest(grid: np.ndarray, n_panels: int) -> list[Axes]:
    """Return the panels of a grid that name their x axes: the lowest of each column; in the page all."""
    return list(grid.flat[0 if in_page() else max(0, n_panels - grid.shape[1]) : n_panels])


def colour_bar(image: Any, panels: Sequence[Axes], label: str, **options: Any) -> None:
    """Add a colour bar beside panels; in the page one beside each."""
    figure = panels[0].figure
    if not in_page():
        figure.colorbar(image, ax=panels, label=label, **options)
        return
    for axes in panels:
        bar = figure.colorbar(image, ax=axes, label=label, **options)
        bar.ax.set_gid(f"bar-{figure.axes.index(axes)}")


def _n_columns(evidence: Evidence, n_panels: int) -> int:
    """The number of columns of panels: one row per value of the first of several axes; a single axis wraps."""
    if len(evidence.axes) > 1:
        first = evidence.conditions_table[f"param_{evidence.axes[0]}"].nunique()
        if first and n_panels % first == 0 and n_panels // first <= 6:
            return n_panels // first
    n_rows = math.ceil(n_panels / 4)
    return math.ceil(n_panels / n_rows)


def finish(figure: Figure, evidence: Evidence, message: str, method: Iterable[str]) -> Figure:
    """Add the title and one legend for all panels, and return the figure.

    Args:
        figure: A figure whose artists are labelled with the arms.
        evidence: The study.
        message: What the figure says: its title.
        method: How it says it, in parts: the title of the legend.
    """
    set_title(figure, message, method, below=False)
    drawn: dict[str, Artist] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        drawn |= {str(label): handle for label, handle in zip(labels, handles, strict=True)}
    if not in_page():
        _legend(figure, {arm: drawn[arm] for arm in evidence.arms if arm in drawn})
    return figure


def _legend(figure: Figure, drawn: Mapping[str, Artist]) -> None:
    title = wrapped(figure.method, figure.get_figwidth(), size=8)  # type: ignore[attr-defined]
    n_columns = max(1, int(figure.get_figwidth() / (CHAR * max(map(len, drawn), default=1) + 0.6)))
    n_lines = math.ceil(len(drawn) / n_columns) + title.count("\n")
    figure.set_figheight(figure.get_figheight() + 0.2 * n_lines)
    legend = figure.legend(
        list(drawn.values()), list(map(plain_text, drawn)), loc="outside lower center", ncols=n_columns, frameon=False
    )
    legend.set_title(title)
    legend.get_title().set(size=8, color="0.35", multialignment="center")


def set_title(figure: Figure, message: str, method: Iterable[str], *, below: bool = True) -> None:
    """Set the title of a figure, which grows with its lines; the page shows title and method itself.

    Args:
        figure: The figure.
        message: What the figure says.
        method: How it says it, in parts.
        below: Whether to write the method below the panels.
    """
    figure.message, figure.method = message, "; ".join(method)  # type: ignore[attr-defined]
    if in_page():
        return
    wanted = _wish.get().title
    title = wrapped(message if wanted is None else wanted, figure.get_figwidth(), size=11)
    note = wrapped(figure.method, figure.get_figwidth(), size=8) if below else ""  # type: ignore[attr-defined]
    figure.set_figheight(figure.get_figheight() + 0.2 * title.count("\n") + 0.15 * note.count("\n"))
    if title:
        figure.suptitle(title, fontsize=11)
    if note:
        figure.supxlabel(note, fontsize=8, color="0.35")
