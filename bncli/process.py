"""How the process of a command starts and ends. Nothing here affects a notebook or a script.

Figures are wall times of `bncli train -d digits -e 2` on two cores: 2.56 s, the median of five runs in turns.
"""

from __future__ import annotations

import atexit
import ctypes
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
from typing import Any, NoReturn, TypeVar

from bncli import signals, streams
from bncli.errors import BncliError, InvalidConfig, shown


def usable_cores() -> int:
    """Return the number of cores that this process may use; batch systems and containers often limit it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files in which the kernel keeps a container's limit, in the two versions of control groups."""


def usable_memory() -> int:
    """Return the bytes of memory of this machine, or of this container if it may use less."""
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in MEMORY_LIMITS:
        with suppress(OSError, ValueError), open(path) as file:  # there is none, or its text is `max`
            sizes.append(int(file.read()))
    return min(sizes)


def check_backend() -> None:
    """Check that Keras' backend is TensorFlow, whose programs bncli compiles.

    Raises:
        InvalidConfig: The environment names another one.
    """
    name = os.environ.get("KERAS_BACKEND", "tensorflow")
    if name != "tensorflow":
        raise InvalidConfig(f"KERAS_BACKEND must be tensorflow. Received: {shown(name)}. Try unset KERAS_BACKEND.")


OPTIONAL = ("matplotlib", "pandas", "sklearn")
"""Libraries that Keras imports if they are installed, for functions that bncli does not call. Importing them, too,
takes 1.31 times as long."""

COLLECT_AFTER = 100_000
"""Objects between two garbage collections. With Python's 700, and without `gc.freeze`, it takes 1.15 times as long."""

WORKER = "BNCLI_WORKER"
"""Environment variable that marks the worker processes of `--jobs`, which are processes of our own, too."""

PLAIN_EXIT = "BNCLI_PLAIN_EXIT"
"""Environment variable that, with any value, lets Python end the process; see `run`."""

PR_SET_PDEATHSIG = 1
"""The number of an operation of Linux's `prctl`: which signal this process gets when its parent ends."""

UNWRITABLE, UNWRITTEN = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EPIPE), 120
"""Errors of a standard stream that is full or closed, and the exit status that Python gives for them."""

NOT_READ = 1
"""The exit status where the reader of a pipe has ended."""

is_ours = False
"""Whether this process belongs to a command; false in a notebook, a script or a test."""

_Found = TypeVar("_Found")


def take_over() -> None:
    """Declare that this process belongs to a command, and collect garbage less often."""
    global is_ours
    is_ours = True
    gc.set_threshold(COLLECT_AFTER)


@contextmanager
def lean_import() -> Iterator[None]:
    """Import Keras in the block: in a process of our own, without the libraries of `OPTIONAL`.

    They can be imported after the block. Objects that exist by then are kept from further garbage collections.
    """
    hidden = [name for name in OPTIONAL if is_ours and name not in sys.modules]
    sys.modules |= dict.fromkeys(hidden)  # type: ignore[arg-type]  # importing None raises ImportError
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
    if is_ours:
        gc.freeze()


@contextmanager
def beside(function: Callable[[], _Found]) -> Iterator[Callable[[], _Found | None]]:
    """Call a function in a forked process while the block runs. Two imports do not run in parallel in threads.

    Loading the data after the import of TensorFlow instead takes 1.26 times as long (3.20 s).

    Args:
        function: The function; its result has to be picklable.

    Yields:
        A function that waits for the result and returns it, or raises the `BncliError` that `function` raised. It
        returns None if this process can't be forked (see `can_fork`) or if the forked process died.
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
    """Return whether forking is safe: this is a process of our own on Linux, and has one thread."""
    return is_ours and sys.platform == "linux" and threading.active_count() == 1


def die_with_parent() -> None:
    """Have this process killed as soon as the one that started it ends, whatever ends it. Linux only.

    The thread that started this process has to last as long, because the kernel takes it for the parent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent and os.getppid() != parent.pid:  # it ended before the call
        os._exit(1)


def _send(function: Callable[[], Any], writer: Connection) -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it silently: the parent prints the message
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
    """Run a command and end the process with its exit status.

    `os._exit` ends the process at once. Python's own end releases TensorFlow's objects one by one, and waits for
    threads whose results are not needed; it takes 1.04 times as long. Profilers, coverage and leak checkers need it:
    set the environment variable BNCLI_PLAIN_EXIT to any value.

    Args:
        command: The command, which may raise `SystemExit`.
    """
    signals.handle()
    streams.prepare()
    take_over()
    try:
        status = _status_of(command)
        if PLAIN_EXIT not in os.environ:
            atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if not stream.closed:  # as it is where the reader of a pipe ended in the middle of a write
                stream.flush()
    except BrokenPipeError:  # whoever read the output has seen enough
        status = NOT_READ
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        status = UNWRITTEN
        with suppress(OSError):
            sys.stderr.write(f"Error: The output can't be written ({error.strerror}).\n")
    if not isinstance(status, int) or PLAIN_EXIT in os.environ:
        sys.exit(status)
    os._exit(status)


def _status_of(command: Callable[[], None]) -> int | str:
    try:
        command()
    except SystemExit as end:
        return end.code or 0
    except signals.Interrupted as interrupted:
        sys.stderr.write("Interrupted.\n")
        return interrupted.status
    return 0
