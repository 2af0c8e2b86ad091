"""Ctrl-C, SIGTERM and SIGHUP: they end a command within a moment, and never leave half a record."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

HANDLED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_received: int | None = None
"""The number of the signal that came; None before."""

_holds = 0
"""How many `held` blocks the program is in."""


class Interrupted(KeyboardInterrupt):
    """Raised when a signal asks the process to end.

    Attributes:
        status: The exit status: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP, when a terminal is closed.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def handle() -> None:
    """From now on, raise `Interrupted` in the main thread at the first signal, and end the process at the second."""
    for number in HANDLED:
        if signal.getsignal(number) != signal.SIG_IGN:  # as for a job that a script runs in the background
            signal.signal(number, _interrupt)
    sys.unraisablehook = _print_unless_interrupted


def check() -> None:
    """Raise `Interrupted` if a signal came.

    Python forgets what a handler raises inside `__del__` or in a callback of a C library. Loops that wait check, too.
    """
    if _received and not _holds:
        raise Interrupted(_received)


@contextmanager
def held() -> Iterator[None]:
    """Let the block end before a signal raises `Interrupted`: a record must not be written by half."""
    global _holds
    _holds += 1
    try:
        yield
    finally:
        _holds -= 1
    check()


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _received
    if _received:
        os._exit(128 + number)
    _received = number
    check()


def _print_unless_interrupted(found: UnraisableHookArgs) -> None:
    """Say nothing about an `Interrupted` that was forgotten: `check` raises it again."""
    if not isinstance(found.exc_value, Interrupted):
        sys.__unraisablehook__(found)
