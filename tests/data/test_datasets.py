"""`load`: every registered data set, fields, caching and fingerprints."""

import os
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from datafiles import error_text, is_same, load, needs_files, write_cifar, write_table, write_text

from bncli import process
from bncli.config import RunConfig
from bncli.data import cifar, datasets, sets
from bncli.errors import InvalidConfig

SEEDED, SIZED, NOISY = (
    [name for name in sets.REGISTRY if field in datasets.loader_defaults(name)]
    for field in ("data_seed", "n_samples", "noise")
)


OF_TABLES = {"label": "y", "drop": "id", "encode": "ordinal", "impute": "mean"}


def load_some(name, **fields):
    """The first rows only: enough to have every class, and fast."""
    return load(name, **({"train_rows": ":400", "val_rows": ":200"} | fields))


@pytest.fixture(scope="module", params=list(sets.REGISTRY))
def name(request, tmp_path_factory):
    """Every registered name; the module scope runs the tests of a data set together, so that it is loaded once."""
    if request.param in ("mnist", "fashion_mnist"):
        needs_files(request.param)
    if request.param not in cifar.PUBLISHED:
        yield request.param
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BNCLI_DATA_DIR", str(tmp_path_factory.mktemp("cifar")))
        write_cifar(Path(os.environ["BNCLI_DATA_DIR"]), request.param)
        yield request.param
    datasets.forget()


def test_arrays_are_float32_and_int32(name):
    data = load_some(name)
    assert [part.dtype for part in (data.x_train, data.x_val)] == ["float32", "float32"]
    assert {part.dtype.name for part in (data.y_train, data.y_val)} == {
        "int32" if data.task == "classification" else "float32"
    }


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


def test_training_and_validation_rows_have_every_class(name):
    data = load_some(name)
    if data.task == "regression":
        assert (data.n_classes, data.class_names) == (1, ())
        assert len(set(data.y_train.tolist())) > 20
        return
    numbers = list(range(data.n_classes))
    assert len(numbers) >= 2
    assert sorted(set(data.y_train.tolist())) == numbers
    assert sorted(set(data.y_val.tolist())) == numbers


def test_every_class_has_a_name_of_its_own(name):
    data = load_some(name)
    if data.task == "regression":
        return
    assert len(data.class_names) == len(set(data.class_names)) == data.n_classes
    assert all(isinstance(word, str) and word for word in data.class_names)


def test_features_are_named_unless_they_are_pixels(name):
    data = load_some(name)
    assert len(data.feature_names) == (0 if data.is_image else data.input_shape[0])


def test_equal_fields_give_equal_data(name):
    first = load_some(name)
    datasets.forget()
    again = load_some(name)
    assert again is not first
    assert is_same(again, first)
    assert again.fingerprint() == first.fingerprint()


def test_data_is_loaded_once(name):
    assert load_some(name, batch_size=7, seed=3) is load_some(name)


def test_giving_the_defaults_changes_nothing(name):
    assert is_same(load_some(name, **datasets.loader_defaults(name)), load_some(name))


def test_auto_scaling_names_the_scaling_that_was_applied(name):
    data = load_some(name)
    assert data.scaling in ("unit", "standard", "none")
    assert is_same(data, load_some(name, scaling=data.scaling))


