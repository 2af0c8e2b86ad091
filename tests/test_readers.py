import csv
import gzip
import io
import math
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bncli.data.files import FILE_SUFFIXES, is_data_path, read_file
from bncli.data.idx import read_idx
from bncli.data.mnist import find_mnist_family
from bncli.data.tables import TABLE_SUFFIXES, is_table_path
from bncli.errors import DataError

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
NAMES = st.text("abcdefghij_", min_size=1, max_size=8)


def refusal(read, *arguments):
    """The whole text of the DataError that `read(*arguments)` ends in."""
    with pytest.raises(DataError) as caught:
        read(*arguments)
    return str(caught.value)


def table_file(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def archive_file(tmp_path, **arrays):
    path = tmp_path / "arrays.npz"
    np.savez(path, **arrays)
    return str(path)


# --- tables ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet", "a.npz", "A.CSV", "/some/where/a.b.npz"])
def test_data_paths_are_known_by_their_suffix(name):
    assert is_data_path(name)


@pytest.mark.parametrize("name", ["digits", "csv", "a.xlsx", "a.csv.gz", ".npz", ""])
def test_other_names_are_no_data_paths(name):
    assert not is_data_path(name)


def test_archives_are_no_tables():
    names = ["a.csv", "a.TSV", "a.parquet", "a.npz"]
    assert [name for name in names if is_table_path(name)] == ["a.csv", "a.TSV", "a.parquet"]


def test_a_csv_table_gives_features_names_and_labels(tmp_path):
    rows = read_file(table_file(tmp_path, "width,kind,height\n1,a,2.5\n3,b,4e-3\n"), "kind")
    np.testing.assert_array_equal(rows.x, [[1, 2.5], [3, 0.004]])
    assert rows.x.dtype == "float64"
    assert rows.y.tolist() == ["a", "b"]
    assert rows.feature_names == ("width", "height")
    assert rows.is_validation is None


def test_a_tsv_table_is_split_at_tabs(tmp_path):
    rows = read_file(table_file(tmp_path, "a\tb\tlabel\n1\t2\tx, y\n3\t4\tz\n", "table.TSV"), "label")
    np.testing.assert_array_equal(rows.x, [[1, 2], [3, 4]])
    assert rows.y.tolist() == ["x, y", "z"]


def test_a_parquet_table_reads_like_its_csv(tmp_path):
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
def test_labels_keep_their_kind(tmp_path, cells, labels, kind):
    rows = read_file(table_file(tmp_path, f"a,label\n1,{cells[0]}\n2,{cells[1]}\n"), "label")
    assert rows.y.tolist() == labels
    assert rows.y.dtype.kind == kind


def test_a_label_that_is_text_only_far_down_is_text_everywhere(tmp_path):
    numbers, words = "1,0\n" * 300_000, "1,x\n" * 300_000
    rows = read_file(table_file(tmp_path, f"a,label\n{numbers}{words}"), "label")
    assert set(rows.y) == {"0", "x"}


def test_a_split_column_is_honoured(tmp_path):
    text = "a,split,label\n1,train,x\n2,validation,y\n3,train,y\n"
    rows = read_file(table_file(tmp_path, text), "label")
    assert rows.is_validation.tolist() == [False, True, False]
    assert rows.feature_names == ("a",)


def test_a_split_column_of_numbers_is_a_feature(tmp_path):
    rows = read_file(table_file(tmp_path, "split,label\n1,x\n2,y\n"), "label")
    assert rows.feature_names == ("split",)
    assert rows.is_validation is None


def test_the_split_column_may_be_the_label(tmp_path):
    rows = read_file(table_file(tmp_path, "a,split\n1,train\n2,validation\n"), "split")
    assert rows.y.tolist() == ["train", "validation"]
    assert rows.is_validation is None


@given(st.data(), st.lists(NAMES, min_size=2, max_size=5, unique=True))
@settings(deadline=None, max_examples=60)
def test_random_tables_come_back_as_they_were(data, names):
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


@given(st.binary(max_size=300), st.sampled_from(FILE_SUFFIXES))
@settings(deadline=None, max_examples=60)
def test_random_bytes_are_read_or_refused_in_words(content, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"junk{suffix}")
        path.write_bytes(content)
        assert repr(str(path)) in refusal(read_file, str(path), "the label")


# --- tables that can't be used --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["absent.csv", "x" * 300 + ".npz"])
def test_no_file(name):
    expected = f"No file '{name}'. Give the path of an existing .csv, .tsv, .parquet, .npz file."
    assert refusal(read_file, name, None) == expected


def test_a_folder_is_no_file(tmp_path):
    path = str(tmp_path / "folder.csv")
    Path(path).mkdir()
    expected = f"No file {path!r}. Give the path of an existing .csv, .tsv, .parquet, .npz file."
    assert refusal(read_file, path, "label") == expected


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
def test_no_label_given(tmp_path, header, likely):
    path = table_file(tmp_path, f"{header}\n")
    shown = header.replace(",", ", ")
    expected = f"{path!r} needs the column that holds the class. Columns: {shown}. Try --label {likely}."
    assert refusal(read_file, path, None) == expected


def test_no_label_given_for_a_table_without_columns(tmp_path):
    path = str(tmp_path / "t.parquet")
    pd.DataFrame().to_parquet(path)
    expected = f"{path!r} needs the column that holds the class. Columns: none. Try --label COLUMN."
    assert refusal(read_file, path, None) == expected


def test_an_unknown_label_gets_a_suggestion(tmp_path):
    path = table_file(tmp_path, "a,Species\n1,x\n")
    expected = f"{path!r} has no column 'specie'. Columns: a, Species. Did you mean 'Species'?"
    assert refusal(read_file, path, "specie") == expected


def test_an_unknown_label_of_a_wide_table_shows_twenty_columns(tmp_path):
    path = table_file(tmp_path, ",".join(f"c{number}" for number in range(21)) + "\n")
    shown = ", ".join(f"c{number}" for number in range(20))
    assert refusal(read_file, path, "label") == f"{path!r} has no column 'label'. Columns: {shown}, ...."


def test_an_empty_table(tmp_path):
    path = table_file(tmp_path, "a,b,label\n")
    expected = f"{path!r} needs at least one row and one feature column beside 'label'. Received: 0 rows, 3 columns."
    assert refusal(read_file, path, "label") == expected


def test_a_table_without_features(tmp_path):
    path = table_file(tmp_path, "label\nx\ny\n")
    expected = f"{path!r} needs at least one row and one feature column beside 'label'. Received: 2 rows, 1 columns."
    assert refusal(read_file, path, "label") == expected


def test_missing_values(tmp_path):
    path = table_file(tmp_path, "a,b,label\n1,,x\n,2,\n3,,z\n")
    expected = f"{path!r} has missing values in: a (1), b (2), label (1). Drop those rows or fill them in first."
    assert refusal(read_file, path, "label") == expected


def test_missing_values_of_the_split(tmp_path):
    path = table_file(tmp_path, "a,split,label\n1,train,x\n2,validation,y\n3,,y\n")
    expected = f"{path!r} has missing values in: split (1). Drop those rows or fill them in first."
    assert refusal(read_file, path, "label") == expected


def test_columns_of_text(tmp_path):
    path = table_file(tmp_path, "a,town,day,label\n1,Rome,2024-01-01,x\n2,Bonn,2024-01-02,y\n")
    expected = (
        f"{path!r} has columns that are not numbers: town, day. "
        "Encode them as numbers (one column a category) or drop them."
    )
    assert refusal(read_file, path, "label") == expected


def test_a_split_column_of_other_words(tmp_path):
    path = table_file(tmp_path, "a,split,label\n1,train,x\n2,test,y\n")
    expected = (
        f"{path!r} has columns that are not numbers: split. "
        "Encode them as numbers (one column a category) or drop them. "
        "A column 'split' is used where it holds both train and validation and nothing else."
    )
    assert refusal(read_file, path, "label") == expected


def test_a_split_column_of_lists(tmp_path):
    path = str(tmp_path / "t.parquet")
    pd.DataFrame({"a": [1, 2], "split": [[1], [2]], "label": [0, 1]}).to_parquet(path)
    assert refusal(read_file, path, "label").startswith(f"{path!r} has columns that are not numbers: split. ")


def test_an_empty_file_is_no_table(tmp_path):
    path = table_file(tmp_path, "")
    assert refusal(read_file, path, "label") == f"{path!r} can't be read as a table: No columns to parse from file."


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_binary_junk_is_no_table(tmp_path, suffix):
    path = tmp_path / f"junk{suffix}"
    path.write_bytes(bytes(reversed(range(256))))
    with pytest.raises(DataError) as caught:
        read_file(str(path), "label")
    reason = str(caught.value.__cause__).splitlines()[0].rstrip(".")
    assert str(caught.value) == f"{str(path)!r} can't be read as a table: {reason}."


# --- archives -------------------------------------------------------------------------------------------------------


def test_an_archive_of_x_and_y(tmp_path):
    rows = read_file(archive_file(tmp_path, x=[[1.5, 2], [3, 4]], y=["b", "a"]), None)
    np.testing.assert_array_equal(rows.x, [[1.5, 2], [3, 4]])
    assert rows.y.tolist() == ["b", "a"]
    assert rows.feature_names == ()
    assert rows.is_validation is None


def test_an_archive_with_the_four_keys_of_keras_is_split(tmp_path):
    path = archive_file(tmp_path, x_train=[[1], [2]], y_train=[0, 1], x_test=[[3]], y_test=[1], extra=[5])
    rows = read_file(path, None)
    assert rows.x.tolist() == [[1], [2], [3]]
    assert rows.y.tolist() == [0, 1, 1]
    assert rows.is_validation.tolist() == [False, False, True]


@pytest.mark.parametrize(("shape", "read"), [((4, 3, 2), (4, 3, 2, 1)), ((4, 3, 2, 3), (4, 3, 2, 3)), ((4, 3), (4, 3))])
def test_grey_images_get_a_channel_axis(tmp_path, shape, read):
    rows = read_file(archive_file(tmp_path, x=np.zeros(shape, "uint8"), y=[0, 1, 0, 1]), None)
    assert rows.x.shape == read
    assert rows.x.dtype == "uint8"


def test_a_column_of_labels_is_taken_for_its_labels(tmp_path):
    path = archive_file(tmp_path, x_train=[[1], [2]], y_train=[[0], [1]], x_test=[[3]], y_test=[[1]])
    assert read_file(path, None).y.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("keys", "shown"), [(("x", "label"), "x, label"), (("x_train", "y_train"), "x_train, y_train"), ((), "none")]
)
def test_wrong_keys(tmp_path, keys, shown):
    path = archive_file(tmp_path, **{key: [1] for key in keys})
    expected = f"{path!r} needs the arrays x and y, or x_train, y_train, x_test and y_test. Received: {shown}."
    assert refusal(read_file, path, None) == expected


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
def test_features_of_a_wrong_shape_or_type(tmp_path, x, received):
    path = archive_file(tmp_path, x=x, y=[0, 1, 0, 1])
    expected = (
        f"{path!r}: x must hold numbers of shape (rows, features), (rows, height, width) or "
        f"(rows, height, width, channels). Received: {received}."
    )
    assert refusal(read_file, path, None) == expected


