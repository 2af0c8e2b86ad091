"""Slices of rows, and how rows are split."""

import numpy as np
import pytest
from datafiles import error_text
from hypothesis import given
from hypothesis import strategies as st

from bncli.data.splits import LabelledRows, parse_rows, select_rows, split_in_half, split_stratified
from bncli.errors import InvalidConfig


@pytest.mark.parametrize("text", ["", "5", "a:b", "1:2:3:4", "1:2:0", "::-1", "1.5:3", "1;3"])
def test_parse_rows_rejects_invalid_slices(text):
    with pytest.raises(InvalidConfig) as caught:
        parse_rows("val_rows", text)
    assert str(caught.value) == f"val_rows must be a slice such as 1:8001, :500 or ::2. Received: {text!r}."


BOUNDS = st.none() | st.integers(-10_000, 10_000)


STEPS = st.none() | st.integers(1, 10_000)


@given(BOUNDS, BOUNDS, STEPS)
def test_parse_rows_reads_slices_as_python_does(start, stop, step):
    text = ":".join("" if number is None else str(number) for number in (start, stop, step))
    assert parse_rows("train_rows", text) == slice(start, stop, step)
    if step is None:
        assert parse_rows("train_rows", text[:-1]) == slice(start, stop)


@given(st.text(max_size=8) | st.text("0123456789:- ", max_size=8))
def test_any_text_is_a_slice_or_a_clear_error(text):
    try:
        rows = parse_rows("train_rows", text)
    except InvalidConfig as error:
        assert str(error) == f"train_rows must be a slice such as 1:8001, :500 or ::2. Received: {text!r}."
    else:
        assert rows.step is None or rows.step >= 1


def test_select_rows_returns_the_same_rows_of_features_and_classes():
    x, y = np.arange(6)[:, None], np.array([0, 1, 0, 1, 0, 1])
    selected = select_rows("val_rows", "1:6:2", x, y)
    assert [part.tolist() for part in selected] == [[[1], [3], [5]], [1, 1, 1]]


def test_select_rows_rejects_a_slice_without_rows():
    message = error_text(InvalidConfig, select_rows, "val_rows", "4:", np.zeros((3, 1)), np.zeros(3))
    assert message == "val_rows='4:' selects no rows of the 3 that there are."


def test_split_in_half_keeps_the_order_of_rows():
    raw = split_in_half(np.arange(10).reshape(5, 2), np.array([0, 1, 1, 0, 1]))
    assert raw.x_train.tolist() == [[0, 1], [2, 3]]
    assert raw.y_val.tolist() == [1, 0, 1]
    assert (raw.class_names, raw.scaling) == (("0", "1"), "none")


def test_split_stratified_draws_a_quarter_of_every_class():
    rows = LabelledRows(np.arange(40)[:, None], np.array(["a"] * 24 + ["b"] * 16))
    raw = split_stratified(rows, 0, scaling="standard")
    assert np.bincount(raw.y_train).tolist() == [18, 12]
    assert np.bincount(raw.y_val).tolist() == [6, 4]
    assert sorted([*raw.x_train[:, 0], *raw.x_val[:, 0]]) == list(range(40))


def test_split_stratified_keeps_the_split_of_the_file():
    mask = np.array([True, False, False, True])
    rows = LabelledRows(np.arange(4)[:, None], np.array([7, 7, 8, 8]), is_validation=mask)
    raw = split_stratified(rows, 5, scaling="unit", pixel_max=255.0)
    assert (raw.x_train.tolist(), raw.x_val.tolist()) == ([[1], [2]], [[0], [3]])
    assert (raw.y_train.tolist(), raw.class_names, raw.pixel_max) == ([0, 1], ("7", "8"), 255.0)
