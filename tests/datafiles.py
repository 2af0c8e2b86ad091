"""Data for tests: small tables, archives and IDX files, and how a test loads them."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bncli.config import RunConfig
from bncli.data import cifar, datasets


def load(dataset, **fields):
    """The data that a run with these fields trains on."""
    return datasets.load(RunConfig(dataset=dataset, **fields))


def error_text(error, function, *arguments, **fields):
    """The whole text of the `error` that a call raises."""
    with pytest.raises(error) as caught:
        function(*arguments, **fields)
    return str(caught.value)


def is_same(one, other):
    """Whether two data sets have the same numbers in the same shapes."""
    parts = ("x_train", "y_train", "x_val", "y_val")
    return all(np.array_equal(getattr(one, part), getattr(other, part)) for part in parts)


def write_text(folder, text, name="table.csv"):
    """Write a text file; return its path as text."""
    path = folder / name
    path.write_text(text, newline="")
    return str(path)


def write_table(folder, labels, name="mine.csv", **columns):
    """Write a table with a column `label` and one feature `a`, or the given columns; return its path as text."""
    path = folder / name
    frame = pd.DataFrame((columns or {"a": np.arange(len(labels)) ** 1.5}) | {"label": labels})
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return str(path)


def write_npz(folder, **arrays):
    """Write a NumPy archive; return its path as text."""
    path = folder / "mine.npz"
    np.savez(path, **arrays)
    return str(path)


def write_images(folder, shape):
    """Write 8 rows of this shape, in which the first feature is the row's number and the others are 3."""
    x = np.full((8, *shape), 3, "uint8")
    x.reshape(8, -1)[:, 0] = range(8)
    return write_npz(folder, x=x, y=[0, 1] * 4)


IDX_ARRAYS = {
    "train-images-idx3": np.arange(60, dtype="uint8").reshape(5, 4, 3),
    "train-labels-idx1": np.array([0, 1, 2, 1, 0], "uint8"),
    "t10k-images-idx3": np.arange(100, 136, dtype="uint8").reshape(3, 4, 3),
    "t10k-labels-idx1": np.array([2, 1, 0], "uint8"),
}


def idx_bytes(array):
    """The content of an IDX file of unsigned bytes."""
    lengths = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()


def write_idx(folder, arrays=IDX_ARRAYS, suffix="-ubyte.gz", dotted=False):
    """Write the four IDX files of the MNIST family; `dotted` names them train-images.idx3-ubyte."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, array in arrays.items():
        content = idx_bytes(array)
        path = folder / ((part.replace("-idx", ".idx") if dotted else part) + suffix)
        path.write_bytes(gzip.compress(content, 1) if suffix.endswith(".gz") else content)


def needs_files(name, folder=None):
    """Skip a test of a data set of the MNIST family if `folder`, or else $BNCLI_DATA_DIR, does not have it."""
    folder = folder or os.environ.get("BNCLI_DATA_DIR")
    if not folder or not any(Path(folder).glob(f"{name.replace('_', '?')}*")):
        pytest.skip(f"needs the files of {name} in $BNCLI_DATA_DIR")


def cifar_files(name):
    """The files of CIFAR-10 or CIFAR-100 by name: every file of training images has two of every class."""
    facts = cifar.PUBLISHED[name]
    rng = np.random.default_rng(0)

    def images(n_each):
        labels = np.tile(np.arange(facts.n_classes, dtype="uint8"), n_each)
        coarse = np.zeros((len(labels), facts.n_labels - 1), "uint8")
        pixels = rng.integers(0, 256, (len(labels), 3 * 32 * 32), "uint8")
        pixels[0, 0] = 255
        return np.hstack([coarse, labels[:, None], pixels]).tobytes()

    names = "".join(f"class {number}\n" for number in range(facts.n_classes)).encode()
    return {part: images(2) for part in facts.train} | {facts.test: images(1), facts.names: names}


def write_cifar(folder, name, *, packed=True, changes=None):
    """Write a tiny CIFAR-10 or CIFAR-100 as its archive or its folder; return the path."""
    facts, files = cifar.PUBLISHED[name], cifar_files(name) | (changes or {})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (facts.archive if packed else facts.folder)
    if not packed:
        path.mkdir()
        for part, content in files.items():
            (path / part).write_bytes(content)
        return path
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for part, content in files.items():
            member = tarfile.TarInfo(f"{facts.folder}/{part}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def sequences(n_rows=60, n_steps=4, n_features=2, seed=0):
    """Sequences of 2 or more steps whose class is the sign of their drift: `x`, whose padding is 0, `y`, `mask`."""
    draw = np.random.default_rng(seed)
    mask = np.arange(n_steps) < draw.integers(2, n_steps + 1, n_rows)[:, None]
    y = np.arange(n_rows) % 2
    x = 3 + draw.normal(size=(n_rows, n_steps, n_features)) + (2 * y - 1)[:, None, None] * np.arange(n_steps)[:, None]
    return {"x": np.where(mask[..., None], x, 0), "y": y, "mask": mask}
