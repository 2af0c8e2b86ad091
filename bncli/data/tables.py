"""Tables with a label column: .csv, .tsv and .parquet files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bncli.data.splits import SPLIT_COLUMN, LabelledRows
from bncli.errors import DataError, first_line
from bncli.registry import nearest

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")


def is_table_path(name: str) -> bool:
    """Return whether `name` has the ending of a table, which needs the name of its label column."""
    return Path(name).suffix.lower() in TABLE_SUFFIXES


def read_table(path: str) -> pd.DataFrame:
    """Read a table file.

    Raises:
        DataError: The file can't be read.
    """
    import pandas as pd

    readers: dict[str, Callable[[str], pd.DataFrame]] = {
        ".csv": lambda file: pd.read_csv(file, low_memory=False),
        ".tsv": lambda file: pd.read_csv(file, sep="\t", low_memory=False),
        ".parquet": pd.read_parquet,
    }
    try:
        return readers[Path(path).suffix.lower()](path)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path!r} can't be read as a table: {first_line(error)}.") from error


def labelled_rows(path: str, table: pd.DataFrame, label: str | None) -> LabelledRows:
    """Separate a table into features, labels and, if it has a split column, its split.

    Args:
        path: The table's path, for messages.
        table: The table.
        label: Name of the label column.

    Raises:
        DataError: There is no such column, or a value is missing or not a number.
    """
    import pandas as pd

    table.columns = [str(column) for column in table.columns]
    label = _checked_label(path, list(table.columns), label)
    table, is_validation = _take_split(table, label)
    _check_cells(path, table, label)
    features, classes = table.drop(columns=label), table[label]
    y = classes.to_numpy() if pd.api.types.is_numeric_dtype(classes) else classes.astype(str).to_numpy("U")
    return LabelledRows(features.to_numpy("float64"), y, tuple(features.columns), is_validation)


def _checked_label(path: str, columns: list[str], label: str | None) -> str:
    shown = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "") or "none"
    if label is None:
        raise DataError(
            f"{path!r} needs the name of the column with the class names. Columns: {shown}. "
            f"Try --label {_likely_label(columns)}."
        )
    if label not in columns:
        raise DataError(f"{path!r} has no column {label!r}. Columns: {shown}.{nearest(label, columns)}")
    return label


def _likely_label(columns: list[str]) -> str:
    usual = [name for name in columns if name.lower() in ("label", "class", "target", "y", "species")]
    others = [name for name in reversed(columns) if name != SPLIT_COLUMN]
    return [*usual, *others, "COLUMN"][0]


def _take_split(table: pd.DataFrame, label: str) -> tuple[pd.DataFrame, np.ndarray | None]:
    """The table without its split column, and that column as a mask of the validation rows; None if it has none."""
    if SPLIT_COLUMN not in table.columns or label == SPLIT_COLUMN:
        return table, None
    if set(table[SPLIT_COLUMN].astype(str)) != {"train", "validation"}:
        return table, None
    return table.drop(columns=SPLIT_COLUMN), (table[SPLIT_COLUMN] == "validation").to_numpy()


def _check_cells(path: str, table: pd.DataFrame, label: str) -> None:
    """Raise `DataError` for an empty table, missing values, or features that are not numbers."""
    import pandas as pd

    if table.shape[1] < 2 or table.empty:
        raise DataError(
            f"{path!r} needs at least one row, and one feature column besides {label!r}. "
            f"Received: {table.shape[0]} rows, {table.shape[1]} columns."
        )
    missing = table.isna().sum()
    if missing.any():
        counts = ", ".join(f"{name} ({count})" for name, count in missing[missing > 0].head(10).items())
        raise DataError(f"{path!r} has missing values in: {counts}. Drop those rows or fill them in first.")
    features = table.drop(columns=label)
    text = [name for name in features.columns if not pd.api.types.is_numeric_dtype(features[name])]
    if text:
        hint = f" A column {SPLIT_COLUMN!r} sets the split if it contains both train and validation and nothing else."
        raise DataError(
            f"{path!r} has columns that are not numbers: {', '.join(text[:10])}. "
            f"Encode them as numbers (one column per category) or drop them.{hint if SPLIT_COLUMN in text else ''}"
        )
