"""The life of a command that trains: its folder, --restart, failed runs, interrupts."""

import csv
import io
import os
from pathlib import Path

import pytest
from commands import TINY, error
from fakes import bytes_of

from bncli.cli.session import Session
from bncli.errors import StoreError
from bncli.results import RunResult
from bncli.study.folder import Store


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


RUNS = ("runs.jsonl", "runs-1-of-4.jsonl", "runs-2-of-4.jsonl")


@pytest.fixture
def finished(bncli, engine, folder):
    """A command with its finished folder `s`, which has journals of shards and files of the user's, too."""
    command = ("sweep", "lr=0.1", *TINY, "-q", "-o", "s")
    for shard in ("1/4", "2/4"):
        assert bncli(*command, "--shard", shard)[0] == 0
    assert bncli(*command)[0] == 0
    for name in ("runs-notes-of-mine.jsonl", "notes.txt", "figures/mine.png"):
        (folder / "s" / name).write_text("mine")
    return command


def test_restart_deletes_what_is_bnclis_and_nothing_else(bncli, finished, folder):
    status, _, err = bncli(*finished, "--restart")
    assert status == 0
    assert err.startswith(
        "Note: --restart deletes in s: runs.jsonl, runs-1-of-4.jsonl, runs-2-of-4.jsonl, summary.csv, "
    )
    assert {name for name, content in bytes_of(folder / "s").items() if content == b"mine"} == {
        Path(name) for name in ("runs-notes-of-mine.jsonl", "notes.txt", "figures/mine.png")
    }
    assert [path.name for path in (folder / "s").glob("runs-*-of-4.jsonl")] == []


def link_figures(folder):
    (folder / "s" / "figures").rename(folder / "elsewhere")
    (folder / "s" / "figures").symlink_to(folder / "elsewhere")
    return "'s/figures' is a link, and bncli reads, "


def link_a_table(folder):
    (folder / "s" / "summary.csv").rename(folder / "mine.csv")
    (folder / "s" / "summary.csv").symlink_to(folder / "mine.csv")
    return "'s/summary.csv' is a link, and bncli reads, "


def link_the_study(folder):
    (folder / "s" / "study.json").rename(folder / "mine.json")
    (folder / "s" / "study.json").symlink_to(folder / "mine.json")
    return "'s/study.json' is a link, and bncli reads, "


def put_a_folder_in_place_of_a_shard(folder):
    (folder / "s" / "runs-3-of-4.jsonl").mkdir()
    return "'s/runs-3-of-4.jsonl' is not a regular file, and bncli reads, "


def put_notes_in_place_of_a_shard(folder):
    (folder / "s" / "runs-2-of-4.jsonl").write_text("my notes")
    return "'s/runs-2-of-4.jsonl' begins with b'my notes', which bncli did not write. "


SPOILED = [link_figures, link_a_table, link_the_study, put_a_folder_in_place_of_a_shard, put_notes_in_place_of_a_shard]


@pytest.mark.parametrize("spoil", SPOILED)
def test_restart_deletes_nothing_if_it_can_not_delete_all(bncli, finished, folder, spoil):
    expected = spoil(folder)
    before = bytes_of(folder)
    assert error(bncli(*finished, "--restart")).startswith(expected)
    assert bytes_of(folder) == before


def test_if_a_file_can_not_be_deleted_after_all_no_run_is_lost(bncli, finished, folder, monkeypatch):
    def remove(store, name):
        if name == "summary.csv":
            raise StoreError("The disk is broken.")
        kept_remove(store, name)

    kept_remove = Store.remove
    monkeypatch.setattr(Store, "remove", remove)
    before = {name: (folder / "s" / name).read_bytes() for name in RUNS}
    status, _, err = bncli(*finished, "--restart")
    assert (status, err.splitlines()[-1]) == (2, "Error: The disk is broken.")
    assert not (folder / "s" / "report.html").exists()
    assert {name: (folder / "s" / name).read_bytes() for name in RUNS} == before


