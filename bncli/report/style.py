"""What all figures share: a style of their own, the look of an arm, panels, titles and legends; never pyplot."""

from __future__ import annotations

import logging
import math
import os
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from bncli import process
from bncli.analysis.evidence import Evidence
from bncli.errors import InvalidConfig, first_line
from bncli.report.spelling import point_label
from bncli.tasks.metrics import METRICS
from bncli.values import counted, plain_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


COLOURS = ("#595959", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31")
"""Colours of Okabe and Ito (2008), which colour-blind readers can tell apart. The first arm, the baseline, is grey."""

LINES = ("-", "--", "-.", ":")
"""Four arms in a row share a line style; with the eight colours that makes 16 different lines."""

MARKERS, SYMBOLS = ("o", "^", "s", "D", "v", "X", "*"), "●▲■◆▼✖★"
"""For print without colours; one fewer than the colours, so that both together make 56 different looks."""

LIGHT, DARK = "#fefefe", "#010101"
"""Colours of text on coloured cells, which stay as they are on a dark page."""

MAX_PANELS = 24
"""A study with more points of the axes gets no figure with a panel for each."""

CHAR = 0.08
"""Width of a wide character at 10 points, in inches."""


LONGEST = 600
"""The most characters of a title or label: matplotlib fails on images of 2**16 pixels."""

SETTINGS = {"svg.hashsalt": "bncli", "svg.fonttype": "none", "pdf.fonttype": 42}
"""What differs from matplotlib's defaults: files without random ids, whose text is text."""

PAGE_SETTINGS: Any = {"figure.facecolor": "none", "axes.facecolor": "none", "figure.dpi": 72}
"""What differs in the page, whose colours show through, and which counts in points."""

_in_page: ContextVar[bool] = ContextVar("_in_page", default=False)

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


def in_page() -> bool:
    """Return whether figures are drawn for the page."""
    return _in_page.get()


@contextmanager
def page_style() -> Iterator[None]:
    """Draw figures in the block for the page, within `own_style`: panels in one column, without title and legend."""
    import matplotlib

    token = _in_page.set(True)
    try:
        with matplotlib.rc_context(PAGE_SETTINGS):
            yield
    finally:
        _in_page.reset(token)


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
    """Return the colour, line style and marker of an arm, the same in every figure, and the id by which it is found."""
    place = evidence.arms.index(arm)
    return {
        "color": COLOURS[place % len(COLOURS)],
        "ls": LINES[place // 4 % len(LINES)],
        "marker": MARKERS[place % len(MARKERS)],
        "gid": f"arm-{place}",
    }


def curve_look(evidence: Evidence, arm: str, n_epochs: int) -> dict[str, Any]:
    """Return the look of an arm's curve: about eight markers, at other epochs than those of other arms."""
    every = max(1, n_epochs // 8)
    return look(evidence, arm) | {"markevery": (evidence.arms.index(arm) % every, every), "ms": 4, "lw": 1.8}


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
    high = min(high, METRICS[metric].highest + 0.05)
    if METRICS[metric].lowest > -math.inf or low >= -high or high <= 0:
        return []
    panels[0].set_ylim(-high, high)
    return ["values below the axis are cut"]


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
