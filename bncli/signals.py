"""Ctrl-C and SIGTERM end a command in good order; a second one ends it at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

HANDLED = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to end.

    Attributes:
        status: The exit status that tells so: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interrupted` in the block at the first signal; end the process at the second.

    Python runs a handler only between two of its own instructions, which a long step of TensorFlow keeps it from. The
    kernel's note of a signal goes through a pipe at once, so a thread at its other end sees the second in time. What
    is still running when the block has been interrupted (a compiler's threads) ends at a further signal likewise.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in HANDLED}
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    threading.Thread(target=_end_at_the_second, args=[reader], daemon=True).start()
    woken = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in HANDLED:
        signal.signal(number, _interrupt)
    try:
        yield
    except Interrupted:
        before = dict.fromkeys(HANDLED, signal.SIG_DFL)
        raise
    finally:
        signal.set_wakeup_fd(woken)
        os.close(writer)
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)


def _end_at_the_second(reader: int) -> None:
    """Read the numbers of signals from a pipe until it is closed."""
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        n_seen = 0
        while number := pipe.read(1):
            n_seen += number[0] in HANDLED
            if n_seen > 1:
                os._exit(128 + number[0])
