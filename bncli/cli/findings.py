"""How findings are printed and written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bncli.cli import console
from bncli.report.exports import to_csv
from bncli.values import finite, plain_text

if TYPE_CHECKING:
    from bncli.diagnosis.finding import Finding

MAX_NAMES = 6
"""The most layers, or conditions, that a line lists."""


def print_finding(name: str, finding: Finding, format: str, places: Sequence[str] = ()) -> None:
    """Print a finding as paragraphs.

    Args:
        name: Its name.
        finding: It.
        format: `table` for a terminal, `md` for Markdown.
        places: The arms and conditions of a study where it was found.
    """
    head = f"{finding.severity}: {name} ({finding.certainty})"
    console.write(f"\n- **{head}**\n" if format == "md" else f"\n{head}")
    lines = (
        f"In: {listed(places)}" if places else "",
        finding.what,
        finding.detail,
        f"Layers: {listed(finding.layers)}" if finding.layers else "",
        f"Try: {finding.remedy}",
    )
    for text in lines:
        if text:
            console.paragraph(text, "  ")


def listed(names: Sequence[str]) -> str:
    """Return names as a list that is cut after a few.

    >>> listed(["a", "b"]), listed(["a"] * 56)
    ('a, b', 'a, a, a, a, a, a and 50 more')
    """
    more = f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
    return ", ".join(map(plain_text, names[:MAX_NAMES])) + more


def record_of(name: str, finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON has it."""
    fields = ("what", "number", "layers", "detail", "remedy")
    facts = {"finding": name, "severity": finding.severity, "certainty": finding.certainty}
    return facts | {field: getattr(finding, field) for field in fields} | {"number": finite(finding.number)}


def csv_of(records: Sequence[dict[str, Any]], columns: Sequence[str] = ()) -> str:
    """Return records of `record_of` as CSV, a header too where there are none.

    Args:
        records: The records; layers become a text with spaces between.
        columns: Columns before those of a finding.
    """
    names = (*columns, *FINDING_COLUMNS)
    rows = [{name: (record | {"layers": " ".join(record["layers"])})[name] for name in names} for record in records]
    return to_csv(rows) if rows else ",".join(names)


FINDING_COLUMNS = ("finding", "severity", "certainty", "what", "number", "layers", "detail", "remedy")
