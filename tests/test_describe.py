import io

import numpy as np
import pandas as pd
import pytest

from bncli.config import RunConfig
from bncli.data import datasets, sets
from bncli.data.export import export_dataset
from bncli.data.facts import balance, catalogue, dataset_facts, feature_names, moments
from bncli.errors import InvalidConfig, StoreError
from bncli.tasks import metrics


def load(dataset, **fields):
    return datasets.load(RunConfig(dataset=dataset, **fields))


def archive(tmp_path, shape, value=3, dtype="uint8"):
    """Write 8 rows of this shape, all of one value but the first feature: the row's number. Return the path."""
    path = tmp_path / "mine.npz"
    x = np.full((8, *shape), value, dtype)
    x.reshape(8, -1)[:, 0] = range(8)
    np.savez(path, x=x, y=[0, 1] * 4)
    return str(path)


def refusal(error, *arguments):
    """The whole text of the error that an export ends in; nothing may have gone down the pipe."""
    pipe = io.BytesIO()
    with pytest.raises(error) as caught:
        export_dataset(*arguments, pipe)
    assert pipe.getvalue() == b""
    return str(caught.value)


# --- the list of data sets ------------------------------------------------------------------------------------------


def test_the_catalogue_lists_every_data_set():
    rows = catalogue()
    assert [row["name"] for row in rows] == list(sets.REGISTRY)
    assert all(row["description"] == sets.REGISTRY.description(row["name"]) for row in rows)


def test_the_catalogue_shows_the_fields_with_their_defaults():
    fields = {row["name"]: row["fields"] for row in catalogue()}
    assert fields["circles"] == "n_samples=1000 noise=0.1 data_seed=1"
    assert fields["digits"] == "data_seed=0"
    assert fields["mnist"] == ""


# --- one data set ---------------------------------------------------------------------------------------------------


def test_facts_of_a_set_of_numbers():
    assert dataset_facts(load("breast_cancer", train_rows=":100")) == {
        "dataset": "breast_cancer",
        "training_rows": 100,
        "validation_rows": 143,
        "input_shape": "30",
        "n_classes": 2,
        "scaling": "standard",
        "chance": 0.6294,
    }


def test_facts_of_a_set_of_images():
    assert dataset_facts(load("digits")) == {
        "dataset": "digits",
        "training_rows": 1347,
        "validation_rows": 450,
        "input_shape": "8x8x1",
        "n_classes": 10,
        "scaling": "unit",
        "chance": 0.1022,
    }


def test_chance_is_the_share_of_the_largest_class_in_the_validation_rows():
    data = load("circles", val_rows=":7")
    assert metrics.trivial_score(data) == max(np.mean(data.y_val == 0), np.mean(data.y_val == 1))
    assert metrics.trivial_score(load("circles", val_rows=":1")) == 1


def test_balance_counts_every_class_in_both_parts():
    data = load("breast_cancer", val_rows=":1")
    present = data.class_names[data.y_val[0]]
    assert balance(data) == [
        {
            "class": name,
            "training": rows,
            "training_share": round(rows / 426, 4),
            "validation": int(name == present),
            "validation_share": float(name == present),
        }
        for name, rows in (("benign", 267), ("malignant", 159))
    ]


@pytest.mark.parametrize("dataset", ["digits", "circles", "breast_cancer"])
def test_balance_accounts_for_every_row(dataset):
    data = load(dataset)
    rows = balance(data)
    assert tuple(row["class"] for row in rows) == data.class_names
    assert sum(row["training"] for row in rows) == len(data.y_train)
    assert sum(row["validation"] for row in rows) == len(data.y_val)
    assert sum(row["training_share"] for row in rows) == pytest.approx(1, abs=1e-3)


