"""A folder that was begun when `use_bias=auto` left out more biases goes on with the networks of its time."""

import json
from collections import Counter

import pytest

import bncli
from bncli.study.folder import STUDY_FILE, Store
from bncli.study.journal import RUNS_FILE

pytestmark = pytest.mark.usefixtures("no_figures")

SMALL = {"dataset": "circles", "n_samples": 64, "model": "dense8", "epochs": 1}


def compare(folder, seeds, arms=("none", "layer:before"), **fields):
    return bncli.compare(arms=list(arms), seeds=seeds, out=folder / "old", **SMALL, **fields)


@pytest.fixture
def old(folder):
    """A folder of format 2 with two seeds."""
    compare(folder, 2, use_bias="unshifted")
    study_file, journal = folder / "old" / STUDY_FILE, folder / "old" / RUNS_FILE
    content = json.loads(study_file.read_text())
    content["study"]["run"]["use_bias"] = "auto"
    study_file.write_text(json.dumps(content | {"format": 2}))
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    for record in records:
        record["config"]["use_bias"] = "auto"
    journal.write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def rules(folder):
    """How many runs of each arm have each rule of biases and each number of parameters."""
    runs = Store(folder / "old").read_runs().values()
    return Counter((run.config.norm, run.config.use_bias, run.params["total"]) for run in runs)


def test_it_is_read_and_reported_as_it_is(old):
    assert rules(old) == {("none", "auto", 33): 2, ("layer", "unshifted", 41): 2}
    assert bncli.load(old / "old").evidence.conditions_table["n"].tolist() == [2, 2]


def test_it_is_continued_with_the_networks_that_it_began_with(old):
    result = compare(old, 3)
    assert rules(old) == {("none", "auto", 33): 3, ("layer", "unshifted", 41): 3}
    assert result.evidence.conditions_table["n"].tolist() == [3, 3]


def test_a_new_folder_keeps_the_bias(folder):
    compare(folder, 1)
    assert rules(folder) == {("none", "auto", 33): 1, ("layer", "auto", 49): 1}


def test_a_folder_without_such_arms_takes_a_new_one_by_the_new_rule(folder):
    compare(folder, 1, arms=["none", "batch:before"])
    compare(folder, 1, arms=["none", "layer:before"])
    assert rules(folder)["layer", "auto", 49] == 1
