"""The MNIST family: found on this machine, downloaded, or explained."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from datafiles import IDX_ARRAYS, error_text, load, needs_files, write_idx

from bncli.data.mnist import PUBLISHED, content_hash, find_mnist_family
from bncli.data.splits import LabelledRows
from bncli.errors import DataError

NAMES = ("mnist", "fashion_mnist")

PUBLISHED_FOLDER = os.environ.get("BNCLI_DATA_DIR", "")


def write_mnist(path, classes=10, value=51, **changes):
    """Write an archive of one image per class, all pixels of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = np.full((classes, 28, 28), value, "uint8")
    numbers = np.arange(classes, dtype="uint8")
    np.savez(path, **({"x_train": images, "y_train": numbers, "x_test": images, "y_test": numbers} | changes))


def three_ways(name, reason):
    return (
        f"{name} is not on this machine and Keras could not download it ({reason}). Three ways to get it: "
        f"put the four IDX files (.gz or not) into $BNCLI_DATA_DIR/{name}/, or {name}.npz into $BNCLI_DATA_DIR; "
        "copy Keras' cache (~/.keras/datasets/) from another machine; or run this command once with a network."
    )


def fake_process(monkeypatch, returncode, stderr="", effect=lambda: None):
    """Replace the process in which Keras downloads; return the list of commands that were started."""
    started = []

    def run(command, **options):
        started.append(command)
        effect()
        return subprocess.CompletedProcess(command, returncode, "", stderr)

    monkeypatch.setattr(subprocess, "run", run)
    return started


@pytest.mark.parametrize("name", NAMES)
def test_files_on_this_machine_are_used_without_a_download(data_dirs, name):
    write_mnist(data_dirs[0] / f"{name}.npz")
    data = load(name)
    assert data.scaling == "unit"
    assert data.input_shape == (28, 28, 1)
    np.testing.assert_array_equal(np.unique(data.x_train), np.float32([0.2]))
    assert data.y_val.tolist() == list(range(10))


def test_fashion_mnist_has_the_published_class_names(data_dirs):
    write_mnist(data_dirs[0] / "fashion-mnist.npz")
    assert load("fashion_mnist").class_names == (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip


def test_missing_files_are_downloaded_by_keras_in_another_process(data_dirs, monkeypatch):
    cache = Path(os.environ["KERAS_HOME"], "datasets", "mnist.npz")
    started = fake_process(monkeypatch, 0, effect=lambda: write_mnist(cache))
    assert len(load("mnist").y_train) == 10
    assert started == [[sys.executable, "-c", "import keras; keras.datasets.mnist.load_data()"]]


@pytest.mark.parametrize("name", NAMES)
def test_a_failed_download_explains_three_ways_to_get_the_data(data_dirs, monkeypatch, name):
    stderr = "Traceback (most recent call last):\n  File ...\nException: URL fetch failure on https://x: None\n\n"
    fake_process(monkeypatch, 1, stderr)
    expected = three_ways(name, "Exception: URL fetch failure on https://x: None")
    assert error_text(DataError, load, name) == expected


def test_a_download_that_fails_without_a_message(data_dirs, monkeypatch):
    fake_process(monkeypatch, 1)
    assert error_text(DataError, load, "mnist") == three_ways("mnist", "no reason given")


def test_a_download_without_files(data_dirs, monkeypatch):
    fake_process(monkeypatch, 0)
    assert error_text(DataError, load, "mnist") == three_ways("mnist", "the download left no files")


def not_mnist(received):
    return (
        "The files found for mnist must contain training and test images of 28x28x1 pixels, with the classes 0 to 9. "
        f"Received: {received}. Replace or remove them in $BNCLI_DATA_DIR or in Keras' cache."
    )


SMALL = np.zeros((40, 4, 4), "uint8")


@pytest.mark.parametrize(
    ("changes", "received"),
    [
        (
            {"classes": 12},
            "training and test rows of 28x28x1 pixels, with the classes 0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9",
        ),
        (
            {"y_train": list("abcdefghij")},
            "training and test rows of 28x28x1 pixels, with the classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, a, b, c, d, e, "
            "f, g, h, i, j",
        ),
        (
            {"x_train": SMALL, "y_train": [0, 1] * 20, "x_test": SMALL, "y_test": [0, 1] * 20},
            "training and test rows of 4x4x1 pixels, with the classes 0, 1",
        ),
    ],
    ids=["more-classes", "classes-of-text", "other-images"],
)
def test_other_data_under_the_name_is_rejected(data_dirs, changes, received):
    write_mnist(data_dirs[0] / "mnist.npz", **changes)
    assert error_text(DataError, load, "mnist") == not_mnist(received)


def test_files_without_test_images_are_rejected(data_dirs):
    np.savez(data_dirs[0] / "mnist.npz", x=np.zeros((4, 28, 28), "uint8"), y=[0, 1, 2, 3])
    received = "rows without a test part of 28x28x1 pixels, with the classes 0, 1, 2, 3"
    assert error_text(DataError, load, "mnist") == not_mnist(received)


@pytest.mark.parametrize("name", NAMES)
def test_a_notice_says_that_files_are_not_the_published_ones(data_dirs, name):
    write_mnist(data_dirs[0] / f"{name}.npz")
    assert load(name).notices == (
        f"The files found for {name} are not the published ones (their SHA-256 differs), so results can't be compared "
        "with published figures.",
    )


@pytest.mark.parametrize("name", ["mnist", pytest.param("fashion_mnist", marks=pytest.mark.slow)])
def test_the_published_files_have_no_notice_as_idx_files_or_as_an_archive_of_any_type(name, data_dirs, monkeypatch):
    needs_files(name, PUBLISHED_FOLDER)
    monkeypatch.setenv("BNCLI_DATA_DIR", PUBLISHED_FOLDER)
    assert load(name, train_rows=":99").notices == ()
    rows = find_mnist_family(name)
    assert content_hash(replace(rows, x=rows.x.astype("float32"), y=rows.y.astype("int64"))) == PUBLISHED[name]


@pytest.mark.parametrize("part", ["x", "y", "is_validation"])
def test_the_hash_covers_pixels_labels_and_split(part):
    rows = LabelledRows(np.arange(12).reshape(3, 2, 2, 1), np.array([0, 1, 2]), (), np.array([False, True, True]))
    changed = getattr(rows, part).copy()
    changed.flat[0] = 1
    assert content_hash(replace(rows, **{part: changed})) != content_hash(rows)


def test_pixels_that_are_no_bytes_are_not_the_published_ones(data_dirs):
    write_mnist(data_dirs[0] / "mnist.npz", x_train=np.full((10, 28, 28), np.nan))
    assert len(load("mnist").notices) == 1


def test_a_data_folder_that_may_not_be_searched(data_dirs, locked_folder, monkeypatch):
    monkeypatch.setenv("BNCLI_DATA_DIR", str(locked_folder))
    path = locked_folder / "mnist" / "train-images-idx3-ubyte.gz"
    assert error_text(DataError, load, "mnist") == f"Can't look for '{path}': Permission denied."


def test_a_data_folder_with_a_name_that_is_too_long(data_dirs, monkeypatch):
    monkeypatch.setenv("BNCLI_DATA_DIR", "x" * 300)
    assert error_text(DataError, load, "mnist").endswith("xxx/mnist/train-images-idx3-ubyte.gz': File name too long.")


def test_a_user_without_a_home_has_no_cache(data_dirs, monkeypatch):
    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setattr(Path, "home", home)
    assert find_mnist_family("mnist") is None
    write_mnist(data_dirs[0] / "mnist.npz", value=7)
    assert first_pixel("mnist") == 7


def first_pixel(name):
    return int(find_mnist_family(name).x.flat[0])


@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("suffix", ["-ubyte", "-ubyte.gz"])
@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "mnist"), ("fashion_mnist", "fashion_mnist"), ("fashion_mnist", "fashion-mnist")]
)
def test_four_idx_files_are_read(data_dirs, name, folder, suffix, dotted):
    write_idx(data_dirs[0] / folder, suffix=suffix, dotted=dotted)
    rows = find_mnist_family(name)
    x = np.concatenate([IDX_ARRAYS["train-images-idx3"], IDX_ARRAYS["t10k-images-idx3"]])[..., None]
    np.testing.assert_array_equal(rows.x, x)
    assert rows.y.tolist() == [0, 1, 2, 1, 0, 2, 1, 0]
    assert rows.is_validation.tolist() == [False] * 5 + [True] * 3


