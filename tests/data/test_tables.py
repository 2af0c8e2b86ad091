"""Tables with a label column: read, or rejected with the reason."""

import csv
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datafiles import error_text, write_text
from hypothesis import given, settings
from hypothesis import strategies as st

from bncli.data import reading
from bncli.data.files import read_file
from bncli.data.tables import TABLE_SUFFIXES, is_table_path
from bncli.errors import DataError, InvalidConfig

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)


NAMES = st.text("abcdefghij_", min_size=1, max_size=8)


def test_archives_are_not_tables():
    names = ["a.csv", "a.TSV", "a.parquet", "a.npz"]
    assert [name for name in names if is_table_path(name)] == ["a.csv", "a.TSV", "a.parquet"]


def test_a_csv_table_has_features_names_and_labels(tmp_path):
    rows = read_file(write_text(tmp_path, "width,kind,height\n1,a,2.5\n3,b,4e-3\n"), "kind")
    np.testing.assert_array_equal(rows.x, [[1, 2.5], [3, 0.004]])
    assert rows.x.dtype == "float64"
    assert rows.y.tolist() == ["a", "b"]
    assert rows.feature_names == ("width", "height")
    assert rows.is_validation is None


def test_a_tsv_table_is_split_at_tabs(tmp_path):
    rows = read_file(write_text(tmp_path, "a\tb\tlabel\n1\t2\tx, y\n3\t4\tz\n", "table.TSV"), "label")
    np.testing.assert_array_equal(rows.x, [[1, 2], [3, 4]])
    assert rows.y.tolist() == ["x, y", "z"]


def test_a_parquet_table_reads_like_the_same_csv(tmp_path):
    frame = pd.DataFrame({"a": [1.5, 2], "b": [True, False], "label": ["x", "y"]})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    parquet, text = (read_file(str(tmp_path / f"t.{kind}"), "label") for kind in ("parquet", "csv"))
    np.testing.assert_array_equal(parquet.x, text.x)
    assert parquet.y.tolist() == text.y.tolist()
    assert parquet.feature_names == text.feature_names == ("a", "b")


def test_categories_and_nullable_numbers_of_parquet_are_read(tmp_path):
    frame = pd.DataFrame({"a": pd.array([1, 2], dtype="Int64"), "label": pd.array(["u", "v"], dtype="category")})
    frame.to_parquet(tmp_path / "t.parquet")
    rows = read_file(str(tmp_path / "t.parquet"), "label")
    np.testing.assert_array_equal(rows.x, [[1], [2]])
    assert rows.y.tolist() == ["u", "v"]


@pytest.mark.parametrize(
    ("cells", "labels", "kind"),
    [
        (("3", "10"), [3, 10], "i"),
        (("0.5", "1.5"), [0.5, 1.5], "f"),
        (("True", "False"), [True, False], "b"),
        (("cat", "10"), ["cat", "10"], "U"),
    ],
)
def test_labels_keep_their_type(tmp_path, cells, labels, kind):
    rows = read_file(write_text(tmp_path, f"a,label\n1,{cells[0]}\n2,{cells[1]}\n"), "label")
    assert rows.y.tolist() == labels
    assert rows.y.dtype.kind == kind


def test_labels_are_text_everywhere_if_the_last_ones_are(tmp_path):
    numbers, words = "1,0\n" * 300_000, "1,x\n" * 300_000
    rows = read_file(write_text(tmp_path, f"a,label\n{numbers}{words}"), "label")
    assert set(rows.y) == {"0", "x"}


def test_a_split_column_sets_the_split(tmp_path):
    text = "a,split,label\n1,train,x\n2,validation,y\n3,train,y\n"
    rows = read_file(write_text(tmp_path, text), "label")
    assert rows.is_validation.tolist() == [False, True, False]
    assert rows.feature_names == ("a",)


def test_a_split_column_of_numbers_is_a_feature(tmp_path):
    rows = read_file(write_text(tmp_path, "split,label\n1,x\n2,y\n"), "label")
    assert rows.feature_names == ("split",)
    assert rows.is_validation is None


def test_the_split_column_may_be_the_label(tmp_path):
    rows = read_file(write_text(tmp_path, "a,split\n1,train\n2,validation\n"), "split")
    assert rows.y.tolist() == ["train", "validation"]
    assert rows.is_validation is None


