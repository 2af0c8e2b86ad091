"""Reads labelled arrays out of files: tables, NumPy archives, and the IDX files of the MNIST family."""

from __future__ import annotations

import gzip
import math
import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bncli.errors import DataError
from bncli.registry import nearest

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
FILE_SUFFIXES = (*TABLE_SUFFIXES, ".npz")
SPLIT_COLUMN = "split"
"""A column of this name that holds only `train` and `validation` fixes a table's split."""

IDX_PARTS = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


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


def is_data_path(name: str) -> bool:
    """Whether `name` is to be read as a path (by its suffix) and not as a registered name."""
    return Path(name).suffix.lower() in FILE_SUFFIXES


def is_table_path(name: str) -> bool:
    """Whether `name` is the path of a table, which needs the name of its label column."""
    return Path(name).suffix.lower() in TABLE_SUFFIXES


def read_file(path: str, label: str | None) -> Labelled:
    """Read a user's file; `label` names the column of classes (tables only).

    Raises:
        DataError: The file is missing, unreadable, or unfit for classification.
    """
    if not os.path.isfile(path):
        raise DataError(f"No file {path!r}. Give the path of an existing {', '.join(FILE_SUFFIXES)} file.")
    if is_table_path(path):
        return _labelled_table(path, _read_table(path), label)
    return read_npz(Path(path))


def _read_table(path: str) -> pd.DataFrame:
    import pandas as pd

    readers: dict[str, Callable[[str], pd.DataFrame]] = {
        ".csv": lambda file: pd.read_csv(file, low_memory=False),
        ".tsv": lambda file: pd.read_csv(file, sep="\t", low_memory=False),
        ".parquet": pd.read_parquet,
    }
    try:
        return readers[Path(path).suffix.lower()](path)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path!r} can't be read as a table: {_first_line(error)}.") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")


def _labelled_table(path: str, table: pd.DataFrame, label: str | None) -> Labelled:
    """Take a table apart into features, labels and, where it has one, its own split."""
    import pandas as pd

    columns = [str(column) for column in table.columns]
    table.columns = columns
    shown = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "") or "none"
    if label is None:
        raise DataError(
            f"{path!r} needs the column that holds the class. Columns: {shown}. Try --label {_likely_label(columns)}."
        )
    if label not in columns:
        raise DataError(f"{path!r} has no column {label!r}. Columns: {shown}.{nearest(label, columns)}")
    is_validation = None
    if _has_split(table, label):
        is_validation = (table[SPLIT_COLUMN] == "validation").to_numpy()
        table = table.drop(columns=SPLIT_COLUMN)
    _check_cells(path, table, label)
    features, classes = table.drop(columns=label), table[label]
    y = classes.to_numpy() if pd.api.types.is_numeric_dtype(classes) else classes.astype(str).to_numpy("U")
    return Labelled(features.to_numpy("float64"), y, tuple(features.columns), is_validation)


def _likely_label(columns: list[str]) -> str:
    usual = [name for name in columns if name.lower() in ("label", "class", "target", "y", "species")]
    others = [name for name in reversed(columns) if name != SPLIT_COLUMN]
    return [*usual, *others, "COLUMN"][0]


def _has_split(table: pd.DataFrame, label: str) -> bool:
    if SPLIT_COLUMN not in table.columns or label == SPLIT_COLUMN:
        return False
    return set(table[SPLIT_COLUMN].astype(str)) == {"train", "validation"}


def _check_cells(path: str, table: pd.DataFrame, label: str) -> None:
    """Raise `DataError` for an empty table, missing values, or columns that are not numbers."""
    import pandas as pd

    if table.shape[1] < 2 or table.empty:
        raise DataError(
            f"{path!r} needs at least one row and one feature column beside {label!r}. "
            f"Received: {table.shape[0]} rows, {table.shape[1]} columns."
        )
    missing = table.isna().sum()
    if missing.any():
        holes = ", ".join(f"{name} ({count})" for name, count in missing[missing > 0].head(10).items())
        raise DataError(f"{path!r} has missing values in: {holes}. Drop those rows or fill them in first.")
    features = table.drop(columns=label)
    text = [name for name in features.columns if not pd.api.types.is_numeric_dtype(features[name])]
    if text:
        hint = f" A column {SPLIT_COLUMN!r} is used where it holds both train and validation and nothing else."
        raise DataError(
            f"{path!r} has columns that are not numbers: {', '.join(text[:10])}. "
            f"Encode them as numbers (one column a category) or drop them.{hint if SPLIT_COLUMN in text else ''}"
        )


def read_npz(path: Path) -> Labelled:
    """Read `x, y`, or Keras' four keys `x_train, y_train, x_test, y_test`, from a NumPy archive."""
    import numpy as np

    arrays = _archive_arrays(path)
    if {"x", "y"} <= arrays.keys():
        return Labelled(*_checked_arrays(path, arrays, "x", "y"))
    if {"x_train", "y_train", "x_test", "y_test"} <= arrays.keys():
        x_train, y_train = _checked_arrays(path, arrays, "x_train", "y_train")
        x_test, y_test = _checked_arrays(path, arrays, "x_test", "y_test")
        if x_train.shape[1:] != x_test.shape[1:]:
            raise DataError(
                f"{str(path)!r}: x_train and x_test differ in the shape of a row. "
                f"Received: {x_train.shape[1:]} and {x_test.shape[1:]}."
            )
        x, y = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
        return Labelled(x, y, is_validation=np.arange(len(x)) >= len(x_train))
    raise DataError(
        f"{str(path)!r} needs the arrays x and y, or x_train, y_train, x_test and y_test. "
        f"Received: {', '.join(arrays) or 'none'}."
    )


