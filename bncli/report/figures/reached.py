"""The figure `reached`: the share of seeds that have reached the threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.analysis.evidence import Evidence
from bncli.report.figure import register
from bncli.report.spelling import threshold_text
from bncli.report.style import by_point, curve_look, finish, n_text, panel_grid, whole_epochs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_REACHED = 12
"""A study with more points of the axes gets no such figure: a panel takes as long to draw as one of curves."""


@register("reached")
def reached(evidence: Evidence) -> Figure | None:
    """The share of seeds that have reached the threshold, by epoch; seeds that never reach it are counted too."""
    parts = by_point(evidence.reached_table, evidence.axes)
    if not 0 < len(parts) <= MAX_REACHED:
        return None
    figure, panels = panel_grid(evidence, [label for label, _ in parts], "epoch", "share of seeds")
    for axes, (_, rows) in zip(panels, parts, strict=True):
        for arm in evidence.arms:
            curve = rows[rows["arm"] == arm]
            if not curve.empty:
                look = curve_look(evidence, arm, len(curve))
                axes.plot(curve["epoch"], curve["share"], label=arm, drawstyle="steps-post", **look)
        axes.set_ylim(-0.04, 1.04)
        whole_epochs(axes)
    return finish(figure, evidence, [threshold_text(evidence), n_text(evidence.conditions_table["n"], "n = {}")])
