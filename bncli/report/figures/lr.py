"""The figure `lr`: the metric by learning rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bncli.analysis.evidence import Evidence
from bncli.report.answer import headline, spans
from bncli.report.canvas import finish, panel_grid
from bncli.report.figure import register
from bncli.report.figures.curves import draw_trivial_score, trivial_caption
from bncli.report.spelling import point_label
from bncli.report.style import MAX_PANELS, by_point, cut_below, fit_scale, look, n_text
from bncli.tasks.metrics import METRICS
from bncli.values import capital

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MIN_RATES = 3
"""The fewest learning rates for which a curve over them is drawn."""


@register("lr")
def lr(evidence: Evidence) -> Figure | None:
    """The metric after training by learning rate, with 95% intervals; thick: the rates at which an arm learns."""
    rates, parts = evidence.lr_table, _by_rate(evidence)
    if rates is None or evidence.conditions_table["param_lr"].nunique() < MIN_RATES or not 0 < len(parts) <= MAX_PANELS:
        return None
    if evidence.conditions_table[f"mean_{evidence.metric}"].isna().all():
        return None
    tolerated = dict(by_point(rates, [name for name in evidence.axes if name != "lr"]))
    figure, panels = panel_grid(evidence, list(parts), "learning rate", METRICS[evidence.metric].label)
    for axes, rows in zip(panels, parts.values(), strict=True):
        _draw_response(axes, evidence, rows)
        axes.set_xscale("log")
    for axes, label in zip(panels, parts, strict=True):
        _draw_tolerance(axes, evidence, tolerated.get(label))
    cut = cut_below(panels, evidence.metric)
    _make_room(panels[0], len(evidence.arms))
    several = evidence.conditions_table["n"].max() > 1
    caption = [n_text(evidence.conditions_table["n"]), *(["bars: 95% intervals"] if several else [])]
    if rates["decades"].notna().any():
        caption.append("thick lines: most seeds learn")
    method = [*caption, *trivial_caption(evidence, evidence.metric), *cut]
    message = spans(evidence) or headline(evidence) or f"{capital(METRICS[evidence.metric].label)} by learning rate"
    return finish(figure, evidence, message, method)


def _by_rate(evidence: Evidence) -> dict[str, pd.DataFrame]:
    """The conditions of each point of the axes other than the learning rate, by the point's label."""
    if "lr" not in evidence.axes:
        return {}
    at = evidence.axes.index("lr")
    others = [name for name in evidence.axes if name != "lr"]
    places: dict[str, list[int]] = {}
    for point, found in evidence.points.items():
        places.setdefault(point_label(others, [*point[:at], *point[at + 1 :]]), []).extend(found)
    return {label: evidence.conditions_table.loc[list(dict.fromkeys(found))] for label, found in places.items()}


def _draw_response(axes: Axes, evidence: Evidence, rows: pd.DataFrame) -> None:
    metric = evidence.metric
    for arm in evidence.arms:
        curve = rows[rows["arm"] == arm].sort_values("param_lr")
        mean = curve[f"mean_{metric}"]
        if mean.notna().any():
            below, above = mean - curve[f"low_{metric}"].fillna(mean), curve[f"high_{metric}"].fillna(mean) - mean
            bars = (below.clip(lower=0), above.clip(lower=0))
            own = look(evidence, arm)
            drawn = axes.errorbar(curve["param_lr"], mean, bars, label=arm, lw=1.8, elinewidth=1.0, ms=4, **own)
            for bar in drawn.lines[2]:
                bar.set_gid(own["gid"])
    draw_trivial_score(axes, evidence, metric)
    fit_scale(axes, metric)


def _draw_tolerance(axes: Axes, evidence: Evidence, rates: pd.DataFrame | None) -> None:
    """Draw each arm's range of rates as a thick line along the bottom of a panel."""
    if rates is None:
        return
    for place, (_, row) in enumerate(rates.iterrows()):
        height = 0.02 + 0.035 * (len(rates) - 1 - place)
        if not math.isnan(row["decades"]):
            axes.plot(
                [row["lr_low"], row["lr_high"]],
                [height] * 2,
                lw=4,
                solid_capstyle="butt",
                **look(evidence, str(row["arm"])) | {"marker": "|", "ls": "-"},
                transform=axes.get_xaxis_transform(),
            )


def _make_room(axes: Axes, n_lines: int) -> None:
    """Extend the shared scale of all panels downwards, to make room for the thick lines along the bottom."""
    low, high = axes.get_ylim()
    if axes.get_yscale() == "linear":
        axes.set_ylim(low - 0.05 * n_lines * (high - low), high)
