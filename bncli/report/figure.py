"""The registry of figures: each is a function from a study's evidence to a matplotlib `Figure`.

A figure returns None if the study has nothing for it. It trains nothing, writes no file and sets no global style. An
arm has the same colour, line style and marker in every figure (see `style.look`). The first line of its docstring is
its caption in the report.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bncli.analysis.evidence import Evidence
from bncli.registry import Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REGISTRY: Registry[Callable[[Evidence], Any]] = Registry("figure", "bncli.report.figures")
register = REGISTRY.register

INSIDE = ("inside", "stale", "probes", "landscape")
"""The figures of what probes saw, in order."""

ORDER = ("curves", "train_val", "differences", "lr", "reached", "heatmap", "confusion", *INSIDE)
"""The order of the figures in the report; others follow."""


def draw_all(evidence: Evidence) -> dict[str, Figure]:
    """Draw every registered figure that the study has data for.

    Returns:
        Name to figure, in the order of the report.
    """
    names = sorted(REGISTRY, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    drawn = {name: REGISTRY[name](evidence) for name in names}
    return {name: figure for name, figure in drawn.items() if figure is not None}
