"""Arguments and checks that tests of the command line share."""

import io
import sys

ESCAPE = "\x1b"
TINY = ("--dataset", "circles", "--model", "dense4", "--epochs", "1", "--set", "n_samples=64")


def error(result):
    status, out, err = result
    assert status == 2
    assert out == ""
    assert "Traceback" not in err
    return err.removeprefix("Error: ").strip()


def open_terminal(monkeypatch):
    """Put both streams on a colourful terminal of 80 columns."""
    stream = io.StringIO()
    stream.isatty = lambda: True
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, stream)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return stream
