"""Rows with labels, and how they are split into training, validation and test rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bncli.data.columns import Columns
from bncli.data.reading import quoted
from bncli.errors import InvalidConfig
from bncli.tasks.task import CLASSIFICATION, REGRESSION
from bncli.values import read_whole

if TYPE_CHECKING:
    import numpy as np


SPLIT_COLUMN = "split"
"""A table's column of this name sets its split, if it contains `train` and one or both of the other `SPLIT_PARTS`."""

SPLIT_PARTS = ("train", "validation", "test")

IMBALANCE = 3
"""See `RawDataset.is_imbalanced`: always guessing the commonest of two such classes is right for three quarters."""


@dataclass(frozen=True)
class LabelledRows:
    """Rows as they were read, neither split nor scaled.

    Attributes:
        x: Features of any numeric type, shape (rows, features) or (rows, height, width, channels).
        y: Labels as the file has them, shape (rows,).
        feature_names: One name per feature; empty for images.
        is_validation: Boolean mask of the validation rows, shape (rows,); None if the file leaves them to be drawn.
        is_test: Boolean mask of the test rows; None if the file names none.
        is_published: Whether the validation rows are a published test part, as Keras' data sets have it.
        notices: Sentences on what was unusual about the file and how it was read.
        columns: What the columns of a table hold; None for other data.
    """

    x: np.ndarray
    y: np.ndarray
    feature_names: tuple[str, ...] = ()
    is_validation: np.ndarray | None = None
    notices: tuple[str, ...] = ()
    is_test: np.ndarray | None = None
    is_published: bool = False
    columns: Columns | None = None

    @property
    def test_mask(self) -> np.ndarray:
        """`is_test`, with False everywhere in place of None."""
        import numpy as np

        return np.zeros(len(self.y), bool) if self.is_test is None else self.is_test


