"""The figure `heatmap`: the metric over two axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bncli.analysis.evidence import Evidence
from bncli.report.canvas import colour_bar, grid_of, name_axes, set_title
from bncli.report.figure import register
from bncli.report.spelling import short_value
from bncli.report.style import CHAR, DARK, LIGHT, MAX_PANELS, n_text, wrapped
from bncli.tasks.metrics import METRICS, lower_is_better
from bncli.values import capital

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@register("heatmap")
def heatmap(evidence: Evidence) -> Figure | None:
    """The final metric over two axes, one panel per arm; hatched where at least half of the seeds did not learn."""
    table = evidence.conditions_table
    varied = [name for name in evidence.axes if table[f"param_{name}"].nunique() > 1]
    arms = [arm for arm in evidence.arms if (table["arm"] == arm).any()]
    if len(varied) != 2 or len(arms) > MAX_PANELS or table[f"mean_{evidence.metric}"].isna().all():
        return None
    rows, columns = (list(dict.fromkeys(table[f"param_{name}"].dropna())) for name in varied)
    width, height = min(max(2.0, 0.75 * len(columns)), 12.0), min(max(1.2, 0.5 * len(rows)), 6.0)
    n_columns = min(len(arms), max(1, int(14 // (width + 0.6))))
    figure, grid = grid_of(len(arms), n_columns, (width + 0.6, height + 0.8), (2.0, 1.0))
    limits = _colour_limits(evidence, table[f"mean_{evidence.metric}"])
    for axes, arm in zip(grid.flat, arms, strict=False):
        cells = table[table["arm"] == arm]
        values = _cell_grid(cells, varied, rows, columns, cells[f"mean_{evidence.metric}"])
        image = _draw_cells(axes, values, limits, width / len(columns), height / len(rows))
        _hatch(axes, _cell_grid(cells, varied, rows, columns, _unlearned(cells)))
        axes.set_title(wrapped(arm, width, size=9), fontsize=9)
    _label_cells(grid, len(arms), varied, (rows, columns), (height, width))
    colour_bar(image, list(grid.flat[: len(arms)]), METRICS[evidence.metric].label, shrink=0.85)
    note = ["hatched: at least half of the seeds did not learn"] if _unlearned(table).any() else []
    set_title(
        figure, f"{capital(METRICS[evidence.metric].label)} by {varied[0]} and {varied[1]}", [n_text(table["n"]), *note]
    )
    return figure


def _unlearned(cells: pd.DataFrame) -> pd.Series[bool]:
    """Whether at least half of the seeds of each condition did not learn."""
    return (cells["n"] > 0) & (2 * cells["n_chance"] >= cells["n"]).fillna(False)


def _colour_limits(evidence: Evidence, means: pd.Series[float]) -> tuple[float, float]:
    """The ends of the colours: from the trivial score to 1 for accuracies, up to the 90th percentile for losses."""
    if METRICS[evidence.metric].is_share:
        return min(evidence.trivial_score(evidence.metric) or 0.0, float(means.min())), 1.0
    return float(means.min()), float(means.quantile(0.9) if lower_is_better(evidence.metric) else means.max())


def _cell_grid(
    cells: pd.DataFrame, names: list[str], rows: list[Any], columns: list[Any], values: pd.Series[Any]
) -> np.ndarray:
    """Values by row and column; a condition on which an axis has no effect fills all cells along it."""
    import numpy as np
    import pandas as pd

    grid = np.full((len(rows), len(columns)), np.nan)
    for value, (_, cell) in zip(values, cells.iterrows(), strict=True):
        row, column = (cell[f"param_{name}"] for name in names)
        at_row = slice(None) if pd.isna(row) else rows.index(row)
        at_column = slice(None) if pd.isna(column) else columns.index(column)
        grid[at_row, at_column] = value
    return grid


def _draw_cells(
    axes: Axes, grid: np.ndarray, limits: tuple[float, float], cell_width: float, cell_height: float
) -> Any:
    """Draw the cells of one arm, with their values if these fit into cells of this size in inches."""
    import numpy as np

    low, high = limits
    image = axes.imshow(grid, vmin=low, vmax=high, cmap="cividis", aspect="auto", interpolation="none")
    if cell_width >= 0.5 and cell_height >= 0.2:
        for (row, column), value in np.ndenumerate(grid):
            text = "" if np.isnan(value) else f"{value:.3f}" if abs(value) < 1000 else f"{value:.1g}"
            colour = LIGHT if value < low + 0.6 * (high - low) else DARK
            axes.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
    return image


def _hatch(axes: Axes, unlearned: np.ndarray) -> None:
    """Hatch the cells whose seeds did not learn, behind their numbers."""
    import numpy as np
    from matplotlib.patches import Rectangle

    for row, column in np.argwhere(unlearned == 1):
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, hatch="//", edgecolor="white", lw=0, alpha=0.45))


def _label_cells(
    grid: np.ndarray, n_panels: int, names: list[str], values: tuple[list[Any], list[Any]], size: tuple[float, float]
) -> None:
    """Name the rows and columns of cells at the outer panels, as many as there is room for."""
    (height, width), (rows, columns) = size, values
    labels = [wrapped(short_value(value), 1.8) for value in columns]
    upright = max(map(len, labels)) * CHAR > width / len(columns)
    steps = [math.ceil(0.22 * len(rows) / height), math.ceil(0.25 * len(columns) / width)]
    name_axes(grid, n_panels, names[1], names[0])
    for axes in grid.flat[:n_panels]:
        axes.set_xticks(range(0, len(columns), steps[1]), labels[:: steps[1]], rotation=60 if upright else 0)
        axes.set_yticks(range(0, len(rows), steps[0]), [wrapped(short_value(row), 1.8) for row in rows[:: steps[0]]])