@given(st.data(), st.lists(NAMES, min_size=2, max_size=5, unique=True))
@settings(max_examples=60)
def test_random_tables_are_read_as_they_were_written(data, names):
    *features, label = names
    rows = data.draw(st.lists(st.tuples(st.tuples(*[NUMBERS] * len(features)), NAMES), min_size=1, max_size=6))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([names, *([*numbers, f"is {word}"] for numbers, word in rows)])
        read = read_file(str(path), label)
    np.testing.assert_array_equal(read.x.astype("float32"), np.array([numbers for numbers, _ in rows], "float32"))
    assert read.y.tolist() == [f"is {word}" for _, word in rows]
    assert read.feature_names == tuple(features)


@pytest.mark.parametrize(
    ("header", "likely"),
    [
        ("a,Species,b", "Species"),
        ("a,b,kind", "kind"),
        ("a,kind,split", "kind"),
        ("split", "COLUMN"),
        ("label,x,y", "label"),
    ],
)
def test_a_missing_label_gets_a_suggestion(tmp_path, header, likely):
    path = write_text(tmp_path, f"{header}\n")
    shown = header.replace(",", ", ")
    needs = f"{path!r} needs the name of the column with the classes or quantities."
    expected = f"{needs} Columns: {shown}. Try --label {likely}."
    assert error_text(DataError, read_file, path, None) == expected


def test_a_missing_label_of_a_table_without_columns(tmp_path):
    path = str(tmp_path / "t.parquet")
    pd.DataFrame().to_parquet(path)
    needs = f"{path!r} needs the name of the column with the classes or quantities."
    expected = f"{needs} Columns: none. Try --label COLUMN."
    assert error_text(DataError, read_file, path, None) == expected


def test_an_unknown_label_gets_a_suggestion(tmp_path):
    path = write_text(tmp_path, "a,Species\n1,x\n")
    expected = f"{path!r} has no column 'specie'. Columns: a, Species. Did you mean 'Species'?"
    assert error_text(DataError, read_file, path, "specie") == expected


def test_an_unknown_label_of_a_wide_table_shows_twenty_columns(tmp_path):
    path = write_text(tmp_path, ",".join(f"c{number}" for number in range(21)) + "\n")
    shown = ", ".join(f"c{number}" for number in range(20))
    assert error_text(DataError, read_file, path, "label") == f"{path!r} has no column 'label'. Columns: {shown}, ...."


def test_an_empty_table(tmp_path):
    path = write_text(tmp_path, "a,b,label\n")
    expected = f"{path!r} needs at least one row, and one feature column besides 'label'. Received: 0 rows, 3 columns."
    assert error_text(DataError, read_file, path, "label") == expected


def test_a_table_without_features(tmp_path):
    path = write_text(tmp_path, "label\nx\ny\n")
    expected = f"{path!r} needs at least one row, and one feature column besides 'label'. Received: 2 rows, 1 columns."
    assert error_text(DataError, read_file, path, "label") == expected


def test_rows_without_a_label_are_left_out(tmp_path):
    path = write_text(tmp_path, "a,label\n1,0\n2,\n3,1\n4,NA\n")
    rows = read_file(path, "label")
    assert (rows.x.tolist(), rows.y.tolist(), rows.y.dtype.kind) == ([[1], [3]], [0, 1], "i")
    assert rows.notices == (f"{path!r}: 2 rows without a label are left out.",)
    path = write_text(tmp_path, "a,split,label\n1,train,x\n2,validation,\n3,validation,y\n")
    rows = read_file(path, "label")
    assert (rows.is_validation.tolist(), rows.y.tolist()) == ([False, True], ["x", "y"])
    assert rows.notices == (f"{path!r}: 1 row without a label is left out.",)


def test_labels_of_text_are_read_as_features_of_text_are(tmp_path):
    path = write_text(tmp_path, "a,label\n1.5, yes\n2,yes \n3,no\n4,?\n")
    rows = read_file(path, "label")
    assert (rows.y.tolist(), rows.notices) == (
        ["yes", "yes", "no"],
        (f"{path!r}: 1 row without a label is left out.",),
    )
    rows = read_file(write_text(tmp_path, "a,label\n1,2.5\n2,?\n3,-1\n"), "label")
    assert (rows.y.tolist(), rows.y.dtype.kind) == ([2.5, -1], "f")
    assert read_file(write_text(tmp_path, "a,label\n1,?\n2,7\n"), "label").y.dtype.kind == "i"


def test_a_label_is_found_whose_name_has_spaces_around_it(tmp_path):
    rows = read_file(write_text(tmp_path, "a, label\n1.5, x\n2, y\n"), "label")
    assert (rows.y.tolist(), rows.feature_names) == (["x", "y"], ("a",))


