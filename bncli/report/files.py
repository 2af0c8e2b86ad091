"""Everything that is made from a study's records: tables, figures and the page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bncli import timeline
from bncli.analysis.evidence import Evidence
from bncli.analysis.interactions import with_interactions
from bncli.claims.discovery import controlled
from bncli.claims.verdicts import verdicts
from bncli.errors import InvalidConfig
from bncli.report import figure as drawing
from bncli.report.canvas import DEFAULT, Wish, as_wished
from bncli.report.exports import to_csv, write_csv
from bncli.report.page import Drawing, render
from bncli.report.panels import arms_in, panels_of, to_svg
from bncli.report.style import own_style, page_style
from bncli.report.verdict_file import VERDICTS_FILE, with_stored
from bncli.study.folder import Store
from bncli.study.journal import journals
from bncli.values import capital

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from matplotlib.figure import Figure


REPORT_FILE = "report.html"

SUMMARY_FILE, HISTORY_FILE, DIFFERENCES_FILE = TABLE_FILES = ("summary.csv", "history.csv", "differences.csv")


def write_files(evidence: Evidence, store: Store, tell: Callable[[str], None] | None = None) -> list[str]:
    """Write tables, figures and the page into the study's folder.

    Figures that the study had earlier and no longer has are removed.

    Args:
        evidence: The study with its results.
        store: Its folder.
        tell: Called with a note on what the figures can't show.

    Returns:
        The names of the files written, relative to the folder.
    """
    with timeline.span("tables"):
        store.write_text(SUMMARY_FILE, to_csv(evidence.joined_table))
        table = with_interactions(evidence.family_table, evidence.interactions_table)
        store.write_text(DIFFERENCES_FILE, to_csv(table))
        store.write_with(HISTORY_FILE, partial(write_csv, evidence.history_table))
    with timeline.span("figures"), own_style(tell):
        figures = drawing.draw_all(evidence)
        for name, figure in figures.items():
            _write_figure(name, figure, store)
        drawings = [drawn for name in figures if (drawn := page_drawing(name, evidence))]
    for name in _figure_files(set(drawing.REGISTRY) - set(figures)):
        store.remove(name)
    with timeline.span("page"):
        judged = verdicts(evidence.study, evidence.results, evidence.conditions, evidence.trivial)
        shown = controlled(with_stored(store.folder, judged))
        store.write_text(REPORT_FILE, render(evidence, drawings, store.read_study() or {}, shown))
    return [*TABLE_FILES, *_figure_files(figures), REPORT_FILE]


def draw_figure(evidence: Evidence, store: Store, name: str) -> Figure:
    """Draw one figure, within `own_style`.

    Raises:
        UnknownName: There is no such figure.
        InvalidConfig: The study has no data for it.
    """
    figure: Figure | None = drawing.REGISTRY[name](evidence)
    if figure is None:
        needs = " It needs runs that were trained with --probe." if name in drawing.INSIDE else ""
        raise InvalidConfig(f"The study in {str(store.folder)!r} has nothing for the figure {name}.{needs}")
    return figure


def write_figure(
    evidence: Evidence, store: Store, name: str, wish: Wish = DEFAULT, tell: Callable[[str], None] | None = None
) -> list[str]:
    """Write one figure to the study's folder; return the names of its files.

    Args:
        evidence: The study with its results.
        store: The study's folder.
        name: The figure's name.
        wish: The size, resolution and title that the user wants.
        tell: Called with a note on what the figure can't show.

    Raises:
        UnknownName: There is no such figure.
        InvalidConfig: The study has no data for it.
    """
    with own_style(tell):
        _write_figure(name, as_wished(partial(draw_figure, evidence, store, name), wish), store)
    return _figure_files([name])


def is_report_stale(store: Store) -> bool:
    """Return whether the folder has a page, and runs or verdicts that were stored after it was written."""
    page, sources = store.folder / REPORT_FILE, [*journals(store.folder), store.folder / VERDICTS_FILE]
    if not page.is_file():
        return False
    return any(path.stat().st_mtime_ns > page.stat().st_mtime_ns for path in sources if path.exists())


def derived_files() -> list[str]:
    """Return the names of all files beside study and runs that bncli may write into any study's folder."""
    return [*TABLE_FILES, *_figure_files(drawing.REGISTRY), REPORT_FILE, VERDICTS_FILE]


def _figure_files(names: Iterable[str]) -> list[str]:
    return [f"figures/{name}.{kind}" for name in names for kind in ("png", "svg")]


def page_drawing(name: str, evidence: Evidence, as_name: str = "") -> Drawing | None:
    """Return a figure as panels of the page; None if the study has nothing for it. Call it in `own_style`.

    Args:
        name: The figure's name.
        evidence: The study with its results.
        as_name: Its name in a page that has it twice.
    """
    with page_style():
        figure = drawing.REGISTRY[name](evidence)
        if figure is None:
            return None
        panels = panels_of(figure, as_name or name)
    caption = f"{figure.method if figure.method.startswith('n =') else capital(figure.method)}."
    return Drawing(as_name or name, figure.message, caption, panels, arms_in(panels, dict(enumerate(evidence.arms))))


def _write_figure(name: str, figure: Figure, store: Store) -> None:
    """Write a figure as PNG and SVG, without dates and versions."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    png = FigureCanvasAgg(figure)  # savefig would draw everything twice
    store.write_with(f"figures/{name}.png", partial(png.print_png, metadata={"Software": None}))
    figure.set_layout_engine("none")  # keeps the layout that was found for the first file
    store.write_text(f"figures/{name}.svg", to_svg(figure))
