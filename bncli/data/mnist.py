"""MNIST and Fashion-MNIST: found on this machine, or downloaded by Keras."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bncli.data.archives import read_npz
from bncli.data.idx import read_idx_folder
from bncli.data.reading import is_file
from bncli.data.splits import LabelledRows, RawDataset
from bncli.errors import DataError
from bncli.values import plain_text

if TYPE_CHECKING:
    import numpy as np

PUBLISHED = {
    "mnist": "e10378d1a17062469c9b5ca3cad0b5d3f975efaa45465e33edba640c0fcd5e60",
    "fashion_mnist": "a6273e280201b88bb63ed1b0c3b68cf57f0971e2932af67b8ce9191dc9921c90",
}
"""SHA-256 of the published data, see `content_hash`: that of the four IDX files, whose MD5 their authors publish."""


def load_mnist(name: str, class_names: tuple[str, ...]) -> RawDataset:
    """Load a data set of the MNIST family; its test images become the validation rows.

    Args:
        name: `mnist` or `fashion_mnist`.
        class_names: The names of classes 0, 1, ...

    Raises:
        DataError: The files can't be found, downloaded or read, or contain something else.
    """
    rows = find_mnist_family(name)
    if rows is None:
        _keras_download(name)
        rows = find_mnist_family(name)
    if rows is None:
        raise DataError(_mnist_help(name, "the download left no files"))
    mask = _checked_mask(name, rows, len(class_names))
    notices = () if content_hash(rows) == PUBLISHED[name] else (_not_published(name),)
    parts = (rows.x[~mask], rows.y[~mask], rows.x[mask], rows.y[mask])
    return RawDataset(*parts, class_names, "unit", 255.0, notices=notices, given="published")


def _checked_mask(name: str, rows: LabelledRows, n_classes: int) -> np.ndarray:
    """The mask of the test images of rows that look like the data set."""
    classes = set(rows.y.tolist())
    if rows.is_validation is None or rows.x.shape[1:] != (28, 28, 1) or not classes <= set(range(n_classes)):
        parts = "rows without a test part" if rows.is_validation is None else "training and test rows"
        shown = plain_text(", ".join(map(str, sorted(classes, key=str))), limit=60)
        raise DataError(
            f"The files found for {name} must contain training and test images of 28x28x1 pixels, with the classes 0 "
            f"to {n_classes - 1}. Received: {parts} of {'x'.join(map(str, rows.x.shape[1:]))} pixels, with the "
            f"classes {shown}. Replace or remove them in $BNCLI_DATA_DIR or in Keras' cache."
        )
    return rows.is_validation


def content_hash(rows: LabelledRows) -> str:
    """Return the SHA-256 of pixels, labels and split as bytes, the same whatever file they come from."""
    import numpy as np

    digest = hashlib.sha256()
    with np.errstate(invalid="ignore"):
        for array in (rows.x, rows.y, rows.is_validation):
            digest.update(np.asarray(array, "uint8").tobytes())
    return digest.hexdigest()


def _not_published(name: str) -> str:
    return (
        f"The files found for {name} are not the published ones (their SHA-256 differs), so results can't be compared "
        "with published figures."
    )


def _keras_download(name: str) -> None:
    """Let Keras download a data set to its cache, in another process, so that this one does not import TensorFlow."""
    code = f"import keras; keras.datasets.{name}.load_data()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise DataError(_mnist_help(name, plain_text(lines[-1]) if lines else "no reason given"))


def _mnist_help(name: str, reason: str) -> str:
    return (
        f"{name} is not on this machine and Keras could not download it ({reason}). Three ways to get it: "
        f"put the four IDX files (.gz or not) into $BNCLI_DATA_DIR/{name}/, or {name}.npz into $BNCLI_DATA_DIR; "
        f"copy Keras' cache (~/.keras/datasets/) from another machine; or run this command once with a network."
    )


def find_mnist_family(name: str) -> LabelledRows | None:
    """Read a data set of the MNIST family from `$BNCLI_DATA_DIR` or, failing that, from Keras' cache.

    In both places a folder of IDX files is preferred to an archive.

    Args:
        name: `mnist` or `fashion_mnist`.

    Returns:
        The rows, or None if there are no files.

    Raises:
        DataError: Files were found but can't be read.
    """
    spellings = (name, name.replace("_", "-"))
    for root in data_dirs():
        for folder in _idx_folders(root, spellings):
            found = read_idx_folder(folder)
            if found is not None:
                return found
        for path in _archive_paths(root, spellings):
            if is_file(path):
                return read_npz(path)
    return None


def data_dirs() -> list[Path]:
    """Return the folders to search: `$BNCLI_DATA_DIR` and Keras' cache.

    Without a home (a user without an entry in the system's list) there is no cache.
    """
    own, keras_home = os.environ.get("BNCLI_DATA_DIR"), os.environ.get("KERAS_HOME")
    folders = [Path(own)] if own else []
    with suppress(RuntimeError):
        folders.append(Path(keras_home or Path.home() / ".keras") / "datasets")
    return folders


def _idx_folders(root: Path, spellings: tuple[str, ...]) -> list[Path]:
    """Folders that may contain the four IDX files; only the folder's name says which data set they are."""
    nested = [root / spelling for spelling in spellings]
    return [root, *nested] if root.name in spellings else nested


def _archive_paths(root: Path, spellings: tuple[str, ...]) -> list[Path]:
    return [path / f"{spelling}.npz" for spelling in spellings for path in (root, root / spelling)]
