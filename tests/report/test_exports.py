"""The result of a study for programs."""

import csv
import io
import json

import pandas as pd
import pytest
from fakes import IGNORED_AXIS, TRIVIAL, diverged, evidence, failed, learned, make_study, record

from bncli.analysis.evidence import read_evidence
from bncli.report.exports import as_json, to_csv, write_csv


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


@pytest.mark.parametrize("kind", [object, "str"])
def test_csv_keeps_texts_but_for_control_characters(tmp_path, kind):
    texts = ["a,b", 'say "x"', "two\nlines\tand a tab", "=cmd()", "\x1b[2J\x07", "\x9b2J"]
    table = pd.DataFrame({"ar\x1bm": pd.Series(texts, dtype=kind), "n": range(6)})
    write_csv(table, tmp_path / "table.csv")
    for text in (to_csv(table), (tmp_path / "table.csv").read_text()):
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        assert header == [r"ar\x1bm", "n"]
        assert [row[0] for row in rows] == [*texts[:4], r"\x1b[2J\x07", r"\x9b2J"]


def test_csv_of_names_that_are_not_utf_8_can_be_written():
    assert to_csv([{"path": "caf\udce9.csv", "flag": True}]) == "path,flag\ncaf\\udce9.csv,true\n"
