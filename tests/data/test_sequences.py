"""Sequences with padding: however it is marked, no number depends on it."""

import numpy as np
import pytest
from datafiles import error_text, is_same, load, sequences, write_npz

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.data.sequences import is_step, marked
from bncli.errors import DataError, InvalidConfig


def marks(kind):
    """An archive's arrays with padding of a kind, and the fields with which it is read."""
    rows = sequences()
    x, y, mask = rows["x"], rows["y"], rows["mask"]
    if kind == "mask":
        return {"x": np.where(mask[..., None], x, 99), "y": y, "mask": mask.astype("int8")}, {}
    if kind == "nan":
        return {"x": np.where(mask[..., None], x, np.nan), "y": y}, {}
    return {"x": x, "y": y}, {"padding": 0}


@pytest.mark.parametrize("kind", ["nan", "value"])
def test_a_mask_nan_and_a_value_give_the_same_rows(tmp_path, kind):
    arrays, fields = marks("mask")
    expected = load(write_npz(tmp_path, **arrays), **fields)
    arrays, fields = marks(kind)
    (tmp_path / kind).mkdir()
    assert is_same(load(write_npz(tmp_path / kind, **arrays), **fields), expected)
    assert expected.input_shape == (4, 2)
    assert not expected.is_image


def test_every_step_is_scaled_alike_by_the_steps_of_training_rows_that_are_data(tmp_path):
    arrays, _ = marks("mask")
    path = write_npz(tmp_path, **arrays)
    data, raw = load(path), load(path, scaling="none")
    kept, before = is_step(data.x_train, 0.0), is_step(raw.x_train, 0.0)
    np.testing.assert_array_equal(kept, before)
    np.testing.assert_allclose(data.x_train[kept].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(data.x_train[kept].std(axis=0), 1, rtol=1e-5)
    expected = (raw.x_val[is_step(raw.x_val, 0.0)] - raw.x_train[before].mean(axis=0)) / raw.x_train[before].std(axis=0)
    np.testing.assert_allclose(data.x_val[is_step(data.x_val, 0.0)], expected, rtol=1e-4, atol=1e-5)
    assert (data.x_train[~kept] == 0).all()


def test_padded_steps_keep_the_value_that_they_have_in_the_file(tmp_path):
    rows = sequences()
    x = np.where(rows["mask"][..., None], rows["x"], -7)
    data = load(write_npz(tmp_path, x=x, y=rows["y"]), padding=-7)
    assert data.padding == -7
    steps = is_step(data.x_train, -7)
    assert 0 < steps.mean() < 1
    assert (data.x_train[~steps] == -7).all()


def test_a_note_tells_the_lengths(tmp_path):
    arrays, fields = marks("nan")
    path = write_npz(tmp_path, **arrays)
    padded = f"{1 - sequences()['mask'].mean():.0%} of all 240 steps are padding, which is masked."
    assert load(path, **fields).notices == (f"{path!r}: sequences of 2 to 4 steps of 2 features; {padded}",)


def test_rows_that_are_said_to_have_padding_may_have_none(tmp_path):
    path = write_npz(tmp_path, x=np.random.default_rng(0).normal(size=(20, 4, 1)), y=np.arange(20) % 2)
    data = load(path, padding=0)
    assert data.notices == (f"{path!r}: sequences of 4 steps of 1 feature; no step is padding.",)
    assert data.input_shape == (4, 1)
    assert load(path).input_shape == (4, 1, 1)  # nothing says that these are sequences


def test_parts_with_masks_of_their_own(tmp_path):
    rows = sequences(40)
    parts = {"train": slice(0, 24), "val": slice(24, 32), "test": slice(32, 40)}
    arrays = {f"{name}_{part}": rows[name][at] for part, at in parts.items() for name in ("x", "y", "mask")}
    data = load(write_npz(tmp_path, **arrays))
    assert data.x_test is not None
    for part, at in parts.items():
        np.testing.assert_array_equal(is_step(data.parts[part][0], 0.0), rows["mask"][at])
    del arrays["mask_val"]
    path = write_npz(tmp_path, **arrays)
    datasets.forget()
    assert error_text(DataError, load, path) == (
        f"{path!r} has the mask mask_train, mask_test but lacks mask_val. Add it, or leave all masks out."
    )


def test_an_array_named_mask_beside_images_is_no_mask(tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (20, 4, 4, 3), "uint8")
    path = write_npz(tmp_path, x=x, y=np.arange(20) % 2, mask=x[..., 0])
    assert load(path).input_shape == (4, 4, 3)
    assert load(path).notices == (
        f"The mask in {path!r} has no effect: masks are for sequences, of shape (rows, steps, features), and x has the "
        "shape (20, 4, 4, 3).",
    )


@pytest.mark.parametrize(
    ("mask", "received"),
    [
        (np.ones((2, 4)), "shape (2, 4), dtype float64"),
        (np.ones((2, 3, 1)), "shape (2, 3, 1), dtype float64"),
        (np.full((2, 3), 2), "numbers other than 0 and 1"),
        (np.full((2, 3), "a"), "shape (2, 3), dtype <U1"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask, received):
    assert error_text(DataError, marked, "a.npz", np.ones((2, 3, 1)), mask, None) == (
        "'a.npz': a mask must be true or 1 for the steps that are data, false or 0 for padding, of shape (2, 3). "
        f"Received: {received}. Give an array that is no mask another name."
    )


def test_a_row_without_a_step_is_refused():
    mask = np.array([[1, 1], [0, 0]])
    assert error_text(DataError, marked, "a.npz", np.ones((2, 2, 1)), mask, None) == (
        "'a.npz': all steps are padding in 1 of 2 rows; row 1 is the first, counted from 0. Drop those rows, or "
        "correct their mask: it is 1 for steps that are data."
    )


def test_a_step_of_data_that_looks_like_padding_is_refused(tmp_path):
    rows = sequences()
    rows["x"][5, 1] = 0
    rows["mask"][5, 1] = True
    path = write_npz(tmp_path, **rows)
    assert error_text(InvalidConfig, load, path) == (
        f"{path!r}: 1 step of data can't be told from padding, because all features are 0 before or after scaling. Set "
        "padding to a number that no step of data has, such as padding=-1000, and name the padded steps by a mask."
    )
    assert (load(path, padding=-1000).x_train[..., 0] == -1000).any()


@pytest.mark.parametrize("steps", [[1, 2], [0, 5], [0, 1, 2, 3, 4, 5]])
def test_nan_elsewhere_than_at_one_end_is_missing_and_no_padding(tmp_path, steps):
    x = np.random.default_rng(0).normal(size=(20, 6, 2))
    x[3, steps] = np.nan
    path = write_npz(tmp_path, x=x, y=np.arange(20) % 2)
    assert error_text(DataError, load, path) == (
        f"{path!r} has values that are not finite, or too large for float32, in 1 of 20 rows; row 3 is the first, "
        "counted from 0. Correct or drop those rows."
    )


def test_padding_may_come_before_the_steps(tmp_path):
    arrays, _ = marks("nan")
    arrays["x"] = arrays["x"][:, ::-1]
    assert load(write_npz(tmp_path, **arrays)).padding == 0


def test_padding_of_rows_that_are_no_sequences_is_refused_or_told(tmp_path):
    path = write_npz(tmp_path, x=np.ones((8, 2)), y=[0, 1] * 4)
    assert error_text(DataError, load, path, padding=-1) == (
        f"{path!r}: padding=-1 is for sequences, of shape (rows, steps, features). Received: shape (8, 2)."
    )
    assert datasets.ignored_fields(RunConfig(dataset="digits", padding=-1)) == ["padding"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_missing_within_a_step_is_refused(tmp_path, value):
    arrays, _ = marks("nan")
    row, step = np.argwhere(~np.isnan(arrays["x"]).all(axis=2))[0]
    arrays["x"][row, step, 1] = value
    path = write_npz(tmp_path, **arrays)
    assert error_text(DataError, load, path).startswith(
        f"{path!r} has values that are not finite, or too large for float32, in 1 of 60 rows; row {row} is the first"
    )
