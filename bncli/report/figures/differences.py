"""The figure `differences`: every arm against the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.analysis.evidence import Evidence
from bncli.analysis.verdicts import BETTER, CLEAR, HIGHER
from bncli.report.answer import tally
from bncli.report.canvas import blank, finish
from bncli.report.figure import register
from bncli.report.style import by_point, look, n_text, short, wrapped
from bncli.tasks.metrics import METRICS, lower_is_better

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_DIFFERENCES = 60
"""A study with more comparisons gets no figure of them: its lines could not be read."""


@register("differences")
def differences(evidence: Evidence) -> Figure | None:
    """Each arm's difference from the baseline, paired by seed: mean with 95% interval, hollow if not decided."""
    table = evidence.differences_table
    if not 0 < len(table) <= MAX_DIFFERENCES or table["mean_difference"].isna().all():
        return None
    groups = by_point(table, evidence.axes)
    n_lines = sum(len(rows) for _, rows in groups)
    figure = blank(7.2, max(0.8, 0.2 * n_lines + 0.1 * len(groups)) + 1.5)
    axes = figure.subplots()
    middles = _draw_differences(axes, evidence, groups)
    axes.axvline(0, color="0.35", lw=1.0, zorder=0)
    axes.set_yticks(middles, [wrapped(label, 2.6, size=9) for label, _ in groups], fontsize=9)
    axes.set_ylim(n_lines + 0.5 * len(groups) - 0.9, -0.6)
    axes.grid(axis="x", alpha=0.25, lw=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    side = "left" if lower_is_better(evidence.metric) else "right"
    word, baseline = BETTER if METRICS[evidence.metric].has_direction else HIGHER, short(str(table["baseline"].iloc[0]))
    axes.set_xlabel(
        f"difference from {baseline} in {METRICS[evidence.metric].label}\n({side} of 0: {word} than {baseline})"
    )
    words = "better nor worse" if word == BETTER else "higher nor lower"
    bars = ["bars: 95% intervals", f"hollow: neither {words}"] if table["low"].notna().any() else []
    message = tally(evidence) or f"Difference from {baseline} in {METRICS[evidence.metric].label}"
    return finish(figure, evidence, message, [n_text(table["n"], "n = {} pairs of seeds"), *bars])


def _draw_differences(axes: Axes, evidence: Evidence, groups: list[tuple[str, pd.DataFrame]]) -> list[float]:
    """Draw one line per difference, with half a line between groups; return the middle of every group."""
    top, middles, labelled = 0.0, [], set()
    for _, rows in groups:
        middles.append(top + (len(rows) - 1) / 2)
        for place, (_, row) in enumerate(rows.iterrows()):
            arm = str(row["arm"])
            own = look(evidence, arm)
            face = own["color"] if row["verdict"] in CLEAR else "white"
            axes.plot([row["low"], row["high"]], [top + place] * 2, color=own["color"], lw=1.8, gid=own["gid"] + "-bar")
            axes.plot(
                row["mean_difference"],
                top + place,
                mfc=face,
                ms=7,
                **own | {"ls": ""},
                label=None if arm in labelled else arm,
            )
            labelled.add(arm)
        top += len(rows) + 0.5
    return middles
