"""The figures `inside`, `stale`, `probes` and `landscape`: what probes saw in networks, by layer and epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.analysis.evidence import Evidence
from bncli.report.canvas import PANEL, colour_bar, grid_of, name_axes, set_title
from bncli.report.figure import register
from bncli.report.spelling import point_label
from bncli.report.style import in_page, look, n_text, short, whole_epochs, wrapped
from bncli.tasks.probes import PERCENTILES, PROBES

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_LAYERS, MAX_ARMS = 4, 5
"""The most rows and columns of panels; of more layers, some from the first to the last are drawn."""

MANY = 8
"""Lines of more layers than these are thin."""

CURVES = ("dead", "saturated", "mean_lag", "effective_lr", "gamma", "gradient_norm", "participation")
"""The probes of the figure `probes`, in order."""

AROUND = ("covariate_shift", "loss_range", "gradient_change", "smoothness")
"""The probes of the figure `landscape`, in order."""

LOGARITHMIC = ("effective_lr", "gradient_norm", "covariate_shift", "loss_range", "gradient_change", "smoothness")

_LOW, _MIDDLE, _HIGH = (f"preactivation_p{q}" for q in PERCENTILES)


@register("inside")
def inside(evidence: Evidence) -> Figure | None:
    """What the activations get, by layer and epoch: median, and a band from the 15th to the 85th percentile."""
    table = _of_first_point(evidence, evidence.inside_table)
    table = table[table["probe"].isin([_LOW, _MIDDLE, _HIGH])]
    layers, arms = _some(table), _arms(evidence, table)
    if not (layers and arms):
        return None
    figure, grid = _grid([f"activation {number}" for number in layers], arms)
    for row, number in zip(grid, layers, strict=True):
        for axes, arm in zip(row, arms, strict=True):
            _draw_ribbon(axes, evidence, arm, table[(table["arm"] == arm) & (table["number"] == number)])
        _name_row(row, f"activation {number}\n(its input)")
    drawn = _part(len(layers), table["number"].nunique(), "activations")
    method = _caption(evidence, table, *drawn, "training mode; median, and 15th to 85th percentile")
    set_title(figure, "What the activations get", method)
    return figure


@register("stale")
def stale(evidence: Evidence) -> Figure | None:
    """How far the moving means are from the statistics of the present weights, by normalization and epoch."""
    from matplotlib.colors import LogNorm

    table = _of_first_point(evidence, evidence.inside_table)
    table = table[table["probe"] == "mean_lag"]
    arms = _arms(evidence, table)
    if not arms:
        return None
    height = max(1.8, 0.6 + 0.25 * table["number"].nunique())
    figure, grid = grid_of(len(arms), len(arms), (PANEL[0], height), (1.4, 1.0))
    panels = list(grid.flat)
    for axes, arm in zip(panels, arms, strict=True):
        cells = _mean(table[table["arm"] == arm]).unstack("epoch")
        ends = (-0.5, cells.shape[1] - 0.5, cells.shape[0] + 0.5, 0.5)
        shades = LogNorm(0.01, 3)
        image = axes.imshow(cells.clip(0.01, 3), aspect="auto", cmap="magma_r", norm=shades, extent=ends)
        axes.set_title(wrapped(arm, PANEL[0], size=9), fontsize=9)
        axes.set_yticks(range(1, cells.shape[0] + 1))
        whole_epochs(axes)
    name_axes(grid, len(arms), "epoch", "normalization")
    colour_bar(image, panels, "standard deviations", ticks=[0.01, 0.03, 0.1, 0.3, 1, 3], format="%g")
    set_title(figure, "How far the moving means lag", _caption(evidence, table, PROBES["mean_lag"].label))
    return figure


@register("probes")
def probes(evidence: Evidence) -> Figure | None:
    """Other probes by epoch, a line for each layer, from the first (light) to the last (dark)."""
    return _draw_probes(evidence, "Inside the networks, by epoch", CURVES)


@register("landscape")
def landscape(evidence: Evidence) -> Figure | None:
    """The loss around the weights, along its gradient (Santurkar et al. 2018), at up to ten epochs."""
    return _draw_probes(evidence, "How smooth the loss is around the weights", AROUND)


def _draw_probes(evidence: Evidence, message: str, names: tuple[str, ...]) -> Figure | None:
    """A row of panels for each probe, a column for each arm."""
    table = _of_first_point(evidence, evidence.inside_table)
    table = table[table["probe"].isin(names)]
    rows = [name for name in names if (table["probe"] == name).any()]
    arms = _arms(evidence, table)
    if not (rows and arms):
        return None
    figure, grid = _grid([PROBES[name].label for name in rows], arms)
    for row, name in zip(grid, rows, strict=True):
        for axes, arm in zip(row, arms, strict=True):
            _draw_layers(axes, evidence, arm, table[(table["arm"] == arm) & (table["probe"] == name)])
        _name_row(row, wrapped(PROBES[name].label, 1.4, size=9))
        if name in LOGARITHMIC:
            row[0].set_yscale("log", nonpositive="mask")  # else a 0 draws a line to the bottom
    set_title(figure, message, _caption(evidence, table, "a line per layer, the last one darkest"))
    return figure


def _of_first_point(evidence: Evidence, table: pd.DataFrame) -> pd.DataFrame:
    """The rows at the first point of the axes."""
    first = next(iter(evidence.points.values()), [])
    return table[table["condition"].isin(first)]


def _arms(evidence: Evidence, table: pd.DataFrame) -> list[str]:
    return [arm for arm in evidence.arms if (table["arm"] == arm).any()][:MAX_ARMS]


def _part(count: int, total: int, what: str) -> list[str]:
    """Say that not all of something is drawn; nothing if it is."""
    return [f"{count} of {total} {what}"] if count < total else []


def _some(table: pd.DataFrame) -> list[int]:
    """The numbers of at most `MAX_LAYERS` layers, from the first to the last."""
    import numpy as np

    numbers = sorted(table["number"].unique())
    chosen = np.linspace(0, len(numbers) - 1, min(len(numbers), MAX_LAYERS)).round().astype(int)
    return [int(numbers[place]) for place in chosen]


def _grid(rows: list[str], arms: list[str]) -> tuple[Figure, np.ndarray]:
    """A row of panels for each layer or probe, a column for each arm; the panels of a row share their scale."""
    n_panels = len(rows) * len(arms)
    figure, grid = grid_of(n_panels, len(arms), (PANEL[0], 1.5), (0.6, 1.0), sharey="row")
    for place, axes in enumerate(grid.flat):
        row, arm = rows[place // len(arms)], arms[place % len(arms)]
        title = f"{arm}: {row}" if in_page() else arm if place < len(arms) else ""
        axes.set_title(wrapped(title, PANEL[0], size=9), fontsize=9)
        axes.grid(alpha=0.25, lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    name_axes(grid, n_panels, "epoch", "")
    return figure, grid


def _name_row(row: np.ndarray, label: str) -> None:
    """Name what a row of panels shows; in the page, where panels may stand anywhere, at each of them."""
    for axes in row if in_page() else row[:1]:
        axes.set_ylabel(label)


def _mean(table: pd.DataFrame) -> pd.Series[float]:
    """The mean over seeds, by number of the layer and epoch."""
    return table.groupby(["number", "epoch"])["value"].mean()


def _draw_ribbon(axes: Axes, evidence: Evidence, arm: str, rows: pd.DataFrame) -> None:
    if rows.empty:
        _say_none(axes)
        return
    curves = rows.groupby(["probe", "epoch"])["value"].mean().unstack("probe")
    own = {name: look(evidence, arm)[name] for name in ("color", "gid")}
    axes.fill_between(curves.index, curves[_LOW], curves[_HIGH], alpha=0.25, lw=0, **own)
    axes.plot(curves.index, curves[_MIDDLE], lw=1.8, **own)
    whole_epochs(axes)


def _draw_layers(axes: Axes, evidence: Evidence, arm: str, rows: pd.DataFrame) -> None:
    numbers = sorted(rows["number"].unique())
    if not numbers:
        _say_none(axes)
    for place, number in enumerate(numbers):
        curve = _mean(rows[rows["number"] == number]).droplevel("number")
        alpha = 0.3 + 0.7 * (place + 1) / len(numbers)
        width = 1.6 if len(numbers) <= MANY else 0.9
        own = {name: look(evidence, arm)[name] for name in ("color", "gid")}
        axes.plot(curve.index, curve, alpha=alpha, lw=width, **own)
    whole_epochs(axes)


def _say_none(axes: Axes) -> None:
    """Say that an arm has no such layers."""
    axes.text(0.5, 0.5, "no such layer", transform=axes.transAxes, ha="center", va="center", color="0.5", fontsize=9)


def _caption(evidence: Evidence, table: pd.DataFrame, *what: str) -> list[str]:
    point = next(iter(evidence.points), ())
    at = [point_label(evidence.axes, point)] if evidence.axes else []
    counts = table.groupby("arm")["seed"].nunique()
    last = table.groupby(["arm", "seed"])["epoch"].max()
    ended = ["runs that ended early count until then"] if last.nunique() > 1 else []
    arms = _part(len(_arms(evidence, table)), len(counts), "arms")
    return [*at, n_text(counts), *arms, *ended, *(short(each, 80) for each in what)]