def test_standard_scaling_is_fitted_on_the_training_rows(name):
    raw, scaled = load_some(name, scaling="none"), load_some(name, scaling="standard")
    mean, sd = raw.x_train.mean(axis=0, dtype="float64"), raw.x_train.std(axis=0, dtype="float64")
    sd[sd == 0] = 1
    np.testing.assert_allclose(scaled.x_train, (raw.x_train - mean) / sd, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(scaled.x_val, (raw.x_val - mean) / sd, rtol=1e-3, atol=1e-4)
    varying = raw.x_train.std(axis=0) > 0
    np.testing.assert_allclose(scaled.x_train.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.x_train.std(axis=0)[varying], 1, atol=1e-4)


def test_rows_are_selected_before_scaling(name):
    few, more = (load_some(name, train_rows=rows, scaling="standard") for rows in (":50", ":400"))
    assert len(few.y_train) == 50
    assert not np.array_equal(few.x_val, more.x_val)


def test_rows_are_selected_as_by_a_python_slice(name):
    raw = {"scaling": "none"} | ({"target_scaling": "none"} if load_some(name).task == "regression" else {})
    whole, part = load_some(name, **raw), load_some(name, **raw, train_rows="1:41:2", val_rows="5:45")
    np.testing.assert_array_equal(part.x_train, whole.x_train[1:41:2])
    np.testing.assert_array_equal(part.y_train, whole.y_train[1:41:2])
    np.testing.assert_array_equal(part.x_val, whole.x_val[5:45])
    np.testing.assert_array_equal(part.y_val, whole.y_val[5:45])


def test_unit_scaling_is_for_pixels_only(name):
    if not load_some(name).is_image:
        expected = "scaling='unit' scales pixels to [0, 1], but this data has no pixels. Try standard or none."
        assert error_text(InvalidConfig, load, name, scaling="unit") == expected
        return
    data = load_some(name, scaling="unit")
    assert (data.x_train.min(), data.x_train.max()) == (0, 1)


@pytest.mark.parametrize("dataset", sets.REGISTRY)
def test_loaders_use_data_fields_and_have_defaults(dataset):
    defaults = datasets.loader_defaults(dataset)
    assert set(defaults) <= set(datasets.LOADER_FIELDS)
    assert None not in defaults.values()


@pytest.mark.parametrize("dataset", SEEDED)
def test_another_data_seed_gives_other_data(dataset):
    assert load(dataset, data_seed=5).fingerprint() != load(dataset, data_seed=6).fingerprint()


@pytest.mark.parametrize("dataset", SIZED)
def test_generated_data_sets_have_the_requested_size(dataset):
    data = load(dataset, n_samples=101)
    assert len(data.y_train) + len(data.y_val) == 101


@pytest.mark.parametrize("dataset", NOISY)
def test_other_noise_gives_other_features_of_the_same_classes(dataset):
    calm, noisy = load(dataset, noise=0), load(dataset, noise=0.5)
    if calm.task == "regression":  # noise is in the quantity
        assert np.array_equal(noisy.x_train, calm.x_train)
        assert not np.array_equal(noisy.y_train, calm.y_train)
        return
    assert not np.array_equal(noisy.x_train, calm.x_train)
    assert np.array_equal(noisy.y_train, calm.y_train)


@pytest.mark.parametrize(("field", "rows"), [("train_rows", "500:"), ("val_rows", "3:3")])
def test_load_rejects_a_slice_without_rows(field, rows):
    message = error_text(InvalidConfig, load, "circles", **{field: rows})
    assert message == f"{field}='{rows}' selects no rows of the 500 that there are."


def test_load_rejects_a_slice_with_one_class():
    expected = "train_rows='7:8' of 'circles' selects fewer than two classes. Select more rows."
    assert error_text(InvalidConfig, load, "circles", train_rows="7:8") == expected


def test_an_unknown_data_set_gets_a_suggestion():
    expected = (
        f"Unknown dataset 'digit'. Allowed: {', '.join(sets.REGISTRY)}, openml:NAME@VERSION, images:FOLDER, "
        "or a path ending in .csv, .tsv, .parquet, .npz. Did you mean 'digits'?"
    )
    assert error_text(InvalidConfig, load, "digit") == expected


def test_a_file_of_another_type_is_an_unknown_data_set():
    expected = (
        f"Unknown dataset 'irises.xlsx'. Allowed: {', '.join(sets.REGISTRY)}, openml:NAME@VERSION, images:FOLDER, "
        "or a path ending in .csv, .tsv, .parquet, .npz."
    )
    assert error_text(InvalidConfig, load, "irises.xlsx") == expected


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("circles", {"n_samples": 1000, "noise": 0.1, "data_seed": 1}),
        ("digits", {"data_seed": 0}),
        ("mnist", {}),
        ("mine.csv", {"label": None, "drop": None, "encode": "onehot", "impute": "median", "data_seed": 0}),
        ("mine.NPZ", {"padding": None, "data_seed": 0}),
    ],
)
def test_loader_defaults(dataset, expected):
    assert datasets.loader_defaults(dataset) == expected


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("circles", [*OF_TABLES]),
        ("digits", [*OF_TABLES, "n_samples", "noise"]),
        ("mnist", [*OF_TABLES, "n_samples", "noise", "data_seed"]),
        ("mine.csv", ["n_samples", "noise"]),
        ("mine.npz", [*OF_TABLES, "n_samples", "noise"]),
    ],
)
def test_ignored_fields(dataset, expected):
    fields = RunConfig(dataset=dataset, n_samples=10, noise=0.5, data_seed=3, **OF_TABLES)
    assert datasets.ignored_fields(fields) == expected
    assert datasets.ignored_fields(RunConfig(dataset=dataset)) == []


def test_ignored_fields_do_not_change_the_data():
    assert load("digits", noise=0.5, n_samples=10, label="y") is load("digits")