@dataclass(frozen=True)
class RawDataset:
    """All rows of a data set, split but not scaled. Loaders return it.

    Attributes:
        x_train: Training rows, shape (rows, features) or (rows, height, width, channels).
        y_train: Their class numbers from 0, or quantities, shape (rows,).
        x_val: Validation rows.
        y_val: Their class numbers or quantities.
        class_names: One name per class; empty in regression.
        scaling: The scaling that `auto` stands for.
        pixel_max: The value of a white pixel, for images of whole-number pixels; None for other data.
        feature_names: One name per feature; empty for images.
        notices: Sentences on what was unusual about the data and how it was read.
        x_test: Test rows; None if the data has no test part.
        y_test: Their class numbers or quantities.
        given: Which rows are validation rows for good: `validation`, or `published` for those of a published test part;
            empty if they are drawn or generated.
        columns: What the columns of a table hold; None for other data.
        task: `classification` or `regression`.
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
    given: str = ""
    columns: Columns | None = None
    task: str = CLASSIFICATION

    @property
    def is_imbalanced(self) -> bool:
        """Whether the commonest class has more than `IMBALANCE` times as many rows as the rarest."""
        import numpy as np

        if self.task == REGRESSION:
            return False
        counts = np.bincount(np.concatenate([self.y_train, self.y_val]))
        return bool(counts.max() > IMBALANCE * counts.min())


def split_in_half(x: np.ndarray, y: np.ndarray) -> RawDataset:
    """Take the first half of the rows for training and the second for validation, as the circles tutorial does.

    Args:
        x: Points in the plane, shape (rows, 2).
        y: Class numbers from 0, shape (rows,).
    """
    half = len(x) // 2
    names = tuple(str(label) for label in sorted(set(y.tolist())))
    return RawDataset(x[:half], y[:half], x[half:], y[half:], names, "none", feature_names=("x1", "x2"))


def split_stratified(
    rows: LabelledRows, seed: int, *, scaling: str, pixel_max: float | None = None, task: str = CLASSIFICATION
) -> RawDataset:
    """Split by the file's own masks; without one for validation, draw a quarter of every class, test rows apart.

    Args:
        rows: The rows; the labels of classes become numbers in sorted order.
        seed: Seed of the draw.
        scaling: The data set's scaling, see `RawDataset`.
        pixel_max: The value of a white pixel, see `RawDataset`.
        task: The task; in regression a quarter of all rows is drawn.
    """
    import numpy as np
    from sklearn.model_selection import train_test_split

    is_quantity = task == REGRESSION
    names, y = (rows.y[:0], rows.y.astype("float64")) if is_quantity else np.unique(rows.y, return_inverse=True)
    is_test = rows.test_mask
    if rows.is_validation is None:
        rest = np.flatnonzero(~is_test)
        classes = None if is_quantity else y[rest]
        train, val = train_test_split(rest, test_size=0.25, stratify=classes, random_state=seed)
    else:
        train, val = np.flatnonzero(~rows.is_validation & ~is_test), np.flatnonzero(rows.is_validation)
    class_names = tuple(str(name) for name in names)
    parts = (rows.x[train], y[train], rows.x[val], y[val])
    given = "" if rows.is_validation is None else "published" if rows.is_published else "validation"
    raw = RawDataset(*parts, class_names, scaling, pixel_max, rows.feature_names, rows.notices, given=given, task=task)
    raw = replace(raw, columns=rows.columns)
    return raw if rows.is_test is None else replace(raw, x_test=rows.x[is_test], y_test=y[is_test])


def with_test_part(name: str, raw: RawDataset, share: float, seed: int) -> RawDataset:
    """Draw a test part, the same share of the training and of the validation rows of every class.

    A published test part becomes the test part, and that share of the training rows becomes the validation part.

    Args:
        name: The data set, for the message.
        raw: Its rows, split into training and validation.
        share: The share of the rows, above 0.
        seed: Seed of the draw.

    Raises:
        InvalidConfig: The file has test rows or validation rows of its own, or a part would be empty.
    """
    import numpy as np

    if raw.x_test is not None or raw.given == "validation":
        part = "test" if raw.x_test is not None else "validation"
        raise InvalidConfig(
            f"test_size={share:g} draws a test part, but {quoted(name)} names its {part} rows. "
            "Leave test_size out, or name the rows of all parts in the file."
        )
    if raw.given == "published":
        is_val = _is_drawn(_classes(raw, raw.y_train), share, seed)
        train, val = (raw.x_train[~is_val], raw.y_train[~is_val]), (raw.x_train[is_val], raw.y_train[is_val])
        test = (raw.x_val, raw.y_val)
    else:
        x, y = np.concatenate([raw.x_train, raw.x_val]), np.concatenate([raw.y_train, raw.y_val])
        is_val = np.arange(len(y)) >= len(raw.y_train)
        groups = _classes(raw, y) + max(1, len(raw.class_names)) * is_val
        is_test = _is_drawn(groups, share, seed)  # so parts of equal sizes for any seed
        train, val, test = ((x[mask], y[mask]) for mask in (~is_val & ~is_test, is_val & ~is_test, is_test))
    if not (len(train[1]) and len(val[1])):
        raise InvalidConfig(f"test_size={share:g} leaves {quoted(name)} without training or validation rows.")
    few = _few_rows(name, share, [len(y) for _, y in (train, val, test)], len(raw.class_names))
    drawn = replace(raw, given="", notices=(*raw.notices, *few))
    return replace(
        drawn, x_train=train[0], y_train=train[1], x_val=val[0], y_val=val[1], x_test=test[0], y_test=test[1]
    )


def _classes(raw: RawDataset, y: np.ndarray) -> np.ndarray:
    """The classes of rows; one for all of them in regression."""
    return (0 * y).astype(int) if raw.task == REGRESSION else y


def _few_rows(name: str, share: float, sizes: Sequence[int], n_classes: int) -> list[str]:
    """A notice if a part is too small for two rows of every class (scikit-learn refuses less than one)."""
    if min(sizes) >= 2 * n_classes:
        return []
    parts = "{} training, {} validation and {} test rows".format(*sizes)
    return [
        f"test_size={share:g} splits {quoted(name)} into {parts}: a part with fewer than two rows a class says little."
    ]


def _is_drawn(groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """A mask of a share of the rows, drawn so that every group has that share of its rows, up to one row.

    The rows are put in random order, then sorted by group; of these, rows at equal distances are taken. (scikit-learn's
    `train_test_split` needs two rows of every group.)
    """
    import numpy as np

    n_drawn = max(1, round(share * len(groups)))
    order = np.random.default_rng(seed).permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    is_drawn = np.zeros(len(groups), bool)
    is_drawn[order[((np.arange(n_drawn) + 0.5) * len(groups) / n_drawn).astype(int)]] = True
    return is_drawn


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
