import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncli.config import RunConfig
from bncli.data import datasets, sets
from bncli.data.export import export_dataset
from bncli.data.mnist import _keras_download
from bncli.data.splits import parse_rows
from bncli.errors import BncliError, DataError, InvalidConfig

REAL_DOWNLOAD = _keras_download
NEED_FILES = ("mnist", "fashion_mnist")
SEEDED = [name for name in sets.REGISTRY if "data_seed" in datasets.loader_defaults(name)]
SIZED = [name for name in sets.REGISTRY if "n_samples" in datasets.loader_defaults(name)]
NOISY = [name for name in sets.REGISTRY if "noise" in datasets.loader_defaults(name)]


def load(dataset, **fields):
    return datasets.load(RunConfig(dataset=dataset, **fields))


def load_some(name, **fields):
    """The first rows only: enough to hold every class, and fast."""
    return load(name, **({"train_rows": ":400", "val_rows": ":200"} | fields))


def refusal(error, dataset, **fields):
    """The whole text of the error that loading ends in."""
    with pytest.raises(error) as caught:
        load(dataset, **fields)
    return str(caught.value)


def forget():
    datasets._load.cache_clear()
    datasets._pool.cache_clear()


def same(one, other):
    """Whether two data sets hold the same numbers in the same shapes."""
    parts = ("x_train", "y_train", "x_val", "y_val")
    return all(np.array_equal(getattr(one, part), getattr(other, part)) for part in parts)


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    def download(name):
        pytest.fail(f"{name}: a test must download nothing")

    monkeypatch.setattr(datasets, "_keras_download", download)


