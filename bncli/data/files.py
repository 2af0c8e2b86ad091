"""The user's data files, read by the ending of their names."""

from __future__ import annotations

import os
from pathlib import Path

from bncli.data.archives import read_npz
from bncli.data.reading import is_file, quoted
from bncli.data.splits import LabelledRows
from bncli.data.tables import TABLE_SUFFIXES, is_table_path, read_table
from bncli.errors import DataError
from bncli.values import plain_text

FILE_SUFFIXES = (*TABLE_SUFFIXES, ".npz")


def is_data_path(name: str) -> bool:
    """Return whether `name` has the ending of a data file; other names are names of data sets."""
    return Path(name).suffix.lower() in FILE_SUFFIXES


def read_file(path: str, label: str | None = None, drop: str | None = None) -> LabelledRows:
    """Read a data file.

    Args:
        path: Path of a .csv, .tsv, .parquet or .npz file.
        label: Name of the column with the class names (tables only).
        drop: The columns to leave out, see `columns.to_drop` (tables only).

    Raises:
        DataError: The file is missing, can't be read, or can't be used for classification.
    """
    if not is_file(Path(path)):
        problem = f"{quoted(path)} is not a regular file" if os.path.exists(path) else f"No file {quoted(path)}"
        raise DataError(f"{problem}. Give the path of an existing {', '.join(FILE_SUFFIXES)} file.")
    return read_table(path, label, drop) if is_table_path(path) else read_npz(Path(path))


def check_rows(path: str, rows: LabelledRows) -> None:
    """Check that rows can be split and trained on.

    Raises:
        DataError: A value is not finite, there is only one class, or a class is too small to be split.
    """
    _check_finite(path, rows)
    _check_classes(path, rows)


def _check_finite(path: str, rows: LabelledRows) -> None:
    import numpy as np

    may_miss = rows.columns is not None and not rows.columns.are_plain
    with np.errstate(over="ignore"):
        x = np.nan_to_num(rows.x, posinf=np.inf, neginf=-np.inf) if may_miss else rows.x
        finite = np.isfinite(x.astype("float32")).reshape(len(x), -1).all(axis=1)
    if not finite.all():
        raise DataError(
            f"{quoted(path)} has values that are not finite, or too large for float32, in {(~finite).sum()} of "
            f"{len(finite)} rows; row {finite.argmin()} is the first, counted from 0. Correct or drop those rows."
        )
    if rows.y.dtype.kind == "f" and not np.isfinite(rows.y).all():
        raise DataError(f"{quoted(path)} has labels that are not finite. Correct or drop those rows.")


def _check_classes(path: str, rows: LabelledRows) -> None:
    import numpy as np

    others = rows.y[~rows.test_mask]
    classes, counts = np.unique(others, return_counts=True)
    if len(classes) < 2:
        raise DataError(f"{quoted(path)}: all rows have the same class. Received: {_shown(classes[0])}.")
    if rows.is_validation is not None:
        trained = rows.y[~rows.is_validation & ~rows.test_mask]
        if len(np.unique(trained)) < 2:
            raise DataError(f"{quoted(path)}: all training rows have the same class. Received: {_shown(trained[0])}.")
        return
    if counts.min() < 2:
        lone = _shown(classes[counts.argmin()])
        raise DataError(
            f"{quoted(path)}: every class needs at least 2 rows to be split into training and validation. "
            f"Received: class {lone} with 1 row, {len(classes)} classes in all. Is the label a continuous quantity?"
        )
    if len(others) // 4 < len(classes):
        raise DataError(
            f"{quoted(path)}: {len(others)} rows are too few for {len(classes)} classes: a quarter of the rows is for "
            "validation, which needs a row of every class."
        )


def _shown(label: object) -> str:
    return plain_text(str(label))
