"""Tables with a label column: .csv, .tsv and .parquet files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bncli.data.columns import (
    ASKED,
    EMPTY,
    MISSING,
    NUMBERS_ROWS,
    Columns,
    column_notices,
    joined_names,
    listed,
    read_columns,
    row_numbers,
    to_drop,
)
from bncli.data.delimited import check_cells_fit, header, read_delimited
from bncli.data.reading import check_size, quoted, reading
from bncli.data.splits import SPLIT_COLUMN, SPLIT_PARTS, LabelledRows
from bncli.errors import DataError
from bncli.registry import nearest
from bncli.values import counted, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pandas as pd


SEPARATORS = {".csv": ",", ".tsv": "\t"}
"""What separates columns by the ending of the file's name."""

TABLE_SUFFIXES = (*SEPARATORS, ".parquet")


def is_table_path(name: str) -> bool:
    """Return whether `name` has the ending of a table, which needs the name of its label column."""
    return Path(name).suffix.lower() in TABLE_SUFFIXES


def read_table(path: str, label: str | None, drop: str | None = None) -> LabelledRows:
    """Read a table as features, labels and, if it has a split column, its split.

    Args:
        path: Path of the file.
        label: Name of the label column.
        drop: The columns to leave out: a comma list, or `auto`, see `columns.to_drop`.

    Raises:
        DataError: The file can't be read, there is no such column, or a column can't be a feature.
        InvalidConfig: A column that is to be left out does not exist.
    """
    source, suffix = quoted(path), Path(path).suffix.lower()
    with reading(path, "a table") as file:
        if suffix not in SEPARATORS:
            return labelled_rows(source, _read_parquet(source, file), label, drop)
        table, unusual, repeated = read_delimited(source, file, SEPARATORS[suffix], label)
        found = " and ".join([", ".join(unusual[:-1]), unusual[-1]] if unusual[1:] else unusual)
        rows = labelled_rows(source, table, label, drop, f" ({found})" if found else "")
    notices = [f"{source} is read as a table with {found}."] if found else []
    if repeated:  # one may be the label again
        notices.append(
            f"{source} has several columns named {listed(repeated)}; all but the first become "
            f"{plain_text(repeated[0])}.1 and so on, and are features (see --drop)."
        )
    return replace(rows, notices=(*notices, *rows.notices))


def column_names(path: str) -> list[str]:
    """Return the names of the columns of a text file; an empty list for any other data set.

    Raises:
        DataError: The file can't be read.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SEPARATORS:
        return []
    with reading(path, "a table") as file:
        return header(file, SEPARATORS[suffix])


def _read_parquet(source: str, file: BinaryIO) -> pd.DataFrame:
    import pandas as pd
    from pyarrow.parquet import ParquetFile

    facts = ParquetFile(file).metadata
    check_cells_fit(source, facts.num_rows, facts.num_columns)
    n_bytes = sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))
    check_size(source, n_bytes, "its columns")
    file.seek(0)
    return pd.read_parquet(file)


def labelled_rows(
    source: str, table: pd.DataFrame, label: str | None, drop: str | None, found: str = ""
) -> LabelledRows:
    """Return the rows of a table; rows without a label are left out.

    Args:
        source: The file as messages name it.
        table: Its cells; its columns get names of text.
        label: Name of the label column.
        drop: The columns to leave out, see `columns.to_drop`.
        found: How the file was read, which errors add to its name.

    Raises:
        DataError: There is no such label, or a column can't be a feature.
        InvalidConfig: A column that is to be left out does not exist.
    """
    table.columns = [str(column) for column in table.columns]
    plain, source = source, source + found
    label = _checked_label(source, list(table.columns), label)
    dropped = to_drop(source, table, label, drop)
    numbering = row_numbers(table, label)
    table, part, notices = _with_labels(plain, *_take_split(table.drop(columns=dropped), label), label)
    features = table.drop(columns=label)
    _check_size(source, table, label)
    _check_split(source, features)
    x, columns, empty = read_columns(source, features)
    if not columns:
        raise DataError(f"{source} has no values in any column besides {quoted(label)}.")
    left_out = {name: NUMBERS_ROWS if name in numbering else ASKED for name in dropped} | dict.fromkeys(empty, EMPTY)
    notices += column_notices(plain, features, x, left_out)
    described = Columns(columns, tuple(left_out.items()), joined_names(dropped) or None)
    names = tuple(column.name for column in columns)
    is_validation, is_test = (_mask(part, name) for name in SPLIT_PARTS[1:])
    return LabelledRows(
        x, _classes(source, table[label]), names, is_validation, tuple(notices), is_test, columns=described
    )


def _with_labels(
    source: str, table: pd.DataFrame, part: pd.Series | None, label: str
) -> tuple[pd.DataFrame, pd.Series | None, list[str]]:
    """The rows that have a label, their split, and a notice if others are left out."""
    table = table.assign(**{label: _tidy(table[label])})
    has_label = table[label].notna()
    n_left = int((~has_label).sum())
    if not n_left:
        return table, part, []
    if n_left == len(table):
        raise DataError(f"{source} has no label in any row: column {quoted(label)} is empty.")
    table = table[has_label].copy()
    if table[label].dtype == "float64" and (table[label] % 1 == 0).all():
        table[label] = table[label].astype("int64")  # pandas makes fractions of whole numbers where one is missing
    verb = "is" if n_left == 1 else "are"
    notice = f"{source}: {counted(n_left, 'row')} without a label {verb} left out."
    return table, None if part is None else part[has_label], [notice]


def _tidy(labels: pd.Series) -> pd.Series:
    """Labels of text read as features are: without spaces around them, and `?` is no value."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(labels):
        return labels
    texts = labels.astype(str).str.strip()
    is_missing = labels.isna() | texts.isin(MISSING)
    numbers = pd.to_numeric(texts[~is_missing], errors="coerce")
    if texts.isin(MISSING).any() and numbers.notna().all():
        return numbers.astype("float64").reindex(labels.index)
    return texts.mask(is_missing)


def _mask(part: pd.Series | None, name: str) -> np.ndarray | None:
    """The rows of a part; None if the table does not name it."""
    mask = None if part is None else (part == name).to_numpy()
    return mask if mask is not None and mask.any() else None


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
            f"{source} needs the name of the column with the classes or quantities. Columns: {shown}. "
            f"Try --label {_shown([_likely_label(columns)])}."
        )
    alike = [name for name in columns if name.strip() == label.strip()]
    if label not in columns and len(alike) == 1:  # many files have spaces after their commas
        return alike[0]
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


def _check_size(source: str, table: pd.DataFrame, label: str) -> None:
    if table.shape[1] < 2 or table.empty:
        raise DataError(
            f"{source} needs at least one row, and one feature column besides {quoted(label)}. "
            f"Received: {table.shape[0]} rows, {table.shape[1]} columns."
        )


def _check_split(source: str, features: pd.DataFrame) -> None:
    """Refuse a column that is meant to set the split but has other values too."""
    if SPLIT_COLUMN in features.columns and "train" in set(features[SPLIT_COLUMN].astype(str)):
        values = listed(sorted({str(value) for value in features[SPLIT_COLUMN]} - {"nan"}))
        missing = int(features[SPLIT_COLUMN].isna().sum())
        raise DataError(
            f"{source}: column {SPLIT_COLUMN!r} sets the split if it contains train, and validation or test or both, "
            f"and nothing else. Received: {values}{f' and {missing:,} missing' if missing else ''}. "
            f"Correct it, or try --drop {SPLIT_COLUMN}."
        )