def test_the_fingerprint_depends_on_every_array():
    changes = [{}, {"train_rows": ":499"}, {"val_rows": ":499"}, {"noise": 0.11}, {"scaling": "standard"}]
    assert len({load("circles", **change).fingerprint() for change in changes}) == len(changes)


def test_loading_outside_a_process_of_its_own_leaves_the_work_to_load():
    datasets.forget()
    with datasets.loading(RunConfig(dataset="circles", n_samples=16)):
        pass
    assert len(load("circles", n_samples=16).y_train) == 8


def test_load_returns_what_loading_has_read(monkeypatch):
    config = RunConfig(dataset="circles", n_samples=16)
    datasets.forget()
    expected = datasets.load(config)
    datasets.forget()
    monkeypatch.setattr(process, "beside", lambda read: nullcontext(lambda: expected))
    with datasets.loading(config):
        pass
    assert datasets.load(config) is expected
    datasets.forget()
    assert datasets.load(config) is not expected


def test_a_file_that_has_changed_is_read_again_after_forget(tmp_path):
    def write(first):
        return write_text(tmp_path, "\n".join(["a,label", *(f"{first + number},{number % 2}" for number in range(8))]))

    config = RunConfig(dataset=write(0), label="label", scaling="none")
    old = datasets.load(config)
    write(100)
    assert datasets.load(config) is old
    datasets.forget()
    assert datasets.load(config).x_train.min() >= 100


def test_forget_drops_what_loading_has_read_and_nobody_has_asked_for(monkeypatch):
    config = RunConfig(dataset="circles", n_samples=16)
    datasets.forget()
    stale = datasets.load(config)
    datasets.forget()
    monkeypatch.setattr(process, "beside", lambda read: nullcontext(lambda: stale))
    with datasets.loading(config):
        pass
    datasets.forget()
    assert datasets.load(config) is not stale


def test_notices_come_with_the_data(tmp_path):
    path = write_text(tmp_path, "\n".join([";a;label", *(f"{number};{number**2};{number % 2}" for number in range(8))]))
    expected = (
        f"{path!r} is read as a table with columns separated by ';'.",
        f"{path!r}: column 'Unnamed: 0' has no name and numbers the rows; it is left out. To keep it: --set drop=none.",
    )
    for scaling in ("auto", "none"):
        data = load(path, label="label", scaling=scaling)
        assert (data.notices, data.feature_names) == (expected, ("a",))
    assert load("digits").notices == ()


def test_an_unknown_name_is_cut():
    assert len(error_text(InvalidConfig, load, "x" * 1_000_000)) < 500


def test_quantities_are_scaled_by_the_selected_training_rows_and_known_in_their_own_units():
    raw = load("diabetes", target_scaling="none", train_rows=":100")
    data = load("diabetes", train_rows=":100")
    assert (data.target_scaling, raw.target_scaling) == ("standard", "none")
    assert (data.y_train.mean(), data.y_train.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1))
    np.testing.assert_allclose(data.labels("val"), raw.y_val, rtol=1e-5)
    np.testing.assert_allclose(data.y_val, (raw.y_val - raw.y_train.mean()) / raw.y_train.std(), rtol=1e-4, atol=1e-6)


def test_classes_are_neither_scaled_nor_a_quantity():
    expected = "target_scaling='standard' scales quantities, but this data has classes. Leave it out."
    assert error_text(InvalidConfig, load, "digits", target_scaling="standard") == expected
    expected = "task must be classification for the data set digits. Received: 'regression'."
    assert error_text(InvalidConfig, load, "digits", task="regression") == expected
    assert load("digits", task="classification") is load("digits")


def test_a_part_of_quantities_that_are_all_alike_is_refused():
    expected = "train_rows='7:8' of 'diabetes' selects fewer than two different quantities. Select more rows."
    assert error_text(InvalidConfig, load, "diabetes", train_rows="7:8") == expected


def test_a_test_part_of_quantities_is_drawn_from_all_rows():
    data = load("diabetes", test_size=0.2)
    assert [len(y) for _, y in data.parts.values()] == [265, 89, 88]
    other = load("diabetes", test_size=0.2, data_seed=1)
    assert not np.array_equal(np.sort(data.labels("test")), np.sort(other.labels("test")))


def test_classes_that_differ_in_capital_letters_alone_are_noticed(tmp_path):
    path = write_table(tmp_path, ["Yes", "yes", "No", "YES"] * 8)
    assert load(path, label="label").notices[-1] == (
        f"Classes of {path!r} differ in capital letters alone: YES/Yes/yes. Correct those that are one."
    )
    assert not any("capital" in notice for notice in load("iris").notices)
