"""The timeline of a command, which `BNCLI_PROFILE` asks for."""

import json
import os
import subprocess
import sys

import pytest
from commands import TINY

from bncli import timeline


def events(path):
    return json.loads(path.read_text())["traceEvents"]


def run(folder, *arguments, **environment):
    command = [sys.executable, "-m", "bncli", *arguments]
    return subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("engine", "own"),
    [
        ("stacked", {"trace train_epochs", "compile train_epochs", "trace evaluate", "epochs 1 to 1"}),
        pytest.param("keras", {"epoch 1"}, marks=pytest.mark.slow),
    ],
)
def test_a_command_writes_where_its_time_went(folder, engine, own):
    done = run(folder, "train", *TINY, "--out", "one", "--engine", engine, BNCLI_PROFILE="time.json")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    found = events(folder / "time.json")
    common = {"python", "command", "import TensorFlow", "build the network", "scores after training"}
    assert {event["name"] for event in found} >= common | own | {"statistics", "tables", "figures", "page"}
    (whole,) = (event for event in found if event["name"] == "command")
    for event in found:
        if event["name"] != "python":
            assert whole["ts"] <= event["ts"] <= event["ts"] + event["dur"] <= whole["ts"] + whole["dur"] + 1


@pytest.mark.slow
def test_workers_leave_the_file_to_the_command(folder):
    done = run(folder, "train", *TINY, "-s", "2", "--jobs", "2", "--out", "two", BNCLI_PROFILE="time.json")
    assert done.returncode == 0
    assert "command" in {event["name"] for event in events(folder / "time.json")}


def test_a_command_that_fails_writes_it_too(folder):
    assert run(folder, "train", "--model", "dense0", BNCLI_PROFILE="time.json").returncode == 2
    assert [event["name"] for event in events(folder / "time.json")] == ["python", "command"]


def test_a_file_that_cannot_be_written_is_said_before_any_work(folder):
    (folder / "file").write_text("")
    done = run(folder, "list", "models", BNCLI_PROFILE="file/time.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: Can't write 'file/time.json': File exists.\n"


def test_without_a_file_nothing_is_recorded(folder, monkeypatch):
    monkeypatch.delenv(timeline.PROFILE, raising=False)
    with timeline.recorded(), timeline.span("step"):
        pass
    assert list(folder.iterdir()) == []
