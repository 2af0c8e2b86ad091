"""MNIST and Fashion-MNIST: found on this machine or downloaded by Keras."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bncli.data.archives import read_npz
from bncli.data.idx import read_idx_folder
from bncli.data.splits import Labelled, Pool
from bncli.errors import DataError


def load_mnist(name: str, class_names: tuple[str, ...]) -> Pool:
    rows = find_mnist_family(name)
    if rows is None:
        _keras_download(name)
        rows = find_mnist_family(name)
    if rows is None:
        raise DataError(_mnist_help(name, "the download left no files"))
    if rows.is_validation is None or not set(rows.y.tolist()) <= set(range(len(class_names))):
        raise DataError(
            f"The files that were found for {name} must hold a training and a test part with the classes "
            f"0 to {len(class_names) - 1}. Replace or remove those in $BNCLI_DATA_DIR or in Keras' cache."
        )
    train, val = ~rows.is_validation, rows.is_validation
    return Pool(rows.x[train], rows.y[train], rows.x[val], rows.y[val], class_names, "unit", 255.0)


def _keras_download(name: str) -> None:
    """Let Keras download a set into its cache, in a process of its own so that this one stays light."""
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


def find_mnist_family(name: str) -> Labelled | None:
    """Read `name` (`mnist`, `fashion_mnist`) from `$BNCLI_DATA_DIR` or else Keras' cache; None where absent.

    In each of the two, a folder of IDX files comes before an archive.
    """
    spellings = (name, name.replace("_", "-"))
    for root in _data_dirs():
        for folder in _mnist_folders(root, spellings):
            found = read_idx_folder(folder)
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
