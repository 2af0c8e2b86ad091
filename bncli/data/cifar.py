"""CIFAR-10 and CIFAR-100 in their binary version: the Python version holds pickles, which can run code."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import urllib.request
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bncli.atomic import replace_file
from bncli.data.mnist import data_dirs
from bncli.data.reading import check_size, is_file, quoted, reading, why_not_downloaded
from bncli.data.splits import RawDataset
from bncli.errors import DataError

if TYPE_CHECKING:
    import numpy as np

URL = "https://www.cs.toronto.edu/~kriz/"

COLOURS, SIDE = 3, 32
"""An image is stored as its red, its green and its blue pixels, each row by row."""

SECONDS = 60
"""How long the server may keep a download waiting."""

DAMAGED = "Remove it, so that it is downloaded again."


class Cifar(NamedTuple):
    """The files of one of the two data sets.

    Attributes:
        archive: The name of the published archive.
        digest: Its SHA-256.
        folder: The name of the folder in it.
        train: The files of training images in that folder.
        test: The file of test images.
        names: The file of the names of the classes, one a line.
        n_classes: The number of classes.
        n_labels: Bytes before the pixels of each image, the last of which is its class.
    """

    archive: str
    digest: str
    folder: str
    train: tuple[str, ...]
    test: str
    names: str
    n_classes: int
    n_labels: int


PUBLISHED = {
    "cifar10": Cifar(
        "cifar-10-binary.tar.gz",
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        "cifar-10-batches-bin",
        tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        "test_batch.bin",
        "batches.meta.txt",
        n_classes=10,
        n_labels=1,
    ),
    "cifar100": Cifar(
        "cifar-100-binary.tar.gz",
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        "cifar-100-binary",
        ("train.bin",),
        "test.bin",
        "fine_label_names.txt",
        n_classes=100,
        n_labels=2,
    ),
}


def load_cifar(name: str) -> RawDataset:
    """Load CIFAR-10 or CIFAR-100; test images become the validation rows. What is not on this machine is downloaded.

    Args:
        name: `cifar10` or `cifar100`.

    Raises:
        DataError: The files can't be downloaded or read, or contain something else.
        StoreError: The download can't be written.
    """
    import numpy as np

    cifar = PUBLISHED[name]
    place = _find(name) or _download(name)
    files = _files(cifar, place)
    missing = [part for part in (*cifar.train, cifar.test) if part not in files]
    if missing:
        raise DataError(f"{quoted(place)} lacks files of {name}: {', '.join(missing)}. {DAMAGED}")
    train = [_images(cifar, place, part, files[part]) for part in cifar.train]
    x_train, y_train = (np.concatenate(arrays) for arrays in zip(*train, strict=True))
    test = _images(cifar, place, cifar.test, files[cifar.test])
    return RawDataset(
        x_train,
        y_train,
        *test,
        _class_names(cifar, files.get(cifar.names, b"")),
        "unit",
        255.0,
        notices=() if place.suffix != ".gz" or _is_published(cifar, place) else (_not_published(name, place),),
        given="published",
    )


def _find(name: str) -> Path | None:
    """The folder of a data set, or its archive, in `$BNCLI_DATA_DIR` or in Keras' cache."""
    cifar = PUBLISHED[name]
    for root in data_dirs():
        for folder in (root, root / name):
            if is_file(folder / cifar.folder / cifar.test):
                return folder / cifar.folder
            if is_file(folder / cifar.archive):
                return folder / cifar.archive
    return None


def _files(cifar: Cifar, place: Path) -> dict[str, bytes]:
    """The content of the files of a data set by name; nothing is unpacked to the disk."""
    wanted = (*cifar.train, cifar.test, cifar.names)
    if place.suffix != ".gz":
        return {name: _content(place / name) for name in wanted if is_file(place / name)}
    found = {}
    with reading(place, "an archive of CIFAR", DAMAGED) as file, tarfile.open(fileobj=file, mode="r:gz") as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            content = archive.extractfile(member) if name in wanted and member.isreg() else None
            if content:
                check_size(quoted(place), member.size, name)
                found[name] = content.read()
    return found


def _content(path: Path) -> bytes:
    with reading(path, "a file of CIFAR", DAMAGED) as file:
        return file.read()


def _images(cifar: Cifar, place: Path, name: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The images of a file, shape (rows, 32, 32, 3), and their class numbers."""
    import numpy as np

    size = cifar.n_labels + COLOURS * SIDE**2
    if not content or len(content) % size:
        raise DataError(
            f"{quoted(place)}: {name} must contain records of {size} bytes. Received: {len(content)} bytes. {DAMAGED}"
        )
    rows = np.frombuffer(content, "uint8").reshape(-1, size)
    y = rows[:, cifar.n_labels - 1]
    if y.max() >= cifar.n_classes:
        raise DataError(
            f"{quoted(place)}: {name} must contain the classes 0 to {cifar.n_classes - 1}. Received: {y.max()}. "
            f"{DAMAGED}"
        )
    return rows[:, cifar.n_labels :].reshape(-1, COLOURS, SIDE, SIDE).transpose(0, 2, 3, 1), y.astype("int64")


def _class_names(cifar: Cifar, content: bytes) -> tuple[str, ...]:
    """The names in a file, if they are as many as the classes and all different; else numbers."""
    names = tuple(line.strip() for line in content.decode("utf-8", "replace").splitlines() if line.strip())
    return names if len({*names}) == cifar.n_classes == len(names) else tuple(map(str, range(cifar.n_classes)))


def _is_published(cifar: Cifar, archive: Path) -> bool:
    with reading(archive, "an archive of CIFAR") as file:
        digest = hashlib.sha256()
        for block in iter(partial(file.read, 2**20), b""):
            digest.update(block)
    return digest.hexdigest() == cifar.digest


def _not_published(name: str, place: Path) -> str:
    return (
        f"{quoted(place)} is not the published archive of {name} (its SHA-256 differs), so results can't be compared "
        "with published figures."
    )


def _download(name: str) -> Path:
    """Download the published archive to Keras' cache, as Keras does with MNIST; without a home, to the other folder."""
    cifar, folders = PUBLISHED[name], data_dirs()
    if not folders:
        raise DataError(_help(name, "there is no home folder to keep it in"))
    target = folders[-1] / cifar.archive

    def fill(path: Path) -> None:
        try:
            with urllib.request.urlopen(URL + cifar.archive, timeout=SECONDS) as response, path.open("wb") as file:
                shutil.copyfileobj(response, file)
        except (OSError, HTTPException) as error:
            raise DataError(_help(name, why_not_downloaded(error))) from error
        if not _is_published(cifar, path):
            raise DataError(_help(name, "what the server sent is not the published archive: its SHA-256 differs"))

    replace_file(target, fill)
    return target


def _help(name: str, reason: str) -> str:
    cifar = PUBLISHED[name]
    return (
        f"{name} is not on this machine and could not be downloaded ({reason}). Three ways to get it: put "
        f"{cifar.archive} ({URL}{cifar.archive}) into $BNCLI_DATA_DIR; unpack it there, which gives the folder "
        f"{cifar.folder}; or run this command once with a network."
    )
