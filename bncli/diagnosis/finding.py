"""Findings: what a diagnosis can say of a network. Each has a module in `diagnosis.findings`.

To add one, register a function there that takes a `Case` and yields a `Finding` for everything that it finds; a healthy
network gives none. Its name and the first line of its docstring are in help and documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bncli.registry import Registry

if TYPE_CHECKING:
    from bncli.diagnosis.case import Case

PROBLEM, NOTE = "problem", "note"
SEVERITIES = (PROBLEM, NOTE)
"""What findings can be, the worst first: a problem costs accuracy or breaks the model, a note may be meant so."""

EXACT, MEASURED, LIKELY = "exact", "measured", "likely"
"""How sure a finding is: it follows from the weights or by arithmetic; it was measured on rows of the data, and is
larger than their chance; or it depends on what bncli can't see."""


@dataclass(frozen=True)
class Finding:
    """Something that was found.

    Attributes:
        what: What it is, as a sentence with its number.
        number: The number.
        layers: The layers where it was found, from input to output.
        remedy: What to do.
        severity: One of `SEVERITIES`.
        certainty: `EXACT`, `MEASURED` or `LIKELY`.
        detail: More evidence, as a sentence; empty if there is none.
    """

    what: str
    number: float
    layers: tuple[str, ...]
    remedy: str
    severity: str = PROBLEM
    certainty: str = EXACT
    detail: str = ""


Find = Callable[["Case"], Iterable[Finding]]

REGISTRY: Registry[Find] = Registry("finding", "bncli.diagnosis.findings")
register = REGISTRY.register
