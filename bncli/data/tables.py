"""Tables with a label column: .csv, .tsv and .parquet files."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bncli.data.reading import check_size, quoted, reading
from bncli.data.splits import SPLIT_COLUMN, SPLIT_PARTS, LabelledRows
from bncli.errors import DataError
from bncli.registry import nearest
from bncli.values import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pandas as pd


SEPARATORS = {".csv": ",", ".tsv": "\t"}
"""What separates columns by the ending of the file's name."""

OTHER_SEPARATORS = (",", ";", "\t", "|")
"""What else may do so, where that leaves a single column."""

TABLE_SUFFIXES = (*SEPARATORS, ".parquet")

COLUMN_BYTES = 4096
"""About what pandas needs for a column beside its cells."""


MAX_HEADER = 1_000_000
"""Bytes of the header that are read for the names of the columns."""


def is_table_path(name: str) -> bool:
    """Return whether `name` has the ending of a table, which needs the name of its label column."""
    return Path(name).suffix.lower() in TABLE_SUFFIXES


def read_table(path: str, label: str | None) -> LabelledRows:
    """Read a table as features, labels and, if it has a split column, its split.

    Args:
        path: Path of the file.
        label: Name of the label column.

    Raises:
        DataError: The file can't be read, there is no such column, or a value is missing or not a number.
    """
    source, suffix = quoted(path), Path(path).suffix.lower()
    with reading(path, "a table") as file:
        if suffix not in SEPARATORS:
            return _labelled_rows(source, _read_parquet(source, file), label)
        separator = _separator(file, SEPARATORS[suffix])
        if separator == SEPARATORS[suffix]:
            return _labelled_rows(source, _read_text(source, file, separator), label)
        found = f"columns separated by {separator!r}"
        rows = _labelled_rows(f"{source} ({found})", _read_text(source, file, separator), label)
        return replace(rows, notices=(f"{source} is read as a table with {found}.", *rows.notices))


def column_names(path: str) -> list[str]:
    """Return the names of the columns of a text file; an empty list for any other data set.

    Raises:
        DataError: The file can't be read.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SEPARATORS:
        return []
    with reading(path, "a table") as file:
        separator = _separator(file, SEPARATORS[suffix])
        file.seek(0)
        header = file.readline(MAX_HEADER).decode("utf-8-sig")
        return next(csv.reader([header], delimiter=separator), [])


def _separator(file: BinaryIO, usual: str) -> str:
    """The usual separator, unless the header has none and another one fits the first lines."""
    if _n_columns(file, usual, 1) > 1:
        return usual
    counts = {separator: _n_columns(file, separator, 5) for separator in OTHER_SEPARATORS if separator != usual}
    best = max(counts, key=lambda separator: counts[separator])
    return best if counts[best] > 1 else usual


def _n_columns(file: BinaryIO, separator: str, n_lines: int) -> int:
    """Into how many columns a separator splits the header; 0 if it does not split the first lines alike.

    A line may have one cell more, an index without a name. (pandas takes seconds for a header of 20,000 columns.)
    """
    file.seek(0)
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        rows = list(islice(filter(None, csv.reader(text, delimiter=separator)), n_lines))
    finally:
        text.detach()
    width = len(rows[0]) if rows else 0
    return width if {len(row) for row in rows} <= {width, width + 1} else 0


def _read_text(source: str, file: BinaryIO, separator: str) -> pd.DataFrame:
    """Read a text file. A line may lack cells, so that a small file can make a table of many."""
    import pandas as pd

    n_columns = _n_columns(file, separator, 1)
    file.seek(0)
    _check_cells_fit(source, _n_lines(file), n_columns)
    file.seek(0)
    return pd.read_csv(file, sep=separator, low_memory=False)


def _n_lines(file: BinaryIO) -> int:
    """How many lines a file has, empty ones too; they end as on Linux, on Windows or on an old Macintosh."""
    blocks = iter(partial(file.read, 2**20), b"")
    return 1 + sum(block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n") for block in blocks)


def _read_parquet(source: str, file: BinaryIO) -> pd.DataFrame:
    import pandas as pd
    from pyarrow.parquet import ParquetFile

    facts = ParquetFile(file).metadata
    _check_cells_fit(source, facts.num_rows, facts.num_columns)
    n_bytes = sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))
    check_size(source, n_bytes, "its columns")
    file.seek(0)
    return pd.read_parquet(file)


def _check_cells_fit(source: str, n_rows: int, n_columns: int) -> None:
    what = f"a table of {n_rows:,} lines and {n_columns:,} columns"
    check_size(source, n_columns * max(8 * n_rows, COLUMN_BYTES), what)


def _labelled_rows(source: str, table: pd.DataFrame, label: str | None) -> LabelledRows:
    table.columns = [str(column) for column in table.columns]
    label = _checked_label(source, list(table.columns), label)
    table, part = _take_split(table, label)
    _check_cells(source, table, label)
    features, classes = table.drop(columns=label), _classes(source, table[label])
    notices = [
        f"{source}: column {name!r} has no name and numbers the rows. It is used as a feature; where the rows are "
        "sorted by class it gives the class away. Remove it from the file unless it means something."
        for name in _row_numbers(table, label)
    ]
    x = features.to_numpy("float64")
    is_validation, is_test = (_mask(part, name) for name in SPLIT_PARTS[1:])
    return LabelledRows(x, classes, tuple(features.columns), is_validation, tuple(notices), is_test)


def _mask(part: pd.Series | None, name: str) -> np.ndarray | None:
    """The rows of a part; None if the table does not name it."""
    mask = None if part is None else (part == name).to_numpy()
    return mask if mask is not None and mask.any() else None


def _row_numbers(table: pd.DataFrame, label: str) -> list[str]:
    """The names of columns that pandas and R write for an index without a name.

    They are kept, because studies on such files exist, whose runs are continued.
    """
    unnamed = [name for name in table.columns if re.fullmatch(r"(Unnamed: \d+(\.\d+)*)?", name) and name != label]
    return [name for name in unnamed if _numbers_rows(table[name])]


def _numbers_rows(column: pd.Series) -> bool:
    """Whether a column has the numbers 0 to n-1 or 1 to n, in any order."""
    import numpy as np
    import pandas as pd

    if not pd.api.types.is_integer_dtype(column) or column.isna().any() or column.empty:
        return False
    numbers = np.sort(column.to_numpy("float64"))
    return numbers[0] in (0, 1) and np.array_equal(numbers, numbers[0] + np.arange(len(numbers)))


def _classes(source: str, column: pd.Series) -> np.ndarray:
    """The labels as numbers, or else as text of a fixed width, whose size is that of the longest label."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy()
    texts = column.astype(str)
    longest = int(texts.str.len().max())
    check_size(source, 4 * longest * len(texts), f"{len(texts):,} labels of up to {longest:,} characters")
    return texts.to_numpy("U")


