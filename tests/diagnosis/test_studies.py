"""Cases of a study's folder: networks from the runs' fields, and what the records say. Nothing is trained."""

import dataclasses
from pathlib import Path

import pytest
from fakes import complete, diverged, evidence, failed, make_study, record

from bncli.diagnosis.diagnose import diagnose
from bncli.diagnosis.studies import cases_of_study, merged, places

GOOD = 0.9
FOLDERS = Path(__file__).parents[1] / "study" / "folders"
OWN = """
import keras

def build(input_shape, n_outputs, norm):
    inner = [keras.layers.Dense(4, use_bias=False), norm(), keras.layers.ReLU()]
    return keras.Sequential([keras.Input(input_shape), *inner, keras.layers.Dense(n_outputs)])
"""


def scored(config, *, cost=0.0):
    """A run whose moving averages cost so much accuracy, where it has some, by 0.002 more with every seed."""
    run = complete(config, (0.6, 0.7, GOOD if config.norm == "none" else GOOD - cost - 0.002 * config.seed))
    return dataclasses.replace(run, metrics=run.metrics | {"population_val_accuracy": GOOD})


def folder_of(folder, make, **fields):
    study = make_study(**{"seeds": (0, 1, 2), "norm_momentum": 0.1, "epochs": 30, "n_samples": 480} | fields)
    record(folder, evidence(study, make))
    return folder


def found_in(folder):
    return [
        (str(condition), name, finding.what)
        for condition, case in cases_of_study(folder).cases
        for name, finding in diagnose(case)
    ]


def test_a_healthy_study_gives_nothing(tmp_path):
    assert found_in(folder_of(tmp_path / "s", scored, norm_momentum=0.9)) == []


def test_every_condition_has_its_network_its_training_and_its_runs(tmp_path):
    folder = folder_of(tmp_path / "s", scored, axes=(("lr", (0.1, 1.0)),), weight_decay=0.01)
    cases = dict(cases_of_study(folder).cases)
    assert [str(condition) for condition in cases] == [
        "none lr=0.1",
        "batch:before lr=0.1",
        "none lr=1",
        "batch:before lr=1",
    ]
    assert [len(case.batch_norms) for case in cases.values()] == [0, 1, 0, 1]
    case = list(cases.values())[1]
    assert (case.training.batch_size, case.training.decays_norms, case.is_trained) == (32, True, False)
    assert case.training.n_steps == 30 * -(-case.training.n_rows // 32)
    assert [run.config.seed for run in case.runs] == [0, 1, 2]
    assert case.model is list(cases.values())[3].model  # the rate changes no network


def test_what_the_averages_cost_is_told_over_seeds(tmp_path):
    (found,) = found_in(folder_of(tmp_path / "s", lambda c: scored(c, cost=0.1), norm_momentum=0.9))
    assert found == (
        "batch:before",
        "statistics-gap",
        "Validation accuracy is 0.798 with the moving averages and 0.900 with population statistics, in the mean of 3 "
        "seeds: the averages cost 0.102 (95 % interval 0.097 to 0.107); they cost something in 3 of 3.",
    )


def test_averages_that_help_are_no_finding(tmp_path):
    assert found_in(folder_of(tmp_path / "s", lambda c: scored(c, cost=-0.08), norm_momentum=0.9)) == []


@pytest.mark.parametrize(("cost", "severity"), [(0.0, "note"), (0.1, "problem")])
def test_averages_that_lag_are_a_problem_only_if_they_cost_something(tmp_path, cost, severity):
    folder = folder_of(tmp_path / "s", lambda config: scored(config, cost=cost), norm_momentum=0.99, epochs=2)
    found = [pair for _, case in cases_of_study(folder).cases for pair in diagnose(case)]
    assert {name: finding.severity for name, finding in found}["slow-averages"] == severity


def test_runs_that_diverged_are_counted_and_failed_ones_are_not(tmp_path):
    def make(config):
        if config.norm == "none":
            return scored(config)
        return {0: diverged, 1: failed, 2: scored}[config.seed](config)

    folder = folder_of(tmp_path / "s", make, norm_momentum=0.9)
    assert found_in(folder) == [("batch:before", "diverged", "1 of 2 runs diverged: seed 0.")]


@pytest.mark.parametrize("change", ["gone", "other"])
def test_of_a_network_whose_file_is_gone_the_records_are_read(folder, change):
    path = folder / "own.py"
    path.write_text(OWN)
    study = make_study("none,batch", model=str(path), seeds=(0, 1, 2))
    record(folder / "s", evidence(study, lambda config: scored(config, cost=0.1)))
    path.unlink() if change == "gone" else path.write_text(OWN.replace("4", "5"))
    study = cases_of_study(folder / "s")
    assert [case.model for _, case in study.cases] == [None, None]
    (note,) = study.notes
    assert note.startswith(f"Of {path} only the records are diagnosed: ")
    assert [name for _, name, _ in found_in(folder / "s")] == ["statistics-gap"]


def test_findings_that_conditions_share_are_one_with_the_arms_named(tmp_path):
    axes = (("lr", (0.1, 1.0)),)
    folder = folder_of(tmp_path / "s", scored, arms="none,batch:before,batch:after", axes=axes)
    cases = cases_of_study(folder).cases
    shared = merged([(condition, name, finding) for condition, case in cases for name, finding in diagnose(case)])
    every = tuple(condition for condition, _ in cases)
    assert [(each.name, places(each.conditions, every)) for each in shared] == [
        ("pytorch-momentum", ["batch:before", "batch:after"]),
    ]


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDERS.iterdir() if (path / "study.json").exists()))
def test_folders_of_every_version_are_diagnosed(name):
    study = cases_of_study(FOLDERS / name)
    assert study.notes == ()
    assert all(case.model is not None for _, case in study.cases)
    assert {name for _, case in study.cases for name, _ in diagnose(case)} <= {"slow-averages", "diverged"}
