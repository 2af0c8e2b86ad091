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

from bncli import datasets, report
from bncli.errors import StoreError
from bncli.report import caption, mean_sd, result_rows, run_rows
from bncli.store import RUNS_FILE, STUDY_FILE, Store
from bncli.study import open_store

CHANCE = 0.65
"""Of the 20 validation rows of the data set that `make_study` takes, 13 are of one class."""

TABLES = ("conditions_table", "runs_table", "history_table")


def record(folder, shown, order=1):
    """Put a study and its results into a folder as `execute` does, or in another order."""
    store = open_store(folder, shown.study, shown.study.plan())
    for result in shown.results[::order]:
        store.append(result)
    return store


def mixed(config):
    """One of each state."""
    return (learned, diverged, failed)[config.seed % 3](config)


def by_seed(config):
    """One of each state, with round numbers."""
    return (complete, diverged, failed)[config.seed % 3](config)


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
    read = report.read(folder)
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(read, table)(), getattr(shown, table)())
    assert read.study == study
    assert read.chance == shown.chance
    assert caption(read) == caption(shown)
    assert report.as_json(read) == report.as_json(shown)


def test_only_the_runs_of_the_study_as_last_asked_for_are_read(folder):
    wide = evidence(make_study("none,batch:before,layer:after", seeds=(0, 1, 2)))
    record(folder, wide)
    narrow = make_study("none,layer:after", seeds=(0, 2))
    open_store(folder, narrow, narrow.plan())
    assert report.read(folder).runs_table()[["arm", "seed"]].to_numpy().tolist() == [
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
    read = report.read(folder)
    pd.testing.assert_frame_equal(read.conditions_table(), shown.conditions_table())
    assert report.write_files(read, Store(folder))[:2] == ["summary.csv", "history.csv"]


def test_data_sets_that_differ_in_chance_have_no_line_for_it(folder):
    study = make_study(axes=(("n_samples", (40, 43)),))
    record(folder, evidence(study))
    assert report.read(folder).chance is None


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
        report.read(folder)
    assert str(caught.value) == f"'{folder}' {expected}"


# The caption


@pytest.mark.parametrize(
    ("make", "chance", "more"),
    [
        (learned, 0.5, "; a constant answer scores 0.500"),
        (learned, None, ""),
        (without_seed_one, 0.102, "; a constant answer scores 0.102; 2 of 4 runs are still missing"),
    ],
)
def test_the_caption_tells_the_marks_and_what_is_missing(make, chance, more):
    expected = "mean ± sd over seeds; * best validation accuracy among the arms" + more
    assert caption(evidence(make_study(), make, chance)) == expected


# Files


def test_the_files_of_a_study_are_tables_and_figures(folder):
    shown = evidence(make_study(axes=TWO_AXES))
    names = report.write_files(shown, record(folder, shown))
    assert names == ["summary.csv", "history.csv", "figures/curves.png", "figures/heatmap.png"]
    assert {str(name) for name in bytes_of(folder)} == {STUDY_FILE, RUNS_FILE, *names}
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in names[2:])


@pytest.mark.parametrize("table", ["summary", "history"])
def test_the_tables_in_files_read_back_as_they_are_in_memory(folder, table):
    shown = evidence(make_study(axes=VOID_AXIS, seeds=(0, 1, 2)), mixed)
    report.write_files(shown, record(folder, shown))
    expected = shown.conditions_table() if table == "summary" else shown.history_table()
    pd.testing.assert_frame_equal(pd.read_csv(folder / f"{table}.csv"), expected, check_dtype=False)


def test_writing_twice_from_records_changes_no_byte(folder):
    shown = evidence(make_study(seeds=(0, 1, 2)), mixed, CHANCE)
    store = record(folder, shown, -1)
    report.write_files(shown, store)
    first = bytes_of(folder)
    report.write_files(report.read(folder), store)
    assert bytes_of(folder) == first


def test_files_hold_no_time_and_no_versions(folder):
    shown = evidence(make_study())
    report.write_files(shown, record(folder, shown))
    for name, content in bytes_of(folder / "figures").items():
        kinds = {content[place - 4 : place] for place in chunk_starts(content)}
        assert kinds <= {b"IHDR", b"pHYs", b"IDAT", b"IEND"}, name


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
    report.write_files(plain, store)
    (folder / "figures" / "mine.png").touch()
    report.write_files(varied, store)
    assert sorted(path.name for path in (folder / "figures").iterdir()) == ["curves.png", "mine.png"]


