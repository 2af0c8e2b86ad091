"""Exports to CSV and NPZ."""

import io

import numpy as np
import pandas as pd
import pytest
from datafiles import error_text, is_same, load, write_images

from bncli.data.export import export_dataset
from bncli.errors import InvalidConfig, StoreError


def refusal(error, *arguments):
    """The whole text of the error that an export raises; nothing is written to the pipe."""
    pipe = io.BytesIO()
    text = error_text(error, export_dataset, *arguments, pipe)
    assert pipe.getvalue() == b""
    return text


def test_csv_has_a_column_per_feature_then_label_and_split(tmp_path):
    data = load("breast_cancer", train_rows=":20", val_rows=":3")
    export_dataset(data, str(tmp_path / "out.csv"), None, io.BytesIO())
    frame = pd.read_csv(tmp_path / "out.csv")
    assert frame.columns.tolist() == [*data.feature_names, "label", "split"]
    assert frame["split"].tolist() == ["train"] * 20 + ["validation"] * 3
    assert frame["label"].tolist() == [data.class_names[number] for number in [*data.y_train, *data.y_val]]
    np.testing.assert_array_equal(frame[data.feature_names[0]].astype("float32")[:20], data.x_train[:, 0])


def test_csv_of_images_has_a_column_per_pixel(tmp_path):
    pipe = io.BytesIO()
    export_dataset(load(write_images(tmp_path, (1, 2)), scaling="none"), "-", None, pipe)
    header, *rows = pipe.getvalue().decode().splitlines()
    assert header == "r0c0,r0c1,label,split"
    assert sorted(row.rpartition(",")[0] for row in rows) == [f"{number}.0,3.0,{number % 2}" for number in range(8)]


def test_npz_has_keras_names(tmp_path):
    data = load("digits", train_rows=":20", val_rows=":30")
    export_dataset(data, str(tmp_path / "out.NPZ"), None, io.BytesIO())
    with np.load(tmp_path / "out.NPZ") as arrays:
        assert list(arrays) == ["x_train", "y_train", "x_test", "y_test"]
        np.testing.assert_array_equal(arrays["x_train"], data.x_train)
        np.testing.assert_array_equal(arrays["y_test"], data.y_val)
        assert arrays["x_test"].dtype == "float32"


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
def test_an_export_is_read_back_as_the_same_data(tmp_path, dataset, scaling, kind):
    data = load(dataset, scaling=scaling)
    path = str(tmp_path / f"out.{kind}")
    export_dataset(data, path, None, None)
    back = load(path, scaling="none", **({"label": "label"} if kind == "csv" else {}))
    assert is_same(back, data)
    assert back.fingerprint() == data.fingerprint()
    assert back.n_classes == data.n_classes


@pytest.mark.parametrize(("kind", "file"), [(None, "out.csv"), ("csv", "out.csv"), ("npz", "out.npz")])
def test_a_pipe_gets_the_same_bytes_as_a_file(tmp_path, kind, file):
    data, pipe = load("circles", n_samples=20), io.BytesIO()
    export_dataset(data, "-", kind, pipe)
    export_dataset(data, str(tmp_path / file), None, io.BytesIO())
    assert pipe.getvalue() == (tmp_path / file).read_bytes()


def test_the_given_kind_overrides_the_ending(tmp_path):
    export_dataset(load("circles", n_samples=20), str(tmp_path / "out.txt"), "csv", io.BytesIO())
    assert (tmp_path / "out.txt").read_text().startswith("x1,x2,label,split\n")


def test_an_existing_file_is_replaced_and_no_other_file_is_left(tmp_path):
    (tmp_path / "out.csv").write_text("old")
    export_dataset(load("circles", n_samples=20), str(tmp_path / "out.csv"), None, io.BytesIO())
    assert len(pd.read_csv(tmp_path / "out.csv")) == 20
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize(
    ("target", "kind", "received"),
    [("out.xlsx", None, "out.xlsx"), ("out", None, "out"), ("out.csv", "parquet", "parquet"), ("-", "CSV", "CSV")],
)
def test_an_unknown_kind(folder, target, kind, received):
    expected = f"--export writes .csv or .npz. Received: '{received}'. Try --export-as csv or --export-as npz."
    assert refusal(InvalidConfig, load("circles"), target, kind) == expected
    assert list(folder.iterdir()) == []


def features_named(tmp_path, *names):
    path = tmp_path / "named.csv"
    pd.DataFrame(dict.fromkeys(names, range(8)) | {"kind": list("abababab")}).to_csv(path, index=False)
    return load(str(path), label="kind")


@pytest.mark.parametrize(
    ("names", "received"), [(("label", "a"), "label"), (("split",), "split"), (("split", "label"), "label, split")]
)
def test_csv_rejects_features_with_the_names_of_its_own_columns(tmp_path, names, received):
    data = features_named(tmp_path, *names)
    expected = (
        f"A CSV export adds the columns label and split, but {data.name!r} already has: "
        f"{received}. Rename it, or export as npz."
    )
    assert refusal(InvalidConfig, data, str(tmp_path / "out.csv"), None) == expected
    assert refusal(InvalidConfig, data, "-", None) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["named.csv"]


def test_npz_accepts_features_of_any_name(tmp_path):
    data = features_named(tmp_path, "label", "split")
    export_dataset(data, str(tmp_path / "out.npz"), None, io.BytesIO())
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["x_train"].shape == (6, 2)


def test_a_file_that_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    target = str(tmp_path / "file" / "out.csv")
    assert refusal(StoreError, load("circles"), target, None) == f"Can't write {target!r}: File exists."
