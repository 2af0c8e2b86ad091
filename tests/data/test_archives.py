"""NumPy archives: read, or rejected with the reason."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from datafiles import error_text, write_npz

from bncli.data.archives import read_npz
from bncli.errors import DataError


def test_an_archive_of_x_and_y(tmp_path):
    rows = read_npz(Path(write_npz(tmp_path, x=[[1.5, 2], [3, 4]], y=["b", "a"])))
    np.testing.assert_array_equal(rows.x, [[1.5, 2], [3, 4]])
    assert rows.y.tolist() == ["b", "a"]
    assert rows.feature_names == ()
    assert rows.is_validation is None


def test_an_archive_with_keras_names_is_split(tmp_path):
    path = write_npz(tmp_path, x_train=[[1], [2]], y_train=[0, 1], x_test=[[3]], y_test=[1], extra=[5])
    rows = read_npz(Path(path))
    assert rows.x.tolist() == [[1], [2], [3]]
    assert rows.y.tolist() == [0, 1, 1]
    assert rows.is_validation.tolist() == [False, False, True]


@pytest.mark.parametrize(("shape", "read"), [((4, 3, 2), (4, 3, 2, 1)), ((4, 3, 2, 3), (4, 3, 2, 3)), ((4, 3), (4, 3))])
def test_grey_images_get_a_channel_axis(tmp_path, shape, read):
    rows = read_npz(Path(write_npz(tmp_path, x=np.zeros(shape, "uint8"), y=[0, 1, 0, 1])))
    assert rows.x.shape == read
    assert rows.x.dtype == "uint8"


def test_labels_may_be_a_column(tmp_path):
    path = write_npz(tmp_path, x_train=[[1], [2]], y_train=[[0], [1]], x_test=[[3]], y_test=[[1]])
    assert read_npz(Path(path)).y.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("keys", "shown"), [(("x", "label"), "x, label"), (("x_train", "y_train"), "x_train, y_train"), ((), "none")]
)
def test_read_npz_rejects_other_names(tmp_path, keys, shown):
    path = write_npz(tmp_path, **{key: [1] for key in keys})
    expected = f"{path!r} needs the arrays x and y, or x_train, y_train, x_test and y_test. Received: {shown}."
    assert error_text(DataError, read_npz, Path(path)) == expected


@pytest.mark.parametrize(
    ("x", "received"),
    [
        (np.zeros(4), "shape (4,), dtype float64"),
        (np.float32(1), "shape (), dtype float32"),
        (np.zeros((4, 2, 2, 2, 2), "int8"), "shape (4, 2, 2, 2, 2), dtype int8"),
        (np.zeros((0, 2)), "shape (0, 2), dtype float64"),
        (np.zeros((4, 0)), "shape (4, 0), dtype float64"),
        (np.full((4, 2), "a"), "shape (4, 2), dtype <U1"),
        (np.zeros((4, 2), "complex64"), "shape (4, 2), dtype complex64"),
    ],
)
def test_read_npz_rejects_features_of_another_shape_or_type(tmp_path, x, received):
    path = write_npz(tmp_path, x=x, y=[0, 1, 0, 1])
    expected = (
        f"{path!r}: x must contain numbers of shape (rows, features), (rows, height, width), (rows, "
        "height, width, channels) or, with a mask or padding, (rows, steps, features). "
        f"Received: {received}."
    )
    assert error_text(DataError, read_npz, Path(path)) == expected


@pytest.mark.parametrize(
    ("y", "received"),
    [
        (np.eye(4, dtype="int8"), "shape (4, 4), dtype int8"),
        (np.zeros(3, "int8"), "shape (3,), dtype int8"),
        (np.int8(0), "shape (), dtype int8"),
        (np.full(4, b"a"), "shape (4,), dtype |S1"),
    ],
)
def test_read_npz_rejects_labels_of_another_shape_or_type(tmp_path, y, received):
    path = write_npz(tmp_path, x=np.zeros((4, 2)), y=y)
    expected = (
        f"{path!r}: y must contain one class per row, as a number or text, of shape (4,), not one-hot. "
        f"Received: {received}."
    )
    assert error_text(DataError, read_npz, Path(path)) == expected


def test_read_npz_rejects_one_hot_labels_under_keras_names(tmp_path):
    path = write_npz(tmp_path, x_train=[[1], [2]], y_train=np.eye(2, dtype="int8"), x_test=[[3]], y_test=[1])
    expected = (
        f"{path!r}: y_train must contain one class per row, as a number or text, of shape (2,), not one-hot. "
        "Received: shape (2, 2), dtype int8."
    )
    assert error_text(DataError, read_npz, Path(path)) == expected


def test_labels_must_fit_each_part_of_an_archive(tmp_path):
    path = write_npz(tmp_path, x_train=[[1], [2]], y_train=[0], x_test=[[3]], y_test=[1, 0])
    expected = (
        f"{path!r}: y_train must contain one class per row, as a number or text, of shape (2,), not one-hot. "
        "Received: shape (1,), dtype int64."
    )
    assert error_text(DataError, read_npz, Path(path)) == expected


def test_parts_with_rows_of_different_shapes(tmp_path):
    path = write_npz(tmp_path, x_train=[[1, 2]], y_train=[0], x_test=[[3]], y_test=[1])
    expected = f"{path!r}: the rows of x_train and x_test have different shapes. Received: (2,) and (1,)."
    assert error_text(DataError, read_npz, Path(path)) == expected


def unreadable(path, reason):
    return (
        f"{str(path)!r} can't be read as a NumPy archive: {reason}. "
        "Write arrays of numbers or text (not of dtype object) with numpy.savez."
    )


def test_pickled_objects_are_not_loaded(tmp_path):
    path = write_npz(tmp_path, x=[[1], [2]], y=np.array(["a", 1], dtype=object))
    expected = unreadable(path, "Object arrays cannot be loaded when allow_pickle=False")
    assert error_text(DataError, read_npz, Path(path)) == expected


def archive_bytes(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def array_bytes():
    file = io.BytesIO()
    np.save(file, np.zeros((4, 2)))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"x,y\n1,2\n", bytes(range(256)), array_bytes(), archive_bytes(x=[[1]], y=[0])[:-30]],
    ids=["empty", "text", "junk", "single-array", "truncated"],
)
def test_read_npz_rejects_files_that_are_not_archives(tmp_path, content):
    path = tmp_path / "arrays.npz"
    path.write_bytes(content)
    assert error_text(DataError, read_npz, Path(path)) == unreadable(path, "File is not a zip file")


def test_a_damaged_archive(tmp_path):
    path = Path(write_npz(tmp_path, x=np.zeros((50, 50)), y=np.zeros(50)))
    content = bytearray(path.read_bytes())
    content[1000] = 255
    path.write_bytes(content)
    assert error_text(DataError, read_npz, Path(path)) == unreadable(path, "Bad CRC-32 for file 'x.npy'")


def header_bytes(shape, descr="<f8"):
    """The header of an array alone."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": descr})
    return file.getvalue()