@pytest.mark.parametrize("command", ["report", "sweep"])
def test_nothing_is_written_through_a_link_in_the_folder(bncli, finished, folder, command):
    expected = link_figures(folder)
    (folder / "elsewhere" / "curves.png").write_text("mine")
    more = ("--seeds", "4") if command == "sweep" else ()
    message = bncli(*(finished if command == "sweep" else ("report", "s", "-q")), *more)
    assert message[0] == 2
    assert expected in message[2]
    assert (folder / "elsewhere" / "curves.png").read_text() == "mine"


@pytest.mark.parametrize("name", [".runs.jsonl.lock", ".study.json.lock"])
def test_a_lock_that_is_a_link_leaves_what_it_names_alone(bncli, finished, folder, name):
    (folder / "victim").write_text("mine")
    (folder / "s" / name).symlink_to(folder / "victim")
    assert error(bncli(*finished)).startswith(f"'s/{name}' is a link, and bncli reads, ")
    assert (folder / "victim").read_text() == "mine"


@pytest.mark.parametrize("name", ["study.json", "runs.jsonl", "runs-1-of-4.jsonl", ".runs.jsonl.lock"])
def test_a_pipe_in_the_folder_keeps_no_command_waiting(bncli, finished, folder, name):
    (folder / "s" / name).unlink(missing_ok=True)
    os.mkfifo(folder / "s" / name)
    commands = [("status", "s"), finished, (*finished, "--restart")]
    for command in commands if name.endswith(".lock") else [("report", "s"), *commands]:
        assert error(bncli(*command)).startswith(f"'s/{name}' is not a regular file, and bncli reads, ")


@pytest.mark.parametrize("text", ["my only copy", "my notes\n"])
@pytest.mark.parametrize("has_study", [True, False])
def test_a_foreign_file_in_the_place_of_the_journal_is_kept(bncli, finished, folder, text, has_study):
    (folder / "s" / "runs.jsonl").write_text(text)
    if not has_study:
        (folder / "s" / "study.json").unlink()
    expected = f"'s/runs.jsonl' begins with {text.encode()!r}, which bncli did not write. "
    for more in ((), ("--restart",)):
        assert error(bncli(*finished, *more)).startswith(expected)
    assert (folder / "s" / "runs.jsonl").read_text() == text
    assert (folder / "s" / "study.json").exists() == has_study


@pytest.fixture
def no_import(monkeypatch):
    """Fail if a command imports TensorFlow or starts to train."""

    def fail(self):
        raise AssertionError

    monkeypatch.setattr(Session, "warm_up", fail)


PLACES = [
    (("-o", "file"), "Can't write to the output folder 'file' (Not a directory). Try another --out DIR."),
    (("-o", "file/below"), "Can't write to the output folder 'file/below' (Not a directory). Try another --out DIR."),
    (("-o", "taken"), "'taken/runs.jsonl' is not a regular file, and bncli reads, writes and deletes only files of its "
     "own in 'taken'. Remove it, or try another folder."),
    (("--save-model", "model.keras"), "Can't write 'model.keras': Is a directory."),
    (("--save-model", "link.keras"), "Can't write 'link.keras': Not a directory."),
]  # fmt: skip


@pytest.mark.parametrize(("options", "expected"), PLACES)
def test_places_that_can_not_be_written_are_found_before_tensorflow_is_imported(
    bncli, folder, no_import, options, expected
):
    (folder / "file").touch()
    (folder / "taken" / "runs.jsonl").mkdir(parents=True)
    (folder / "model.keras").mkdir()
    (folder / "link.keras").symlink_to(folder / "file" / "x.keras")
    assert error(bncli("train", *TINY, *options)) == expected


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anyway")
def test_a_journal_without_permission_is_found_before_tensorflow_is_imported(bncli, finished, folder, no_import):
    (folder / "s" / "runs.jsonl").chmod(0o400)
    assert error(bncli(*finished)) == "'s/runs.jsonl' can't be written: Permission denied. Try another --out DIR."