@pytest.mark.parametrize(
    ("y", "received"),
    [
        (np.eye(4, dtype="int8"), "shape (4, 4), dtype int8"),
        (np.zeros(3, "int8"), "shape (3,), dtype int8"),
        (np.int8(0), "shape (), dtype int8"),
        (np.full(4, b"a"), "shape (4,), dtype |S1"),
    ],
)
def test_labels_of_a_wrong_shape_or_type(tmp_path, y, received):
    path = archive_file(tmp_path, x=np.zeros((4, 2)), y=y)
    expected = (
        f"{path!r}: y must hold one class a row, as a number or text, shape (4,), not one-hot. Received: {received}."
    )
    assert refusal(read_file, path, None) == expected


def test_one_hot_labels_under_the_keys_of_keras(tmp_path):
    path = archive_file(tmp_path, x_train=[[1], [2]], y_train=np.eye(2, dtype="int8"), x_test=[[3]], y_test=[1])
    expected = (
        f"{path!r}: y_train must hold one class a row, as a number or text, shape (2,), not one-hot. "
        "Received: shape (2, 2), dtype int8."
    )
    assert refusal(read_file, path, None) == expected


def test_parts_whose_labels_fit_only_together(tmp_path):
    path = archive_file(tmp_path, x_train=[[1], [2]], y_train=[0], x_test=[[3]], y_test=[1, 0])
    expected = (
        f"{path!r}: y_train must hold one class a row, as a number or text, shape (2,), not one-hot. "
        "Received: shape (1,), dtype int64."
    )
    assert refusal(read_file, path, None) == expected