def test_moments_are_those_of_the_training_rows_raw_and_scaled():
    config = RunConfig(dataset="circles", scaling="standard", noise=0.3)
    raw, table = load("circles", noise=0.3).x_train, moments(config)
    assert table["feature"].tolist() == ["x1", "x2"]
    for name, expected in (("mean", raw.mean(0)), ("std", raw.std(0)), ("min", raw.min(0)), ("max", raw.max(0))):
        np.testing.assert_allclose(table[name], expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(table["scaled_mean"], 0, atol=1e-7)
    np.testing.assert_allclose(table["scaled_std"], 1, atol=1e-6)
    np.testing.assert_allclose(table["scaled_max"], (table["max"] - table["mean"]) / table["std"], rtol=1e-5)
    assert table.columns.tolist() == [
        "feature", "mean", "scaled_mean", "std", "scaled_std", "min", "scaled_min", "max", "scaled_max",
    ]  # fmt: skip


def test_moments_of_unscaled_data_are_the_same_twice():
    table = moments(RunConfig(dataset="moons"))
    for name in ("mean", "std", "min", "max"):
        assert table[name].tolist() == table[f"scaled_{name}"].tolist()


def test_moments_of_images_begin_with_all_pixels():
    table = moments(RunConfig(dataset="digits"))
    assert table["feature"].tolist()[:3] == ["all pixels", "r0c0", "r0c1"]
    assert len(table) == 1 + 64
    together = table.iloc[0]
    assert (together["min"], together["max"]) == (0, 16)
    assert (together["scaled_min"], together["scaled_max"]) == (0, 1)
    assert together["mean"] == pytest.approx(table["mean"][1:].mean())
    assert together["scaled_std"] == pytest.approx(together["std"] / 16)


def test_feature_names_are_the_files_own():
    assert feature_names(load("breast_cancer"))[0] == "mean radius"


def test_feature_names_of_an_archive_are_numbered(tmp_path):
    assert feature_names(load(archive(tmp_path, (3,)))) == ["x1", "x2", "x3"]


def test_pixels_are_named_by_row_and_column(tmp_path):
    assert feature_names(load(archive(tmp_path, (2, 2)))) == ["r0c0", "r0c1", "r1c0", "r1c1"]


def test_pixels_of_colour_are_named_by_channel_too(tmp_path):
    names = feature_names(load(archive(tmp_path, (1, 2, 3))))
    assert names == ["r0c0ch0", "r0c0ch1", "r0c0ch2", "r0c1ch0", "r0c1ch1", "r0c1ch2"]


# --- export ---------------------------------------------------------------------------------------------------------


def test_csv_has_a_column_a_feature_then_label_and_split(tmp_path):
    data = load("breast_cancer", train_rows=":20", val_rows=":3")
    export_dataset(data, str(tmp_path / "out.csv"), None, io.BytesIO())
    frame = pd.read_csv(tmp_path / "out.csv")
    assert frame.columns.tolist() == [*data.feature_names, "label", "split"]
    assert frame["split"].tolist() == ["train"] * 20 + ["validation"] * 3
    assert frame["label"].tolist() == [data.class_names[number] for number in [*data.y_train, *data.y_val]]
    np.testing.assert_array_equal(frame[data.feature_names[0]].astype("float32")[:20], data.x_train[:, 0])


def test_csv_of_images_has_a_column_a_pixel(tmp_path):
    pipe = io.BytesIO()
    export_dataset(load(archive(tmp_path, (1, 2)), scaling="none"), "-", None, pipe)
    header, *rows = pipe.getvalue().decode().splitlines()
    assert header == "r0c0,r0c1,label,split"
    assert sorted(row.rpartition(",")[0] for row in rows) == [f"{number}.0,3.0,{number % 2}" for number in range(8)]


def test_npz_has_the_four_keys_of_keras(tmp_path):
    data = load("digits", train_rows=":20", val_rows=":30")
    export_dataset(data, str(tmp_path / "out.NPZ"), None, io.BytesIO())
    with np.load(tmp_path / "out.NPZ") as arrays:
        assert list(arrays) == ["x_train", "y_train", "x_test", "y_test"]
        np.testing.assert_array_equal(arrays["x_train"], data.x_train)
        np.testing.assert_array_equal(arrays["y_test"], data.y_val)
        assert arrays["x_test"].dtype == "float32"


@pytest.mark.parametrize(("kind", "file"), [(None, "out.csv"), ("csv", "out.csv"), ("npz", "out.npz")])
def test_a_pipe_gets_what_a_file_gets(tmp_path, kind, file):
    data, pipe = load("circles", n_samples=20), io.BytesIO()
    export_dataset(data, "-", kind, pipe)
    export_dataset(data, str(tmp_path / file), None, io.BytesIO())
    assert pipe.getvalue() == (tmp_path / file).read_bytes()


def test_the_kind_given_holds_against_the_ending(tmp_path):
    export_dataset(load("circles", n_samples=20), str(tmp_path / "out.txt"), "csv", io.BytesIO())
    assert (tmp_path / "out.txt").read_text().startswith("x1,x2,label,split\n")


def test_a_file_in_the_way_is_replaced_and_nothing_else_left(tmp_path):
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
    frame = pd.DataFrame(dict.fromkeys(names, range(8)) | {"kind": list("abababab")})
    frame.to_csv(path, index=False)
    return load(str(path), label="kind")


@pytest.mark.parametrize(
    ("names", "received"), [(("label", "a"), "label"), (("split",), "split"), (("split", "label"), "label, split")]
)
def test_csv_overwrites_no_feature(tmp_path, names, received):
    data = features_named(tmp_path, *names)
    expected = (
        f"CSV gets the columns label and split, but {data.name!r} has a feature of that name. "
        f"Received: {received}. Rename it, or export as npz."
    )
    assert refusal(InvalidConfig, data, str(tmp_path / "out.csv"), None) == expected
    assert refusal(InvalidConfig, data, "-", None) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["named.csv"]


def test_npz_takes_features_of_any_name(tmp_path):
    data = features_named(tmp_path, "label", "split")
    export_dataset(data, str(tmp_path / "out.npz"), None, io.BytesIO())
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["x_train"].shape == (6, 2)


def test_a_place_that_can_not_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    target = str(tmp_path / "file" / "out.csv")
    assert refusal(StoreError, load("circles"), target, None) == f"Can't write {target!r}: File exists."
