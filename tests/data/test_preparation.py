"""Missing values and categories of tables, from a file to features."""

import numpy as np
import pytest
from datafiles import error_text, is_same, load, write_text

from bncli.config import RunConfig
from bncli.data import datasets, facts, preparation
from bncli.errors import InvalidConfig
from bncli.resolution import resolve

ROWS = """age,town,smoker,split,label
10,Rome,True,train,x
20,Oslo,False,train,y
,Rome,,train,x
90,,True,train,y
30,Bonn,True,validation,x
,Oslo,False,validation,y
50,Oslo,False,test,y
"""


@pytest.fixture
def path(tmp_path):
    return write_text(tmp_path, ROWS)


def test_missing_values_and_categories_become_features(path):
    data = load(path, label="label", scaling="none")
    assert data.feature_names == ("age", "town=Oslo", "town=Rome", "smoker")
    assert data.x_train.tolist() == [[10, 0, 1, 1], [20, 1, 0, 0], [20, 0, 1, 1], [90, 0, 1, 1]]
    assert data.x_val.tolist() == [[30, 0, 0, 1], [20, 1, 0, 0]]
    assert data.x_test.tolist() == [[50, 1, 0, 0]]
    assert data.notices == (
        f"{path!r}: missing values are filled in: age (2, 20), town (1, Rome), smoker (1, true). See --impute.",
        f"{path!r}: categories become features (onehot): town (2). See --encode.",
        f"{path!r}: validation or test rows have categories that no training row has, in: town (1). "
        "They are 0 in every feature of the column.",
    )


def test_ordinal_numbers_and_means(path):
    data = load(path, label="label", scaling="none", encode="ordinal", impute="mean")
    assert data.feature_names == ("age", "town", "smoker")
    assert data.x_train.tolist() == [[10, 1, 1], [20, 0, 0], [40, 1, 1], [90, 1, 1]]
    assert data.x_val.tolist() == [[30, -1, 1], [40, 0, 0]]
    assert data.notices[2].endswith("They are -1.")
    most = load(path, label="label", scaling="none", impute="most_frequent", train_rows="1:")
    assert most.x_train[:, 0].tolist() == [20, 20, 90]  # of equally frequent ones the smallest


def test_only_selected_training_rows_count(path):
    data = load(path, label="label", scaling="none", train_rows=":2", val_rows="1:")
    assert data.x_val.tolist() == [[15, 1, 0, 0]]
    assert load(path, label="label", scaling="none", train_rows="1:3").feature_names[1:3] == ("town=Oslo", "town=Rome")


def test_features_of_categories_are_not_standardized(path):
    data = load(path, label="label")
    np.testing.assert_allclose(data.x_train[:, 0].mean(), 0, atol=1e-6)
    assert data.x_train[:, 1:3].tolist() == [[0, 1], [1, 0], [0, 1], [0, 1]]
    assert (data.scaler.shift[1:3].tolist(), data.scaler.divisor[1:3].tolist()) == ([0, 0], [1, 1])
    ordinal = load(path, label="label", encode="ordinal")
    np.testing.assert_allclose(ordinal.x_train[:, 1].mean(), 0, atol=1e-6)


def test_what_was_done_is_a_fact_of_the_data(path):
    data = load(path, label="label", drop="smoker")
    wanted = [
        {"column": "age", "kind": "number", "missing": 2, "filled_with": "20", "becomes": ""},
        {
            "column": "town",
            "kind": "category",
            "missing": 1,
            "filled_with": "Rome",
            "becomes": "2 features: Oslo, Rome",
        },
        {"column": "smoker", "kind": "", "missing": None, "filled_with": "", "becomes": "left out: drop"},
    ]
    assert facts.columns(data) == facts.dataset_facts(data)["columns"] == wanted
    ordinal = load(path, label="label", encode="ordinal").preparation
    assert ordinal.columns[1]["becomes"] == "0 to 1: Oslo, Rome"
    assert (ordinal.drop, ordinal.encode, ordinal.impute) == (None, "ordinal", "median")


