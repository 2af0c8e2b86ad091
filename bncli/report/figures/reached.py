"""The figure `reached`: the share of seeds that have reached the threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.analysis.evidence import Evidence
from bncli.report.canvas import finish, panel_grid
from bncli.report.figure import register
from bncli.report.spelling import point_label, threshold_text
from bncli.report.style import curve_look, n_text, whole_epochs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MAX_REACHED = 12
"""A study with more points of the axes gets no such figure: a panel takes as long to draw as one of curves."""


LINE, MOST = 2.0, 9.0
"""By how many points the curves of two arms are apart where they are equal, and those of all arms at most."""


@register("reached")
def reached(evidence: Evidence) -> Figure | None:
    """The share of seeds that have reached the threshold, by epoch; seeds that never reach it are counted too."""
    parts = _by_point(evidence)
    if not 0 < len(parts) <= MAX_REACHED:
        return None
    figure, panels = panel_grid(evidence, [label for label, _ in parts], "epoch", "share of seeds")
    for axes, (_, rows) in zip(panels, parts, strict=True):
        for place, arm in enumerate(evidence.arms):
            curve = rows[rows["arm"] == arm]
            if not curve.empty:
                look = curve_look(evidence, arm, len(curve))
                (line,) = axes.plot(curve["epoch"], curve["share"], label=arm, drawstyle="steps-post", **look)
                _shift(line, place, len(evidence.arms))
        axes.set_ylim(-0.04, 1.04)
        whole_epochs(axes)
    method = [threshold_text(evidence), n_text(evidence.conditions_table["n"], "n = {}")]
    return finish(figure, evidence, "How soon seeds reach the threshold", method)


def _shift(line: Line2D, place: int, n_arms: int) -> None:
    """Draw an arm's curve a little higher or lower than its values, so that equal curves don't hide each other.

    This is done after its limits have entered those of the panel.
    """
    from matplotlib.transforms import ScaledTranslation

    points = (place - (n_arms - 1) / 2) * min(LINE, MOST / max(1, n_arms - 1))
    figure = line.get_figure()
    assert figure is not None  # noqa: S101 - it was drawn in one
    line.set_transform(line.get_transform() + ScaledTranslation(0, points / 72, figure.dpi_scale_trans))


def _by_point(evidence: Evidence) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each point of the axes, with the point's label; an arm without a value there belongs to all points.

    An arm and its baseline on which an axis has no effect have one row for all values of that axis.
    """
    table, parts = evidence.reached_table, []
    for point, places in evidence.points.items():
        rows = table[table["condition"].isin(places)]
        for name, value in zip(evidence.axes, point, strict=True):
            column = rows[f"param_{name}"]
            rows = rows[column.isna() | (column == value)]
        parts.append((point_label(evidence.axes, point), rows))
    return [(label, rows) for label, rows in parts if not rows.empty]
