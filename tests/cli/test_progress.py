"""Progress on a terminal and elsewhere."""

import pytest
from commands import ESCAPE, open_terminal

from bncli.cli.progress import track


@pytest.fixture
def clock(monkeypatch):
    """A clock that each test sets."""
    times = {"now": 100.0}
    monkeypatch.setattr("bncli.cli.progress.time.monotonic", lambda: times["now"])
    return times


def work(clock, *, quiet):
    """Two runs of four epochs, ten seconds an epoch; the second run ends after two."""
    with track(2, 8, quiet=quiet) as tracker:
        for condition, n_epochs in (("none", 4), ("batch:before lr=0.1", 2)):
            for _ in range(n_epochs):
                clock["now"] += 10
                tracker.epoch(condition)
            tracker.run(condition, 4 - n_epochs)
    return tracker


def test_progress_elsewhere_is_a_line_every_quarter_of_a_minute(capsys, clock):
    tracker = work(clock, quiet=False)
    assert capsys.readouterr() == (
        "",
        "0/2 runs, none, about 60 s left\n"
        "0/2 runs, none, about 40 s left\n"
        "1/2 runs, batch:before lr=0.1, about 20 s left\n",
    )
    assert (tracker.runs_done, tracker.epochs_done) == (2, 8)


def test_runs_that_train_together_count_an_epoch_each(capsys, clock):
    with track(4, 8, quiet=False) as tracker:
        clock["now"] += 30
        tracker.epoch("none", 4)
        clock["now"] += 20
        tracker.epoch("none", 1)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "0/4 runs, none"  # the first epoch came with compilation and tells no rate
    assert second == "0/4 runs, none, about 60 s left"


def test_quiet_progress_is_silent(capsys, clock):
    tracker = work(clock, quiet=True)
    assert capsys.readouterr() == ("", "")
    assert (tracker.runs_done, tracker.epochs_done) == (2, 8)


def test_quiet_progress_is_silent_on_a_terminal(monkeypatch, clock):
    terminal = open_terminal(monkeypatch)
    work(clock, quiet=True)
    assert terminal.getvalue() == ""


def test_progress_on_a_terminal_is_a_bar_that_goes_away(monkeypatch):
    terminal = open_terminal(monkeypatch)
    with track(2, 8, quiet=False) as tracker:
        for _ in range(4):
            tracker.epoch("model=[dense4] [/x]")
        tracker.run("none", 0)
        tracker.bar.refresh()
        task = tracker.bar.tasks[0]
        assert (task.completed, task.total, task.fields["runs"]) == (4, 8, "1/2 runs")
    assert "1/2 runs" in terminal.getvalue()
    assert terminal.getvalue().endswith(f"{ESCAPE}[2K")


def test_progress_without_runs_does_not_divide_by_zero(capsys, clock):
    with track(0, 0, quiet=False) as tracker:
        clock["now"] += 100
        tracker.run("none", 0)
    assert capsys.readouterr().err == "1/0 runs, none\n"
