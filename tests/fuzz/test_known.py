"""Examples that the suite found, each as small as it gets."""

import fcntl
import json

import pytest

from fuzz.oracle import Call
from fuzz.world import FOLDER


def edited(path, old, new):
    """Replace a text that a file has, once."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def with_record(here, **changes):
    """Change the first record of the finished study."""
    path = here / FOLDER / "runs.jsonl"
    first, rest = path.read_text().split("\n", 1)
    path.write_text(json.dumps(json.loads(first) | changes) + "\n" + rest)


def test_a_threshold_that_is_no_float(world, no_figures):
    with world.visit() as here:
        edited(here / FOLDER / "study.json", '"threshold": null', f'"threshold": {10**400}')
        world.run("study.json", Call(("report", FOLDER), writes=(FOLDER,)))


RECORDS = {
    "no number of parameters": {"params": {"trainable": 100}},
    "less than no time": {"seconds": -1.0},
    "a loss whose square is infinite": {
        "metrics": {"loss": 1e299, "val_loss": 1e299, "val_accuracy": 0.5, "accuracy": 0.5}
    },
    "a history of unequal lengths": {"history": {"loss": [0.5], "val_accuracy": [0.5, 0.6], "accuracy": [0.5]}},
    "an error of many lines": {"state": "failed", "error": "x\n" * 50},
    "no error of a failed run": {"state": "failed", "error": None},
}


@pytest.mark.parametrize(
    "changes",
    [pytest.param(RECORDS[name], id=name) for name in RECORDS],
)
def test_a_record(world, no_figures, changes):
    with world.visit() as here:
        with_record(here, **changes)
        for command in (
            f"report {FOLDER}",
            f"report {FOLDER} --metric loss",
            "verify mine.toml --claim better",
            "sweep -p mine.toml",
        ):
            world.run("journals", Call(tuple(command.split()), writes=(FOLDER,)))


@pytest.mark.parametrize("note", [{}, {"pid": "1\nTraceback (most recent call last):"}, {"host": "\x1b[2J"}, [], None])
def test_a_note_of_a_lock(world, no_figures, note):
    with world.visit() as here:
        path = here / FOLDER / ".runs.jsonl.lock"
        path.write_text(json.dumps(note))
        with path.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            world.run("locks", Call(("status", FOLDER)))
            world.run("locks", Call(("sweep", "-p", "mine.toml"), writes=(FOLDER,)))


def test_a_long_question(world, no_figures):
    with world.visit() as here:
        edited(here / "mine.toml", "Does BN help?", "x" * 5000)
        world.run("study files", Call(("sweep", "-p", "mine.toml", "-s", "1", "-o", "out"), writes=("out",)))


@pytest.mark.parametrize("word", ["\u202eabc", "a\nb", "\x9b2J", "x" * 5000])
def test_a_word_too_many(world, word):
    with world.visit():
        world.run("command lines", Call(("compare", "-n", word)))


@pytest.mark.parametrize(
    "command", ["dataset PATH --label label", "dataset PATH -f json", "train -n -d PATH --label label"]
)
def test_a_name_that_is_no_text(world, command):
    with world.visit() as here:
        (here / "C\udcdf.csv").write_bytes((here / "table.csv").read_bytes())
        world.run("paths", Call(tuple(command.replace("PATH", "C\udcdf.csv").split())))


@pytest.mark.parametrize("command", ["list studies PATH", "status PATH", "report PATH", "train -n -d circles -o PATH"])
@pytest.mark.parametrize("name", ["x" * 256, "d/" * 3000, "new\nline"])
def test_a_folder_that_can_not_be(world, command, name):
    with world.visit():
        world.run("paths", Call(tuple(word.replace("PATH", name) for word in command.split())))


@pytest.mark.parametrize("question", ["x\nError: y\nTraceback (most recent call last):", "\n" * 9])
def test_a_question_of_many_lines(world, no_figures, question):
    with world.visit() as here:
        edited(here / "mine.toml", '"Does BN help?"', json.dumps(question))
        world.run("study files", Call(("sweep", "-p", "mine.toml", "-s", "1", "-o", "out"), writes=("out",)))