def test_parts_with_rows_of_different_shapes(tmp_path):
    path = archive_file(tmp_path, x_train=[[1, 2]], y_train=[0], x_test=[[3]], y_test=[1])
    expected = f"{path!r}: x_train and x_test differ in the shape of a row. Received: (2,) and (1,)."
    assert refusal(read_file, path, None) == expected


def unreadable(path, reason):
    return (
        f"{str(path)!r} can't be read as a NumPy archive: {reason}. "
        "Write arrays of numbers or text (dtype object won't do) with numpy.savez."
    )


def test_pickled_objects_are_not_loaded(tmp_path):
    path = archive_file(tmp_path, x=[[1], [2]], y=np.array(["a", 1], dtype=object))
    expected = unreadable(path, "Object arrays cannot be loaded when allow_pickle=False")
    assert refusal(read_file, path, None) == expected


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
def test_what_is_no_archive(tmp_path, content):
    path = tmp_path / "arrays.npz"
    path.write_bytes(content)
    assert refusal(read_file, str(path), None) == unreadable(path, "File is not a zip file")


def test_a_damaged_archive(tmp_path):
    path = Path(archive_file(tmp_path, x=np.zeros((50, 50)), y=np.zeros(50)))
    content = bytearray(path.read_bytes())
    content[1000] = 255
    path.write_bytes(content)
    assert refusal(read_file, str(path), None) == unreadable(path, "Bad CRC-32 for file 'x.npy'")


