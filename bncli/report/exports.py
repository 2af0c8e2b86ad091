"""Tables for programs: CSV, JSON, JSON lines."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bncli.analysis.evidence import Evidence
from bncli.values import plain_text

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table with values that JSON has: None for a missing or infinite number.

    Example:
        >>> import pandas as pd
        >>> records(pd.DataFrame({"arm": ["none", "batch"], "median_hit_epoch": [5.0, math.inf]}))
        [{'arm': 'none', 'median_hit_epoch': 5.0}, {'arm': 'batch', 'median_hit_epoch': None}]
    """
    plain = table.astype(object).where(table.notna(), None)
    return [{str(name): _json_value(value) for name, value in row.items()} for row in plain.to_dict("records")]


def _json_value(value: Any) -> Any:
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def to_json(content: Any) -> str:
    """Return JSON with an indent, for people and programs.

    Example:
        >>> print(to_json({"arm": "none", "n": 3}))
        {
          "arm": "none",
          "n": 3
        }
    """
    return json.dumps(content, indent=2, allow_nan=False)


def to_json_line(content: Any) -> str:
    """Return JSON on one line, for streams.

    Example:
        >>> to_json_line({"arm": "none", "n": 3})
        '{"arm": "none", "n": 3}'
    """
    return json.dumps(content, allow_nan=False)


def to_csv(rows: pd.DataFrame | Sequence[dict[str, Any]]) -> str:
    """Return CSV with a header; cells without a value are empty, flags are `true` and `false`.

    Texts are as they were given, but control characters other than line ends and tabs are replaced by their escapes.

    Args:
        rows: A table, or records that all have the same keys.

    Example:
        >>> print(to_csv([{"arm": "none", "best": True}, {"arm": "batch", "best": None}]), end="")
        arm,best
        none,true
        batch,
    """
    import pandas as pd

    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows, dtype=object)
    return str(_with_plain_cells(table).to_csv(index=False, lineterminator="\n"))


def write_csv(table: pd.DataFrame, target: Path) -> None:
    """Write a large table to a file in the format of `to_csv`; whole floats may lose their `.0`.

    Arrow writes a million rows of a history in 0.5 s, pandas in 5 s.

    Args:
        table: The table.
        target: The file.
    """
    import pyarrow as pa
    from pyarrow import csv

    plain = _with_plain_cells(table)
    with target.open("wb") as file:
        file.write(to_csv(table[:0]).encode())
        try:
            options = csv.WriteOptions(include_header=False, quoting_style="none")
            csv.write_csv(pa.Table.from_pandas(plain, preserve_index=False), file, options)
        except pa.ArrowInvalid:  # a text that needs quotes, or a column of several types
            plain.to_csv(target, index=False, lineterminator="\n")


def _with_plain_cells(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its flags spelled as in JSON, and its texts and header without control characters."""
    import pandas as pd

    plain = table.rename(columns=_plain_cell)
    for place, kind in enumerate(plain.dtypes):
        name, column = plain.columns[place], plain.iloc[:, place]
        if kind in (bool, object):
            plain[name] = pd.Series(map(_plain_cell, column), plain.index, dtype=object)
        elif pd.api.types.is_string_dtype(kind):  # pandas 3; a history has few texts in many rows
            plain[name] = column.map({text: _plain_cell(text) for text in column.unique()})
    return plain


def _plain_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return plain_text(value, None, keep="\n\t") if isinstance(value, str) else value


def as_json(evidence: Evidence) -> dict[str, Any]:
    """Return the result of a study as one JSON object.

    It has the question, the settings that all runs share, and one entry per condition (the rows of
    `Evidence.joined_table`).
    """
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
        "margin": evidence.margin,
        "conditions": records(evidence.joined_table),
        "run": study["run"],
    }
