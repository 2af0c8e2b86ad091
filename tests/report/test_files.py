"""The files that are made from a study's records."""

import csv
import io

import pandas as pd
import pytest
from fakes import IGNORED_AXIS, TRIVIAL, TWO_AXES, bytes_of, diverged, evidence, failed, learned, make_study, record

from bncli.analysis.evidence import read_evidence
from bncli.analysis.interactions import with_interactions
from bncli.report.files import derived_files, write_files
from bncli.study.folder import RUNS_FILE, STUDY_FILE

KINDS = ("png", "svg")


def mixed(config):
    """One of each state."""
    return (learned, diverged, failed)[config.seed % 3](config)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


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
    shown = evidence(make_study(axes=IGNORED_AXIS, seeds=(0, 1, 2)), mixed)
    write_files(shown, record(folder, shown))
    expected = {
        "summary": shown.joined_table,
        "history": shown.history_table,
        "differences": with_interactions(shown.differences_table, shown.interactions_table),
    }[table]
    pd.testing.assert_frame_equal(pd.read_csv(folder / f"{table}.csv"), expected, check_dtype=False)


def test_writing_twice_from_records_changes_no_byte(folder):
    shown = evidence(make_study(seeds=(0, 1, 2)), mixed, TRIVIAL, training_rows=20)
    store = record(folder, shown, -1)
    write_files(shown, store)
    first = bytes_of(folder)
    write_files(read_evidence(folder), store)
    assert bytes_of(folder) == first


def test_files_contain_no_time_and_no_versions(folder):
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


def test_if_all_runs_failed_the_tables_have_their_headers(folder):
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


def test_every_file_that_may_be_written_is_listed(folder):
    names = derived_files()
    assert len(names) == len(set(names))
    shown = evidence(make_study(axes=TWO_AXES))
    assert set(write_files(shown, record(folder, shown))) < set(names)
