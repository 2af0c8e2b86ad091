"""What all figures share: a style of their own, the look of an arm, panels, titles and legends; never pyplot."""

from __future__ import annotations

import io
import logging
import math
import os
import re
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from bncli import process
from bncli.analysis.evidence import Evidence
from bncli.errors import InvalidConfig, first_line
from bncli.report.spelling import point_label
from bncli.tasks.metrics import METRICS
from bncli.values import counted, plain_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLOURS = ("#595959", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31")
"""Colours of Okabe and Ito (2008), which colour-blind readers can tell apart. The first arm, the baseline, is grey."""

LINES = ("-", "--", "-.", ":")
"""Four arms in a row share a line style; with the eight colours that makes 16 different lines."""

MARKERS = ("o", "^", "s", "D", "v", "X", "*")
"""For print without colours; one fewer than the colours, so that both together make 56 different looks."""

MAX_PANELS = 24
"""A study with more points of the axes gets no figure with a panel for each."""

PANEL = (3.4, 2.5)
"""Width and height of a panel with its labels, in inches."""

CHAR = 0.08
"""Width of a wide character at 10 points, in inches."""


LONGEST = 600
"""The most characters of a title or label: matplotlib fails on images of 2**16 pixels."""

SETTINGS = {"svg.hashsalt": "bncli", "svg.fonttype": "path"}
"""What differs from matplotlib's defaults: files without random ids, whose text looks alike everywhere."""

_MISSING = re.compile(r"Glyph (\d+) .*missing from")


@contextmanager
def own_style(tell: Callable[[str], None] | None = None) -> Iterator[None]:
    """Draw and save figures in the block by bncli's settings alone, whatever matplotlibrc or MPLBACKEND say.

    The user's settings are back afterwards.

    Args:
        tell: Called at the end with one note, if there are characters that the font doesn't have.

    Raises:
        InvalidConfig: matplotlib can't be imported, because its settings can't be read.
    """
    missing: dict[str, None] = {}
    with _quiet_matplotlib(), warnings.catch_warnings():
        matplotlib = _import_matplotlib()
        warnings.filterwarnings("always", _MISSING.pattern)
        warnings.showwarning = _collecting(missing, warnings.showwarning)
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(SETTINGS)
            yield
    if missing and tell:
        shown = plain_text(" ".join([*missing][:5])) + (" ..." if len(missing) > 5 else "")
        tell(f"The font of the figures lacks {counted(len(missing), 'character')} ({shown}) and shows boxes instead.")


@contextmanager
def _quiet_matplotlib() -> Iterator[None]:
    """Keep matplotlib from logging what it thinks of the user's settings and fonts."""
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _import_matplotlib() -> Any:
    if process.is_ours:
        os.environ.pop("MPLBACKEND", None)  # figures are saved, never shown; matplotlib fails on a name it doesn't know
    try:
        import matplotlib
    except (ValueError, OSError) as error:
        raise InvalidConfig(
            f"matplotlib can't read its settings: {first_line(error)}. Correct or remove the file matplotlibrc."
        ) from error
    return matplotlib


def _collecting(missing: dict[str, None], show: Callable[..., None]) -> Callable[..., None]:
    """Return what shows warnings by `show`, but collects the characters that a font lacks."""

    def collect(message: Warning | str, *about: Any, **named: Any) -> None:
        found = _MISSING.match(str(message))
        if found:
            missing[chr(int(found[1]))] = None
        else:
            show(message, *about, **named)

    return collect


def look(evidence: Evidence, arm: str) -> dict[str, Any]:
    """Return the colour, line style and marker of an arm, the same in every figure."""
    place = evidence.arms.index(arm)
    return {
        "color": COLOURS[place % len(COLOURS)],
        "ls": LINES[place // 4 % len(LINES)],
        "marker": MARKERS[place % len(MARKERS)],
    }


def curve_look(evidence: Evidence, arm: str, n_epochs: int) -> dict[str, Any]:
    """Return the look of an arm's curve: about eight markers, at other epochs than those of other arms."""
    every = max(1, n_epochs // 8)
    return look(evidence, arm) | {"markevery": (evidence.arms.index(arm) % every, every), "ms": 4, "lw": 1.8}


def blank(width: float, height: float) -> Figure:
    """Return an empty figure, which a notebook shows as a picture.

    Args:
        width: Width in inches.
        height: Height in inches.
    """
    return _figure_class()(figsize=(width, height), layout="constrained", dpi=130)


@cache
def _figure_class() -> type[Figure]:
    """`Figure` with what notebooks ask for; they know figures of pyplot only."""
    from matplotlib.figure import Figure

    class ShownFigure(Figure):
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


def wrapped(text: str, width: float, size: float = 10) -> str:
    """Break a text into lines, and keep matplotlib from reading a dollar sign as the start of a formula.

    Args:
        text: The text; it may also break before a `+`.
        width: The longest line, in inches.
        size: The font size, in points.
    """
    lines = textwrap.wrap(plain_text(text, LONGEST).replace("+", " +"), max(8, int(width / (CHAR * size / 10))))
    return "\n".join(lines).replace(" +", "+").replace("$", r"\$")


def short(name: str, length: int = 24) -> str:
    """Cut a name to at most `length` characters."""
    name = plain_text(name)
    return (name if len(name) <= length else name[: length - 1] + "…").replace("$", r"\$")


def by_point(table: pd.DataFrame, axes: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """Split a table with one row per arm and point of the axes by point.

    Returns:
        The label of each point with its rows, in order.
    """
    if table.empty or not axes:
        return [] if table.empty else [("", table)]
    columns = [f"param_{name}" for name in axes]
    parts = table.groupby(columns, sort=False, dropna=False)
    return [(point_label(axes, values), rows) for values, rows in parts]


def panel_grid(evidence: Evidence, labels: Sequence[str], xlabel: str, ylabel: str) -> tuple[Figure, list[Axes]]:
    """Return a figure with one titled panel per label; panels share their scales, the outer ones name them.

    Args:
        evidence: The study; the values of its first axis become the rows of the grid, if it has several axes.
        labels: The titles of the panels.
        xlabel: What the x axes show.
        ylabel: What the y axes show.
    """
    n_columns = _n_columns(evidence, len(labels))
    n_rows = math.ceil(len(labels) / n_columns)
    figure = blank(max(5.4, PANEL[0] * n_columns + 0.6), PANEL[1] * n_rows + 1.0)
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    panels = list(grid.flat[: len(labels)])
    for axes, label in zip(panels, labels, strict=True):
        axes.set_title(wrapped(label, PANEL[0], size=9), fontsize=9)
        axes.grid(alpha=0.25, lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid.flat[len(labels) :]:
        axes.remove()
    for axes in panels[-n_columns:]:
        axes.set_xlabel(xlabel)
        axes.tick_params(labelbottom=True)
    for axes in grid[:, 0]:
        axes.set_ylabel(ylabel)
    return figure, panels


def _n_columns(evidence: Evidence, n_panels: int) -> int:
    """The number of columns of panels: one row per value of the first of several axes; a single axis wraps."""
    if len(evidence.axes) > 1:
        first = evidence.conditions_table[f"param_{evidence.axes[0]}"].nunique()
        if first and n_panels % first == 0 and n_panels // first <= 6:
            return n_panels // first
    n_rows = math.ceil(n_panels / 4)
    return math.ceil(n_panels / n_rows)


def whole_epochs(axes: Axes) -> None:
    """Put the ticks of the x axis at whole epochs."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def fit_scale(axes: Axes, metric: str) -> None:
    """Give the y axis a scale that fits a metric: logarithmic where less is better, with plain numbers at its ticks."""
    from matplotlib.ticker import StrMethodFormatter

    if METRICS[metric].lower_is_better:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        if high < 10 * low:  # no power of ten may be among the ticks
            axes.yaxis.set_minor_formatter(StrMethodFormatter("{x:g}"))
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def cut_below(panels: Sequence[Axes], metric: str) -> list[str]:
    """Let the shared y axis of a metric without a lowest value end as far below 0 as its best value is above.

    Call it when all is drawn. Returns what the caption says if anything is cut.
    """
    low, high = panels[0].get_ylim()
    if METRICS[metric].lowest > -math.inf or low >= -high or high <= 0:
        return []
    panels[0].set_ylim(-high, high)
    return ["values below the axis are cut"]


def finish(figure: Figure, evidence: Evidence, caption: Iterable[str]) -> Figure:
    """Add the title and one legend for all panels, and return the figure.

    Args:
        figure: A figure whose artists are labelled with the arms.
        evidence: The study.
        caption: Parts of the caption in the title.
    """
    set_title(figure, evidence, caption)
    drawn: dict[str, Artist] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        drawn |= {str(label): handle for label, handle in zip(labels, handles, strict=True)}
    _legend(figure, {arm: drawn[arm] for arm in evidence.arms if arm in drawn})
    return figure


def _legend(figure: Figure, drawn: Mapping[str, Artist]) -> None:
    if not drawn:
        return
    n_columns = max(1, int(figure.get_figwidth() / (CHAR * max(map(len, drawn)) + 0.6)))
    figure.set_figheight(figure.get_figheight() + 0.22 * (math.ceil(len(drawn) / n_columns) - 1))
    figure.legend(
        list(drawn.values()), list(map(plain_text, drawn)), loc="outside lower center", ncols=n_columns, frameon=False
    )


def set_title(figure: Figure, evidence: Evidence, caption: Iterable[str]) -> None:
    """Set the title of a figure: the study's name and the parts of a caption. The figure grows with its lines."""
    text = wrapped(f"{plain_text(evidence.study.name)}  ({'; '.join(caption)})", figure.get_figwidth())
    figure.set_figheight(figure.get_figheight() + 0.18 * text.count("\n"))
    figure.suptitle(text, fontsize=10)


def n_text(counts: pd.Series[int], text: str = "mean over seeds, n = {}") -> str:
    """Spell how many seeds a figure is based on: `mean over seeds, n = 5`, or `n = 3 to 5`.

    Args:
        counts: The number of seeds of each condition.
        text: The sentence, with `{}` for the number.
    """
    low, high = counts.min(), counts.max()
    if high <= 1:
        return "one seed"
    return text.format(low if low == high else f"{low} to {high}")