@pytest.mark.parametrize("name", ["../../X", "/tmp/bncli-X", "a\\u0000b", "x" * 300])
def test_the_name_of_a_study_leads_nowhere_else(bncli, engine, folder, name):
    (folder / "below").mkdir()
    (folder / "below" / "mine.toml").write_text(f'name = "{name}"\n[run]\ndataset = "circles"\nmodel = "dense4"\n')
    before = sorted(folder.rglob("*"))
    for command in (("sweep", "--preset", "below/mine.toml"), ("verify", "below/mine.toml")):
        assert error(bncli(*command)).startswith("In study 'below/mine.toml': name must be 1 to 100 printable ")
    assert (sorted(folder.rglob("*")), engine) == (before, [])


def test_failed_runs_are_reported_and_exit_with_1(bncli, monkeypatch):
    def fail(configs, engine, on_epoch, on_model, probe):
        return ([RunResult(config, "failed", error="ValueError: no\ntraceback")] for config in configs)

    bncli.trainer = fail
    status, out, err = bncli("compare", *TINY, "--seeds", "1", "-o", "s")
    assert status == 1
    assert "failed" in out
    assert "Note: none seed=0 failed: ValueError: no" in err
    assert "Error: 3 of 3 runs failed, the first with ValueError: no" in err


def test_an_interrupt_says_how_to_continue_and_exits_with_130(bncli, monkeypatch):
    def interrupt(configs, engine, on_epoch, on_model, probe):
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


@pytest.mark.parametrize("command", [("train",), ("compare",), ("sweep", "lr=0.1,0.2")])
def test_a_folder_remembers_what_a_command_compares_by(bncli, engine, no_figures, command):
    asked = bncli(*command, *TINY, "-o", "s", "-q", "--metric", "val_loss", "--threshold", "1.5")[1]
    assert "val_loss" in asked
    assert bncli(*command, *TINY, "-o", "s", "-q") == (0, asked, "")
    assert bncli("report", "s", "-q") == (0, asked, "")


def test_another_choice_for_a_part_reaches_the_report_of_the_whole(bncli, engine, no_figures, folder):
    bncli("compare", *TINY, "-o", "s", "-q")
    bncli("compare", *TINY, "--arms", "none", "-o", "s", "-q", "--metric", "val_loss")
    assert "Differences from none in val_loss" in (folder / "s" / "report.html").read_text()


def test_restart_forgets_what_was_compared_by(bncli, engine, no_figures):
    command = ("compare", *TINY, "-o", "s", "-q")
    plain = bncli(*command)[1]
    bncli(*command, "--metric", "val_loss")
    assert bncli(*command, "--restart")[1] == plain


def test_a_dry_run_prints_the_plan_and_trains_nothing(bncli, engine, folder):
    command = ("sweep", "lr=0.1,0.2", *TINY, "--arms", "none,batch", "--seeds", "2", "--dry-run", "-o", "s")
    status, out, err = bncli(*command)
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert status == 0
    assert err.startswith("Next: bncli sweep lr=0.1,0.2 --arms none,batch ")
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
            ("--scheduler", "ucx://node:8786"),
            "--scheduler takes an address of the form tcp://HOST:PORT or tls://HOST:PORT. Received: 'ucx://node:8786'.",
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


def test_a_dry_run_refuses_what_the_command_would_refuse(bncli, folder, monkeypatch):
    (folder / "file").write_text("")
    assert error(bncli("train", *TINY, "--dry-run", "-o", "file")).startswith("Can't write to the output folder 'file'")
    assert bncli("train", *TINY, "--dry-run", "-o", "new")[0] == 0
    assert [path.name for path in folder.iterdir()] == ["file"]
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    expected = "KERAS_BACKEND must be tensorflow. Received: 'jax'. Try unset KERAS_BACKEND."
    assert error(bncli("train", *TINY, "--dry-run")) == expected
