"""The figures `curves` and `train_val`: a metric by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.analysis.evidence import Evidence
from bncli.analysis.runs import seed_curves
from bncli.report.answer import headline
from bncli.report.canvas import finish, grid_of, name_axes, panel_grid
from bncli.report.figure import register
from bncli.report.spelling import point_label, trivial_answer
from bncli.report.style import MAX_PANELS, curve_look, cut_below, fit_scale, n_text, whole_epochs
from bncli.tasks.metrics import METRICS
from bncli.tasks.scores import SCORES
from bncli.tasks.task import TASKS
from bncli.values import capital

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MAX_BANDS = 4
"""The most arms whose curves have bands: more would hide each other."""


@register("curves")
def curves(evidence: Evidence) -> Figure | None:
    """The metric by epoch, one panel per setting: mean over seeds, with a band of one standard deviation."""
    parts = _histories(evidence)
    if not 0 < len(parts) <= MAX_PANELS:
        return None
    metric = evidence.curve_metric
    figure, panels = panel_grid(evidence, [label for label, _ in parts], "epoch", METRICS[metric].label)
    for axes, (_, rows) in zip(panels, parts, strict=True):
        _draw_curves(axes, evidence, rows, metric)
    message = headline(evidence) if metric == evidence.metric else ""
    method = [*_curve_caption(evidence, metric), *cut_below(panels, metric)]
    return finish(figure, evidence, message or f"{capital(METRICS[metric].label)} by epoch", method)


@register("train_val")
def train_val(evidence: Evidence) -> Figure | None:
    """Training and validation score by epoch: mean over seeds, with a band of one standard deviation."""
    if evidence.history_table.empty or evidence.axes:
        return None
    score = TASKS[evidence.task].score
    figure, grid = grid_of(2, 2, (4.0, 2.8), (0.6, 1.0))
    panels = list(grid.flat)
    name_axes(grid, 2, "epoch", SCORES[score].label)
    for axes, metric in zip(panels, (score, f"val_{score}"), strict=True):
        _draw_curves(axes, evidence, evidence.history_table, metric)
        axes.set_title(METRICS[metric].label, fontsize=9)
        axes.grid(alpha=0.25, lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    method = [*_curve_caption(evidence, f"val_{score}"), *cut_below(panels, score)]
    return finish(figure, evidence, f"{capital(SCORES[score].label)} in training and validation", method)


def _histories(evidence: Evidence) -> list[tuple[str, pd.DataFrame]]:
    """The history of each point of the axes, with the point's label."""
    parts = []
    for point, places in evidence.points.items():
        rows = evidence.history_table[evidence.history_table["condition"].isin(places)]
        parts.append((point_label(evidence.axes, point), rows))
    return [(label, rows) for label, rows in parts if not rows.empty]


def _draw_curves(axes: Axes, evidence: Evidence, rows: pd.DataFrame, metric: str) -> None:
    has_bands = len(evidence.arms) <= MAX_BANDS
    for arm in evidence.arms:
        runs = rows[rows["arm"] == arm]
        if runs.empty:
            continue
        by_epoch = seed_curves(runs, metric)
        mean, sd = by_epoch.mean(axis=1), by_epoch.std(axis=1, ddof=1).fillna(0.0)
        look = curve_look(evidence, arm, len(mean))
        axes.plot(mean.index, mean, label=arm, **look)
        low, high = (mean - sd).clip(lower=METRICS[metric].lowest), (mean + sd).clip(upper=METRICS[metric].highest)
        if has_bands:
            axes.fill_between(mean.index, low, high, color=look["color"], alpha=0.18, lw=0, gid=look["gid"])
    draw_trivial_score(axes, evidence, metric)
    whole_epochs(axes)
    fit_scale(axes, metric)


def draw_trivial_score(axes: Axes, evidence: Evidence, metric: str) -> None:
    """Draw a dotted line at what the best constant answer scores, if the metric has such a score."""
    score = evidence.trivial_score(metric)
    if score is not None:
        axes.axhline(score, color="0.6", lw=0.8, ls=":", zorder=0)


def _curve_caption(evidence: Evidence, metric: str) -> list[str]:
    several = evidence.conditions_table["n"].max() > 1
    caption = [
        n_text(evidence.conditions_table["n"]),
        *(["band: 1 sd"] if several and len(evidence.arms) <= MAX_BANDS else []),
    ]
    if evidence.conditions_table["n_diverged"].any():
        caption.append("diverged runs keep their last value")
    if any(result.stopped_epoch for result in evidence.results):
        caption.append("stopped runs keep their last value")
    return [*caption, *trivial_caption(evidence, metric)]


def trivial_caption(evidence: Evidence, metric: str) -> list[str]:
    """Return the part of a caption that explains the line of `draw_trivial_score`; empty if there is no line."""
    return [] if evidence.trivial_score(metric) is None else [f"dotted: {trivial_answer(metric)}"]