def _archive_arrays(path: Path) -> dict[str, np.ndarray]:
    import numpy as np

    try:
        # ZipFile looks first: np.load would take what is no archive for an array or a pickle.
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as archive:
            return {key: np.asarray(archive[key]) for key in archive.files}
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"{str(path)!r} can't be read as a NumPy archive: {_first_line(error)}. "
            "Write arrays of numbers or text (dtype object won't do) with numpy.savez."
        ) from error


def _checked_arrays(path: Path, arrays: dict[str, np.ndarray], *names: str) -> tuple[np.ndarray, np.ndarray]:
    """Return features and labels under their `names`, checked; grey images get their channel axis."""
    x, y = (arrays[name] for name in names)
    if x.ndim not in (2, 3, 4) or 0 in x.shape or x.dtype.kind not in "biuf":
        raise DataError(
            f"{str(path)!r}: {names[0]} must hold numbers of shape (rows, features), (rows, height, width) or "
            f"(rows, height, width, channels). Received: shape {x.shape}, dtype {x.dtype}."
        )
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.shape != x.shape[:1] or y.dtype.kind not in "biufU":
        raise DataError(
            f"{str(path)!r}: {names[1]} must hold one class a row, as a number or text, shape ({len(x)},), "
            f"not one-hot. Received: shape {y.shape}, dtype {y.dtype}."
        )
    return x[..., None] if x.ndim == 3 else x, y


def find_mnist_family(name: str) -> Labelled | None:
    """Read `name` (`mnist`, `fashion_mnist`) from `$BNCLI_DATA_DIR` or else Keras' cache; None where absent.

    In each of the two, a folder of IDX files comes before an archive.
    """
    spellings = (name, name.replace("_", "-"))
    for root in _data_dirs():
        for folder in _mnist_folders(root, spellings):
            found = _read_idx_folder(folder)
            if found is not None:
                return found
        for path in _mnist_archives(root, spellings):
            if path.is_file():
                return read_npz(path)
    return None


def _data_dirs() -> list[Path]:
    own = os.environ.get("BNCLI_DATA_DIR")
    keras_home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return [*([Path(own)] if own else []), keras_home / "datasets"]


def _mnist_folders(root: Path, spellings: tuple[str, ...]) -> list[Path]:
    """Folders that may hold the four IDX files; the folder's own name must tell which set they are."""
    nested = [root / spelling for spelling in spellings]
    return [root, *nested] if root.name in spellings else nested


def _mnist_archives(root: Path, spellings: tuple[str, ...]) -> list[Path]:
    return [path / f"{spelling}.npz" for spelling in spellings for path in (root, root / spelling)]


def _read_idx_folder(folder: Path) -> Labelled | None:
    import numpy as np

    paths = [_idx_path(folder, part) for part in IDX_PARTS]
    present = [path for path in paths if path is not None]
    if not present:
        return None
    if len(present) < len(IDX_PARTS):
        missing = [part for part, path in zip(IDX_PARTS, paths, strict=True) if path is None]
        raise DataError(
            f"{str(folder)!r} lacks IDX files: {', '.join(f'{part}-ubyte(.gz)' for part in missing)}. "
            "Put them there, or take the others away."
        )
    x_train, y_train, x_test, y_test = arrays = [read_idx(path) for path in present]
    is_whole = x_train.ndim == 3 and y_train.shape == x_train.shape[:1] and y_test.shape == x_test.shape[:1]
    if not is_whole or x_train.shape[1:] != x_test.shape[1:]:
        received = ", ".join(f"{part} {array.shape}" for part, array in zip(IDX_PARTS, arrays, strict=True))
        raise DataError(
            f"{str(folder)!r}: the IDX files must hold images of one size and one label an image. Received: {received}."
        )
    x = np.concatenate([x_train, x_test])[..., None]
    return Labelled(x, np.concatenate([y_train, y_test]), is_validation=np.arange(len(x)) >= len(x_train))


def _idx_path(folder: Path, part: str) -> Path | None:
    dotted = part.replace("-idx", ".idx")
    names = (f"{part}-ubyte.gz", f"{part}-ubyte", f"{dotted}-ubyte.gz", f"{dotted}-ubyte")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_idx(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Read one IDX file of unsigned bytes, gzipped or not.

    Layout, as the MNIST page gives it: two zero bytes, the type (8: unsigned byte), the number of axes,
    one big-endian 32-bit length an axis, then the data.
    """
    import numpy as np

    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{str(path)!r} can't be read: {error}. Copy or download it again.") from error
    start = 4 + 4 * data[3] if len(data) > 3 else 4
    lengths = [int.from_bytes(data[at : at + 4], "big") for at in range(4, start, 4)]
    if data[:3] != b"\x00\x00\x08" or len(data) != start + math.prod(lengths):
        raise DataError(f"{str(path)!r} is not a whole IDX file of unsigned bytes: copy or download it again.")
    return np.frombuffer(data, np.uint8, offset=start).reshape(lengths)
