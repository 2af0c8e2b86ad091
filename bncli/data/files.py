"""The user's data files, read by the ending of their names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bncli.data.archives import read_npz
from bncli.data.reading import is_file, quoted
from bncli.data.sequences import is_sequence
from bncli.data.splits import LabelledRows
from bncli.data.tables import TABLE_SUFFIXES, is_table_path, read_table
from bncli.errors import DataError
from bncli.tasks.task import CLASSIFICATION, REGRESSION
from bncli.values import plain_text

if TYPE_CHECKING:
    import numpy as np

FILE_SUFFIXES = (*TABLE_SUFFIXES, ".npz")

MOST_CLASSES = 20
"""Up to so many different numbers are classes, if they can be: whole, or with several rows each."""

LEAST_QUANTITIES = 8
"""The fewest rows for regression, two of which are for validation."""


def is_data_path(name: str) -> bool:
    """Return whether `name` has the ending of a data file; other names are names of data sets."""
    return Path(name).suffix.lower() in FILE_SUFFIXES


def read_file(
    path: str, label: str | None = None, drop: str | None = None, padding: float | None = None
) -> LabelledRows:
    """Read a data file.

    Args:
        path: Path of a .csv, .tsv, .parquet or .npz file.
        label: Name of the column with the class names (tables only).
        drop: The columns to leave out, see `columns.to_drop` (tables only).
        padding: The value of the padded steps of sequences (archives only).

    Raises:
        DataError: The file is missing, can't be read, or can't be used for classification.
    """
    if not is_file(Path(path)):
        problem = f"{quoted(path)} is not a regular file" if os.path.exists(path) else f"No file {quoted(path)}"
        raise DataError(f"{problem}. Give the path of an existing {', '.join(FILE_SUFFIXES)} file.")
    return read_table(path, label, drop) if is_table_path(path) else read_npz(Path(path), padding)


def task_of(path: str, rows: LabelledRows, task: str) -> tuple[str, list[str]]:
    """Return the task of a file, with a notice where the label alone decides for regression.

    Numbers are quantities if some are no whole numbers, or if they are too many to be classes: one of them has a single
    row, or there are more of them than a quarter of the rows.

    Args:
        path: The file, for messages.
        rows: Its rows.
        task: The task that the user names; `auto` for none.

    Raises:
        DataError: The labels are no numbers, but the task is regression.
    """
    import numpy as np

    is_number = rows.y.dtype.kind in "iuf"
    if task == REGRESSION and not is_number:
        raise DataError(
            f"{quoted(path)}: the task regression needs labels that are numbers{_no_numbers(rows.y)}. Correct or drop "
            "those rows, or try --set task=classification."
        )
    if task != "auto" or not is_number:
        return CLASSIFICATION if task == "auto" else task, []
    values, counts = np.unique(rows.y[~rows.test_mask], return_counts=True)
    is_whole = bool(np.all(values == np.round(values)))
    told = f"{quoted(path)}: the label has {len(values):,} different numbers and is taken as"
    if len(values) <= MOST_CLASSES and (is_whole or counts.min() > 1):
        return CLASSIFICATION, []
    if is_whole and counts.min() > 1 and counts.sum() // 4 >= len(values):
        return CLASSIFICATION, [f"{told} that many classes. --set task=regression takes it as a quantity."]
    told += " a quantity: regression."
    return REGRESSION, [f"{told} --set task=classification takes each as a class."]


def _no_numbers(y: np.ndarray) -> str:
    """How many labels of a column of text are no numbers, as the end of a sentence; empty for a column of numbers."""
    import pandas as pd

    if y.dtype.kind in "iufb":
        return ""
    is_none = pd.to_numeric(pd.Series(y), errors="coerce").isna().to_numpy()
    if not is_none.any():
        return ""
    n_none = int(is_none.sum())
    verb = "is" if n_none == 1 else "are"
    return f", but {n_none:,} of {len(y):,} {verb} not, such as {_shown(repr(str(y[is_none][0])))}"


def check_rows(path: str, rows: LabelledRows, task: str = CLASSIFICATION) -> None:
    """Check that rows can be split and trained on.

    Raises:
        DataError: A value is not finite, there is only one class or quantity, or a class is too small to be split.
    """
    _check_finite(path, rows)
    if task == CLASSIFICATION:
        _check_classes(path, rows)
    else:
        _check_quantities(path, rows)


def _check_quantities(path: str, rows: LabelledRows) -> None:
    parts = (rows.y,) if rows.is_validation is None else (rows.y[~rows.is_validation & ~rows.test_mask],)
    if len(rows.y) < LEAST_QUANTITIES or any(part.min() == part.max() for part in parts):
        raise DataError(
            f"{quoted(path)} needs at least {LEAST_QUANTITIES} rows for regression, with labels that differ. Received: "
            f"{len(rows.y)} rows, labels from {rows.y.min():g} to {rows.y.max():g}."
        )


def _check_finite(path: str, rows: LabelledRows) -> None:
    import numpy as np

    may_miss = rows.columns is not None and not rows.columns.are_plain
    with np.errstate(over="ignore"):
        x = np.nan_to_num(rows.x, posinf=np.inf, neginf=-np.inf) if may_miss else rows.x
        x = np.where(np.isnan(x).all(axis=2, keepdims=True), 0, x) if is_sequence(x.shape[1:]) else x
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
            f"Received: class {lone} with 1 row, {len(classes)} classes in all. Is the label a quantity? "
            + (f"Its values must be numbers{odd}." if (odd := _no_numbers(rows.y)) else "Try --set task=regression.")
        )
    if len(others) // 4 < len(classes):
        raise DataError(
            f"{quoted(path)}: {len(others)} rows are too few for {len(classes)} classes: a quarter of the rows is for "
            "validation, which needs a row of every class."
        )


def _shown(label: object) -> str:
    return plain_text(str(label))
