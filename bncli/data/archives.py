"""NumPy archives: .npz files."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from bncli.data.splits import LabelledRows
from bncli.errors import DataError, first_line

if TYPE_CHECKING:
    import numpy as np


def read_npz(path: Path) -> LabelledRows:
    """Read a NumPy archive of `x` and `y`, or of `x_train`, `y_train`, `x_test` and `y_test` (Keras' names).

    The arrays `x_test` and `y_test` become the validation rows.

    Raises:
        DataError: The file can't be read, or its arrays have other names, shapes or types.
    """
    import numpy as np

    arrays = _read_arrays(path)
    if {"x", "y"} <= arrays.keys():
        return LabelledRows(*_checked_arrays(path, arrays, "x", "y"))
    if {"x_train", "y_train", "x_test", "y_test"} <= arrays.keys():
        x_train, y_train = _checked_arrays(path, arrays, "x_train", "y_train")
        x_test, y_test = _checked_arrays(path, arrays, "x_test", "y_test")
        if x_train.shape[1:] != x_test.shape[1:]:
            raise DataError(
                f"{str(path)!r}: the rows of x_train and x_test have different shapes. "
                f"Received: {x_train.shape[1:]} and {x_test.shape[1:]}."
            )
        x, y = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
        return LabelledRows(x, y, is_validation=np.arange(len(x)) >= len(x_train))
    raise DataError(
        f"{str(path)!r} needs the arrays x and y, or x_train, y_train, x_test and y_test. "
        f"Received: {', '.join(arrays) or 'none'}."
    )


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    import numpy as np

    try:
        # ZipFile opens the file first, because np.load would read other files as a single array or a pickle.
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as archive:
            return {key: np.asarray(archive[key]) for key in archive.files}
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"{str(path)!r} can't be read as a NumPy archive: {first_line(error)}. "
            "Write arrays of numbers or text (not of dtype object) with numpy.savez."
        ) from error


def _checked_arrays(
    path: Path, arrays: dict[str, np.ndarray], x_name: str, y_name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return checked features and labels; grey images get a channel axis."""
    x, y = arrays[x_name], arrays[y_name]
    if x.ndim not in (2, 3, 4) or 0 in x.shape or x.dtype.kind not in "biuf":
        raise DataError(
            f"{str(path)!r}: {x_name} must contain numbers of shape (rows, features), (rows, height, width) or "
            f"(rows, height, width, channels). Received: shape {x.shape}, dtype {x.dtype}."
        )
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.shape != x.shape[:1] or y.dtype.kind not in "biufU":
        raise DataError(
            f"{str(path)!r}: {y_name} must contain one class per row, as a number or text, of shape ({len(x)},), "
            f"not one-hot. Received: shape {y.shape}, dtype {y.dtype}."
        )
    return x[..., None] if x.ndim == 3 else x, y
