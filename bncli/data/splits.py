"""Rows with labels, and how they are split into training and validation rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bncli.data.reading import quoted
from bncli.errors import InvalidConfig
from bncli.values import read_whole

if TYPE_CHECKING:
    import numpy as np


SPLIT_COLUMN = "split"
"""A table's column of this name sets its split, if it contains both `train` and `validation` and nothing else."""


@dataclass(frozen=True)
class LabelledRows:
    """Rows as they were read, neither split nor scaled.

    Attributes:
        x: Features of any numeric type, shape (rows, features) or (rows, height, width, channels).
        y: Labels as the file has them, shape (rows,).
        feature_names: One name per feature; empty for images.
        is_validation: Boolean mask of the validation rows, shape (rows,); None if the file does not set its split.
        notices: Sentences on what was unusual about the file and how it was read.
    """

    x: np.ndarray
    y: np.ndarray
    feature_names: tuple[str, ...] = ()
    is_validation: np.ndarray | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawDataset:
    """All rows of a data set, split but not scaled. Loaders return it.

    Attributes:
        x_train: Training rows, shape (rows, features) or (rows, height, width, channels).
        y_train: Their class numbers from 0, shape (rows,).
        x_val: Validation rows.
        y_val: Their class numbers.
        class_names: One name per class.
        scaling: The scaling that `auto` stands for.
        pixel_max: The value of a white pixel, for images of whole-number pixels; None for other data.
        feature_names: One name per feature; empty for images.
        notices: Sentences on what was unusual about the data and how it was read.
        x_test: Test rows; None if the data has no test part.
        y_test: Their class numbers.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    class_names: tuple[str, ...]
    scaling: str
    pixel_max: float | None = None
    feature_names: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None


def split_in_half(x: np.ndarray, y: np.ndarray) -> RawDataset:
    """Take the first half of the rows for training and the second for validation, as the circles tutorial does.

    Args:
        x: Points in the plane, shape (rows, 2).
        y: Class numbers from 0, shape (rows,).
    """
    half = len(x) // 2
    names = tuple(str(label) for label in sorted(set(y.tolist())))
    return RawDataset(x[:half], y[:half], x[half:], y[half:], names, "none", feature_names=("x1", "x2"))


def split_stratified(rows: LabelledRows, seed: int, *, scaling: str, pixel_max: float | None = None) -> RawDataset:
    """Split by the file's own mask; without one, draw a quarter of every class for validation.

    Args:
        rows: The rows; their labels become class numbers in sorted order.
        seed: Seed of the draw.
        scaling: The data set's scaling, see `RawDataset`.
        pixel_max: The value of a white pixel, see `RawDataset`.
    """
    import numpy as np
    from sklearn.model_selection import train_test_split

    names, y = np.unique(rows.y, return_inverse=True)
    if rows.is_validation is None:
        train, val = train_test_split(np.arange(len(y)), test_size=0.25, stratify=y, random_state=seed)
    else:
        train, val = np.flatnonzero(~rows.is_validation), np.flatnonzero(rows.is_validation)
    class_names = tuple(str(name) for name in names)
    parts = (rows.x[train], y[train], rows.x[val], y[val])
    return RawDataset(*parts, class_names, scaling, pixel_max, rows.feature_names, rows.notices)


def parse_rows(field: str, text: str) -> slice:
    """Convert `start:stop` or `start:stop:step` (parts may be empty, as in Python) to a slice.

    Args:
        field: The field of the run, for the message.
        text: The slice as text.

    Raises:
        InvalidConfig: The text is not a slice, or its step is not positive.

    >>> parse_rows("train_rows", "1:8001")
    slice(1, 8001, None)
    """
    parts = text.split(":")
    try:
        numbers = [read_whole(part) if part.strip() else None for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or (len(numbers) == 3 and numbers[2] is not None and numbers[2] < 1):
        raise InvalidConfig(f"{field} must be a slice such as 1:8001, :500 or ::2. Received: {quoted(text)}.")
    return slice(*numbers)


def select_rows(field: str, text: str, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of `x` and `y` that a slice selects.

    Args:
        field: The field of the run, for the message.
        text: The slice as text.
        x: Features, shape (rows, ...).
        y: Class numbers, shape (rows,).

    Raises:
        InvalidConfig: The text is not a slice, or it selects no rows.
    """
    selected = parse_rows(field, text)
    if not len(y[selected]):
        raise InvalidConfig(f"{field}={quoted(text)} selects no rows of the {len(y)} that there are.")
    return x[selected], y[selected]
