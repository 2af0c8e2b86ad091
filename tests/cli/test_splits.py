"""`--test-size` and `--vary-data`, in real processes: what is trained, recorded, compared and said."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from commands import TINY, error

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.study.folder import Store


def call(folder, *words):
    """Run the command in a process of its own; returns its stdout and stderr."""
    command = [sys.executable, "-m", "bncli", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.slow
def test_a_comparison_with_a_test_part_is_reported_on_it(folder):
    compare = ("compare", *TINY, "--test-size", "0.25", "--seeds", "2", "--out", "out")
    out, _ = call(folder, *compare)
    assert " test_accuracy " in out
    assert "val_accuracy reaches" in out
    data = datasets.load(RunConfig(dataset="circles", n_samples=64, test_size=0.25))
    (facts,) = json.loads((folder / "out" / "study.json").read_text())["datasets"].values()
    assert (facts["test_rows"], facts["fingerprint"]) == (16, data.fingerprint())
    for result in Store(folder / "out").read_runs().values():
        assert result.metrics["test_accuracy"] * 16 == pytest.approx(round(result.metrics["test_accuracy"] * 16))
    table = list(csv.DictReader(io.StringIO(call(folder, "report", "out", "--format", "csv")[0])))
    assert {row["metric"] for row in table} == {"test_accuracy"}
    assert " val_accuracy " in call(folder, "report", "out", "--metric", "val_accuracy")[0]
    journal = (folder / "out" / "runs.jsonl").read_bytes()
    assert " val_accuracy " in call(folder, *compare)[0]  # the folder remembers the metric
    assert " test_accuracy " in call(folder, *compare, "--metric", "test_accuracy")[0]
    assert (folder / "out" / "runs.jsonl").read_bytes() == journal


@pytest.mark.slow
def test_with_vary_data_every_seed_has_its_own_data_and_arms_are_paired(folder):
    out, _ = call(folder, "compare", *TINY, "--vary-data", "--seeds", "3", "--out", "out", "--arms", "none,batch:after")
    assert "Every seed has its own draw of the data (vary_data)" in " ".join(out.split())
    content = json.loads((folder / "out" / "study.json").read_text())
    expected = {
        f"circles n_samples=64 noise=0.1 data_seed={seed} scaling=none": datasets.load(
            RunConfig(dataset="circles", n_samples=64, data_seed=seed)
        ).fingerprint()
        for seed in (1, 2, 3)
    }
    assert {label: facts["fingerprint"] for label, facts in content["datasets"].items()} == expected
    configs = [result.config for result in Store(folder / "out").read_runs().values()]
    assert {config.data_seed for config in configs} == {1}
    assert len({config.condition_id for config in configs}) == len(content["conditions"]) == 2
    assert sorted(datasets.drawn_with(config) for config in configs) == [1, 1, 2, 2, 3, 3]


@pytest.mark.slow
@pytest.mark.parametrize("more", [("--jobs", "2"), ("--engine", "keras")])
def test_runs_on_varied_data_are_those_on_the_data_of_their_seed(folder, more):
    """Seed 1 of a study with `vary_data` trains as seed 1 on the next `data_seed`, also in workers."""
    arms = ("--arms", "none", "--format", "jsonl")
    out, _ = call(folder, "compare", *TINY, *arms, "--vary-data", "--seeds", "2", *more)
    alone, _ = call(folder, "compare", *TINY, *arms, "--set", "data_seed=2", "--seeds", "1,5", *more)
    varied, fixed = (
        {run["config"]["seed"]: run for run in map(json.loads, text.splitlines())} for text in (out, alone)
    )
    for name, values in fixed[1]["history"].items():
        np.testing.assert_allclose(varied[1]["history"][name], values, rtol=1e-5)
    assert varied[1]["run_id"] != fixed[1]["run_id"]
    assert varied[0]["history"] != varied[1]["history"]


@pytest.mark.slow
def test_a_sweep_of_data_seeds_tells_the_share_between_them(folder):
    out, _ = call(
        folder, "sweep", "data_seed=1,2,3", *TINY, "--seeds", "3", "--arms", "none,batch:after", "--out", "out"
    )
    said = " ".join(out.split())
    assert "Between 3 values of data_seed lies " in said
    assert "of the variance of batch:after's difference from none (3 seeds on each)." in said


def test_the_options_set_the_fields(bncli, engine, folder):
    assert bncli("train", *TINY, "--test-size", "0.25", "--vary-data", "--seeds", "1")[0] == 0
    assert [(config.test_size, config.vary_data) for config in engine] == [(0.25, True)]


def test_a_field_given_by_option_and_by_set(bncli):
    for words in (("--test-size", "0.2", "--set", "test_size=0.3"), ("--vary-data", "--set", "vary_data=false")):
        name = words[-1].partition("=")[0]
        assert error(bncli("train", *words)) == f"{name} is given twice. Give it once."


def test_a_share_that_is_none(bncli):
    expected = "test_size must be a number from 0 to 0.9. Received: 2."
    assert error(bncli("train", *TINY, "--test-size", "2")).startswith(expected)


def test_vary_data_where_the_split_is_given(bncli, engine, folder):
    (folder / "mine.csv").write_text("a,split,label\n1,train,x\n2,train,y\n3,validation,x\n")
    assert error(bncli("compare", "--dataset", "mine.csv", "--label", "label", "--vary-data")) == (
        "vary_data=true draws another split for every seed, but the validation rows of 'mine.csv' are given. "
        "Try: leave vary_data out."
    )


def test_a_split_of_few_rows_is_told_before_training(bncli, engine):
    words = ("--dataset", "moons", "--set", "n_samples=8", "--test-size", "0.25")
    told = (
        "Note: test_size=0.25 splits 'moons' into 3 training, 3 validation and 2 test rows: "
        "a part with fewer than two rows a class says little."
    )
    assert bncli("compare", *words, "--model", "dense4")[2].splitlines()[0] == told
    assert bncli("dataset", "moons", *words[2:])[2].splitlines()[0] == told


def test_the_next_command_keeps_both_options(bncli, engine, folder):
    _, _, err = bncli("train", *TINY, "--test-size", "0.25", "--vary-data")
    assert "--test-size 0.25 --vary-data" in err


def test_dataset_shows_and_exports_the_test_part(bncli, folder):
    facts = json.loads(bncli("dataset", "circles", "--test-size", "0.2", "--format", "json")[1])
    assert (facts["training_rows"], facts["validation_rows"], facts["test_rows"]) == (400, 400, 200)
    assert sum(row["test"] for row in facts["classes"]) == 200
    wanted = datasets.load(RunConfig(dataset="circles", test_size=0.2))
    for name, label in (("out.csv", "label"), ("out.npz", None)):
        assert bncli("dataset", "circles", "--test-size", "0.2", "--export", name)[0] == 0
        found = datasets.load(RunConfig(dataset=name, label=label, scaling="none"))
        for array, expected in zip(found.arrays, wanted.arrays, strict=True):
            np.testing.assert_allclose(array, expected, rtol=1e-6)


def test_dataset_says_how_to_go_on_with_the_test_part(bncli):
    assert bncli("dataset", "circles", "--test-size", "0.2")[2].strip().endswith("--test-size 0.2")


def test_a_test_size_without_a_data_set(bncli):
    assert error(bncli("dataset", "--test-size", "0.2")).startswith(
        "--plot, --export, --set and the options of tables and splits need"
    )