def _shown(names: Iterable[str]) -> str:
    """Names of columns as messages list them."""
    return plain_text(", ".join(names))


def _checked_label(source: str, columns: list[str], label: str | None) -> str:
    shown = _shown(columns[:20]) + (", ..." if len(columns) > 20 else "") or "none"
    if label is None:
        raise DataError(
            f"{source} needs the name of the column with the class names. Columns: {shown}. "
            f"Try --label {_shown([_likely_label(columns)])}."
        )
    if label not in columns:
        hint = plain_text(nearest(label, columns))
        raise DataError(f"{source} has no column {quoted(label)}. Columns: {shown}.{hint}")
    return label


def _likely_label(columns: list[str]) -> str:
    usual = [name for name in columns if name.lower() in ("label", "class", "target", "y", "species")]
    others = [name for name in reversed(columns) if name != SPLIT_COLUMN]
    return [*usual, *others, "COLUMN"][0]


def _take_split(table: pd.DataFrame, label: str) -> tuple[pd.DataFrame, pd.Series | None]:
    """The table without its split column, and that column; None if it has none."""
    if SPLIT_COLUMN not in table.columns or label == SPLIT_COLUMN:
        return table, None
    part = table[SPLIT_COLUMN].astype(str)
    names = set(part)
    if "train" not in names or len(names) == 1 or not names <= {*SPLIT_PARTS}:
        return table, None
    return table.drop(columns=SPLIT_COLUMN), part


def _check_cells(source: str, table: pd.DataFrame, label: str) -> None:
    """Raise `DataError` for an empty table, missing values, or features that are not numbers."""
    import pandas as pd

    if table.shape[1] < 2 or table.empty:
        raise DataError(
            f"{source} needs at least one row, and one feature column besides {quoted(label)}. "
            f"Received: {table.shape[0]} rows, {table.shape[1]} columns."
        )
    missing = table.isna().sum()
    if missing.any():
        counts = _shown(f"{name} ({count})" for name, count in missing[missing > 0].head(10).items())
        raise DataError(f"{source} has missing values in: {counts}. Drop those rows or fill them in first.")
    features = table.drop(columns=label)
    text = [name for name in features.columns if not pd.api.types.is_numeric_dtype(features[name])]
    if text:
        hint = f" A column {SPLIT_COLUMN!r} sets the split if it contains train, and validation or test or both."
        raise DataError(
            f"{source} has columns that are not numbers: {_shown(text[:10])}. "
            f"Encode them as numbers (one column per category) or drop them.{hint if SPLIT_COLUMN in text else ''}"
        )
