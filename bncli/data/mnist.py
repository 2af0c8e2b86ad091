"""MNIST and Fashion-MNIST: found on this machine, or downloaded by Keras."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bncli.data.archives import read_npz
from bncli.data.idx import read_idx_folder
from bncli.data.splits import LabelledRows, RawDataset
from bncli.errors import DataError


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
    if rows.is_validation is None or not set(rows.y.tolist()) <= set(range(len(class_names))):
        raise DataError(
            f"The files found for {name} must contain training and test images of the classes 0 to "
            f"{len(class_names) - 1}. Replace or remove them in $BNCLI_DATA_DIR or in Keras' cache."
        )
    train, val = ~rows.is_validation, rows.is_validation
    return RawDataset(rows.x[train], rows.y[train], rows.x[val], rows.y[val], class_names, "unit", 255.0)


def _keras_download(name: str) -> None:
    """Let Keras download a data set to its cache, in another process, so that this one does not import TensorFlow."""
    code = f"import keras; keras.datasets.{name}.load_data()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise DataError(_mnist_help(name, lines[-1] if lines else "no reason given"))


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
    for root in _data_dirs():
        for folder in _idx_folders(root, spellings):
            found = read_idx_folder(folder)
            if found is not None:
                return found
        for path in _archive_paths(root, spellings):
            if path.is_file():
                return read_npz(path)
    return None


def _data_dirs() -> list[Path]:
    own = os.environ.get("BNCLI_DATA_DIR")
    keras_home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return [*([Path(own)] if own else []), keras_home / "datasets"]


def _idx_folders(root: Path, spellings: tuple[str, ...]) -> list[Path]:
    """Folders that may contain the four IDX files; only the folder's name says which data set they are."""
    nested = [root / spelling for spelling in spellings]
    return [root, *nested] if root.name in spellings else nested


def _archive_paths(root: Path, spellings: tuple[str, ...]) -> list[Path]:
    return [path / f"{spelling}.npz" for spelling in spellings for path in (root, root / spelling)]
