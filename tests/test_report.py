"""What is derived from a study's records, and read back without its data."""

import csv
import io
import json
import math
from pathlib import Path

import pandas as pd
import pytest
from fakes import TWO_AXES, VOID_AXIS, complete, diverged, evidence, failed, learned, make_study
from test_store import bytes_of, write_points

from bncli.analysis.evidence import check_choice, read_evidence
from bncli.errors import InvalidConfig, StoreError, UnknownName
from bncli.report.exports import as_json
from bncli.report.files import write_files
from bncli.study.folder import RUNS_FILE, STUDY_FILE, Store, open_store

KINDS = ("png", "svg")
CHANCE = 0.65
"""Of the 20 validation rows of the data set that `make_study` takes, 13 are of one class."""

TABLES = (
    "conditions_table",
    "runs_table",
    "history_table",
    "differences_table",
    "hits_table",
    "reached_table",
    "joined_table",
)


def record(folder, shown, order=1):
    """Put a study and its results into a folder as `execute` does, or in another order."""
    store = open_store(folder, shown.study, shown.study.plan())
    for result in shown.results[::order]:
        store.append(result)
    return store


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
        (make_study(axes=VOID_AXIS), learned),
        (make_study("none,group:before", (("groups", (1, 2)), ("center", (True, False)))), learned),
        (make_study(seeds=(0, 1, 2)), lambda config: complete(config, seconds=1.23449999)),
        (make_study(seeds=(0, 1, 2)), without_seed_one),
        (make_study(), failed),
    ],
    ids=["plain", "mixed", "void", "types", "seconds", "missing", "failed"],
)
def test_a_study_read_back_is_the_study_that_was_recorded(folder, study, make, order):
    shown = evidence(study, make, CHANCE)
    record(folder, shown, order)
    read = read_evidence(folder)
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(read, table)(), getattr(shown, table)())
    assert read.study == study
    assert read.chance == shown.chance
    assert as_json(read) == as_json(shown)


def test_only_the_runs_of_the_study_as_last_asked_for_are_read(folder):
    wide = evidence(make_study("none,batch:before,layer:after", seeds=(0, 1, 2)))
    record(folder, wide)
    narrow = make_study("none,layer:after", seeds=(0, 2))
    open_store(folder, narrow, narrow.plan())
    assert read_evidence(folder).runs_table[["arm", "seed"]].to_numpy().tolist() == [
        ["none", 0],
        ["none", 2],
        ["layer:after", 0],
        ["layer:after", 2],
    ]


def test_a_study_is_read_where_its_data_is_gone(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    write_points("points.csv", 0)
    shown = evidence(make_study(dataset="points.csv", n_samples=None, label="kind"))
    record(folder, shown)
    Path("points.csv").unlink()
    monkeypatch.setattr(datasets, "load", None)
    read = read_evidence(folder)
    pd.testing.assert_frame_equal(read.conditions_table, shown.conditions_table)
    assert write_files(read, Store(folder))[:3] == ["summary.csv", "history.csv", "differences.csv"]


def test_data_sets_that_differ_in_chance_have_no_line_for_it(folder):
    study = make_study(axes=(("n_samples", (40, 43)),))
    record(folder, evidence(study))
    assert read_evidence(folder).chance is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "holds no study (no study.json). Give the --out folder of a compare or sweep."),
        ([STUDY_FILE], "holds no finished run of its study (nothing in runs.jsonl)."),
    ],
)
def test_a_folder_without_results_is_refused(folder, names, expected):
    study = make_study()
    open_store(folder, study, study.plan())
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()
    with pytest.raises(StoreError) as caught:
        read_evidence(folder)
    assert str(caught.value) == f"'{folder}' {expected}"


# Files


def test_the_files_of_a_study_are_tables_and_figures(folder):
    shown = evidence(make_study(axes=TWO_AXES))
    names = write_files(shown, record(folder, shown))
    kinds = [f"figures/{name}.{kind}" for name in ("curves", "differences", "reached", "heatmap") for kind in KINDS]
    assert names == ["summary.csv", "history.csv", "differences.csv", *kinds, "report.html"]
    assert {str(name) for name in bytes_of(folder)} == {STUDY_FILE, RUNS_FILE, *names}
    starts = {"png": b"\x89PNG", "svg": b"<?xml"}
    assert all((folder / name).read_bytes().startswith(starts[name[-3:]]) for name in kinds)


@pytest.mark.parametrize("table", ["summary", "history", "differences"])
def test_the_tables_in_files_read_back_as_they_are_in_memory(folder, table):
    shown = evidence(make_study(axes=VOID_AXIS, seeds=(0, 1, 2)), mixed)
    write_files(shown, record(folder, shown))
    expected = getattr(shown, {"summary": "joined_table"}.get(table, f"{table}_table"))()
    pd.testing.assert_frame_equal(pd.read_csv(folder / f"{table}.csv"), expected, check_dtype=False)


def test_writing_twice_from_records_changes_no_byte(folder):
    shown = evidence(make_study(seeds=(0, 1, 2)), mixed, CHANCE)
    store = record(folder, shown, -1)
    write_files(shown, store)
    first = bytes_of(folder)
    write_files(read_evidence(folder), store)
    assert bytes_of(folder) == first


def test_files_hold_no_time_and_no_versions(folder):
    shown = evidence(make_study())
    write_files(shown, record(folder, shown))
    for name, content in bytes_of(folder / "figures").items():
        if name.suffix == ".png":
            kinds = {content[place - 4 : place] for place in chunk_starts(content)}
            assert kinds <= {b"IHDR", b"pHYs", b"IDAT", b"IEND"}, name
        else:
            assert b"<metadata>" not in content
            assert b"Matplotlib" not in content