def test_columns_of_one_name_are_told(tmp_path):
    path = write_text(tmp_path, "a,label,,label,\n1,x,2,x,3\n2,y,3,y,4\n")
    assert read_file(path, "label").notices[0] == (
        f"{path!r} has several columns named label; all but the first become label.1 and so on, and are features (see "
        "--drop)."
    )


def test_a_label_without_values(tmp_path):
    path = write_text(tmp_path, "a,label\n1,\n2,\n")
    assert error_text(DataError, read_file, path, "label") == (
        f"{path!r} has no label in any row: column 'label' is empty."
    )


def test_a_table_of_empty_columns(tmp_path):
    path = write_text(tmp_path, "a,b,label\n,?,x\n,,y\n")
    assert error_text(DataError, read_file, path, "label") == f"{path!r} has no values in any column besides 'label'."


@pytest.mark.parametrize(
    ("cells", "received"),
    [
        (("train", "validation", ""), "train, validation and 1 missing"),
        (("train", "holdout", "holdout"), "holdout, train"),
        (("train", "train", "train"), "train"),
    ],
)
def test_a_split_column_of_other_words(tmp_path, cells, received):
    lines = [f"{number},{cell},{'xyy'[number]}" for number, cell in enumerate(cells)]
    path = write_text(tmp_path, "\n".join(["a,split,label", *lines]))
    expected = (
        f"{path!r}: column 'split' sets the split if it contains train, and validation or test or both, and nothing "
        f"else. Received: {received}. Correct it, or try --drop split."
    )
    assert error_text(DataError, read_file, path, "label") == expected
    assert read_file(path, "label", "split").feature_names == ("a",)


def test_a_split_column_of_lists(tmp_path):
    path = str(tmp_path / "t.parquet")
    pd.DataFrame({"a": [1, 2], "split": [[1], [2]], "label": [0, 1]}).to_parquet(path)
    assert error_text(DataError, read_file, path, "label") == (
        f"{path!r} has columns that can't be features: split (ndarray values). Make numbers or a few categories of "
        "them, or leave them out: --drop split."
    )


def test_an_empty_file(tmp_path):
    path = write_text(tmp_path, "")
    assert (
        error_text(DataError, read_file, path, "label")
        == f"{path!r} can't be read as a table: No columns to parse from file."
    )


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_binary_content_is_not_a_table(tmp_path, suffix):
    path = tmp_path / f"junk{suffix}"
    path.write_bytes(bytes(reversed(range(256))))
    with pytest.raises(DataError) as caught:
        read_file(str(path), "label")
    is_text = suffix != ".parquet"
    reason = str(caught.value.__cause__).splitlines()[0].rstrip(".")
    reason = "it is not in UTF-8. Save it in that encoding" if is_text else reason
    assert str(caught.value) == f"{str(path)!r} can't be read as a table: {reason}."


def too_large(path, what, size):
    return f"{path!r} is too large: {what} would take {size} GiB. Allowed: 4 GiB. Try fewer rows or columns."


def test_a_long_label_among_many_is_refused_before_text_of_a_fixed_width_is_made(tmp_path):
    """NumPy's text has the width of the longest: two labels of 1 MB among 100,000 make 373 GiB."""
    rows = "1,a\n" * 99_998 + f"1,{'b' * 1_000_000}\n" * 2
    path = write_text(tmp_path, f"x,label\n{rows}")
    expected = too_large(path, "100,000 labels of up to 1,000,000 characters", "372.5")
    assert error_text(DataError, read_file, path, "label") == expected


def test_a_header_of_many_columns_over_many_short_lines_is_refused(tmp_path):
    header = ",".join(f"c{number}" for number in range(20_000))
    path = write_text(tmp_path, f"{header},label\n" + "1\n" * 1_000_000)
    expected = too_large(path, "a table of 1,000,002 lines and 20,001 columns", "149.0")
    assert error_text(DataError, read_file, path, "label") == expected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_every_system_are_counted_once(tmp_path, monkeypatch, end):
    monkeypatch.setattr(reading, "MAX_BYTES", 2**14)
    path = write_text(tmp_path, end.join(["a,b,label", *["1,2,x"] * 998, ""]), "table.csv")
    message = error_text(DataError, read_file, path, "label")
    assert "a table of 1,000 lines and 3 columns" in message


