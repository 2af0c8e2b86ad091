"""The life of a command that trains: its folder, --restart, failed runs, interrupts."""

import csv
import io

import pytest
from commands import TINY, error
from fakes import bytes_of

from bncli.results import RunResult


def test_the_same_command_continues(bncli, engine):
    bncli("sweep", "lr=0.1", *TINY, "--seeds", "1")
    err = bncli("sweep", "lr=0.1,0.2", *TINY, "--seeds", "2")[2]
    assert "12 runs: 6 conditions x 2 seeds; 3 are done already" in err
    assert len(engine) == 12


def test_an_output_folder_with_another_study_is_refused(bncli, engine):
    bncli("compare", *TINY, "-o", "s")
    message = error(bncli("compare", *TINY, "-o", "s", "--lr", "0.5"))
    assert message == (
        "The output folder 's' holds another study: it differs in lr (0.001 there, 0.5 here). "
        "Try another --out, or make the field an axis."
    )


def test_restart_in_a_folder_without_a_study_deletes_nothing(bncli, engine, folder):
    (folder / "summary.csv").write_text("mine")
    (folder / "code.py").write_text("mine")
    assert error(bncli("sweep", "lr=0.1", *TINY, "--restart", "-o", ".")) == (
        "--restart deletes nothing in '.', which holds summary.csv but no study (no study.json). "
        "Try --out with a new or empty folder."
    )
    (folder / "summary.csv").unlink()
    assert error(bncli("sweep", "lr=0.1", *TINY, "--restart", "-o", ".")) == (
        "The output folder '.' holds other files (code.py) and no study. Try --out with a new or empty folder."
    )
    assert [path.name for path in folder.iterdir()] == ["code.py"]
    assert engine == []


def test_restart_with_a_wrong_scheduler_deletes_nothing(bncli, engine, folder, monkeypatch):
    monkeypatch.setattr("bncli.study.jobs.ANSWER_SECONDS", 1)
    command = ("sweep", "lr=0.1", *TINY, "-q", "-o", "s")
    assert bncli(*command)[0] == 0
    before = {path.name: path.read_bytes() for path in (folder / "s").iterdir() if path.is_file()}
    message = error(bncli(*command, "--restart", "--scheduler", "tcp://127.0.0.1:9"))
    assert message.startswith("No Dask scheduler at 'tcp://127.0.0.1:9' (")
    assert {path.name: path.read_bytes() for path in (folder / "s").iterdir() if path.is_file()} == before


def test_failed_runs_are_reported_and_exit_with_1(bncli, monkeypatch):
    def fail(configs, engine, on_epoch, on_model):
        return ([RunResult(config, "failed", error="ValueError: no\ntraceback")] for config in configs)

    bncli.trainer = fail
    status, out, err = bncli("compare", *TINY, "--seeds", "1", "-o", "s")
    assert status == 1
    assert "failed" in out
    assert "Note: none seed=0 failed: ValueError: no" in err
    assert "Error: 3 of 3 runs failed, the first with ValueError: no" in err


def test_an_interrupt_says_how_to_continue_and_exits_with_130(bncli, monkeypatch):
    def interrupt(configs, engine, on_epoch, on_model):
        yield [RunResult(configs[0], "complete", metrics={}, history={})]
        raise KeyboardInterrupt

    bncli.trainer = interrupt
    status, _, err = bncli("compare", *TINY, "--seeds", "1", "-o", "s")
    assert status == 130
    assert "Interrupted. 1 of 3 runs are saved in s; the same command continues.\n" in err


def test_a_call_for_a_part_shows_the_part_and_leaves_the_folder_alone(bncli, engine, folder):
    bncli("compare", *TINY, "--arms", "none,batch", "--seeds", "3", "-o", "s", "-q")
    before = bytes_of(folder / "s")
    status, out, err = bncli("compare", *TINY, "--arms", "batch", "--seeds", "2", "-o", "s", "--format", "csv")
    assert status == 0
    assert [(row["arm"], row["n"]) for row in csv.DictReader(io.StringIO(out))] == [("batch", "2")]
    assert err.splitlines() == [
        "2 runs: 1 condition x 2 seeds; 2 are done already",
        "Folder: s",
        "The study in the folder is larger: 3 seeds, the arms none, batch. Its report covers all of it.",
    ]
    assert bytes_of(folder / "s") == before
    assert len(engine) == 6


def test_a_call_that_adds_seeds_and_lacks_an_arm_makes_the_union(bncli, engine, folder):
    bncli("compare", *TINY, "--arms", "none,batch", "--seeds", "2", "-o", "s", "-q")
    out = bncli("compare", *TINY, "--arms", "none,layer", "--seeds", "3", "-o", "s", "-q", "-f", "csv")[1]
    assert [(row["arm"], row["n"]) for row in csv.DictReader(io.StringIO(out))] == [("none", "3"), ("layer", "3")]
    whole = bncli("report", "s", "-q", "-f", "csv")[1]
    found = [(row["arm"], row["n"]) for row in csv.DictReader(io.StringIO(whole))]
    assert found == [("none", "3"), ("batch", "2"), ("layer", "3")]
    assert len(engine) == 8


def test_a_dry_run_prints_the_plan_and_trains_nothing(bncli, engine, folder):
    command = ("sweep", "lr=0.1,0.2", *TINY, "--arms", "none,batch", "--seeds", "2", "--dry-run", "-o", "s")
    status, out, err = bncli(*command)
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert (status, err) == (0, "")
    assert lines[0] == ["sweep"]
    assert lines[1] == ["lr", "arm", "seeds"]
    assert lines[3:] == [
        ["0.1", "none", "0,", "1"],
        ["0.1", "batch", "0,", "1"],
        ["0.2", "none", "0,", "1"],
        ["0.2", "batch", "0,", "1"],
        ["8", "runs:", "4", "conditions", "x", "2", "seeds"],
    ]
    rows = list(csv.DictReader(io.StringIO(bncli(*command, "-f", "csv")[1])))
    assert [(row["param_lr"], row["arm"], row["seed"]) for row in rows[:3]] == [
        ("0.1", "none", "0"),
        ("0.1", "none", "1"),
        ("0.1", "batch", "0"),
    ]
    assert (engine, list(folder.iterdir())) == ([], [])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ("--shard", "1/2", "--restart", "-o", "s"),
            "--restart deletes the runs of all shards. Give it once, without --shard.",
        ),
        (
            ("--shard", "0/2", "-o", "s"),
            "--shard takes I/N: share I, from 1, of N, at most 10,000. Received: '0/2'. Try 1/4.",
        ),
        (("--jobs", "0"), "--jobs takes a number from 1 to 1,024, or auto. Received: '0'."),
        (
            ("--scheduler", ""),
            "--scheduler takes an address of the form tcp://HOST:PORT or tls://HOST:PORT. Received: ''.",
        ),
        (("--engine", "jax"), "Unknown engine 'jax'. Allowed: auto, stacked, keras."),
    ],
)
def test_options_of_the_training_are_checked_before_any_work(bncli, engine, folder, options, expected):
    assert error(bncli("compare", *TINY, *options)) == expected
    assert (engine, list(folder.iterdir())) == ([], [])


def test_a_share_of_train_needs_a_folder(bncli, engine):
    message = "--shard records its share in the study's folder. Try --out DIR."
    assert error(bncli("train", *TINY, "--shard", "1/2")) == message