# --- IDX files ------------------------------------------------------------------------------------------------------

PARTS = {
    "train-images-idx3": np.arange(60, dtype="uint8").reshape(5, 4, 3),
    "train-labels-idx1": np.array([0, 1, 2, 1, 0], "uint8"),
    "t10k-images-idx3": np.arange(100, 136, dtype="uint8").reshape(3, 4, 3),
    "t10k-labels-idx1": np.array([2, 1, 0], "uint8"),
}
SPELLINGS = ["{}-ubyte.gz", "{}-ubyte", "{}-ubyte.gz dotted", "{}-ubyte dotted"]


def idx_bytes(array):
    lengths = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()


def idx_name(part, spelling):
    pattern, _, dotted = spelling.partition(" ")
    return pattern.format(part.replace("-idx", ".idx") if dotted else part)


def write_idx(folder, parts=PARTS, spelling="{}-ubyte.gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for part, array in parts.items():
        content = idx_bytes(array)
        path = folder / idx_name(part, spelling)
        path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)


def write_archive(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    images = np.full((2, 4, 3), value, "uint8")
    np.savez(path, x_train=images, y_train=[0, 1], x_test=images, y_test=[1, 0])


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The two folders that are searched: $BNCLI_DATA_DIR and Keras' cache, both empty."""
    own, cache = tmp_path / "own", tmp_path / "keras" / "datasets"
    monkeypatch.setenv("BNCLI_DATA_DIR", str(own))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return own, cache


def first_pixel(name):
    return int(find_mnist_family(name).x.flat[0])


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "mnist"), ("fashion_mnist", "fashion_mnist"), ("fashion_mnist", "fashion-mnist")]
)
def test_four_idx_files_are_read(places, name, folder, spelling):
    write_idx(places[0] / folder, spelling=spelling)
    rows = find_mnist_family(name)
    x = np.concatenate([PARTS["train-images-idx3"], PARTS["t10k-images-idx3"]])[..., None]
    np.testing.assert_array_equal(rows.x, x)
    assert rows.y.tolist() == [0, 1, 2, 1, 0, 2, 1, 0]
    assert rows.is_validation.tolist() == [False] * 5 + [True] * 3


def test_the_data_folder_may_itself_be_the_set(places, tmp_path, monkeypatch):
    write_idx(tmp_path / "mnist")
    monkeypatch.setenv("BNCLI_DATA_DIR", str(tmp_path / "mnist"))
    assert len(find_mnist_family("mnist").x) == 8
    assert find_mnist_family("fashion_mnist") is None


def test_idx_files_in_a_folder_of_another_name_are_not_taken(places):
    write_idx(places[0])
    assert find_mnist_family("mnist") is None


@pytest.mark.parametrize("place", ["mnist.npz", "mnist/mnist.npz"])
@pytest.mark.parametrize("root", [0, 1], ids=["own", "cache"])
def test_an_archive_is_found(places, root, place):
    write_archive(places[root] / place, 7)
    assert first_pixel("mnist") == 7


@pytest.mark.parametrize("place", ["fashion-mnist.npz", "fashion_mnist.npz", "fashion-mnist/fashion-mnist.npz"])
def test_an_archive_is_found_under_both_spellings(places, place):
    write_archive(places[0] / place, 7)
    assert first_pixel("fashion_mnist") == 7
    assert find_mnist_family("mnist") is None


def test_the_cache_of_keras_is_read(places):
    write_idx(places[1] / "fashion-mnist")
    assert len(find_mnist_family("fashion_mnist").x) == 8


