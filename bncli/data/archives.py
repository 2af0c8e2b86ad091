"""NumPy archives: .npz files."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bncli.data.reading import check_size, quoted, reading
from bncli.data.sequences import marked, on_lengths
from bncli.data.splits import LabelledRows
from bncli.errors import DataError
from bncli.values import plain_text, show

if TYPE_CHECKING:
    import numpy as np

PLAIN_NAMES, KERAS_NAMES = ("x", "y"), ("x_train", "y_train", "x_test", "y_test")
ALL_NAMES = (*KERAS_NAMES, "x_val", "y_val")

ADVICE = "Write arrays of numbers or text (not of dtype object) with numpy.savez."


def read_npz(path: Path, padding: float | None = None) -> LabelledRows:
    """Read a NumPy archive of `x` and `y`, or of `x_train`, `y_train`, `x_test` and `y_test` (Keras' names).

    The arrays `x_test` and `y_test` become the validation rows, unless there are `x_val` and `y_val` too. For sequences
    of different lengths, `x` of shape (rows, steps, features), there may be a `mask` (or `mask_train`, ...); see
    `sequences.marked`.

    Args:
        path: The file.
        padding: The value that padded steps of sequences have in every feature; None if it is not known.

    Raises:
        DataError: The file can't be read, or its arrays have other names, shapes or types.
    """
    import numpy as np

    with reading(path, "a NumPy archive", ADVICE) as file, zipfile.ZipFile(file) as archive:
        names = _wanted_names(path, archive)
        arrays = _read_arrays(path, archive, [*names, *_masks(path, archive, names)])
    if names == PLAIN_NAMES:
        x, y = _checked_arrays(path, arrays, "x", "y")
        return _with_padding(path, LabelledRows(x, y), arrays.get("mask"), padding)
    found = [name.removeprefix("x_") for name in names if name.startswith("x_")]
    parts = {part: _checked_arrays(path, arrays, f"x_{part}", f"y_{part}") for part in found}
    for part, (x, _) in parts.items():
        if x.shape[1:] != parts["train"][0].shape[1:]:
            raise DataError(
                f"{quoted(path)}: the rows of x_train and x_{part} have different shapes. "
                f"Received: {parts['train'][0].shape[1:]} and {x.shape[1:]}."
            )
    x, y = (np.concatenate(axis) for axis in zip(*parts.values(), strict=True))
    masks = [arrays[name] for name in arrays if name.startswith("mask_")]
    of_part = np.repeat(list(parts), [len(y) for _, y in parts.values()])
    if names == KERAS_NAMES:
        rows = LabelledRows(x, y, is_validation=of_part == "test", is_published=True)
    else:
        rows = LabelledRows(x, y, is_validation=of_part == "val", is_test=of_part == "test")
    return _with_padding(path, rows, np.concatenate(masks) if masks else None, padding)


def _with_padding(path: Path, rows: LabelledRows, mask: np.ndarray | None, padding: float | None) -> LabelledRows:
    """Sequences with NaN in their padded steps; other rows as they are, grey images with a channel axis."""
    if rows.x.ndim != 3:
        if padding is not None:
            raise DataError(
                f"{quoted(path)}: padding={show(padding)} is for sequences, of shape (rows, steps, features). "
                f"Received: shape {rows.x.shape}."
            )
        return rows if mask is None else replace(rows, notices=(_on_unused_mask(path, rows),))
    sequences = marked(str(path), rows.x, mask, padding)
    if sequences is None:
        return replace(rows, x=rows.x[..., None])
    return replace(rows, x=sequences, notices=(on_lengths(str(path), sequences),))


def _on_unused_mask(path: Path, rows: LabelledRows) -> str:
    return (
        f"The mask in {quoted(path)} has no effect: masks are for sequences, of shape (rows, steps, features), and x "
        f"has the shape {rows.x.shape}."
    )


def _masks(path: Path, archive: zipfile.ZipFile, names: Sequence[str]) -> list[str]:
    """The names of the masks of sequences, one for each part or none."""
    there = {name.removesuffix(".npy") for name in archive.namelist()}
    wanted = [name.replace("x", "mask", 1) for name in names if name.startswith("x")]
    found = [name for name in wanted if name in there]
    if found and found != wanted:
        missing = ", ".join(name for name in wanted if name not in found)
        raise DataError(
            f"{quoted(path)} has the mask {', '.join(found)} but lacks {missing}. Add it, or leave all masks out."
        )
    return found


def _wanted_names(path: Path, archive: zipfile.ZipFile) -> Sequence[str]:
    there = [name.removesuffix(".npy") for name in archive.namelist()]
    for names in (PLAIN_NAMES, ALL_NAMES, KERAS_NAMES):
        if set(names) <= set(there):
            return names
    raise DataError(
        f"{quoted(path)} needs the arrays x and y, or x_train, y_train, x_test and y_test. "
        f"Received: {plain_text(', '.join(there)) or 'none'}."
    )


def _read_arrays(path: Path, archive: zipfile.ZipFile, names: Sequence[str]) -> dict[str, np.ndarray]:
    import numpy as np

    check_size(quoted(path), sum(_n_bytes(archive, name) for name in names), f"its arrays {', '.join(names)}")
    arrays = {}
    for name in names:
        with archive.open(f"{name}.npy") as member:
            arrays[name] = np.lib.format.read_array(member, allow_pickle=False)
    return arrays


def _n_bytes(archive: zipfile.ZipFile, name: str) -> int:
    """Bytes of an array by its header, at least as float32; the header must fit the size in the archive's list."""
    from numpy.lib import format as npy

    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed in a way that NumPy does not use")
    with archive.open(info) as member:
        read_header = npy.read_array_header_1_0 if npy.read_magic(member) == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(member)
        n_values, start = math.prod(shape), member.tell()
    if not dtype.hasobject and start + n_values * dtype.itemsize != info.file_size:
        raise ValueError(f"{name} has another size than its header says")
    return n_values * max(dtype.itemsize, 4)


def _checked_arrays(
    path: Path, arrays: dict[str, np.ndarray], x_name: str, y_name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return checked features and labels."""
    x, y = arrays[x_name], arrays[y_name]
    if x.ndim not in (2, 3, 4) or 0 in x.shape or x.dtype.kind not in "biuf":
        raise DataError(
            f"{quoted(path)}: {x_name} must contain numbers of shape (rows, features), (rows, height, width), (rows, "
            "height, width, channels) or, with a mask or padding, (rows, steps, features). "
            f"Received: shape {x.shape}, dtype {plain_text(str(x.dtype))}."
        )
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.shape != x.shape[:1] or y.dtype.kind not in "biufU":
        raise DataError(
            f"{quoted(path)}: {y_name} must contain one class per row, as a number or text, of shape ({len(x)},), "
            f"not one-hot. Received: shape {y.shape}, dtype {plain_text(str(y.dtype))}."
        )
    return x, y