def test_a_parquet_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    path = str(tmp_path / "t.parquet")
    pd.DataFrame({"a": np.zeros(300_000), "label": [0, 1] * 150_000}).to_parquet(path)
    assert Path(path).stat().st_size < 100_000
    monkeypatch.setattr(reading, "MAX_BYTES", 2**22)
    message = error_text(DataError, read_file, path, "label")
    assert "is too large: a table of 300,000 lines and 2 columns would take 0.0 GiB." in message


def test_integers_of_more_than_64_bits(tmp_path):
    path = str(tmp_path / "t.parquet")
    table = pa.table({"a": [1, 2], "label": ["x", "y"]})
    index = {"kind": "range", "name": None, "start": 0, "stop": 10**30, "step": 1}
    facts = {"index_columns": [index], "columns": [], "column_indexes": [], "pandas_version": "3"}
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(facts)}), path)
    expected = f"{path!r} can't be read as a table: Python int too large to convert to C "
    assert error_text(DataError, read_file, path, "label").startswith(expected)
    path = write_text(tmp_path, f"a,label\n{10**30},x\n{10**40},y\n")
    assert read_file(path, "label").x.tolist() == [[1e30], [1e40]]


def test_what_pandas_makes_of_a_table_that_it_can_not_hold_is_one_message(tmp_path):
    path = str(tmp_path / "t.parquet")
    pq.write_table(pa.table([[1, 2], [3, 4], ["x", "y"]], names=["a", "a", "label"]), path)
    expected = f"{path!r} can't be read as a table: "
    assert error_text(DataError, read_file, path, "label").startswith(expected)


def test_names_of_columns_are_shown_without_control_characters_and_cut(tmp_path):
    path = write_text(tmp_path, f"\x1b[2J,{'b' * 100_000},label\n1,2,x\n")
    message = error_text(DataError, read_file, path, "c")
    assert message.startswith(rf"{path!r} has no column 'c'. Columns: \x1b[2J, bbb")
    assert len(message) < 500


@pytest.mark.parametrize(
    ("separator", "name", "shown"),
    [
        (";", "t.csv", "';'"),
        ("\t", "t.csv", r"'\t'"),
        ("|", "t.csv", "'|'"),
        (",", "t.tsv", "','"),
        (";", "t.tsv", "';'"),
    ],
)
def test_another_separator_is_found(tmp_path, separator, name, shown):
    text = "width,kind,height\n1,a,2.5\n3,b,4e-3\n".replace(",", separator)
    path = write_text(tmp_path, text, name)
    rows = read_file(path, "kind")
    np.testing.assert_array_equal(rows.x, [[1, 2.5], [3, 0.004]])
    assert (rows.y.tolist(), rows.feature_names) == (["a", "b"], ("width", "height"))
    found = f"columns separated by {shown}"
    assert rows.notices == (f"{path!r} is read as a table with {found}.",)
    expected = f"{path!r} ({found}) has no column 'target'. Columns: width, kind, height."
    assert error_text(DataError, read_file, path, "target") == expected


def test_an_index_without_a_name_hides_no_separator(tmp_path):
    """R's write.csv2 with names of rows, and no name for their column."""
    rows = read_file(write_text(tmp_path, "a;label\nr1;1;x\nr2;2;y\n"), "label")
    assert (rows.x.tolist(), rows.y.tolist(), rows.feature_names) == ([[1], [2]], ["x", "y"], ("a",))


def test_a_byte_order_mark_and_empty_lines_hide_no_separator(tmp_path):
    rows = read_file(write_text(tmp_path, "\ufeff\r\n\r\na;label\r\n1;x\r\n2;y\r\n"), "label")
    assert (rows.x.tolist(), rows.y.tolist()) == ([[1], [2]], ["x", "y"])


@pytest.mark.parametrize("text", ["a,b;c,label\n1,2,x\n3,4,y\n", "a,label\n1,u;v;w\n2,z;z;z\n"])
def test_other_separators_in_a_table_with_commas_are_text(tmp_path, text):
    rows = read_file(write_text(tmp_path, text), "label")
    assert (len(rows.y), rows.notices) == (2, ())


def test_a_single_column_is_no_table_of_another_separator(tmp_path):
    path = write_text(tmp_path, "label\nx;1\ny\n")
    assert error_text(DataError, read_file, path, "label").endswith("Received: 2 rows, 1 columns.")


def left_out(path, *names):
    return tuple(
        f"{path!r}: column {name!r} has no name and numbers the rows; it is left out. To keep it: --set drop=none."
        for name in names
    )


