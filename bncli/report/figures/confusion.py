"""The figure `confusion`: what classes are taken for, by arm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bncli.analysis.classes import confusion_of_runs
from bncli.analysis.evidence import Evidence
from bncli.analysis.grid import cells
from bncli.report.canvas import colour_bar, grid_of, name_axes, set_title
from bncli.report.figure import register
from bncli.report.style import DARK, LIGHT, MAX_PANELS, n_text, wrapped

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_NUMBERED = 12
"""The most classes whose shares are written into their cells."""


@register("confusion")
def confusion(evidence: Evidence) -> Figure | None:
    """What share of each class is taken for which class, by arm: mean over seeds, after the last epoch."""
    shares = _shares(evidence)
    if evidence.axes or not 0 < len(shares) <= MAX_PANELS:
        return None
    n_classes = len(next(iter(shares.values())))
    names = [wrapped(name, 1.2) for name in evidence.class_names or map(str, range(n_classes))]
    side = max(2.6, 0.36 * n_classes)
    n_columns = min(len(shares), max(1, int(14 // (side + 0.9))))
    figure, grid = grid_of(len(shares), n_columns, (side + 0.4, side + 0.6), (2.0, 0.8))
    for axes, (arm, values) in zip(grid.flat, shares.items(), strict=False):
        image = _draw(axes, values, names)
        axes.set_title(wrapped(arm, side, size=9), fontsize=9)
    name_axes(grid, len(shares), "answer", "class")
    colour_bar(image, list(grid.flat[: len(shares)]), "share of the class", shrink=0.85)
    method = [n_text(evidence.conditions_table["n"]), "validation rows; the diagonal is right"]
    set_title(figure, "What each class is taken for", method)
    return figure


def _shares(evidence: Evidence) -> dict[str, np.ndarray]:
    """The mean confusion of each arm that has one, at the only point of a study without axes."""
    found: dict[str, np.ndarray] = {}
    for cell in cells(evidence.results, evidence.conditions, evidence.baseline):
        shares = confusion_of_runs(cell.runs)
        if shares is not None:
            found.setdefault(cell.condition.arm, shares)
    return found


def _draw(axes: Axes, shares: np.ndarray, names: list[str]) -> Any:
    import numpy as np

    image = axes.imshow(shares, vmin=0, vmax=1, cmap="cividis", interpolation="none")
    places = range(len(names))
    axes.set_xticks(places, names, rotation=90 if max(map(len, names)) > 4 else 0, fontsize=8)
    axes.set_yticks(places, names, fontsize=8)
    if len(names) <= MAX_NUMBERED:
        for (row, column), value in np.ndenumerate(shares):
            if value >= 0.005:
                text = f"{value:.2f}".lstrip("0") if value < 0.995 else "1"
                colour = LIGHT if value < 0.6 else DARK
                axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    return image