def test_a_resolved_run_says_what_was_done_and_has_the_same_data(path):
    run = RunConfig(dataset=path, label="label")
    resolved, ignored = resolve(run)
    assert (resolved.drop, resolved.encode, resolved.impute, ignored) == (None, "onehot", "median", ())
    assert datasets.load(resolved) is datasets.load(run)
    assert resolve(resolved) == (resolved, ())
    assert len({resolve(run.replace(**{name: value}))[0].run_id for name, value in OTHERS}) == len(OTHERS)


OTHERS = [("encode", "onehot"), ("encode", "ordinal"), ("impute", "mean"), ("drop", "age"), ("drop", "smoker")]


def test_the_order_of_left_out_columns_makes_no_other_run(path):
    runs = [resolve(RunConfig(dataset=path, label="label", drop=drop))[0] for drop in ("age,smoker", "smoker, age")]
    assert runs[0] == runs[1]


FINGERPRINT = "4ad6756f621b9820991a0b4176ef91edaad87261084b630bfff91b7449648492"

PLAIN = ",a,label\n" + "".join(f"{number},{number**2 % 7},{'xy'[number % 2]}\n" for number in range(12))


def test_a_table_of_numbers_has_the_ids_and_the_data_of_earlier_versions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_text(tmp_path, PLAIN.replace(",a,", "b,a,", 1), "plain.csv")
    write_text(tmp_path, PLAIN, "indexed.csv")
    plain, _ = resolve(RunConfig(dataset="plain.csv", label="label"))
    assert (plain.run_id, plain.drop, plain.encode, plain.impute) == ("df802211c7fe", None, None, None)
    old, _ = resolve(RunConfig.from_record({"dataset": "indexed.csv", "label": "label"}))
    new, _ = resolve(RunConfig(dataset="indexed.csv", label="label"))
    assert (old.run_id, old.drop, new.drop) == ("38c8a4e2ed42", None, "Unnamed: 0")
    assert datasets.load(old).fingerprint() == datasets.load(plain).fingerprint() == FINGERPRINT
    assert datasets.load(new).feature_names == ("a",)


def test_options_without_effect_are_named(tmp_path):
    path = write_text(tmp_path, PLAIN)
    plain = resolve(RunConfig(dataset=path, label="label"))
    assert resolve(RunConfig(dataset=path, label="label", encode="ordinal", impute="mean")) == (
        plain[0],
        ("encode", "impute"),
    )
    assert resolve(RunConfig(drop="a", encode="onehot"))[1] == ("drop", "encode")


def test_a_table_is_read_once(path, monkeypatch):
    calls = []
    read_file = datasets.read_file
    monkeypatch.setattr(datasets, "read_file", lambda *where, **how: calls.append(where) or read_file(*where, **how))
    run = RunConfig(dataset=path, label="label")
    assert is_same(datasets.load(run), datasets.load(resolve(run)[0]))
    assert len(calls) == 1


def test_a_column_without_values_in_the_training_rows(tmp_path):
    path = write_text(tmp_path, "a,b,split,label\n1,,train,x\n2,?,train,y\n3,4,validation,x\n")
    assert error_text(InvalidConfig, load, path, label="label") == (
        f"{path!r} has no values in the training rows in: b. Select more rows, or leave such columns out with --drop."
    )


def test_a_column_of_too_many_categories(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "MAX_CATEGORIES", 2)
    path = write_text(tmp_path, "a,zip\n" + "".join(f"{'uvw'[n % 3]},{n % 2}\n" for n in range(24)))
    assert error_text(InvalidConfig, load, path, label="zip") == (
        f"encode=onehot would make 3 features of column 'a' of {path!r}. Allowed: 2. Try --encode ordinal, or --drop."
    )
    assert load(path, label="zip", encode="ordinal").feature_names == ("a",)


def test_every_seed_draws_its_own_split_and_preparation(tmp_path):
    lines = [f"{'' if n % 3 == 0 else n},{'abcd'[n % 4]},{'xy'[n % 2]}" for n in range(24)]
    path = write_text(tmp_path, "\n".join(["n,town,label", *lines]))
    drawn = [load(path, label="label", vary_data=True, seed=seed, scaling="none") for seed in (0, 1)]
    assert not is_same(*drawn)
    assert is_same(drawn[1], load(path, label="label", data_seed=1, scaling="none"))
    part = load(path, label="label", test_size=0.25)
    assert all(np.isfinite(x).all() for x, _ in part.parts.values())
