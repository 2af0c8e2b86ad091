"""What all figures share: the data they are drawn from, the look of an arm, panels, titles and legends.

matplotlib objects only: no pyplot, no global style.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bncli.analysis.evidence import Evidence
from bncli.values import show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLOURS = ("#595959", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31")
"""Okabe and Ito's palette, which colour-blind readers can tell apart; the baseline, the first arm, is grey."""

LINES = ("-", "--", "-.", ":")
"""Four arms share a line style; with the eight colours that tells 16 arms apart."""

MARKERS = ("o", "^", "s", "D", "v", "X", "*")
"""A shape an arm, for print without colours; one fewer than the colours, so that both together tell 56 arms apart."""

MAX_PANELS = 24

PANEL = (3.4, 2.5)
"""Width and height of a panel with its labels, in inches."""

CHAR = 0.08
"""Width of a character in inches at 10 points, on the generous side."""


def look(evidence: Evidence, arm: str) -> dict[str, Any]:
    """Colour, line style and marker of an arm, alike in every figure."""
    place = evidence.arms.index(arm)
    return {
        "color": COLOURS[place % len(COLOURS)],
        "ls": LINES[place // 4 % len(LINES)],
        "marker": MARKERS[place % len(MARKERS)],
    }


def curve_look(evidence: Evidence, arm: str, n_epochs: int) -> dict[str, Any]:
    """The look of a curve: about eight markers, those of different arms at different epochs."""
    every = max(1, n_epochs // 8)
    return look(evidence, arm) | {"markevery": (evidence.arms.index(arm) % every, every), "ms": 4, "lw": 1.8}


def blank(width: float, height: float) -> Figure:
    """An empty figure of a size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=130)


def wrapped(text: str, width: float, size: float = 10) -> str:
    """Break a text into lines of at most `width` inches; a dollar sign starts no formula."""
    lines = textwrap.wrap(text.replace("+", " +"), max(8, int(width / (CHAR * size / 10))))
    return "\n".join(lines).replace(" +", "+").replace("$", r"\$")


def short(name: str, length: int = 24) -> str:
    """A name cut to a length."""
    return (name if len(name) <= length else name[: length - 1] + "…").replace("$", r"\$")


def point_label(names: Iterable[str], values: Iterable[Any]) -> str:
    """Spell a point of the axes: `activation relu, lr 0.05`; axes that are void there are left out."""
    import pandas as pd

    pairs = zip(names, values, strict=True)
    return ", ".join(f"{name} {show(value)}" for name, value in pairs if not pd.isna(value))


def by_point(table: pd.DataFrame, axes: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """A table of points and arms taken apart by the points of the axes, each with its label, in order."""
    if table.empty or not axes:
        return [] if table.empty else [("", table)]
    columns = [f"param_{name}" for name in axes]
    parts = table.groupby(columns, sort=False, dropna=False)
    return [(point_label(axes, values), rows) for values, rows in parts]


def panel_grid(evidence: Evidence, labels: Sequence[str], xlabel: str, ylabel: str) -> tuple[Figure, list[Axes]]:
    """A figure with a titled panel a label, scales shared, the outer axes named."""
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
    """One row a value of the first of several axes; a single axis wraps."""
    if len(evidence.axes) > 1:
        first = evidence.conditions_table[f"param_{evidence.axes[0]}"].nunique()
        if first and n_panels % first == 0 and n_panels // first <= 6:
            return n_panels // first
    n_rows = math.ceil(n_panels / 4)
    return math.ceil(n_panels / n_rows)


def whole_epochs(axes: Axes) -> None:
    """Put the ticks of the epochs at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def finish(figure: Figure, evidence: Evidence, caption: Iterable[str]) -> Figure:
    """Put title, caption and one legend for all panels around them."""
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
    figure.legend(list(drawn.values()), list(drawn), loc="outside lower center", ncols=n_columns, frameon=False)


def set_title(figure: Figure, evidence: Evidence, caption: Iterable[str]) -> None:
    """Title a figure by the study's name and the parts of a caption."""
    text = wrapped(f"{evidence.study.name}  ({', '.join(caption)})", figure.get_figwidth())
    figure.set_figheight(figure.get_figheight() + 0.18 * text.count("\n"))
    figure.suptitle(text, fontsize=10)


def n_text(counts: pd.Series[int], text: str = "mean over seeds, n = {}") -> str:
    """Spell how many seeds are behind a figure: `mean over seeds, n = 5`."""
    low, high = counts.min(), counts.max()
    if high <= 1:
        return "one seed"
    return text.format(low if low == high else f"{low} to {high}")
