"""Standard streams that can be closed, full, or not in UTF-8: none of this may stop a command that trains."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

NAMES = ("stdin", "stdout", "stderr")


class Lenient(io.TextIOWrapper):
    """A text stream that drops what can't be written: progress and messages must never end the work."""

    def write(self, text: str) -> int:
        """Write a text; where that fails, say that it is written."""
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, if it can be written."""
        with suppress(OSError):
            super().flush()


def prepare() -> None:
    """Make the standard streams of this process usable.

    A closed one leads to the null device: otherwise the next file that is opened takes its number, and what libraries
    print goes there. Characters that a stream can't encode are written as escapes. Errors of stderr are dropped; those
    of stdout end the command, as it has nobody to work for.
    """
    for number, name in enumerate(NAMES):
        if getattr(sys, name) is None:
            _open_null(number, name)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if isinstance(sys.stderr, io.TextIOWrapper):
        own = io.FileIO(os.dup(2), "w")  # messages are seen while `backend` catches what libraries write to stderr
        sys.stderr = Lenient(
            io.BufferedWriter(own),
            encoding=sys.stderr.encoding,
            errors="backslashreplace",
            line_buffering=True,
            write_through=sys.stderr.write_through,
        )


def _open_null(number: int, name: str) -> None:
    descriptor = os.open(os.devnull, os.O_RDWR)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
    mode = "r" if name == "stdin" else "w"
    stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    setattr(sys, name, stream)
