"""The result of a study as JSON and CSV, for programs."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from fakes import IGNORED_AXIS, TRIVIAL, diverged, evidence, failed, learned, make_study, record
from hypothesis import given
from hypothesis import strategies as st

from bncli.analysis.evidence import read_evidence
from bncli.report.exports import as_json, records, to_csv, to_json, to_json_line, write_csv
from bncli.values import plain_text


def mixed(config):
    """One of each state."""
    return (learned, diverged, failed)[config.seed % 3](config)


def test_the_json_of_a_study_has_its_settings_and_conditions():
    shown = evidence(make_study(axes=IGNORED_AXIS, seeds=(0, 1, 2)), mixed)
    content = json.loads(json.dumps(as_json(shown), allow_nan=False))
    assert (content["baseline"], content["metric"], content["threshold"]) == ("none", "val_accuracy", None)
    assert (content["n_planned"], content["n_recorded"]) == (18, 18)
    assert content["axes"] == {"norm_momentum": [0.9, 0.99], "lr": [0.01, 0.1]}
    assert [row["arm"] for row in content["conditions"]] == ["none", "batch:before"] * 2 + ["batch:before"] * 2
    assert content["conditions"][0]["param_norm_momentum"] is None
    assert content["run"] == shown.study.base.to_dict()


def test_the_json_of_a_study_read_back_is_the_same(tmp_path):
    shown = evidence(make_study(axes=IGNORED_AXIS, seeds=(0, 1, 2)), mixed, TRIVIAL)
    record(tmp_path / "out", shown)
    assert as_json(read_evidence(tmp_path / "out")) == as_json(shown)


def test_records_are_json_whatever_the_table_holds():
    table = pd.DataFrame({
        "float": [0.5, float("nan")],
        "infinite": [float("inf"), float("-inf")],
        "small": np.array([0.25, 1], dtype="float32"),
        "whole": np.array([1, 2], dtype="int32"),
        "some": pd.array([1, None], dtype="Int64"),
        "flag": [True, False],
        "text": ["a", None],
        "mixed": [np.float64(0.5), np.int64(3)],
    })  # fmt: skip
    assert json.loads(to_json(records(table))) == [
        {
            "float": 0.5,
            "infinite": None,
            "small": 0.25,
            "whole": 1,
            "some": 1,
            "flag": True,
            "text": "a",
            "mixed": 0.5,
        },
        {
            "float": None,
            "infinite": None,
            "small": 1.0,
            "whole": 2,
            "some": None,
            "flag": False,
            "text": None,
            "mixed": 3,
        },
    ]


def test_records_hold_plain_types():
    table = pd.DataFrame({"a": np.array([1], dtype="int8"), "b": np.array([True]), "c": np.array([0.5])})
    assert [type(value) for value in records(table)[0].values()] == [int, bool, float]


def test_an_empty_table_has_no_records():
    assert records(pd.DataFrame(columns=["a"])) == []


def test_csv_leaves_missing_cells_empty_and_spells_flags_in_lower_case():
    table = pd.DataFrame({"arm": ["none", "a,b"], "value": [float("nan"), 0.1], "best": [True, False]})
    text = 'arm,value,best\nnone,,true\n"a,b",0.1,false\n'
    assert to_csv(table) == to_csv(records(table)) == text


def test_csv_without_rows_is_its_header():
    assert to_csv(pd.DataFrame(columns=["arm", "n"])) == "arm,n\n"


def test_csv_keeps_whole_numbers_flags_and_infinity_beside_missing_cells():
    rows = [{"a": 1, "b": True, "c": float("inf"), "d": "auto"}, {"a": None, "b": None, "c": None, "d": False}]
    assert to_csv(rows) == "a,b,c,d\n1,true,inf,auto\n,,,false\n"


TABLES = {
    "plain": {"run_id": ["f0", "f1"], "param_lr": [0.1, 1e-3], "epoch": [1, 2], "loss": [float("nan"), float("inf")]},
    "text that needs quotes": {"arm": ["none", 'a,"b"'], "epoch": [1, 2]},
    "flags and a word": {"param_use_bias": [True, "auto", None], "best": [True, False, True]},
    "several types": {"param_x": pd.Series([1, "auto", 0.5], dtype=object)},
    "no row": {"arm": [], "epoch": []},
}


@pytest.mark.parametrize("columns", TABLES.values(), ids=TABLES)
def test_csv_in_a_file_is_what_stdout_gets(tmp_path, columns):
    table = pd.DataFrame(columns)
    write_csv(table, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == to_csv(table)


@given(
    st.lists(st.fixed_dictionaries({"a": st.text(st.characters(exclude_characters="\r\0")), "b": st.text("ab,\"'\n")}))
)
def test_csv_survives_any_text(rows):
    plain = [{name: plain_text(text, None, keep="\n\t") for name, text in row.items()} for row in rows]
    assert list(csv.DictReader(io.StringIO(to_csv(rows), newline=""))) == plain


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_csv_keeps_every_digit_of_a_number(value):
    assert float(to_csv([{"a": value}]).splitlines()[1]) == value


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_csv_in_a_file_keeps_every_digit_too(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "digits.csv"
    write_csv(pd.DataFrame({"a": [value]}), path)
    assert float(path.read_text().splitlines()[1]) == value


@pytest.mark.parametrize("spell", [to_json, to_json_line])
def test_json_refuses_what_json_does_not_know(spell):
    with pytest.raises(ValueError, match=r"^Out of range float values are not JSON compliant"):
        spell({"a": float("nan")})


def test_a_line_of_json_is_one_line():
    assert to_json_line({"a": [1, "x\ny"]}) == '{"a": [1, "x\\ny"]}'
    assert to_json({"a": 1}) == '{\n  "a": 1\n}'
