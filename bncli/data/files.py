"""A user's data file, by the ending of its name."""

from __future__ import annotations

import os
from pathlib import Path

from bncli.data.archives import read_npz
from bncli.data.splits import Labelled
from bncli.data.tables import TABLE_SUFFIXES, is_table_path, labelled_table, read_table
from bncli.errors import DataError


def check_rows(name: str, rows: Labelled) -> None:
    """Raise `DataError` for what would only surface as a useless training."""
    import numpy as np

    with np.errstate(over="ignore"):
        finite = np.isfinite(rows.x.astype("float32")).reshape(len(rows.x), -1).all(axis=1)
    if not finite.all():
        raise DataError(
            f"{name!r} has values that are not finite, or too large for float32, in {(~finite).sum()} of "
            f"{len(finite)} rows; row {finite.argmin()} is the first, counted from 0. Drop those rows or mend them."
        )
    if rows.y.dtype.kind == "f" and not np.isfinite(rows.y).all():
        raise DataError(f"{name!r} has labels that are not finite. Drop those rows or fill them in first.")
    classes, counts = np.unique(rows.y, return_counts=True)
    if len(classes) < 2:
        raise DataError(f"{name!r}: the label holds a single class. Received: {classes[0]!s} in every row.")
    if rows.is_validation is None and counts.min() < 2:
        lone = classes[counts.argmin()]
        raise DataError(
            f"{name!r}: every class needs at least 2 rows to be split into training and validation. "
            f"Received: class {lone!s} with 1 row, {len(classes)} classes in all. Is the label a quantity?"
        )
    if rows.is_validation is None and len(rows.y) // 4 < len(classes):
        raise DataError(f"{name!r}: {len(rows.y)} rows are too few to validate {len(classes)} classes on a quarter.")
    trained = rows.y if rows.is_validation is None else rows.y[~rows.is_validation]
    if len(np.unique(trained)) < 2:
        raise DataError(f"{name!r}: the training part holds a single class. Received: {trained[0]!s} in every row.")


FILE_SUFFIXES = (*TABLE_SUFFIXES, ".npz")


def is_data_path(name: str) -> bool:
    """Whether `name` is to be read as a path (by its suffix) and not as a registered name."""
    return Path(name).suffix.lower() in FILE_SUFFIXES


def read_file(path: str, label: str | None) -> Labelled:
    """Read a user's file; `label` names the column of classes (tables only).

    Raises:
        DataError: The file is missing, unreadable, or unfit for classification.
    """
    if not os.path.isfile(path):
        raise DataError(f"No file {path!r}. Give the path of an existing {', '.join(FILE_SUFFIXES)} file.")
    if is_table_path(path):
        return labelled_table(path, read_table(path), label)
    return read_npz(Path(path))
