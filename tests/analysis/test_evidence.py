"""A study with its tables, read back from its folder without its data."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from fakes import IGNORED_AXIS, TRIVIAL, TWO_AXES, complete, diverged, evidence, failed, learned, make_study, record

from bncli.analysis.evidence import make_evidence, read_evidence
from bncli.analysis.facts import common_chance, own_chances
from bncli.data import datasets
from bncli.errors import StoreError
from bncli.study.folder import STUDY_FILE
from bncli.study.opening import data_label, open_folder

TABLES = (
    "conditions_table",
    "runs_table",
    "history_table",
    "differences_table",
    "hits_table",
    "reached_table",
    "joined_table",
)


def mixed(config):
    """One of each state."""
    return (learned, diverged, failed)[config.seed % 3](config)


def without_seed_one(config):
    return None if config.seed == 1 else learned(config)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("study", "make"),
    [
        (make_study(), learned),
        (make_study(axes=TWO_AXES, seeds=(2, 0, 1)), mixed),
        (make_study(axes=IGNORED_AXIS), learned),
        (make_study("none,group:before", (("groups", (1, 2)), ("center", (True, False)))), learned),
        (make_study(seeds=(0, 1, 2)), lambda config: complete(config, seconds=1.23449999)),
        (make_study(seeds=(0, 1, 2)), without_seed_one),
        (make_study(), failed),
    ],
    ids=["plain", "mixed", "ignored-axis", "types", "seconds", "missing", "failed"],
)
def test_a_study_read_back_is_the_study_that_was_recorded(folder, study, make, order):
    shown = evidence(study, make, TRIVIAL)
    record(folder, shown, order)
    read = read_evidence(folder)
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(read, table), getattr(shown, table))
    assert read.study == study
    assert (read.trivial, read.n_planned, read.n_missing) == (shown.trivial, shown.n_planned, shown.n_missing)


def test_a_smaller_call_hides_no_run(folder):
    wide = evidence(make_study("none,batch:before,layer:after", seeds=(0, 1, 2)))
    record(folder, wide)
    narrow = make_study("none,layer:after", seeds=(0, 2))
    assert open_folder(folder, narrow, narrow.plan()).is_part
    pd.testing.assert_frame_equal(read_evidence(folder).runs_table, wide.runs_table)


def test_runs_that_are_not_of_the_study_are_left_out(folder):
    record(folder, evidence(make_study("none,batch:before,layer:after", seeds=(0, 1, 2))))
    path = folder / STUDY_FILE
    content = json.loads(path.read_text())
    content["study"] |= {"seeds": [0, 2], "arms": ["none", "layer:after"]}
    content["conditions"] = [entry for entry in content["conditions"] if entry["arm"] != "batch:before"]
    path.write_text(json.dumps(content))
    assert read_evidence(folder).runs_table[["arm", "seed"]].to_numpy().tolist() == [
        ["none", 0],
        ["none", 2],
        ["layer:after", 0],
        ["layer:after", 2],
    ]


def test_a_study_is_read_although_its_data_is_gone(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    rows = [f"{number},{number % 3},{'ab'[number % 2]}" for number in range(40)]
    Path("points.csv").write_text("\n".join(["x,y,kind", *rows, ""]))
    shown = evidence(make_study(dataset="points.csv", n_samples=None, label="kind"))
    record(folder, shown)
    Path("points.csv").unlink()
    monkeypatch.setattr(datasets, "load", None)
    read = read_evidence(folder)
    pd.testing.assert_frame_equal(read.conditions_table, shown.conditions_table)


def test_data_sets_with_different_trivial_scores_have_none_in_common(folder):
    study = make_study(axes=(("n_samples", (40, 43)),))
    record(folder, evidence(study))
    assert read_evidence(folder).trivial is None


def test_where_data_sets_differ_in_the_trivial_score_each_run_is_measured_against_its_own(folder):
    study = make_study("none", axes=(("n_samples", (40, 43)),), seeds=range(3), vary_data=True)
    shown = evidence(study, lambda config: complete(config, (0.65,)))
    made = make_evidence(study, study.plan(), shown.results)
    assert made.trivial is None
    assert list(made.own_trivial.values()) == [0.65, 0.5, 0.55, 0.6364, 0.5, 0.5455]
    table = made.conditions_table
    assert table[["n_chance", "n_learned"]].to_numpy().tolist() == [[1, 2], [1, 2]]
    assert table["p_learn"].tolist() == pytest.approx([2 / 3, 2 / 3])
    read = read_evidence(record(folder, shown).folder)
    assert read.own_trivial == made.own_trivial
    pd.testing.assert_frame_equal(read.joined_table, made.joined_table)


def test_a_run_on_data_of_unknown_trivial_score_leaves_all_unmeasured():
    shown = evidence(make_study("none", axes=(("n_samples", (40, 43)),)))
    labels = list(dict.fromkeys(data_label(result.config) for result in shown.results))
    facts = dict(zip(labels, ({"chance": 0.5}, {"chance": 0.6}), strict=True))
    assert list(own_chances(facts, shown.results).values()) == [0.5, 0.5, 0.6, 0.6]
    assert own_chances(facts | {labels[1]: {}}, shown.results) is None
    assert own_chances(facts | {labels[1]: {"chance": 0.5}}, shown.results) is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "holds no study (no study.json). Give the --out folder of a compare or sweep."),
        ([STUDY_FILE], "holds no finished run of its study (nothing in runs.jsonl)."),
    ],
)
def test_a_folder_without_results_is_refused(folder, names, expected):
    study = make_study()
    open_folder(folder, study, study.plan())
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()
    with pytest.raises(StoreError) as caught:
        read_evidence(folder)
    assert str(caught.value) == f"'{folder}' {expected}"


def test_the_joined_table_has_differences_and_hits_beside_the_condition():
    shown = evidence(make_study(axes=(("lr", (0.01, 0.1)),), seeds=range(5)))
    joined, differences, hits = shown.joined_table, shown.differences_table, shown.hits_table
    assert joined["mean_difference"].isna().tolist() == [True, False, True, False]
    assert joined.loc[[1, 3], "mean_difference"].tolist() == differences["mean_difference"].tolist()
    ends = joined.loc[[1, 3], ["low_difference", "high_difference", "std_difference"]].to_numpy()
    assert ends == pytest.approx(differences[["low", "high", "std_difference"]].to_numpy(), nan_ok=True)
    assert joined.loc[[1, 3], "verdict"].tolist() == differences["verdict"].tolist()
    assert joined["median_hit_epoch"].tolist() == hits["median_hit_epoch"].tolist()


def test_an_arm_compared_at_several_points_has_no_difference_in_the_joined_table():
    arms = "batch:before,layer:before"
    shown = evidence(
        make_study(arms, axes=(("norm_momentum", (0.5, 0.9)),)),
        lambda config: complete(config, (0.5, config.norm_momentum if config.norm == "batch" else 0.7)),
    )
    assert shown.differences_table["mean_difference"].tolist() == pytest.approx([0.2, -0.2])
    layer = shown.joined_table.set_index("arm").loc["layer:before"]
    assert math.isnan(layer["mean_difference"])
    assert layer["mean_val_accuracy"] == pytest.approx(0.7)


def test_another_metric_is_what_arms_are_compared_by(folder):
    shown = evidence(make_study(seeds=range(3)), learned, TRIVIAL, metric="val_loss", threshold=1.4)
    assert set(shown.joined_table["metric"]) == {"val_loss"}
    assert set(shown.hits_table["threshold"]) == {1.4}
    read = read_evidence(record(folder, shown).folder, "val_loss", 1.4)
    pd.testing.assert_frame_equal(read.joined_table, shown.joined_table)


def test_the_trivial_score_of_test_metrics_is_that_of_the_test_rows():
    shown = evidence(make_study(), metric="test_accuracy", test_trivial=0.6)
    assert [shown.trivial_score(name) for name in ("test_accuracy", "population_test_accuracy")] == [0.6, 0.6]
    assert [shown.trivial_score(name) for name in ("val_accuracy", "train_accuracy")] == [0.5, 0.5]
    assert shown.trivial_score("test_loss") is None
    assert shown.curve_metric == "val_accuracy"


def test_draws_of_one_data_set_have_their_mean_trivial_score_in_common():
    data = [{"chance": 0.5, "test_chance": 0.5}, {"chance": 0.6, "test_chance": 0.5}]
    for study in (make_study(vary_data=True), make_study(axes=(("data_seed", (0, 1)),))):
        assert common_chance(study, data, "chance") == pytest.approx(0.55)
        assert common_chance(study, data, "test_chance") == 0.5
        assert common_chance(study, [{}, {"chance": 0.5}], "chance") is None
    other = make_study(axes=(("n_samples", (40, 60)),), vary_data=True)
    assert common_chance(other, data, "chance") is None
    assert common_chance(other, data, "test_chance") == 0.5