def test_where_all_runs_failed_the_tables_have_their_headers(folder):
    shown = evidence(make_study(), failed)
    assert report.write_files(shown, record(folder, shown)) == ["summary.csv", "history.csv"]
    header = (folder / "history.csv").read_text()
    assert header == "run_id,condition,arm,seed,epoch,loss,accuracy,val_loss,val_accuracy\n"
    rows = list(csv.DictReader(io.StringIO((folder / "summary.csv").read_text())))
    assert [(row["n_failed"], row["params"], row["mean_val_accuracy"], row["best"]) for row in rows] == [
        ("2", "", "", "false"),
        ("2", "", "", "false"),
    ]


# Tables for people


def test_a_condition_is_shown_with_mean_sd_and_the_mark_of_the_best():
    scores = {("none", 0): 0.5, ("none", 1): 0.6, ("batch", 0): 0.9, ("batch", 1): 0.9}
    shown = evidence(
        make_study(axes=(("lr", (0.05,)),)),
        lambda config: complete(config, (scores[config.norm, config.seed],), params=12345),
    )
    assert result_rows(shown) == [
        {
            "lr": "0.05",
            "arm": "none",
            "val_accuracy": "0.550 ± 0.071",
            "train_accuracy": "0.800 ± 0.000",
            "val_loss": "1.450 ± 0.071",
            "n": "2",
            "diverged": "0",
            "params": "12,345",
        },
        {
            "lr": "0.05",
            "arm": "batch:before *",
            "val_accuracy": "0.900 ± 0.000",
            "train_accuracy": "0.800 ± 0.000",
            "val_loss": "1.100 ± 0.000",
            "n": "2",
            "diverged": "0",
            "params": "12,345",
        },
    ]


def test_one_seed_is_shown_without_a_spread():
    rows = result_rows(evidence(make_study(seeds=(0,)), complete))
    assert [row["val_accuracy"] for row in rows] == ["0.700", "0.700"]


def test_failed_runs_have_a_column_only_where_there_are_some():
    assert "failed" not in result_rows(evidence(make_study(), diverged))[0]
    row = result_rows(evidence(make_study(), failed))[0]
    assert row == {
        "arm": "none",
        "val_accuracy": "-",
        "train_accuracy": "-",
        "val_loss": "-",
        "n": "0",
        "diverged": "0",
        "failed": "2",
        "params": "-",
    }


def test_void_axes_are_dashes_and_values_are_spelled_as_typed():
    shown = evidence(make_study("none,group:before", (("groups", (1, 2)), ("center", (False, True)), ("lr", (1e-5,)))))
    cells = [(row["groups"], row["center"], row["lr"]) for row in result_rows(shown)]
    assert cells == [("-", "-", "1e-05"), *((g, c, "1e-05") for g in "12" for c in ("false", "true"))]


@pytest.mark.parametrize(
    ("mean", "sd", "text"),
    [
        (0.91234, 0.01449, "0.912 ± 0.014"),
        (0.5, math.nan, "0.500"),
        (math.nan, math.nan, "-"),
        (9999.0, 12345.6, "9999.000 ± 1.23e+04"),
        (1.5e30, 2e29, "1.5e+30 ± 2e+29"),
        (-12345.0, math.inf, "-1.23e+04 ± inf"),
        (0.0, 0.0, "0.000 ± 0.000"),
    ],
)
def test_mean_and_sd_are_spelled_short(mean, sd, text):
    assert mean_sd(mean, sd) == text


def test_single_runs_are_shown_a_row_a_seed():
    shown = evidence(make_study("none", seeds=(3, 4, 5)), by_seed)
    rows = run_rows(shown)
    assert [(row["seed"], row["state"], row["val_loss"]) for row in rows[1:]] == [
        ("4", "diverged", "-"),
        ("5", "failed", "-"),
    ]
    assert rows[0] == {
        "arm": "none",
        "seed": "3",
        "state": "complete",
        "val_accuracy": "0.700",
        "train_accuracy": "0.800",
        "accuracy": "0.630",
        "val_loss": "1.300",
        "loss": "0.300",
        "params": "12",
        "seconds": "1.0",
    }


def test_the_json_of_a_study_is_json_and_names_what_it_holds():
    shown = evidence(make_study(axes=VOID_AXIS, seeds=(0, 1, 2)), mixed)
    content = json.loads(json.dumps(report.as_json(shown), allow_nan=False))
    assert content["baseline"] == "none"
    assert (content["n_planned"], content["n_recorded"]) == (18, 18)
    assert content["axes"] == {"norm_momentum": [0.9, 0.99], "lr": [0.01, 0.1]}
    assert [row["arm"] for row in content["conditions"]] == ["none", "batch:before"] * 2 + ["batch:before"] * 2
    assert content["conditions"][0]["param_norm_momentum"] is None
    assert content["run"] == shown.study.base.to_dict()
