"""Everything that is derived from a study's records: tables, figures and the page."""

from __future__ import annotations

import importlib
import io
import threading
from functools import partial
from typing import TYPE_CHECKING

from bncli.analysis.evidence import Evidence
from bncli.claims.verdicts import verdicts
from bncli.report import figure as drawing
from bncli.report.exports import to_csv, write_csv
from bncli.report.page import Drawing, render
from bncli.study.folder import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure


REPORT_FILE = "report.html"

SUMMARY_FILE, HISTORY_FILE, DIFFERENCES_FILE = TABLE_FILES = ("summary.csv", "history.csv", "differences.csv")


def write_files(evidence: Evidence, store: Store) -> list[str]:
    """Write tables, figures and the page into the study's folder; return their names.

    Figures that an earlier state of the study had and this one has not are removed.
    """
    store.write_text(SUMMARY_FILE, to_csv(evidence.joined_table))
    store.write_text(DIFFERENCES_FILE, to_csv(evidence.differences_table))
    store.write_with(HISTORY_FILE, partial(write_csv, evidence.history_table))
    figures = drawing.draw_all(evidence)
    drawn = [_write_figure(name, figure, store) for name, figure in figures.items()]
    for name in set(drawing.REGISTRY) - set(figures):
        for kind in ("png", "svg"):
            store.remove(f"figures/{name}.{kind}")
    found = verdicts(evidence.study, evidence.results, evidence.conditions)
    store.write_text(REPORT_FILE, render(evidence, drawn, store.read_study() or {}, found))
    return [*TABLE_FILES, *(f"figures/{name}.{kind}" for name in figures for kind in ("png", "svg")), REPORT_FILE]


_LIBRARIES = (
    "pandas",
    "rich.table",
    "jinja2",
    "scipy.special",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
)

_loaders: list[threading.Thread] = []


def preload() -> None:
    """Import in the background what `write_files` takes, while the training leaves a core idle.

    No daemon thread: one that ends amid the import of a library in C++ takes the process down with it.
    """

    def load() -> None:
        for name in _LIBRARIES:
            if threading.main_thread().is_alive():
                importlib.import_module(name)

    _loaders.append(threading.Thread(target=load))
    _loaders[-1].start()


def await_libraries() -> None:
    """Wait for `preload`: two threads that import the same libraries can find each other's modules half done."""
    while _loaders:
        _loaders.pop().join()


def derived_files() -> list[str]:
    """The names that `write_files` may write, whatever the study."""
    figures = [f"figures/{name}.{kind}" for name in drawing.REGISTRY for kind in ("png", "svg")]
    return [*TABLE_FILES, *figures, REPORT_FILE]


def _write_figure(name: str, figure: Figure, store: Store) -> Drawing:
    """Write a figure as PNG and SVG, without dates and versions; return it as the page takes it."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    png = FigureCanvasAgg(figure)  # savefig would draw everything twice
    store.write_with(f"figures/{name}.png", partial(png.print_png, metadata={"Software": None}))
    figure.set_layout_engine("none")  # the layout stays as it was found for the first file
    svg = io.StringIO()
    with rc_context({"svg.hashsalt": "bncli", "svg.fonttype": "path"}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(svg, metadata=nothing)  # type: ignore[no-untyped-call]
    store.write_text(f"figures/{name}.svg", svg.getvalue())
    return Drawing(name, svg.getvalue(), " ".join(figure.get_suptitle().replace(r"\$", "$").split()))
