"""NumPy archives: read, or rejected with the reason."""

import io
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
        f"{path!r}: x must contain numbers of shape (rows, features), (rows, height, width) or "
        f"(rows, height, width, channels). Received: {received}."
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