def test_without_a_data_folder_the_cache_of_keras_is_read(places, monkeypatch):
    monkeypatch.delenv("BNCLI_DATA_DIR")
    write_archive(places[1] / "mnist.npz", 7)
    assert first_pixel("mnist") == 7


def test_an_unset_keras_home_means_the_users_home(places, tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    write_archive(tmp_path / ".keras" / "datasets" / "mnist.npz", 7)
    assert first_pixel("mnist") == 7


def test_absent_files_are_none(places):
    assert find_mnist_family("mnist") is None


def test_an_archive_in_the_data_folder_comes_before_idx_files_in_the_cache(places):
    write_archive(places[0] / "mnist.npz", 7)
    write_idx(places[1] / "mnist")
    assert first_pixel("mnist") == 7


def test_idx_files_come_before_an_archive_beside_them(places):
    write_archive(places[0] / "mnist.npz", 7)
    write_idx(places[0] / "mnist")
    assert first_pixel("mnist") == 0


def test_gzipped_files_come_before_raw_ones(places):
    write_idx(places[0] / "mnist")
    write_idx(places[0] / "mnist", {part: array * 0 for part, array in PARTS.items()}, "{}-ubyte")
    assert find_mnist_family("mnist").x.max() == 135


def test_missing_parts_are_named(places):
    folder = places[0] / "mnist"
    write_idx(folder, {part: PARTS[part] for part in ("train-images-idx3", "t10k-labels-idx1")})
    expected = (
        f"{str(folder)!r} lacks IDX files: train-labels-idx1-ubyte(.gz), t10k-images-idx3-ubyte(.gz). "
        "Put them there, or take the others away."
    )
    assert refusal(find_mnist_family, "mnist") == expected


@pytest.mark.parametrize(
    ("part", "array"),
    [
        ("train-labels-idx1", PARTS["train-labels-idx1"][:4]),
        ("t10k-labels-idx1", PARTS["train-labels-idx1"]),
        ("t10k-images-idx3", PARTS["t10k-images-idx3"].reshape(3, 2, 6)),
        ("train-images-idx3", PARTS["train-labels-idx1"]),
        ("train-labels-idx1", PARTS["train-images-idx3"]),
    ],
    ids=["too-few-labels", "too-many-labels", "another-size", "labels-for-images", "images-for-labels"],
)
def test_parts_that_do_not_belong_together(places, part, array):
    folder = places[0] / "mnist"
    parts = PARTS | {part: array}
    write_idx(folder, parts)
    received = ", ".join(f"{name} {value.shape}" for name, value in parts.items())
    expected = (
        f"{str(folder)!r}: the IDX files must hold images of one size and one label an image. Received: {received}."
    )
    assert refusal(find_mnist_family, "mnist") == expected


WHOLE = idx_bytes(PARTS["train-images-idx3"])


def test_read_idx_gives_unsigned_bytes(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(WHOLE)
    np.testing.assert_array_equal(read_idx(path), PARTS["train-images-idx3"])
    assert read_idx(path).dtype == "uint8"


@pytest.mark.parametrize(
    "content",
    [b"", WHOLE[:3], WHOLE[:6], WHOLE[:16], WHOLE[:-1], WHOLE + b"\0", b"\0\0\x0d" + WHOLE[3:], b"\x1f\x8b" + WHOLE],
    ids=["empty", "no-axes", "half-a-length", "no-data", "truncated", "too-long", "floats", "junk"],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_what_is_no_whole_idx_file(tmp_path, content, suffix):
    path = tmp_path / f"images{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    expected = f"{str(path)!r} is not a whole IDX file of unsigned bytes: copy or download it again."
    assert refusal(read_idx, path) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (WHOLE, "Not a gzipped file (b'\\x00\\x00')"),
        (gzip.compress(WHOLE)[:-9], "Compressed file ended before the end-of-stream marker was reached"),
        (gzip.compress(WHOLE)[:10] + b"\xff" * 40, "Error -3 while decompressing data: invalid block type"),
    ],
    ids=["not-gzipped", "truncated", "damaged"],
)
def test_a_gzipped_file_that_can_not_be_unpacked(tmp_path, content, reason):
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    assert refusal(read_idx, path) == f"{str(path)!r} can't be read: {reason}. Copy or download it again."


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(0, 255))
@settings(deadline=None, max_examples=30)
def test_idx_files_of_any_shape_come_back(shape, value):
    array = ((np.arange(math.prod(shape)) + value) % 256).astype("uint8").reshape(shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "any")
        path.write_bytes(idx_bytes(array))
        np.testing.assert_array_equal(read_idx(path), array)
