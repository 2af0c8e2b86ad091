"""Tables with a label column: read, or rejected with the reason."""

import csv
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datafiles import error_text, write_text
from hypothesis import given, settings
from hypothesis import strategies as st

from bncli.data.files import read_file
from bncli.data.tables import TABLE_SUFFIXES, is_table_path
from bncli.errors import DataError

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
    expected = f"{path!r} needs the name of the column with the class names. Columns: {shown}. Try --label {likely}."
    assert error_text(DataError, read_file, path, None) == expected


def test_a_missing_label_of_a_table_without_columns(tmp_path):
    path = str(tmp_path / "t.parquet")
    pd.DataFrame().to_parquet(path)
    expected = f"{path!r} needs the name of the column with the class names. Columns: none. Try --label COLUMN."
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


def test_missing_values(tmp_path):
    path = write_text(tmp_path, "a,b,label\n1,,x\n,2,\n3,,z\n")
    expected = f"{path!r} has missing values in: a (1), b (2), label (1). Drop those rows or fill them in first."
    assert error_text(DataError, read_file, path, "label") == expected


def test_missing_values_of_the_split(tmp_path):
    path = write_text(tmp_path, "a,split,label\n1,train,x\n2,validation,y\n3,,y\n")
    expected = f"{path!r} has missing values in: split (1). Drop those rows or fill them in first."
    assert error_text(DataError, read_file, path, "label") == expected


def test_columns_of_text(tmp_path):
    path = write_text(tmp_path, "a,town,day,label\n1,Rome,2024-01-01,x\n2,Bonn,2024-01-02,y\n")
    expected = (
        f"{path!r} has columns that are not numbers: town, day. "
        "Encode them as numbers (one column per category) or drop them."
    )
    assert error_text(DataError, read_file, path, "label") == expected


def test_a_split_column_of_other_words(tmp_path):
    path = write_text(tmp_path, "a,split,label\n1,train,x\n2,test,y\n")
    expected = (
        f"{path!r} has columns that are not numbers: split. "
        "Encode them as numbers (one column per category) or drop them. "
        "A column 'split' sets the split if it contains both train and validation and nothing else."
    )
    assert error_text(DataError, read_file, path, "label") == expected


def test_a_split_column_of_lists(tmp_path):
    path = str(tmp_path / "t.parquet")
    pd.DataFrame({"a": [1, 2], "split": [[1], [2]], "label": [0, 1]}).to_parquet(path)
    assert error_text(DataError, read_file, path, "label").startswith(
        f"{path!r} has columns that are not numbers: split. "
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
    reason = str(caught.value.__cause__).splitlines()[0].rstrip(".")
    assert str(caught.value) == f"{str(path)!r} can't be read as a table: {reason}."