@pytest.mark.parametrize("numbers", [[0, 1, 2, 3], [1, 2, 3, 4], [2, 0, 3, 1]])
@pytest.mark.parametrize("name", ["", "Unnamed: 0", "Unnamed: 0.1"])
def test_a_column_without_a_name_that_numbers_the_rows_is_left_out(tmp_path, numbers, name):
    lines = [f"{name},a,label", *(f"{number},{number**2},{'xxyy'[number % 4]}" for number in numbers)]
    path, name = write_text(tmp_path, "\n".join(lines)), name or "Unnamed: 0"
    rows = read_file(path, "label", "auto")
    assert (rows.feature_names, rows.columns.drop) == (("a",), name)
    assert rows.x.tolist() == [[number**2] for number in numbers]
    assert rows.notices == left_out(path, name)
    rows = read_file(path, "label", None)  # as before there was such a rule
    assert (rows.feature_names, rows.columns.drop) == ((name, "a"), None)
    assert rows.x.tolist() == [[number, number**2] for number in numbers]


def test_an_index_that_was_written_twice_is_left_out_twice(tmp_path):
    frame = pd.DataFrame({"a": [1.5, 2.5], "label": ["x", "y"]})
    frame.to_csv(tmp_path / "once.csv")
    pd.read_csv(tmp_path / "once.csv").to_csv(tmp_path / "t.csv")
    rows = read_file(str(tmp_path / "t.csv"), "label", "auto")
    assert rows.feature_names == ("a",)
    assert len(rows.notices) == 2
    assert rows.columns.drop == "Unnamed: 0,Unnamed: 0.1"


@pytest.mark.parametrize(
    ("name", "cells"), [("", [0, 1, 3]), ("", [0, 0, 1]), ("", [2, 3, 4]), ("", [0.5, 1.5, 2.5]), ("", [0, 1, -1])]
)
def test_other_columns_are_features(tmp_path, name, cells):
    path = write_text(tmp_path, "\n".join([f"{name},a,label", *(f"{cell},{cell % 2},x" for cell in cells)]))
    rows = read_file(path, "label", "auto")
    assert rows.x[:, 0].tolist() == cells
    assert rows.notices == ()


def test_named_columns_are_left_out_besides_an_index(tmp_path):
    path = write_text(tmp_path, ',id,"net, gross",a,label\n0,7,1,2,x\n1,9,3,4,y\n')
    rows = read_file(path, "label", 'id,"net, gross"')
    assert (rows.feature_names, rows.x.tolist()) == (("a",), [[2], [4]])
    assert rows.columns.drop == 'Unnamed: 0,id,"net, gross"'
    assert read_file(path, "label", rows.columns.drop).columns.drop == rows.columns.drop


def test_columns_that_can_not_be_left_out(tmp_path):
    path = write_text(tmp_path, "price,a,label\n1,2,x\n")
    assert error_text(InvalidConfig, read_file, path, "label", "a,prise") == (
        f"drop: {path!r} has no column 'prise'. Columns: price, a, label. Did you mean 'price'?"
    )
    assert error_text(InvalidConfig, read_file, path, "label", "label") == (
        f"drop: 'label' is the label of {path!r}, which can't be left out."
    )


def test_a_comma_list_in_place_of_a_name_to_drop_is_taken_apart(tmp_path):
    path = write_text(tmp_path, "a,b c,label\n1,2,x\n3,4,y\n")
    assert error_text(InvalidConfig, read_file, path, "label", '"a,b c"') == (
        f"drop: {path!r} has no column 'a,b c'. Columns: a, b c, label. Name one at a time: --drop a --drop 'b c'."
    )


def test_the_label_is_used_even_without_a_name(tmp_path):
    rows = read_file(write_text(tmp_path, ",a\n0,1\n1,3\n"), "Unnamed: 0")
    assert rows.y.tolist() == [0, 1]


def test_a_split_column_with_a_test_part(tmp_path):
    path = write_text(tmp_path, "a,split,label\n1,test,x\n2,train,y\n3,validation,x\n4,train,x\n")
    rows = read_file(path, "label")
    assert rows.is_validation.tolist() == [False, False, True, False]
    assert rows.is_test.tolist() == [True, False, False, False]


def test_a_split_column_without_validation_rows_leaves_them_to_be_drawn(tmp_path):
    path = write_text(tmp_path, "a,split,label\n1,train,x\n2,test,y\n")
    rows = read_file(path, "label")
    assert rows.is_validation is None
    assert rows.is_test.tolist() == [False, True]
