"""Rows with labels, and how they are split into training and validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bncli.errors import InvalidConfig

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Pool:
    """What a loader returns: all rows, split but not scaled.

    Attributes:
        x_train: Training rows, shape (rows, features) or (rows, height, width, channels).
        y_train: Class numbers from 0, shape (rows,).
        x_val: Validation rows.
        y_val: Their class numbers.
        class_names: One name a class.
        scaling: The set's own scaling, used where a run asks for `auto`.
        pixel_max: The value of a white pixel for images; None for other data.
        feature_names: One name a feature; empty for images.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    class_names: tuple[str, ...]
    scaling: str
    pixel_max: float | None = None
    feature_names: tuple[str, ...] = ()


def halves(xy: tuple[np.ndarray, np.ndarray]) -> Pool:
    """First half train, second half validation, unscaled: the circles tutorial's split."""
    x, y = xy
    half = len(x) // 2
    names = tuple(str(label) for label in sorted(set(y.tolist())))
    return Pool(x[:half], y[:half], x[half:], y[half:], names, "none", feature_names=("x1", "x2"))


def stratified(rows: Labelled, seed: int, *, scaling: str, pixel_max: float | None = None) -> Pool:
    """Split by the file's own mask, or else 75/25 with every class in its share, drawn by `seed`."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    names, y = np.unique(rows.y, return_inverse=True)
    if rows.is_validation is None:
        train, val = train_test_split(np.arange(len(y)), test_size=0.25, stratify=y, random_state=seed)
    else:
        train, val = np.flatnonzero(~rows.is_validation), np.flatnonzero(rows.is_validation)
    class_names = tuple(str(name) for name in names)
    return Pool(rows.x[train], y[train], rows.x[val], y[val], class_names, scaling, pixel_max, rows.feature_names)


def parse_rows(field: str, text: str) -> slice:
    """Turn `start:stop` or `start:stop:step` (parts may be empty, as in Python) into a slice.

    Raises:
        InvalidConfig: `text` is no slice, or its step is not positive.
    """
    parts = text.split(":")
    try:
        numbers = [int(part) if part.strip() else None for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or (len(numbers) == 3 and numbers[2] is not None and numbers[2] < 1):
        raise InvalidConfig(f"{field} must be a slice such as 1:8001, :500 or ::2. Received: {text!r}.")
    return slice(*numbers)


def chosen_rows(field: str, text: str, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chosen = parse_rows(field, text)
    if not len(y[chosen]):
        raise InvalidConfig(f"{field}={text!r} leaves no rows. There are {len(y)}.")
    return x[chosen], y[chosen]


SPLIT_COLUMN = "split"
"""A column of this name that holds only `train` and `validation` fixes a table's split."""


@dataclass(frozen=True)
class Labelled:
    """Rows as read, before any split or scaling.

    Attributes:
        x: Features, shape (rows, ...), any numeric dtype.
        y: Labels as the file spells them, shape (rows,).
        feature_names: One name a feature; empty for images.
        is_validation: Boolean mask of the rows that the file puts aside, or None where it does not say.
    """

    x: np.ndarray
    y: np.ndarray
    feature_names: tuple[str, ...] = ()
    is_validation: np.ndarray | None = None
