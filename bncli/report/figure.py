"""The registry of figures: each is a function from a study's evidence to a matplotlib `Figure`.

A figure returns None where the study has nothing for it. It trains nothing, writes no file and sets no global style. An
arm keeps one colour, one line style and one marker in every figure (see `style`).
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


def draw_all(evidence: Evidence) -> dict[str, Figure]:
    """Draw every registered figure that the study has the columns for, by name."""
    drawn = {name: REGISTRY[name](evidence) for name in REGISTRY}
    return {name: figure for name, figure in drawn.items() if figure is not None}
