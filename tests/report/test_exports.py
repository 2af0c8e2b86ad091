"""The result of a study for programs."""

import json

from fakes import IGNORED_AXIS, TRIVIAL, diverged, evidence, failed, learned, make_study, record

from bncli.analysis.evidence import read_evidence
from bncli.report.exports import as_json


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
