"""What the columns of a table hold."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
from datafiles import error_text

from bncli.data.columns import Column, column_notices, joined_names, like_ids, read_columns, split_names
from bncli.errors import DataError

NAN = float("nan")


def read(**columns):
    """The values of a single column, and what it holds."""
    x, (column,), _ = read_columns("'t.csv'", pd.DataFrame(columns))
    return x[:, 0].tolist(), column


@pytest.mark.parametrize(
    ("cells", "values", "kind", "categories"),
    [
        ([1, 2], [1, 2], "number", ()),
        ([1.5, None], [1.5, NAN], "number", ()),
        (pd.array([1, None], "Int64"), [1, NAN], "number", ()),
        (["3", " 4.5 ", "?", "-"], [3, 4.5, NAN, NAN], "number", ()),
        ([decimal.Decimal("1.5"), None], [1.5, NAN], "number", ()),
        ([True, None, False], [1, NAN, 0], "flag", ()),
        (["b", "a", None, "", " a ", "?"], [1, 0, NAN, NAN, 0, NAN], "category", ("a", "b")),
        (["+", "-", "+"], [0, 1, 0], "category", ("+", "-")),
        (["1", "b"], [0, 1], "category", ("1", "b")),
        (pd.Categorical([3, 1, None], [3, 2, 1]), [0, 1, NAN], "category", ("3", "1")),
        (["ß", "Ä"], [1, 0], "category", ("Ä", "ß")),
    ],
)
def test_kinds_of_columns(cells, values, kind, categories):
    found, column = read(a=cells)
    np.testing.assert_array_equal(found, values)
    assert column == Column("a", kind, sum(value != value for value in values), categories)


def test_columns_keep_their_order_and_empty_ones_are_named():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [NAN, NAN], "d": ["?", ""], "e": [0.5, NAN]})
    x, columns, empty = read_columns("'t.csv'", frame)
    assert ([column.name for column in columns], empty) == (["a", "b", "e"], ["c", "d"])
    np.testing.assert_array_equal(x, [[1, 0, 0.5], [2, 1, NAN]])


WORDS = [f"some text, number {number}" for number in range(30)]


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (["2024-01-31", "2023-2-1"], "dates or times"),
        (["2024-01-31T12:00:01Z", "2024-01-31 13:00"], "dates or times"),
        (["31.1.2024", "1.2.23"], "dates or times"),
        (["1/31/2024 1:30 PM"], "dates or times"),
        (["12:30", "9:05:59"], "dates or times"),
        (pd.to_datetime(["2024-01-31", None]), "dates or times"),
        ([datetime.date(2024, 1, 31), None], "dates or times"),
        (pd.to_timedelta(["1 day"]), "Timedelta values"),
        ([[1], [2]], "list values"),
        ([b"x", "y"], "bytes, str values"),
        (WORDS, "30 different texts in 30 rows: names or free text"),
        ([*WORDS, *["x", "y"] * 14], "32 different texts in 58 rows: names or free text"),
    ],
)
def test_columns_that_are_refused(cells, why):
    message = error_text(DataError, read, a=cells)
    assert message == (
        f"'t.csv' has columns that can't be features: a ({why}). Make numbers or a few categories of them, or leave "
        "them out: --drop a."
    )


def test_all_refused_columns_are_named_at_once():
    columns = {"day of birth": ["2024-01-31"] * 2, "a": [1, 2], "b": [[], []]}
    assert error_text(DataError, read, **columns) == (
        "'t.csv' has columns that can't be features: day of birth (dates or times), b (list values). Make numbers or a "
        "few categories of them, or leave them out: --drop 'day of birth' --drop b."
    )


def test_ten_texts_are_categories_however_few_the_rows():
    assert read(a=WORDS[:10])[1].kind == "category"
    assert read(a=WORDS * 2)[1].kind == "category"


def test_names_of_a_list():
    for names in (["a"], ["a", "b c"], ["a,b", 'say "x"', "c"]):
        assert split_names(joined_names(names)) == names
    assert split_names(" a ,b") == ["a ", "b"]
    assert split_names("two\nlines") == ["two\nlines"]


@pytest.mark.parametrize("name", ["id", "ID", "user_id", "customerID", "row number", "Index", "nr", "sample.no"])
def test_names_of_identifiers(name):
    assert like_ids(pd.DataFrame({name: [70, 20, 50]})) == [name]
    assert like_ids(pd.DataFrame({name: [70, 20, 20]})) == []


def test_other_whole_numbers_are_no_identifiers_unless_they_number_the_rows():
    frame = pd.DataFrame({"age": [70, 20, 50], "humid": [5, 3, 9], "t": [3, 1, 2], "id": [1.5, 2.5, 3.5]})
    assert like_ids(frame) == ["t"]


def test_what_is_said_of_columns():
    frame = pd.DataFrame(
        {"my id": [4, 9, 7], "a": [2.0, NAN, 2.0], "b": ["x", "x", "x"], "c": [NAN] * 3, "d": [1, 2, 1]}
    )
    x, _, (empty,) = read_columns("'t.csv'", frame)
    assert column_notices("'t.csv'", frame, x, {"gone": "drop", empty: "has no values"}) == [
        "'t.csv': column 'c' has no values; it is left out.",
        "'t.csv': column 'my id' has another whole number in every row, as an index has. It is used as a feature; "
        "where the rows are sorted by class it gives the class away. Try --drop 'my id'.",
        "'t.csv': a, b have one value in all rows, which tells nothing (see --drop).",
    ]