def chunk_starts(png):
    """The places where the data of each chunk of a PNG file starts."""
    place = 8
    while place < len(png):
        length = int.from_bytes(png[place : place + 4], "big")
        yield place + 8
        place += length + 12


def test_a_figure_that_the_study_no_longer_has_is_removed(folder):
    plain, varied = evidence(make_study()), evidence(make_study(axes=(("lr", (0.001, 0.01)),)))
    store = record(folder, plain)
    write_files(plain, store)
    (folder / "figures" / "mine.png").touch()
    write_files(varied, store)
    kept = [f"{name}.{kind}" for name in ("curves", "differences", "reached") for kind in KINDS]
    assert sorted(path.name for path in (folder / "figures").iterdir()) == sorted([*kept, "mine.png"])


def test_where_all_runs_failed_the_tables_have_their_headers(folder):
    shown = evidence(make_study(), failed)
    names = write_files(shown, record(folder, shown))
    assert names == ["summary.csv", "history.csv", "differences.csv", "report.html"]
    header = (folder / "history.csv").read_text()
    assert header == "run_id,condition,arm,seed,epoch,loss,accuracy,val_loss,val_accuracy\n"
    rows = list(csv.DictReader(io.StringIO((folder / "summary.csv").read_text())))
    assert [(row["n_failed"], row["params"], row["mean_val_accuracy"], row["best"]) for row in rows] == [
        ("2", "", "", "false"),
        ("2", "", "", "false"),
    ]


# What programs read


def test_the_json_of_a_study_is_json_and_names_what_it_holds():
    shown = evidence(make_study(axes=VOID_AXIS, seeds=(0, 1, 2)), mixed)
    content = json.loads(json.dumps(as_json(shown), allow_nan=False))
    assert (content["baseline"], content["metric"], content["threshold"]) == ("none", "val_accuracy", None)
    assert (content["n_planned"], content["n_recorded"]) == (18, 18)
    assert content["axes"] == {"norm_momentum": [0.9, 0.99], "lr": [0.01, 0.1]}
    assert [row["arm"] for row in content["conditions"]] == ["none", "batch:before"] * 2 + ["batch:before"] * 2
    assert content["conditions"][0]["param_norm_momentum"] is None
    assert content["run"] == shown.study.base.to_dict()


def test_differences_and_hits_stand_beside_the_numbers_of_their_condition():
    shown = evidence(make_study(axes=(("lr", (0.01, 0.1)),), seeds=range(5)))
    joined, differences, hits = shown.joined_table, shown.differences_table, shown.hits_table
    assert joined["mean_difference"].isna().tolist() == [True, False, True, False]
    assert joined.loc[[1, 3], "mean_difference"].tolist() == differences["mean_difference"].tolist()
    assert joined.loc[[1, 3], ["low_difference", "high_difference"]].to_numpy().tolist() == (
        differences[["low", "high"]].to_numpy().tolist()
    )
    assert joined["median_hit_epoch"].tolist() == hits["median_hit_epoch"].tolist()


def test_an_arm_that_is_compared_at_several_points_has_its_differences_in_their_own_table_only():
    arms = "batch:before,layer:before"
    shown = evidence(
        make_study(arms, axes=(("norm_momentum", (0.5, 0.9)),)),
        lambda config: complete(config, (0.5, config.norm_momentum if config.norm == "batch" else 0.7)),
    )
    assert shown.differences_table["mean_difference"].tolist() == pytest.approx([0.2, -0.2])
    layer = shown.joined_table.set_index("arm").loc["layer:before"]
    assert math.isnan(layer["mean_difference"])
    assert layer["mean_val_accuracy"] == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("metric", "threshold", "expected"),
    [
        ("val_accuracy", 1.5, "a number from 0 to 1 for the metric val_accuracy. Received: 1.5."),
        ("val_accuracy", -0.1, "a number from 0 to 1 for the metric val_accuracy. Received: -0.1."),
        ("val_loss", -1.0, "a number from 0 for the metric val_loss. Received: -1."),
        ("loss", math.inf, "a number from 0 for the metric loss. Received: inf."),
        ("loss", math.nan, "a number from 0 for the metric loss. Received: nan."),
    ],
)
def test_a_threshold_that_the_metric_cannot_reach_is_refused(metric, threshold, expected):
    with pytest.raises(InvalidConfig) as caught:
        check_choice(metric, threshold)
    assert str(caught.value) == f"--threshold must be {expected}"


def test_an_unknown_metric_is_refused_with_the_nearest_one():
    with pytest.raises(UnknownName) as caught:
        check_choice("val_acuracy", None)
    assert str(caught.value) == (
        "Unknown metric 'val_acuracy'. Allowed: loss, accuracy, val_loss, val_accuracy, train_accuracy. "
        "Did you mean 'val_accuracy'?"
    )


def test_another_metric_is_what_arms_are_compared_by(folder):
    shown = evidence(make_study(seeds=range(3)), learned, CHANCE, metric="val_loss", threshold=1.4)
    assert set(shown.joined_table["metric"]) == {"val_loss"}
    assert set(shown.hits_table["threshold"]) == {1.4}
    read = read_evidence((record(folder, shown)).folder, "val_loss", 1.4)
    pd.testing.assert_frame_equal(read.joined_table, shown.joined_table)
