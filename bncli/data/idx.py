"""IDX files, the format in which MNIST and Fashion-MNIST are published."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from bncli.data.reading import check_size, is_file, quoted, reading
from bncli.data.splits import LabelledRows
from bncli.errors import DataError

if TYPE_CHECKING:
    import numpy as np


IDX_PARTS = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def read_idx_folder(folder: Path) -> LabelledRows | None:
    """Read the four IDX files of a folder; the 10k test images become the validation rows.

    Returns:
        Grey images with a channel axis and their class numbers; None if the folder has none of the files.

    Raises:
        DataError: Some of the files are missing, damaged, or don't fit each other.
    """
    import numpy as np

    paths = [_idx_path(folder, part) for part in IDX_PARTS]
    present = [path for path in paths if path is not None]
    if not present:
        return None
    if len(present) < len(IDX_PARTS):
        missing = [part for part, path in zip(IDX_PARTS, paths, strict=True) if path is None]
        raise DataError(
            f"{quoted(folder)} lacks IDX files: {', '.join(f'{part}-ubyte(.gz)' for part in missing)}. "
            "Add them, or remove the others."
        )
    x_train, y_train, x_test, y_test = arrays = [read_idx(path) for path in present]
    is_whole = x_train.ndim == 3 and y_train.shape == x_train.shape[:1] and y_test.shape == x_test.shape[:1]
    if not is_whole or x_train.shape[1:] != x_test.shape[1:]:
        received = ", ".join(f"{part} {array.shape}" for part, array in zip(IDX_PARTS, arrays, strict=True))
        raise DataError(
            f"{quoted(folder)}: the IDX files must contain images of one size and one label per image. "
            f"Received: {received}."
        )
    x = np.concatenate([x_train, x_test])[..., None]
    return LabelledRows(
        x, np.concatenate([y_train, y_test]), is_validation=np.arange(len(x)) >= len(x_train), is_published=True
    )


def _idx_path(folder: Path, part: str) -> Path | None:
    dotted = part.replace("-idx", ".idx")
    names = (f"{part}-ubyte.gz", f"{part}-ubyte", f"{dotted}-ubyte.gz", f"{dotted}-ubyte")
    return next((folder / name for name in names if is_file(folder / name)), None)


def read_idx(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Read one IDX file of unsigned bytes, gzipped or not.

    The file has two zero bytes, the type (8: unsigned byte), the number of axes, one big-endian 32-bit length per
    axis, then the data (yann.lecun.com/exdb/mnist).

    Raises:
        DataError: The file can't be read, or is not a complete IDX file of unsigned bytes.
    """
    with reading(path, "an IDX file", "Copy or download it again.") as file:
        return _read_array(path, gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file)


def _read_array(path: Path, file: BinaryIO | gzip.GzipFile) -> np.ndarray[Any, np.dtype[np.uint8]]:
    import numpy as np

    head = file.read(4)
    axes = file.read(4 * head[3]) if head[:3] == b"\x00\x00\x08" and len(head) == 4 else b""
    lengths = [int.from_bytes(axes[at : at + 4], "big") for at in range(0, len(axes), 4)]
    size = math.prod(lengths)
    check_size(quoted(path), 4 * size, "its array as float32")
    data = file.read(size + 1)  # one byte more than there should be
    if not axes or len(axes) != 4 * head[3] or len(data) != size:
        raise ValueError("it is not a complete IDX file of unsigned bytes")
    return np.frombuffer(data, np.uint8).reshape(lengths)