@pytest.fixture
def no_files(tmp_path, monkeypatch):
    """An empty $BNCLI_DATA_DIR and an empty cache of Keras; nothing remembered from other tests, nor after this one."""
    monkeypatch.setenv("BNCLI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "data").mkdir()
    forget()
    yield tmp_path / "data"
    forget()


# --- every registered data set --------------------------------------------------------------------------------------


def has_files(name):
    folder = os.environ.get("BNCLI_DATA_DIR")
    return bool(folder) and any(Path(folder).glob(f"{name.replace('_', '?')}*"))


@pytest.fixture(scope="module", params=list(sets.REGISTRY))
def name(request):
    """Every registered name in turn; of module scope, so that one set's tests run together and load it once."""
    if request.param in NEED_FILES and not has_files(request.param):
        pytest.skip(f"needs the files of {request.param} in $BNCLI_DATA_DIR")
    return request.param


def test_arrays_are_float32_and_int32(name):
    data = load_some(name)
    assert [part.dtype for part in (data.x_train, data.x_val)] == ["float32", "float32"]
    assert [part.dtype for part in (data.y_train, data.y_val)] == ["int32", "int32"]


def test_arrays_are_read_only(name):
    data = load_some(name)
    for part in (data.x_train, data.y_train, data.x_val, data.y_val):
        with pytest.raises(ValueError, match="read-only"):
            part[0] = 0


def test_shapes_agree(name):
    data = load_some(name)
    assert data.x_train.shape == (len(data.y_train), *data.input_shape)
    assert data.x_val.shape == (len(data.y_val), *data.input_shape)
    assert data.y_train.ndim == data.y_val.ndim == 1
    assert len(data.input_shape) == (3 if data.is_image else 1)


@pytest.mark.parametrize("scaling", ["auto", "standard", "none"])
def test_features_are_finite(name, scaling):
    data = load_some(name, scaling=scaling)
    assert np.isfinite(data.x_train).all()
    assert np.isfinite(data.x_val).all()


def test_both_parts_hold_every_class(name):
    data = load_some(name)
    numbers = list(range(data.n_classes))
    assert len(numbers) >= 2
    assert sorted(set(data.y_train.tolist())) == numbers
    assert sorted(set(data.y_val.tolist())) == numbers


def test_every_class_has_a_name_of_its_own(name):
    data = load_some(name)
    assert len(data.class_names) == len(set(data.class_names)) == data.n_classes
    assert all(isinstance(word, str) and word for word in data.class_names)


def test_features_are_named_unless_they_are_pixels(name):
    data = load_some(name)
    assert len(data.feature_names) == (0 if data.is_image else data.input_shape[0])


def test_the_same_fields_give_the_same_data(name):
    first = load_some(name)
    forget()
    again = load_some(name)
    assert again is not first
    assert same(again, first)
    assert again.fingerprint() == first.fingerprint()


def test_data_is_loaded_once(name):
    assert load_some(name, batch_size=7, seed=3) is load_some(name)


def test_a_default_given_in_full_changes_nothing(name):
    assert same(load_some(name, **datasets.loader_defaults(name)), load_some(name))


def test_own_scaling_is_stated(name):
    data = load_some(name)
    assert data.scaling in ("unit", "standard", "none")
    assert same(data, load_some(name, scaling=data.scaling))


def test_standard_scaling_is_fitted_on_the_training_rows(name):
    raw, scaled = load_some(name, scaling="none"), load_some(name, scaling="standard")
    mean, sd = raw.x_train.mean(axis=0, dtype="float64"), raw.x_train.std(axis=0, dtype="float64")
    sd[sd == 0] = 1
    np.testing.assert_allclose(scaled.x_train, (raw.x_train - mean) / sd, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(scaled.x_val, (raw.x_val - mean) / sd, rtol=1e-3, atol=1e-4)
    varying = raw.x_train.std(axis=0) > 0
    np.testing.assert_allclose(scaled.x_train.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.x_train.std(axis=0)[varying], 1, atol=1e-4)


def test_rows_are_sliced_before_scaling(name):
    few, more = (load_some(name, train_rows=rows, scaling="standard") for rows in (":50", ":400"))
    assert len(few.y_train) == 50
    assert not np.array_equal(few.x_val, more.x_val)


def test_a_slice_takes_the_rows_that_python_would(name):
    whole, part = load_some(name, scaling="none"), load_some(name, scaling="none", train_rows="1:41:2", val_rows="5:45")
    np.testing.assert_array_equal(part.x_train, whole.x_train[1:41:2])
    np.testing.assert_array_equal(part.y_train, whole.y_train[1:41:2])
    np.testing.assert_array_equal(part.x_val, whole.x_val[5:45])
    np.testing.assert_array_equal(part.y_val, whole.y_val[5:45])


def test_unit_scaling_is_for_pixels_only(name):
    if not load_some(name).is_image:
        expected = "scaling='unit' divides pixels by white; this data has no pixels. Try standard or none."
        assert refusal(InvalidConfig, name, scaling="unit") == expected
        return
    data = load_some(name, scaling="unit")
    assert (data.x_train.min(), data.x_train.max()) == (0, 1)


@pytest.mark.parametrize("dataset", sets.REGISTRY)
def test_every_description_is_a_sentence(dataset):
    description = sets.REGISTRY.description(dataset)
    assert description.endswith(".")
    assert len(description) > 20


@pytest.mark.parametrize("dataset", sets.REGISTRY)
def test_loaders_obey_fields_of_a_run_and_state_their_defaults(dataset):
    defaults = datasets.loader_defaults(dataset)
    assert set(defaults) <= set(datasets.LOADER_FIELDS)
    assert None not in defaults.values()


@pytest.mark.parametrize("dataset", SEEDED)
def test_another_data_seed_gives_other_data(dataset):
    assert load(dataset, data_seed=5).fingerprint() != load(dataset, data_seed=6).fingerprint()


@pytest.mark.parametrize("dataset", SIZED)
def test_generated_sets_have_the_size_asked_for(dataset):
    data = load(dataset, n_samples=101)
    assert len(data.y_train) + len(data.y_val) == 101


@pytest.mark.parametrize("dataset", NOISY)
def test_other_noise_gives_other_features_of_the_same_classes(dataset):
    calm, noisy = load(dataset, noise=0), load(dataset, noise=0.5)
    assert not np.array_equal(noisy.x_train, calm.x_train)
    assert np.array_equal(noisy.y_train, calm.y_train)


# --- what is known of single sets -----------------------------------------------------------------------------------


def test_circles_are_the_two_halves_of_make_circles():
    from sklearn.datasets import make_circles

    x, y = make_circles(1000, noise=0.1, random_state=1)
    data = load("circles")
    np.testing.assert_array_equal(data.x_train, x[:500].astype("float32"))
    np.testing.assert_array_equal(data.y_train, y[:500])
    np.testing.assert_array_equal(data.x_val, x[500:].astype("float32"))
    np.testing.assert_array_equal(data.y_val, y[500:])


def test_class_0_of_the_circles_is_outside():
    data = load("circles", noise=0)
    radius = np.linalg.norm(data.x_train, axis=1)
    np.testing.assert_allclose(radius[data.y_train == 0], 1, atol=1e-6)
    np.testing.assert_allclose(radius[data.y_train == 1], 0.8, atol=1e-6)


def test_moons_are_the_two_halves_of_make_moons():
    from sklearn.datasets import make_moons

    x, y = make_moons(60, noise=0.2, random_state=3)
    data = load("moons", n_samples=60, noise=0.2, data_seed=3)
    np.testing.assert_array_equal(data.x_train, x[:30].astype("float32"))
    np.testing.assert_array_equal(data.y_val, y[30:])


def test_digits_are_split_by_class_and_divided_by_white():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, numbers = load_digits(return_X_y=True)
    parts = train_test_split(pixels / 16, numbers, test_size=0.25, stratify=numbers, random_state=0)
    data = load("digits")
    np.testing.assert_array_equal(data.x_train, parts[0].reshape(-1, 8, 8, 1).astype("float32"))
    np.testing.assert_array_equal(data.x_val, parts[1].reshape(-1, 8, 8, 1).astype("float32"))
    np.testing.assert_array_equal(data.y_train, parts[2])
    np.testing.assert_array_equal(data.y_val, parts[3])
    assert (len(data.y_train), len(data.y_val)) == (1347, 450)


def test_every_class_of_the_digits_has_its_share_in_both_parts():
    data = load("digits")
    train, val = np.bincount(data.y_train), np.bincount(data.y_val)
    np.testing.assert_allclose(val / (train + val), 0.25, atol=0.005)


def test_breast_cancer_keeps_its_class_names():
    data = load("breast_cancer")
    assert data.class_names == ("benign", "malignant")
    assert (len(data.y_train), len(data.y_val)) == (426, 143)
    assert (np.concatenate([data.y_train, data.y_val]) == 0).sum() == 357
    assert data.feature_names[:2] == ("mean radius", "mean texture")


@pytest.mark.skipif(not has_files("mnist"), reason="needs the files of mnist in $BNCLI_DATA_DIR")
def test_mnist_begins_as_it_always_does():
    data = load_some("mnist")
    assert data.input_shape == (28, 28, 1)
    assert data.y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.y_val[:5].tolist() == [7, 2, 1, 0, 4]


@pytest.mark.skipif(not has_files("fashion_mnist"), reason="needs the files of fashion_mnist in $BNCLI_DATA_DIR")
def test_fashion_mnist_begins_with_an_ankle_boot():
    data = load_some("fashion_mnist")
    assert data.class_names[data.y_train[0]] == data.class_names[data.y_val[0]] == "Ankle boot"


# --- the MNIST family: found, downloaded or explained ---------------------------------------------------------------


def write_mnist(path, classes=10, **changes):
    path.parent.mkdir(parents=True, exist_ok=True)
    images = np.full((classes, 4, 4), 51, "uint8")
    numbers = np.arange(classes, dtype="uint8")
    np.savez(path, **({"x_train": images, "y_train": numbers, "x_test": images, "y_test": numbers} | changes))


def three_ways(name, reason):
    return (
        f"{name} is not on this machine and Keras could not download it ({reason}). Three ways to get it: "
        f"put the four IDX files (.gz or not) into $BNCLI_DATA_DIR/{name}/, or {name}.npz into $BNCLI_DATA_DIR; "
        "copy Keras' cache (~/.keras/datasets/) from another machine; or run this command once with a network."
    )


def fake_process(monkeypatch, returncode, stderr="", effect=lambda: None):
    """Let `datasets._keras_download` start nothing; return the list that its command lines end up in."""
    started = []

    def run(command, **options):
        started.append(command)
        effect()
        return subprocess.CompletedProcess(command, returncode, "", stderr)

    monkeypatch.setattr(datasets, "_keras_download", REAL_DOWNLOAD)
    monkeypatch.setattr(subprocess, "run", run)
    return started


@pytest.mark.parametrize("name_of_set", NEED_FILES)
def test_files_on_this_machine_are_used_without_a_download(no_files, name_of_set):
    write_mnist(no_files / f"{name_of_set}.npz")
    data = load(name_of_set)
    assert data.scaling == "unit"
    assert data.input_shape == (4, 4, 1)
    np.testing.assert_array_equal(np.unique(data.x_train), np.float32([0.2]))
    assert data.y_val.tolist() == list(range(10))


def test_the_classes_of_fashion_mnist_are_the_published_ones(no_files):
    write_mnist(no_files / "fashion-mnist.npz")
    assert load("fashion_mnist").class_names == (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip


def test_absent_files_are_downloaded_by_keras_in_a_process_of_its_own(no_files, monkeypatch):
    cache = Path(os.environ["KERAS_HOME"], "datasets", "mnist.npz")
    started = fake_process(monkeypatch, 0, effect=lambda: write_mnist(cache))
    assert len(load("mnist").y_train) == 10
    assert started == [[sys.executable, "-c", "import keras; keras.datasets.mnist.load_data()"]]


@pytest.mark.parametrize("name_of_set", NEED_FILES)
def test_a_failed_download_names_the_three_ways(no_files, monkeypatch, name_of_set):
    stderr = "Traceback (most recent call last):\n  File ...\nException: URL fetch failure on https://x: None\n\n"
    fake_process(monkeypatch, 1, stderr)
    expected = three_ways(name_of_set, "Exception: URL fetch failure on https://x: None")
    assert refusal(DataError, name_of_set) == expected


def test_a_download_that_fails_silently(no_files, monkeypatch):
    fake_process(monkeypatch, 1)
    assert refusal(DataError, "mnist") == three_ways("mnist", "no reason given")


def test_a_download_that_leaves_nothing(no_files, monkeypatch):
    fake_process(monkeypatch, 0)
    assert refusal(DataError, "mnist") == three_ways("mnist", "the download left no files")


UNFIT = (
    "The files that were found for mnist must hold a training and a test part with the classes 0 to 9. "
    "Replace or remove those in $BNCLI_DATA_DIR or in Keras' cache."
)


def test_files_with_more_classes_are_not_mnist(no_files):
    write_mnist(no_files / "mnist.npz", classes=47)
    assert refusal(DataError, "mnist") == UNFIT


def test_files_with_classes_in_words_are_not_mnist(no_files):
    write_mnist(no_files / "mnist.npz", y_train=list("abcdefghij"))
    assert refusal(DataError, "mnist") == UNFIT


def test_files_without_a_test_part_are_not_mnist(no_files):
    np.savez(no_files / "mnist.npz", x=np.zeros((4, 2, 2), "uint8"), y=[0, 1, 2, 3])
    assert refusal(DataError, "mnist") == UNFIT


# --- a user's own files ---------------------------------------------------------------------------------------------


def table(tmp_path, labels, name="mine.csv", **columns):
    """Write a table of one feature `a` (unless `columns` says otherwise) and a column `label`; return its path."""
    path = tmp_path / name
    features = columns or {"a": np.arange(len(labels)) ** 1.5}
    frame = pd.DataFrame(features | {"label": labels})
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return str(path)


def archive(tmp_path, **arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    return str(path)


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
    data = load(table(tmp_path, labels, file), label="label")
    assert data.class_names == class_names
    assert data.feature_names == ("a",)
    assert data.scaling == "standard"
    assert (len(data.y_train), len(data.y_val)) == (15, 5)
    assert sorted(set(data.y_train.tolist())) == sorted(set(data.y_val.tolist())) == [0, 1]
    np.testing.assert_allclose([data.x_train.mean(), data.x_train.std()], [0, 1], atol=1e-6)


def test_class_numbers_follow_the_labels(tmp_path):
    data = load(table(tmp_path, ["b", "a"] * 10, a=[2, 1] * 10), label="label", scaling="none")
    np.testing.assert_array_equal(data.x_train[:, 0], data.y_train + 1)
    np.testing.assert_array_equal(data.x_val[:, 0], data.y_val + 1)


def test_the_data_seed_draws_the_split_of_a_file(tmp_path):
    path = table(tmp_path, [0, 1] * 20)
    assert same(load(path, label="label"), load(path, label="label", data_seed=0))
    assert not same(load(path, label="label"), load(path, label="label", data_seed=1))


def test_the_split_of_the_file_holds_for_every_data_seed(tmp_path):
    path = table(tmp_path, [0, 1] * 3, a=[0, 1, 2, 3, 4, 5], split=["train"] * 4 + ["validation"] * 2)
    data = load(path, label="label", scaling="none", data_seed=3)
    assert data.x_train[:, 0].tolist() == [0, 1, 2, 3]
    assert data.x_val[:, 0].tolist() == [4, 5]


def test_images_of_bytes_are_divided_by_255(tmp_path):
    images = np.full((8, 2, 2), 255, "uint8")
    data = load(archive(tmp_path, x=images, y=[0, 1] * 4))
    assert data.scaling == "unit"
    assert data.is_image
    assert data.x_train.tolist() == np.ones((6, 2, 2, 1)).tolist()


def test_images_of_fractions_are_standardized(tmp_path):
    images = np.linspace(0, 1, 32).reshape(8, 2, 2, 1)
    data = load(archive(tmp_path, x=images, y=[0, 1] * 4))
    assert data.scaling == "standard"
    np.testing.assert_allclose(data.x_train.mean(axis=0), 0, atol=1e-6)


def test_flags_are_features_too(tmp_path):
    data = load(archive(tmp_path, x=np.eye(8, dtype=bool), y=[0, 1] * 4), scaling="none")
    assert data.x_train.sum(axis=1).tolist() == [1] * 6


def test_the_parts_of_an_archive_are_kept(tmp_path):
    path = archive(tmp_path, x_train=[[1], [2]], y_train=["b", "a"], x_test=[[3]], y_test=["a"])
    data = load(path, scaling="none")
    assert data.x_train.tolist() == [[1], [2]]
    assert (data.y_train.tolist(), data.y_val.tolist()) == ([1, 0], [0])


@pytest.mark.parametrize(
    ("dataset", "scaling", "kind"),
    [
        ("circles", "none", "csv"),
        ("moons", "standard", "csv"),
        ("breast_cancer", "auto", "csv"),
        ("circles", "none", "npz"),
        ("digits", "unit", "npz"),
        ("breast_cancer", "none", "npz"),
    ],
)
def test_an_export_reads_back_as_it_was(tmp_path, dataset, scaling, kind):
    data = load(dataset, scaling=scaling)
    path = str(tmp_path / f"out.{kind}")
    export_dataset(data, path, None, None)
    back = load(path, scaling="none", **({"label": "label"} if kind == "csv" else {}))
    assert same(back, data)
    assert back.fingerprint() == data.fingerprint()
    assert back.n_classes == data.n_classes


# --- files that can't be used ---------------------------------------------------------------------------------------


def test_a_file_that_is_not_there():
    expected = "No file 'absent.csv'. Give the path of an existing .csv, .tsv, .parquet, .npz file."
    assert refusal(DataError, "absent.csv", label="y") == expected


def test_an_unknown_data_set_gets_the_nearest_name():
    expected = (
        f"Unknown dataset 'digit'. Allowed: {', '.join(sets.REGISTRY)}, "
        "or a path ending in .csv, .tsv, .parquet, .npz. Did you mean 'digits'?"
    )
    assert refusal(InvalidConfig, "digit") == expected


def test_a_file_of_another_kind_is_an_unknown_data_set():
    expected = (
        f"Unknown dataset 'irises.xlsx'. Allowed: {', '.join(sets.REGISTRY)}, "
        "or a path ending in .csv, .tsv, .parquet, .npz."
    )
    assert refusal(InvalidConfig, "irises.xlsx") == expected


@pytest.mark.parametrize("value", ["inf", "-inf", "1e39"])
def test_values_that_are_not_finite(tmp_path, value):
    path = table(tmp_path, [0, 1] * 5, a=[0, 1, 2, value, 4, 5, value, 7, 8, 9])
    expected = (
        f"{path!r} has values that are not finite, or too large for float32, in 2 of 10 rows; "
        "row 3 is the first, counted from 0. Drop those rows or mend them."
    )
    assert refusal(DataError, path, label="label") == expected


def test_pixels_that_are_not_finite(tmp_path):
    images = np.zeros((8, 2, 2))
    images[5, 1, 1] = np.nan
    path = archive(tmp_path, x=images, y=[0, 1] * 4)
    expected = (
        f"{path!r} has values that are not finite, or too large for float32, in 1 of 8 rows; "
        "row 5 is the first, counted from 0. Drop those rows or mend them."
    )
    assert refusal(DataError, path) == expected


def test_the_largest_float32_is_still_taken(tmp_path):
    path = archive(tmp_path, x=np.full((8, 1), np.finfo("float32").max, "float64"), y=[0, 1] * 4)
    assert np.isfinite(load(path, scaling="none").x_train).all()


def test_labels_that_are_not_finite(tmp_path):
    path = table(tmp_path, [0, 1, "inf", 1] * 5)
    expected = f"{path!r} has labels that are not finite. Drop those rows or fill them in first."
    assert refusal(DataError, path, label="label") == expected


def test_a_single_class(tmp_path):
    path = table(tmp_path, ["x"] * 10)
    expected = f"{path!r}: the label holds a single class. Received: x in every row."
    assert refusal(DataError, path, label="label") == expected


def test_a_class_with_one_row(tmp_path):
    path = table(tmp_path, ["x"] * 10 + ["y"])
    expected = (
        f"{path!r}: every class needs at least 2 rows to be split into training and validation. "
        "Received: class y with 1 row, 2 classes in all. Is the label a quantity?"
    )
    assert refusal(DataError, path, label="label") == expected


def test_too_few_rows(tmp_path):
    path = table(tmp_path, [0, 1, 0, 1, 0, 1, 0])
    expected = f"{path!r}: 7 rows are too few to validate 2 classes on a quarter."
    assert refusal(DataError, path, label="label") == expected


def test_the_fewest_rows(tmp_path):
    data = load(table(tmp_path, [0, 1] * 4), label="label")
    assert (len(data.y_train), len(data.y_val)) == (6, 2)


def test_a_training_part_of_one_class(tmp_path):
    path = table(tmp_path, ["x", "y"] * 5, a=range(10), split=["train", "validation"] * 5)
    expected = f"{path!r}: the training part holds a single class. Received: x in every row."
    assert refusal(DataError, path, label="label") == expected


# --- slices and fields ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("field", "rows"), [("train_rows", "500:"), ("val_rows", "3:3")])
def test_a_slice_that_leaves_no_rows(field, rows):
    assert refusal(InvalidConfig, "circles", **{field: rows}) == f"{field}='{rows}' leaves no rows. There are 500."


def test_a_slice_that_leaves_one_class():
    expected = "train_rows='7:8' of 'circles' leaves fewer than two classes. Take more rows."
    assert refusal(InvalidConfig, "circles", train_rows="7:8") == expected


@pytest.mark.parametrize("text", ["", "5", "a:b", "1:2:3:4", "1:2:0", "::-1", "1.5:3", "1;3"])
def test_what_is_no_slice(text):
    with pytest.raises(InvalidConfig) as caught:
        parse_rows("val_rows", text)
    assert str(caught.value) == f"val_rows must be a slice such as 1:8001, :500 or ::2. Received: {text!r}."


BOUNDS = st.none() | st.integers(-10_000, 10_000)
STEPS = st.none() | st.integers(1, 10_000)


@given(BOUNDS, BOUNDS, STEPS)
def test_rows_are_read_as_python_reads_slices(start, stop, step):
    text = ":".join("" if number is None else str(number) for number in (start, stop, step))
    assert parse_rows("train_rows", text) == slice(start, stop, step)
    if step is None:
        assert parse_rows("train_rows", text[:-1]) == slice(start, stop)


@given(st.text(max_size=8) | st.text("0123456789:- ", max_size=8))
def test_any_text_is_a_slice_or_a_mistake_in_words(text):
    try:
        rows = parse_rows("train_rows", text)
    except InvalidConfig as error:
        assert str(error) == f"train_rows must be a slice such as 1:8001, :500 or ::2. Received: {text!r}."
    else:
        assert rows.step is None or rows.step >= 1


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("circles", {"n_samples": 1000, "noise": 0.1, "data_seed": 1}),
        ("digits", {"data_seed": 0}),
        ("mnist", {}),
        ("mine.csv", {"label": None, "data_seed": 0}),
        ("mine.NPZ", {"data_seed": 0}),
    ],
)
def test_loader_defaults(dataset, expected):
    assert datasets.loader_defaults(dataset) == expected


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("circles", ["label"]),
        ("digits", ["label", "n_samples", "noise"]),
        ("mnist", ["label", "n_samples", "noise", "data_seed"]),
        ("mine.csv", ["n_samples", "noise"]),
        ("mine.npz", ["label", "n_samples", "noise"]),
    ],
)
def test_fields_without_effect(dataset, expected):
    fields = RunConfig(dataset=dataset, label="y", n_samples=10, noise=0.5, data_seed=3)
    assert datasets.ignored_fields(fields) == expected
    assert datasets.ignored_fields(RunConfig(dataset=dataset)) == []


def test_fields_without_effect_change_no_data():
    assert load("digits", noise=0.5, n_samples=10, label="y") is load("digits")


def test_the_fingerprint_sees_every_part():
    changes = [{}, {"train_rows": ":499"}, {"val_rows": ":499"}, {"noise": 0.11}, {"scaling": "standard"}]
    assert len({load("circles", **change).fingerprint() for change in changes}) == len(changes)


def test_data_errors_are_errors_of_bncli(tmp_path):
    with pytest.raises(BncliError):
        load(table(tmp_path, ["x"] * 10), label="label")