def write_members(path, compression=zipfile.ZIP_DEFLATED, claimed=None, **members):
    """Write the members of an archive; `claimed` is the size of the first one that the archive's list speaks of."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
        first = archive.infolist()[0]
        first.file_size = claimed or first.file_size
    return path


LABELS = header_bytes((2,), "|i1") + b"\0\1"


@pytest.mark.parametrize("shape", [(2, 10**9), (2, -(10**9)), (10**300, 2), (0, 2), (2, 10**4000)])
def test_a_header_that_does_not_fit_the_file_is_refused_before_anything_is_allocated(tmp_path, shape):
    path = write_members(tmp_path / "mine.npz", x=header_bytes(shape) + bytes(16), y=LABELS)
    assert error_text(DataError, read_npz, path) == unreadable(path, "x has another size than its header says")


@pytest.mark.parametrize(
    ("shape", "descr", "n_bytes", "size"),
    [
        ((2, 10**9), "<f8", 16 * 10**9, "14.9"),
        ((2, 2**30), "|u1", 2**31, "8.0"),
        ((10**12,), "<U0", 0, "3,725.3"),
        ((2, 2**29), "<f4", 2**32, "4.0"),
    ],
    ids=["floats", "bytes-as-float32", "no-bytes-at-all", "labels-on-top"],
)
def test_arrays_that_are_too_large_are_refused_before_anything_is_allocated(tmp_path, shape, descr, n_bytes, size):
    header = header_bytes(shape, descr)
    path = write_members(tmp_path / "mine.npz", claimed=len(header) + n_bytes, x=header, y=LABELS)
    assert path.stat().st_size < 500
    expected = (
        f"{str(path)!r} is too large: its arrays x, y would take {size} GiB. Allowed: 4 GiB. Try fewer rows or columns."
    )
    assert error_text(DataError, read_npz, path) == expected


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_compression_that_numpy_does_not_use(tmp_path, compression):
    path = write_members(tmp_path / "mine.npz", compression, x=header_bytes((2, 1)) + bytes(16), y=LABELS)
    assert error_text(DataError, read_npz, path) == unreadable(path, "x is compressed in a way that NumPy does not use")


def test_arrays_that_are_not_needed_are_not_read(tmp_path):
    members = {"x": header_bytes((2, 1)) + bytes(16), "y": LABELS, "more": header_bytes((10**12,))}
    assert read_npz(write_members(tmp_path / "mine.npz", **members)).x.tolist() == [[0], [0]]


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "mine.npz"
    with path.open("wb") as file:
        file.truncate(2**33)
    expected = f"{str(path)!r} is too large: the file would take 8.0 GiB. Allowed: 4 GiB. Try fewer rows or columns."
    assert error_text(DataError, read_npz, path) == expected


@pytest.mark.parametrize("error", [MemoryError(), MemoryError("Unable to allocate 3 GiB")])
def test_too_little_memory(tmp_path, monkeypatch, error):
    path = Path(write_npz(tmp_path, x=[[1], [2]], y=[0, 1]))

    def read_array(file, **options):
        raise error

    monkeypatch.setattr(np.lib.format, "read_array", read_array)
    assert error_text(DataError, read_npz, path) == unreadable(path, "it takes more memory than there is")


def test_names_of_arrays_are_shown_without_control_characters_and_cut(tmp_path):
    path = write_members(tmp_path / "mine.npz", **{"\x1b[2J": b"", **{f"array{number}": b"" for number in range(50)}})
    message = error_text(DataError, read_npz, path)
    assert r"Received: \x1b[2J, array0, array1, " in message
    assert len(message) < 400


def test_an_archive_with_all_three_parts(tmp_path):
    parts = {"x_train": [[1], [2]], "y_train": [0, 1], "x_test": [[3]], "y_test": [1], "x_val": [[4]], "y_val": [0]}
    rows = read_npz(Path(write_npz(tmp_path, **parts)))
    assert rows.x.tolist() == [[1], [2], [3], [4]]
    assert rows.y.tolist() == [0, 1, 1, 0]
    assert rows.is_validation.tolist() == [False, False, False, True]
    assert rows.is_test.tolist() == [False, False, True, False]
    assert not rows.is_published


def test_the_shape_of_validation_rows_is_checked_too(tmp_path):
    parts = {"x_train": [[1], [2]], "y_train": [0, 1], "x_test": [[3]], "y_test": [1]}
    path = write_npz(tmp_path, **parts, x_val=[[4, 5]], y_val=[0])
    expected = f"{path!r}: the rows of x_train and x_val have different shapes. Received: (1,) and (2,)."
    assert error_text(DataError, read_npz, Path(path)) == expected
