"""How the process of a command starts, is interrupted and ends. A library in a notebook uses none of it."""

from __future__ import annotations

import atexit
import errno
import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, NoReturn, TypeVar

from bncli.errors import BncliError


def usable_cores() -> int:
    """Cores that this process may run on: a batch system or container often gives it fewer than the host has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


OPTIONAL = ("matplotlib", "pandas", "sklearn")
"""What Keras imports if it can, for functions that bncli does not call: a third of the time that its import takes."""

COLLECT_AFTER = 100_000
"""Objects between two garbage collections; Python's 700 has each of them look at all that an import brings in."""

WORKER = "BNCLI_WORKER"
"""Variable in the environment of the worker processes that `--jobs` starts, which are as much our own."""

UNWRITABLE, UNWRITTEN = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EPIPE), 120
"""What a standard stream fails with that is full or closed, and Python's own exit status for it."""

is_ours = False
"""Whether this process is the command's own; false in a notebook, a script and a test."""

_Found = TypeVar("_Found")


def take_over() -> None:
    """Make this process the command's own."""
    global is_ours
    is_ours = True
    gc.set_threshold(COLLECT_AFTER)


@contextmanager
def lean_import() -> Iterator[None]:
    """Import TensorFlow in the block: in a process of ours without what Keras could do without.

    What has been imported stays to the end, so no garbage collection shall look at it again.
    """
    hidden = [name for name in OPTIONAL if is_ours and name not in sys.modules]
    sys.modules |= dict.fromkeys(hidden)  # type: ignore[arg-type]  # None has `import` raise ImportError
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
    if is_ours:
        gc.freeze()


@contextmanager
def beside(function: Callable[[], _Found]) -> Iterator[Callable[[], _Found | None]]:
    """Call `function` in a forked process while the block runs: two imports at a time, which threads can't do.

    Yields:
        A function that waits for the result and returns it; None where there is no such process (see `can_fork`), or
        where it came to harm. It raises the `BncliError` that `function` raised.
    """
    if not can_fork():
        yield lambda: None
        return
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    child = context.Process(target=_send, args=[function, writer], daemon=True)
    child.start()
    writer.close()
    try:
        yield lambda: _received(reader)
    finally:
        reader.close()
        child.kill()
        child.join()


def can_fork() -> bool:
    """Whether a copy of this process can go on alone: it is ours, has one thread, and its system is made for it."""
    return is_ours and sys.platform == "linux" and threading.active_count() == 1


def _send(function: Callable[[], Any], writer: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word: its parent has them
    try:
        found: Any = function()
    except BncliError as error:
        found = error
    with suppress(OSError):
        writer.send(found)


def _received(reader: Connection) -> Any:
    try:
        found = reader.recv()
    except EOFError:
        return None
    if isinstance(found, BncliError):
        raise found
    return found


def run(command: Callable[[], None]) -> NoReturn:
    """Run a command in a process of its own and end the process.

    Python would take down what TensorFlow has built piece by piece, which takes up to a second, and wait for threads
    that compile or import for nobody. The operating system does it at once.
    """
    take_over()
    try:
        status = _status_of(command)
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        status = UNWRITTEN
        with suppress(OSError):
            sys.stderr.write(f"Error: The output can't be written ({error.strerror}).\n")
    if not isinstance(status, int):
        sys.exit(status)
    os._exit(status)


def _status_of(command: Callable[[], None]) -> int | str:
    try:
        command()
    except SystemExit as end:
        return end.code or 0
    return 0
