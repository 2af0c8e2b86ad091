"""What a notebook shows of a study: its answer, its table, its main figure."""

from __future__ import annotations

import base64
import warnings
from typing import TYPE_CHECKING

from bncli.analysis.evidence import Evidence
from bncli.report import figure as drawing
from bncli.report.answer import answer_of
from bncli.report.canvas import to_png
from bncli.report.page import HEROES, environment
from bncli.report.parts import Part
from bncli.report.rows import result_rows, table_caption
from bncli.report.style import own_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ROWS = 50
"""The most rows of the table; `summary` has all."""


def draw_one(evidence: Evidence, name: str) -> Figure | None:
    """Draw one figure in bncli's own style; None if the study has no data for it."""
    with own_style(warnings.warn):
        figure: Figure | None = drawing.REGISTRY[name](evidence)
        if figure is not None:
            figure.draw_without_rendering()  # lays it out while the style holds
    return figure


def to_html(evidence: Evidence) -> str:
    """Return the answer, the table and the main figure as a piece of HTML without styles, scripts or ids."""
    figure = next(filter(None, (draw_one(evidence, name) for name in HEROES)), None)
    rows = result_rows(evidence)
    text: str = (
        environment()
        .get_template("notebook.html.j2")
        .render(
            answer=answer_of(evidence),
            part=Part(evidence.study.name, rows[:MAX_ROWS], table_caption(evidence)),
            n_left=max(0, len(rows) - MAX_ROWS),
            picture=base64.b64encode(to_png(figure)).decode() if figure else "",
        )
    )
    return text
