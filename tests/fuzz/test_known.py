"""Examples that the suite found, each as small as it gets. What bncli does not stand yet is marked, with the reason."""

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


def test_a_threshold_that_is_no_float(world, no_figures):
    with world.visit() as here:
        edited(here / FOLDER / "study.json", '"threshold": null', f'"threshold": {10**400}')
        world.run("study.json", Call(("report", FOLDER), writes=(FOLDER,)))


def test_a_record_without_the_number_of_parameters(world, no_figures):
    with world.visit() as here:
        edited(here / FOLDER / "runs.jsonl", '"total": 100, ', "")
        world.run("journals", Call(("report", FOLDER), writes=(FOLDER,)))


def test_a_run_that_took_less_than_no_time(world, no_figures):
    with world.visit() as here:
        edited(here / FOLDER / "runs.jsonl", '"seconds": 1.0', '"seconds": -1.0')
        world.run("journals", Call(("report", FOLDER), writes=(FOLDER,)))


def test_a_loss_whose_square_is_infinite(world, no_figures):
    with world.visit() as here:
        edited(here / FOLDER / "runs.jsonl", '"metrics": {"loss": 0.', '"metrics": {"loss": 1e299, "x": 0.')
        edited(here / FOLDER / "runs.jsonl", '"x": 0.', '"x": 1.')
        world.run("journals", Call(("verify", "mine.toml", "--claim", "better"), writes=(FOLDER,)))


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