def test_the_data_folder_may_be_the_data_set_itself(data_dirs, tmp_path, monkeypatch):
    write_idx(tmp_path / "mnist")
    monkeypatch.setenv("BNCLI_DATA_DIR", str(tmp_path / "mnist"))
    assert len(find_mnist_family("mnist").x) == 8
    assert find_mnist_family("fashion_mnist") is None


def test_idx_files_in_a_folder_of_another_name_are_not_read(data_dirs):
    write_idx(data_dirs[0])
    assert find_mnist_family("mnist") is None


@pytest.mark.parametrize("place", ["mnist.npz", "mnist/mnist.npz"])
@pytest.mark.parametrize("root", [0, 1], ids=["own", "cache"])
def test_an_archive_is_found(data_dirs, root, place):
    write_mnist(data_dirs[root] / place, value=7)
    assert first_pixel("mnist") == 7


@pytest.mark.parametrize("place", ["fashion-mnist.npz", "fashion_mnist.npz", "fashion-mnist/fashion-mnist.npz"])
def test_an_archive_is_found_under_both_spellings(data_dirs, place):
    write_mnist(data_dirs[0] / place, value=7)
    assert first_pixel("fashion_mnist") == 7
    assert find_mnist_family("mnist") is None


def test_keras_cache_is_read(data_dirs):
    write_idx(data_dirs[1] / "fashion-mnist")
    assert len(find_mnist_family("fashion_mnist").x) == 8


def test_keras_cache_is_read_without_a_data_folder(data_dirs, monkeypatch):
    monkeypatch.delenv("BNCLI_DATA_DIR")
    write_mnist(data_dirs[1] / "mnist.npz", value=7)
    assert first_pixel("mnist") == 7


def test_without_keras_home_the_cache_is_in_the_users_home(data_dirs, tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    write_mnist(tmp_path / ".keras" / "datasets" / "mnist.npz", value=7)
    assert first_pixel("mnist") == 7


def test_missing_files_are_none(data_dirs):
    assert find_mnist_family("mnist") is None


def test_the_data_folder_is_preferred_to_keras_cache(data_dirs):
    write_mnist(data_dirs[0] / "mnist.npz", value=7)
    write_idx(data_dirs[1] / "mnist")
    assert first_pixel("mnist") == 7


def test_idx_files_are_preferred_to_an_archive_beside_them(data_dirs):
    write_mnist(data_dirs[0] / "mnist.npz", value=7)
    write_idx(data_dirs[0] / "mnist")
    assert first_pixel("mnist") == 0


def test_gzipped_files_are_preferred_to_raw_files(data_dirs):
    write_idx(data_dirs[0] / "mnist")
    write_idx(data_dirs[0] / "mnist", {part: array * 0 for part, array in IDX_ARRAYS.items()}, "-ubyte")
    assert find_mnist_family("mnist").x.max() == 135
