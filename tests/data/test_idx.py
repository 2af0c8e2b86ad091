"""IDX files: read, or rejected with the reason."""

import gzip
import math
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from datafiles import IDX_ARRAYS, error_text, idx_bytes, write_idx
from hypothesis import given, settings
from hypothesis import strategies as st

from bncli.data.idx import read_idx, read_idx_folder
from bncli.errors import DataError


def test_missing_files_are_named(tmp_path):
    write_idx(tmp_path, {part: IDX_ARRAYS[part] for part in ("train-images-idx3", "t10k-labels-idx1")})
    expected = (
        f"{str(tmp_path)!r} lacks IDX files: train-labels-idx1-ubyte(.gz), t10k-images-idx3-ubyte(.gz). "
        "Add them, or remove the others."
    )
    assert error_text(DataError, read_idx_folder, tmp_path) == expected


@pytest.mark.parametrize(
    ("part", "array"),
    [
        ("train-labels-idx1", IDX_ARRAYS["train-labels-idx1"][:4]),
        ("t10k-labels-idx1", IDX_ARRAYS["train-labels-idx1"]),
        ("t10k-images-idx3", IDX_ARRAYS["t10k-images-idx3"].reshape(3, 2, 6)),
        ("train-images-idx3", IDX_ARRAYS["train-labels-idx1"]),
        ("train-labels-idx1", IDX_ARRAYS["train-images-idx3"]),
    ],
    ids=["too-few-labels", "too-many-labels", "another-size", "labels-for-images", "images-for-labels"],
)
def test_files_that_do_not_fit_each_other_are_rejected(tmp_path, part, array):
    parts = IDX_ARRAYS | {part: array}
    write_idx(tmp_path, parts)
    received = ", ".join(f"{name} {value.shape}" for name, value in parts.items())
    expected = (
        f"{str(tmp_path)!r}: the IDX files must contain images of one size and one label per image. "
        f"Received: {received}."
    )
    assert error_text(DataError, read_idx_folder, tmp_path) == expected


def unreadable(path, reason):
    return f"{str(path)!r} can't be read as an IDX file: {reason}. Copy or download it again."


WHOLE = idx_bytes(IDX_ARRAYS["train-images-idx3"])


def test_read_idx_returns_unsigned_bytes(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(WHOLE)
    np.testing.assert_array_equal(read_idx(path), IDX_ARRAYS["train-images-idx3"])
    assert read_idx(path).dtype == "uint8"


@pytest.mark.parametrize(
    "content",
    [b"", WHOLE[:3], WHOLE[:6], WHOLE[:16], WHOLE[:-1], WHOLE + b"\0", b"\0\0\x0d" + WHOLE[3:], b"\x1f\x8b" + WHOLE],
    ids=["empty", "no-axes", "half-a-length", "no-data", "truncated", "too-long", "floats", "junk"],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_read_idx_rejects_incomplete_and_other_files(tmp_path, content, suffix):
    path = tmp_path / f"images{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    assert error_text(DataError, read_idx, path) == unreadable(path, "it is not a complete IDX file of unsigned bytes")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (WHOLE, "Not a gzipped file (b'\\x00\\x00')"),
        (gzip.compress(WHOLE)[:-9], "Compressed file ended before the end-of-stream marker was reached"),
        (gzip.compress(WHOLE)[:10] + b"\xff" * 40, "Error -3 while decompressing data: invalid block type"),
    ],
    ids=["not-gzipped", "truncated", "damaged"],
)
def test_read_idx_rejects_damaged_gzip_files(tmp_path, content, reason):
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    assert error_text(DataError, read_idx, path) == unreadable(path, reason)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(0, 255))
@settings(max_examples=30)
def test_read_idx_returns_arrays_of_any_shape(shape, value):
    array = ((np.arange(math.prod(shape)) + value) % 256).astype("uint8").reshape(shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "any")
        path.write_bytes(idx_bytes(array))
        np.testing.assert_array_equal(read_idx(path), array)


def header(*lengths):
    return bytes([0, 0, 8, len(lengths)]) + b"".join(length.to_bytes(4, "big") for length in lengths)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("lengths", "size"),
    [((2**30 + 1,), "4.0"), ((60_000, 28, 2800), "17.5"), ((2**32 - 1,) * 255, "1,099,511,627,776.0")],
)
def test_a_header_that_claims_too_much_is_refused_before_anything_is_allocated(tmp_path, suffix, lengths, size):
    path = tmp_path / f"images{suffix}"
    path.write_bytes(gzip.compress(header(*lengths)) if suffix else header(*lengths))
    expected = (
        f"{str(path)!r} is too large: its array as float32 would take {size} GiB. Allowed: 4 GiB. "
        "Try fewer rows or columns."
    )
    assert error_text(DataError, read_idx, path) == expected


def test_a_file_that_unpacks_to_more_than_its_header_says_is_not_unpacked(tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(header(28, 28) + bytes(2**28), 1))
    tracemalloc.start()
    message = error_text(DataError, read_idx, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert message == unreadable(path, "it is not a complete IDX file of unsigned bytes")
    assert peak < 2**24


def test_more_axes_than_numpy_has(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(header(*[1] * 255) + b"x")
    reason = "maximum supported dimension for an ndarray is currently 64, found 255"
    assert error_text(DataError, read_idx, path) == unreadable(path, reason)
