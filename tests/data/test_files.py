"""The user's own files: from a path to data ready for training, or a clear error."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from datafiles import error_text, is_same, load, write_npz, write_table
from hypothesis import given, settings
from hypothesis import strategies as st

from bncli.data.files import FILE_SUFFIXES, is_data_path, read_file
from bncli.errors import DataError


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet", "a.npz", "A.CSV", "/some/where/a.b.npz"])
def test_data_paths_are_recognized_by_their_suffix(name):
    assert is_data_path(name)


@pytest.mark.parametrize("name", ["digits", "csv", "a.xlsx", "a.csv.gz", ".npz", ""])
def test_other_names_are_not_data_paths(name):
    assert not is_data_path(name)


GIVE = "Give the path of an existing .csv, .tsv, .parquet, .npz file."


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.csv", f"No file 'absent.csv'. {GIVE}"),
        ("file.csv/a.npz", f"No file 'file.csv/a.npz'. {GIVE}"),
        ("nul\0.csv", rf"No file 'nul\x00.csv'. {GIVE}"),
        ("not-utf-8-\udcff.csv", rf"No file 'not-utf-8-\udcff.csv'. {GIVE}"),
        ("x" * 300 + ".npz", f"Can't look for '{'x' * 98}...{'x' * 93}.npz': File name too long."),
        ("folder.csv", f"'folder.csv' is not a regular file. {GIVE}"),
        ("pipe.csv", f"'pipe.csv' is not a regular file. {GIVE}"),
        ("device.npz", f"'device.npz' is not a regular file. {GIVE}"),
        ("loop.csv", "Can't look for 'loop.csv': Too many levels of symbolic links."),
        ("gone.csv", f"No file 'gone.csv'. {GIVE}"),
    ],
)
def test_what_is_no_file(folder, name, message):
    Path("file.csv").touch()
    Path("folder.csv").mkdir()
    os.mkfifo("pipe.csv")
    Path("device.npz").symlink_to("/dev/null")
    Path("loop.csv").symlink_to("loop.csv")
    Path("gone.csv").symlink_to("absent.csv")
    assert error_text(DataError, read_file, name, "label") == message


def test_a_folder_that_may_not_be_searched(locked_folder):
    path = str(locked_folder / "mine.csv")
    assert error_text(DataError, read_file, path, "label") == f"Can't look for '{path}': Permission denied."


def test_a_name_that_is_not_utf_8(folder):
    name = os.fsdecode(b"caf\xe9.csv")
    write_table(folder, [0, 1] * 4, name)
    assert load(name, label="label").y_train.tolist().count(0) == 3
    assert error_text(DataError, load, name, label="y") == r"'caf\udce9.csv' has no column 'y'. Columns: a, label."


@pytest.mark.parametrize("place", ["http:/localhost:1", "file:", "~", "s3:/bucket", "zip:"])
@pytest.mark.parametrize("suffix", FILE_SUFFIXES)
def test_a_folder_whose_name_means_something_elsewhere(folder, monkeypatch, place, suffix):
    """pandas opens URLs and looks into the home folder."""
    monkeypatch.setenv("HOME", str(folder / "home"))
    Path(place).mkdir(parents=True)
    if suffix == ".npz":
        written = write_npz(folder, x=[[1], [2]], y=["a", "b"])
    else:
        written = write_table(folder, ["a", "b"], f"mine{suffix}", a=[1, 2])
    Path(written).rename(Path(place, f"mine{suffix}"))
    read = read_file(f"{place}/mine{suffix}", "label")
    assert (read.x.tolist(), read.y.tolist()) == ([[1], [2]], ["a", "b"])


@given(st.binary(max_size=300), st.sampled_from(FILE_SUFFIXES))
@settings(max_examples=60)
def test_random_bytes_are_rejected_with_the_path(content, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"junk{suffix}")
        path.write_bytes(content)
        assert repr(str(path)) in error_text(DataError, read_file, str(path), "the label")


@pytest.mark.parametrize("file", ["mine.csv", "mine.tsv", "mine.parquet"])
@pytest.mark.parametrize(
    ("labels", "class_names"),
    [
        ([10, 9] * 10, ("9", "10")),
        (["oak", "elm"] * 10, ("elm", "oak")),
        ([True, False] * 10, ("False", "True")),
        ([0.5, -1.5] * 10, ("-1.5", "0.5")),
    ],
    ids=["numbers", "words", "flags", "fractions"],
)
def test_a_table_is_split_by_class_and_standardized(tmp_path, file, labels, class_names):
    data = load(write_table(tmp_path, labels, file), label="label")
    assert data.class_names == class_names
    assert data.feature_names == ("a",)
    assert data.scaling == "standard"
    assert (len(data.y_train), len(data.y_val)) == (15, 5)
    assert sorted(set(data.y_train.tolist())) == sorted(set(data.y_val.tolist())) == [0, 1]
    np.testing.assert_allclose([data.x_train.mean(), data.x_train.std()], [0, 1], atol=1e-6)


def test_class_numbers_follow_the_labels(tmp_path):
    data = load(write_table(tmp_path, ["b", "a"] * 10, a=[2, 1] * 10), label="label", scaling="none")
    np.testing.assert_array_equal(data.x_train[:, 0], data.y_train + 1)
    np.testing.assert_array_equal(data.x_val[:, 0], data.y_val + 1)


def test_the_data_seed_draws_the_split_of_a_file(tmp_path):
    path = write_table(tmp_path, [0, 1] * 20)
    assert is_same(load(path, label="label"), load(path, label="label", data_seed=0))
    assert not is_same(load(path, label="label"), load(path, label="label", data_seed=1))


def test_a_files_own_split_does_not_depend_on_the_data_seed(tmp_path):
    path = write_table(tmp_path, [0, 1] * 3, a=[0, 1, 2, 3, 4, 5], split=["train"] * 4 + ["validation"] * 2)
    data = load(path, label="label", scaling="none", data_seed=3)
    assert data.x_train[:, 0].tolist() == [0, 1, 2, 3]
    assert data.x_val[:, 0].tolist() == [4, 5]


def test_images_of_bytes_are_divided_by_255(tmp_path):
    images = np.full((8, 2, 2), 255, "uint8")
    data = load(write_npz(tmp_path, x=images, y=[0, 1] * 4))
    assert data.scaling == "unit"
    assert data.is_image
    assert data.x_train.tolist() == np.ones((6, 2, 2, 1)).tolist()


def test_images_of_floats_are_standardized(tmp_path):
    images = np.linspace(0, 1, 32).reshape(8, 2, 2, 1)
    data = load(write_npz(tmp_path, x=images, y=[0, 1] * 4))
    assert data.scaling == "standard"
    np.testing.assert_allclose(data.x_train.mean(axis=0), 0, atol=1e-6)


def test_booleans_can_be_features(tmp_path):
    data = load(write_npz(tmp_path, x=np.eye(8, dtype=bool), y=[0, 1] * 4), scaling="none")
    assert data.x_train.sum(axis=1).tolist() == [1] * 6


def test_an_archives_own_split_is_kept(tmp_path):
    path = write_npz(tmp_path, x_train=[[1], [2]], y_train=["b", "a"], x_test=[[3]], y_test=["a"])
    data = load(path, scaling="none")
    assert data.x_train.tolist() == [[1], [2]]
    assert (data.y_train.tolist(), data.y_val.tolist()) == ([1, 0], [0])


@pytest.mark.parametrize("value", ["inf", "-inf", "1e39"])
def test_values_that_are_not_finite(tmp_path, value):
    path = write_table(tmp_path, [0, 1] * 5, a=[0, 1, 2, value, 4, 5, value, 7, 8, 9])
    expected = (
        f"{path!r} has values that are not finite, or too large for float32, in 2 of 10 rows; "
        "row 3 is the first, counted from 0. Correct or drop those rows."
    )
    assert error_text(DataError, load, path, label="label") == expected


def test_pixels_that_are_not_finite(tmp_path):
    images = np.zeros((8, 2, 2))
    images[5, 1, 1] = np.nan
    path = write_npz(tmp_path, x=images, y=[0, 1] * 4)
    expected = (
        f"{path!r} has values that are not finite, or too large for float32, in 1 of 8 rows; "
        "row 5 is the first, counted from 0. Correct or drop those rows."
    )
    assert error_text(DataError, load, path) == expected


def test_the_largest_float32_is_accepted(tmp_path):
    path = write_npz(tmp_path, x=np.full((8, 1), np.finfo("float32").max, "float64"), y=[0, 1] * 4)
    assert np.isfinite(load(path, scaling="none").x_train).all()


def test_labels_that_are_not_finite(tmp_path):
    path = write_table(tmp_path, [0, 1, "inf", 1] * 5)
    expected = f"{path!r} has labels that are not finite. Correct or drop those rows."
    assert error_text(DataError, load, path, label="label") == expected


def test_a_file_with_a_single_class(tmp_path):
    path = write_table(tmp_path, ["x"] * 10)
    expected = f"{path!r}: all rows have the same class. Received: x."
    assert error_text(DataError, load, path, label="label") == expected


def test_a_class_with_one_row(tmp_path):
    path = write_table(tmp_path, ["x"] * 10 + ["y"])
    expected = (
        f"{path!r}: every class needs at least 2 rows to be split into training and validation. "
        "Received: class y with 1 row, 2 classes in all. Is the label a quantity? Its values must be numbers, but "
        "11 of 11 are not, such as 'x'."
    )
    assert error_text(DataError, load, path, label="label") == expected


def test_a_quantity_with_a_text_among_its_values(tmp_path):
    path = write_table(tmp_path, [*np.linspace(0.5, 9, 9).astype(str), "unknown"])
    text = "must be numbers, but 1 of 10 is not, such as 'unknown'."
    assert error_text(DataError, load, path, label="label").endswith(f"Is the label a quantity? Its values {text}")
    assert error_text(DataError, load, path, label="label", task="regression") == (
        f"{path!r}: the task regression needs labels that are numbers, but 1 of 10 is not, such as 'unknown'. Correct "
        "or drop those rows, or try --set task=classification."
    )


def test_notices_on_numbers_that_may_be_classes_or_quantities_say_how_to_decide(tmp_path):
    def notices(labels):
        return load(write_table(tmp_path, labels, f"{len(labels)}.csv"), label="label").notices

    assert notices(np.linspace(0, 1, 40))[0].endswith(
        "the label has 40 different numbers and is taken as a quantity: regression. --set task=classification takes "
        "each as a class."
    )
    assert notices([*range(25)] * 4)[0].endswith(
        "the label has 25 different numbers and is taken as that many classes. --set task=regression takes it as a "
        "quantity."
    )
    assert notices([*range(20)] * 4) == ()


def test_quantities_are_those_of_the_file_to_the_last_digit(tmp_path):
    values = [1e9 + 0.1 * number for number in range(16)]
    data = load(write_table(tmp_path, values), label="label")
    assert {*data.labels("train"), *data.labels("val")} == {*values}
    assert data.labels("train") == pytest.approx(data.y_train * data.target_scaler.divisor + data.target_scaler.shift)


def test_too_few_rows(tmp_path):
    path = write_table(tmp_path, [0, 1, 0, 1, 0, 1, 0])
    expected = (
        f"{path!r}: 7 rows are too few for 2 classes: a quarter of the rows is for validation, "
        "which needs a row of every class."
    )
    assert error_text(DataError, load, path, label="label") == expected


def test_the_smallest_number_of_rows(tmp_path):
    data = load(write_table(tmp_path, [0, 1] * 4), label="label")
    assert (len(data.y_train), len(data.y_val)) == (6, 2)


def test_training_rows_of_a_single_class(tmp_path):
    path = write_table(tmp_path, ["x", "y"] * 5, a=range(10), split=["train", "validation"] * 5)
    expected = f"{path!r}: all training rows have the same class. Received: x."
    assert error_text(DataError, load, path, label="label") == expected


def test_labels_are_shown_without_control_characters(tmp_path):
    path = write_table(tmp_path, ["\x1b]52;c;aGk=\x07"] * 10)
    expected = f"{path!r}: all rows have the same class. Received: \\x1b]52;c;aGk=\\x07."
    assert error_text(DataError, load, path, label="label") == expected
    path = write_table(tmp_path, ["x"] * 10 + ["y" * 1000])
    assert f"class {'y' * 99}...{'y' * 98} with 1 row" in error_text(DataError, load, path, label="label")
