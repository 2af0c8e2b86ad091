"""Reads labelled arrays out of files: tables, NumPy archives, and the IDX files of the MNIST family."""

from __future__ import annotations

import gzip
import os
import zipfile
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


def read_file(path: str, label: str | None) -> Labelled:
    """Read a user's file; `label` names the column of classes (tables only).

    Raises:
        DataError: The file is missing, unreadable, or unfit for classification.
    """
    if not Path(path).is_file():
        raise DataError(f"No file {path!r}. Give the path of an existing {', '.join(FILE_SUFFIXES)} file.")
    if Path(path).suffix.lower() == ".npz":
        return read_npz(Path(path))
    return _labelled_table(path, _read_table(path), label)


def _read_table(path: str) -> pd.DataFrame:
    import pandas as pd

    readers: dict[str, Callable[[str], pd.DataFrame]] = {
        ".csv": pd.read_csv,
        ".tsv": lambda file: pd.read_csv(file, sep="\t"),
        ".parquet": pd.read_parquet,
    }
    try:
        return readers[Path(path).suffix.lower()](path)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path!r} can't be read as a table: {error}") from error


def _labelled_table(path: str, table: pd.DataFrame, label: str | None) -> Labelled:
    """Take a table apart into features, labels and, where it has one, its own split."""
    import pandas as pd

    columns = [str(column) for column in table.columns]
    table.columns = columns
    shown = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
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
    return usual[0] if usual else columns[-1]


def _has_split(table: pd.DataFrame, label: str) -> bool:
    if SPLIT_COLUMN not in table.columns or label == SPLIT_COLUMN:
        return False
    return set(table[SPLIT_COLUMN].unique()) == {"train", "validation"}


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
        raise DataError(
            f"{path!r} has columns that are not numbers: {', '.join(text[:10])}. "
            "Encode them as numbers (one column a category) or drop them."
        )


def read_npz(path: Path) -> Labelled:
    """Read `x, y`, or Keras' four keys `x_train, y_train, x_test, y_test`, from a NumPy archive."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{str(path)!r} can't be read as a NumPy archive: {error}") from error
    if {"x", "y"} <= arrays.keys():
        return _checked_arrays(path, arrays["x"], arrays["y"], None)
    if {"x_train", "y_train", "x_test", "y_test"} <= arrays.keys():
        if arrays["x_train"].shape[1:] != arrays["x_test"].shape[1:]:
            raise DataError(
                f"{str(path)!r}: x_train and x_test differ in the shape of a row. "
                f"Received: {arrays['x_train'].shape[1:]} and {arrays['x_test'].shape[1:]}."
            )
        x = np.concatenate([arrays["x_train"], arrays["x_test"]])
        y = np.concatenate([np.ravel(arrays["y_train"]), np.ravel(arrays["y_test"])])
        return _checked_arrays(path, x, y, np.arange(len(x)) >= len(arrays["x_train"]))
    raise DataError(
        f"{str(path)!r} needs the arrays x and y, or x_train, y_train, x_test and y_test. "
        f"Received: {', '.join(arrays) or 'none'}."
    )


def _checked_arrays(path: Path, x: np.ndarray, y: np.ndarray, is_validation: np.ndarray | None) -> Labelled:
    """Check shapes and dtypes of an archive's arrays and give grey images their channel axis."""
    import numpy as np

    if x.ndim not in (2, 3, 4) or not (np.issubdtype(x.dtype, np.number) or x.dtype == bool):
        raise DataError(
            f"{str(path)!r}: x must hold numbers of shape (rows, features), (rows, height, width) or "
            f"(rows, height, width, channels). Received: shape {x.shape}, dtype {x.dtype}."
        )
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.shape != x.shape[:1]:
        raise DataError(
            f"{str(path)!r}: y must hold one class a row, shape ({len(x)},), not one-hot. Received: shape {y.shape}."
        )
    return Labelled(x[..., None] if x.ndim == 3 else x, y, is_validation=is_validation)


def find_mnist_family(name: str) -> Labelled | None:
    """Read `name` (`mnist`, `fashion_mnist`) from `$BNCLI_DATA_DIR` or Keras' cache; None where absent."""
    for folder in _mnist_folders(name):
        found = _read_idx_folder(folder)
        if found is not None:
            return found
    for path in _mnist_archives(name):
        if path.is_file():
            return read_npz(path)
    return None


def _data_dirs() -> list[Path]:
    own = os.environ.get("BNCLI_DATA_DIR")
    keras_home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return [*([Path(own)] if own else []), keras_home / "datasets"]


def _mnist_folders(name: str) -> list[Path]:
    """Folders that may hold the four IDX files; the folder's own name must tell which set they are."""
    spellings = (name, name.replace("_", "-"))
    nested = [root / spelling for root in _data_dirs() for spelling in spellings]
    return [root for root in _data_dirs() if root.name in spellings] + nested


def _mnist_archives(name: str) -> list[Path]:
    spellings = (name, name.replace("_", "-"))
    return [
        path
        for root in _data_dirs()
        for spelling in spellings
        for path in (root / f"{spelling}.npz", root / spelling / f"{spelling}.npz")
    ]


def _read_idx_folder(folder: Path) -> Labelled | None:
    import numpy as np

    paths = [_idx_path(folder, part) for part in IDX_PARTS]
    present = [path for path in paths if path is not None]
    if not present:
        return None
    if len(present) < len(IDX_PARTS):
        missing = [part for part, path in zip(IDX_PARTS, paths, strict=True) if path is None]
        raise DataError(f"{str(folder)!r} lacks IDX files: {', '.join(f'{part}-ubyte(.gz)' for part in missing)}.")
    x_train, y_train, x_test, y_test = (read_idx(path) for path in present)
    if len(x_train) != len(y_train) or len(x_test) != len(y_test):
        raise DataError(f"{str(folder)!r}: the IDX files hold different numbers of images and labels.")
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
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{str(path)!r} can't be read: {error}") from error
    n_axes = data[3] if len(data) > 3 else 0
    lengths = np.frombuffer(data[4 : 4 + 4 * n_axes], ">u4").astype(int)
    if data[:3] != b"\x00\x00\x08" or len(data) != 4 + 4 * n_axes + int(np.prod(lengths)):
        raise DataError(f"{str(path)!r} is not a whole IDX file of unsigned bytes: copy or download it again.")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * n_axes).reshape(lengths)
