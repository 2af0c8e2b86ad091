"""Sequences of different lengths, padded with steps that are no data.

In raw rows a padded step is NaN in every feature, so that nothing takes it for numbers; in rows that are ready for
training it has one value in every feature, which the network masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bncli.data.reading import quoted
from bncli.errors import DataError, InvalidConfig
from bncli.values import counted, plain_text, show

if TYPE_CHECKING:
    import numpy as np

FILL = 0.0
"""The value of padded steps where the field `padding` names none."""


def is_sequence(shape: tuple[int, ...]) -> bool:
    """Return whether rows of a shape are sequences, which may be padded: (steps, features)."""
    return len(shape) == 2


def marked(path: str, x: np.ndarray, mask: np.ndarray | None, padding: float | None) -> np.ndarray | None:
    """Return sequences whose padded steps are NaN; None if nothing says that the rows are sequences.

    Padded are the steps that a mask leaves out, else those that have one value, or NaN, in every feature. NaN alone
    tells of sequences if it is at the end of all rows that have it, or at their start, and no row has nothing else.

    Args:
        path: The file, for messages.
        x: Numbers of shape (rows, steps, features).
        mask: Shape (rows, steps): true, or 1, for the steps that are data; None if the file has no mask.
        padding: The value of padded steps; None if it is not known.

    Raises:
        DataError: The mask does not fit, or a row is all padding.
    """
    import numpy as np

    if mask is not None:
        _check_mask(path, x, mask)
        is_padded = mask == 0
    else:
        is_padded = np.isnan(x).all(axis=2) if x.dtype.kind == "f" else np.zeros(x.shape[:2], bool)
        if padding is not None:
            is_padded |= (x == padding).all(axis=2)
        elif not _is_at_ends(is_padded):
            return None
    empty = is_padded.all(axis=1)
    if empty.any():
        raise DataError(
            f"{quoted(path)}: all steps are padding in {empty.sum()} of {len(x)} rows; row {empty.argmax()} is the "
            "first, counted from 0. Drop those rows, or correct their mask: it is 1 for steps that are data."
        )
    kind = x.dtype if x.dtype.kind == "f" else "float64"
    found: np.ndarray = np.where(is_padded[..., None], np.nan, x).astype(kind)
    return found


def _is_at_ends(is_padded: np.ndarray) -> bool:
    """Whether there are padded steps, behind the others in all rows or before them: no image is damaged so."""
    if not is_padded.any() or is_padded.all(axis=1).any():
        return False
    first, second = is_padded[:, :-1], is_padded[:, 1:]
    return bool((first <= second).all() or (first >= second).all())


def _check_mask(path: str, x: np.ndarray, mask: np.ndarray) -> None:
    import numpy as np

    fits = mask.shape == x.shape[:2] and mask.dtype.kind in "biuf"
    if not fits or not np.isin(mask, (0, 1)).all():
        shape = f"shape {mask.shape}, dtype {plain_text(str(mask.dtype))}"
        received = "numbers other than 0 and 1" if fits else shape
        raise DataError(
            f"{quoted(path)}: a mask must be true or 1 for the steps that are data, false or 0 for padding, of shape "
            f"{x.shape[:2]}. Received: {received}. Give an array that is no mask another name."
        )


def on_lengths(path: str, x: np.ndarray) -> str:
    """Return a sentence on the lengths of sequences whose padded steps are NaN.

    >>> import numpy as np
    >>> on_lengths("a.npz", np.array([[[1.0], [2.0], [3.0]], [[1.0], [np.nan], [np.nan]]]))
    "'a.npz': sequences of 1 to 3 steps of 1 feature; 33% of all 6 steps are padding, which is masked."
    """
    import numpy as np

    is_padded = np.isnan(x).all(axis=2)
    lengths = (~is_padded).sum(axis=1)
    low, high = int(lengths.min()), int(lengths.max())
    steps = f"{low} to {high} steps" if low < high else counted(low, "step")
    told = f"{quoted(path)}: sequences of {steps} of {counted(x.shape[2], 'feature')}"
    if not is_padded.any():
        return f"{told}; no step is padding."
    return f"{told}; {is_padded.mean():.0%} of all {is_padded.size:,} steps are padding, which is masked."


def filled(name: str, raw: Sequence[np.ndarray], scaled: Sequence[np.ndarray], value: float) -> list[np.ndarray]:
    """Return the scaled rows of all parts with one value in their padded steps, which no other step has.

    Args:
        name: The data set, for the message.
        raw: The rows of all parts before scaling, shape (rows, steps, features) each.
        scaled: The same rows, scaled.
        value: The value.

    Raises:
        InvalidConfig: A step that is data has the value in all features, before or after scaling.
    """
    import numpy as np

    found = []
    for before, x in zip(raw, scaled, strict=True):
        now = x.astype("float32")
        equal = (before == value).all(axis=2) | (now == np.float32(value)).all(axis=2)
        if equal.any():
            raise InvalidConfig(
                f"{quoted(name)}: {counted(int(equal.sum()), 'step')} of data can't be told from padding, because all "
                f"features are {show(value)} before or after scaling. Set padding to a number that no step of data "
                "has, such as padding=-1000, and name the padded steps by a mask."
            )
        found.append(np.where(np.isnan(now).all(axis=2, keepdims=True), np.float32(value), now))
    return found


def is_step(x: np.ndarray, value: float) -> np.ndarray:
    """Return which steps of rows whose padded steps have a value are data, shape (rows, steps).

    >>> import numpy as np
    >>> is_step(np.array([[[1.0, 0.0], [0.0, 0.0]]]), 0.0)
    array([[ True, False]])
    """
    import numpy as np

    found: np.ndarray = (x != np.float32(value)).any(axis=2)
    return found
