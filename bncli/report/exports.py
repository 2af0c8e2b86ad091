"""Tables for programs: CSV, JSON, JSON lines."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bncli.analysis.evidence import Evidence

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON types: None where a number is missing or infinite (an epoch that never came)."""
    plain = table.astype(object).where(table.notna(), None)
    return [{str(key): _finite(_plain(value)) for key, value in row.items()} for row in plain.to_dict("records")]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_json(content: Any) -> str:
    """JSON with an indent, one text for people and programs."""
    return json.dumps(content, indent=2, allow_nan=False)


def to_json_line(content: Any) -> str:
    """JSON on one line, a record of a stream."""
    return json.dumps(content, allow_nan=False)


def to_csv(rows: pd.DataFrame | Sequence[dict[str, Any]]) -> str:
    """CSV of a table or of records, with a header; empty cells for what is missing, `true`, `false`."""
    import pandas as pd

    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows, dtype=object)
    return str(_with_plain_cells(table).to_csv(index=False, lineterminator="\n"))


def write_csv(table: pd.DataFrame, target: Path) -> None:
    """Write a table as `to_csv` spells it, millions of rows a part at a time; whole floats may lose their `.0`."""
    import pyarrow as pa
    from pyarrow import csv

    plain = _with_plain_cells(table)
    with target.open("wb") as file:
        file.write(to_csv(table[:0]).encode())
        try:
            options = csv.WriteOptions(include_header=False, quoting_style="none")
            csv.write_csv(pa.Table.from_pandas(plain, preserve_index=False), file, options)
        except pa.ArrowInvalid:  # a text that needs quotes, or columns of several types
            plain.to_csv(target, index=False, lineterminator="\n")


def _with_plain_cells(table: pd.DataFrame) -> pd.DataFrame:
    """The table with flags spelled as in JSON."""
    import pandas as pd

    plain = table.copy(deep=False)
    for name in plain.columns[[kind in (bool, object) for kind in plain.dtypes]]:
        plain[name] = pd.Series(map(_spelled, plain[name]), plain.index, dtype=object)
    return plain


def _spelled(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def as_json(evidence: Evidence) -> dict[str, Any]:
    """The study's result as one JSON object: question, settings that all runs share, one entry a condition."""
    study = evidence.study.to_dict()
    return {
        "study": study["name"],
        "question": study["question"],
        "source": study["source"],
        "baseline": study["arms"][0],
        "arms": study["arms"],
        "axes": study["axes"],
        "seeds": study["seeds"],
        "n_planned": evidence.n_planned,
        "n_recorded": len(evidence.results),
        "chance": evidence.trivial,
        "metric": evidence.metric,
        "threshold": evidence.threshold,
        "conditions": records(evidence.joined_table),
        "run": study["run"],
    }
