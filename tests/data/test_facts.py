"""Facts about data sets: catalogue, sizes, class balance and moments."""

import numpy as np
import pytest
from datafiles import load, write_images

from bncli.data import sets
from bncli.data.facts import balance, catalogue, dataset_facts, feature_names, moments


def test_the_catalogue_lists_every_data_set():
    rows = catalogue()
    assert [row["name"] for row in rows] == [*sets.REGISTRY, "openml:NAME@VERSION", "images:FOLDER"]
    assert all(row["description"] == sets.REGISTRY.description(row["name"]) for row in rows[:-2])
    assert rows[-2]["fields"] == "label drop encode=onehot impute=median data_seed=0"


def test_the_catalogue_shows_the_fields_with_their_defaults():
    fields = {row["name"]: row["fields"] for row in catalogue()}
    assert fields["circles"] == "n_samples=1000 noise=0.1 data_seed=1"
    assert fields["digits"] == "data_seed=0"
    assert fields["mnist"] == ""


def test_facts_of_a_table():
    assert dataset_facts(load("breast_cancer", train_rows=":100")) == {
        "dataset": "breast_cancer",
        "task": "classification",
        "score": "accuracy",
        "training_rows": 100,
        "validation_rows": 143,
        "input_shape": "30",
        "n_classes": 2,
        "class_names": ["benign", "malignant"],
        "scaling": "standard",
        "chance": 0.6294,
        "trivial": {
            "accuracy": 0.629371,
            "balanced_accuracy": 0.5,
            "f1": 0.386266,
            "auc": 0.5,
            "nll": 0.65929,
            "brier": 0.233263,
        },
    }


def test_facts_of_quantities():
    data = load("diabetes")
    assert dataset_facts(data) == {
        "dataset": "diabetes",
        "task": "regression",
        "score": "r2",
        "training_rows": 331,
        "validation_rows": 111,
        "input_shape": "10",
        "target_mean": 151.921,
        "target_sd": 79.0789,
        "scaling": "standard",
        "chance": 0.0,
        "trivial": {"r2": 0.0, "mae": 58.0631, "mse": 4964.41, "rmse": 70.4586},
    }
    assert balance(data) == []


def test_facts_of_images():
    facts = dataset_facts(load("digits"))
    assert set(facts.pop("trivial")) == {"accuracy", "balanced_accuracy", "f1", "auc", "top5", "nll", "brier"}
    assert facts == {
        "dataset": "digits",
        "task": "classification",
        "score": "accuracy",
        "training_rows": 1347,
        "validation_rows": 450,
        "input_shape": "8x8x1",
        "n_classes": 10,
        "class_names": [*"0123456789"],
        "scaling": "unit",
        "chance": 0.1022,
    }


def test_chance_is_the_share_of_the_largest_class_in_the_validation_rows():
    data = load("circles", val_rows=":7")
    share = max(np.mean(data.y_val == 0), np.mean(data.y_val == 1))
    assert dataset_facts(data)["chance"] == round(share, 4)
    assert dataset_facts(load("circles", val_rows=":1"))["chance"] == 1


def test_balance_counts_the_rows_of_every_class():
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
    raw = load("circles", noise=0.3)
    table = moments(raw, load("circles", noise=0.3, scaling="standard"))
    x = raw.x_train
    assert table["feature"].tolist() == ["x1", "x2"]
    for name, expected in (("mean", x.mean(0)), ("std", x.std(0)), ("min", x.min(0)), ("max", x.max(0))):
        np.testing.assert_allclose(table[name], expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(table["scaled_mean"], 0, atol=1e-7)
    np.testing.assert_allclose(table["scaled_std"], 1, atol=1e-6)
    np.testing.assert_allclose(table["scaled_max"], (table["max"] - table["mean"]) / table["std"], rtol=1e-5)
    assert table.columns.tolist() == [
        "feature", "mean", "scaled_mean", "std", "scaled_std", "min", "scaled_min", "max", "scaled_max",
    ]  # fmt: skip


def test_moments_of_unscaled_data_are_equal_before_and_after():
    data = load("moons")
    table = moments(data, data)
    for name in ("mean", "std", "min", "max"):
        assert table[name].tolist() == table[f"scaled_{name}"].tolist()


def test_moments_of_images_start_with_all_pixels():
    table = moments(load("digits", scaling="none"), load("digits"))
    assert table["feature"].tolist()[:3] == ["all pixels", "r0c0", "r0c1"]
    assert len(table) == 1 + 64
    together = table.iloc[0]
    assert (together["min"], together["max"]) == (0, 16)
    assert (together["scaled_min"], together["scaled_max"]) == (0, 1)
    assert together["mean"] == pytest.approx(table["mean"][1:].mean())
    assert together["scaled_std"] == pytest.approx(together["std"] / 16)


def test_feature_names_are_those_of_the_data_set():
    assert feature_names(load("breast_cancer"))[0] == "mean radius"


def test_feature_names_of_an_archive_are_numbered(tmp_path):
    assert feature_names(load(write_images(tmp_path, (3,)))) == ["x1", "x2", "x3"]


def test_pixels_are_named_by_row_and_column(tmp_path):
    assert feature_names(load(write_images(tmp_path, (2, 2)))) == ["r0c0", "r0c1", "r1c0", "r1c1"]


def test_pixels_of_colour_are_named_by_channel_too(tmp_path):
    names = feature_names(load(write_images(tmp_path, (1, 2, 3))))
    assert names == ["r0c0ch0", "r0c0ch1", "r0c0ch2", "r0c1ch0", "r0c1ch1", "r0c1ch2"]


def test_facts_of_a_test_part():
    data = load("breast_cancer", test_size=0.2)
    facts = dataset_facts(data)
    assert list(facts)[-2:] == ["test_chance", "test_trivial"]
    assert (facts["test_rows"], facts["training_rows"], facts["validation_rows"]) == (114, 341, 114)
    assert facts["test_chance"] == round(float(np.mean(data.y_test == np.bincount(data.y_test).argmax())), 4)
