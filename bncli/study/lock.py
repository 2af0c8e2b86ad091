"""Locks: only one process at a time writes to a journal or to `study.json`, and others can see which one.

filelock 4.2 would replace `_acquire` and `_lock` (30 lines); it adds 54 ms to the start, leaves its files in the
folder, and can't tell whether the folder was moved.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

from bncli.atomic import open_inside
from bncli.errors import StoreError
from bncli.study.journal import is_journal
from bncli.values import plain_text


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


fcntl, msvcrt = _module("fcntl"), _module("msvcrt")
"""The system's locks on open files: `fcntl` is missing on Windows, `msvcrt` everywhere else."""

FAR = 2**30
"""The byte that `msvcrt` locks: no process can read what another one has locked, so it lies far behind the note."""

SECONDS = 0.12
"""How long to try for a lock. `holder` in another process takes it for a moment, which is not a conflict."""

BEGINNING = b'{"pid": '
"""How a note on a process begins; a lock file that begins otherwise is somebody else's."""

_held: dict[Path, FileIO] = {}
"""The open lock files of this process, by path."""


@contextmanager
def hold(journal: Path, *, patience: float = SECONDS) -> Iterator[None]:
    """Lock a file while the block runs. Its folder is made if there is none.

    The lock is the kernel's, which releases it when the process ends, however it ends. The lock file, a note on the
    process, is removed after the block; a file that a killed process left behind is reused.

    Args:
        journal: The file that the block writes to.
        patience: Seconds to wait for a process that has the lock.

    Raises:
        StoreError: Another process has the lock, the lock file is not bncli's, or the folder is not writable.
    """
    path = _path(journal)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        note = _acquire(path, patience)
    except BlockingIOError:
        raise StoreError(_refusal(journal)) from None
    except (OSError, ValueError) as error:  # a NUL character in a path is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise StoreError(
            f"Can't write to the output folder {str(journal.parent)!r} ({reason}). Try another --out DIR."
        ) from error
    with note:
        _held[path] = note
        try:
            yield
        finally:
            del _held[path]
            if _is_at(path, note):
                with suppress(OSError):  # Windows removes no open file
                    path.unlink()


def is_lost(journal: Path) -> bool:
    """Return whether the folder was moved or removed while this process had a lock on `journal`."""
    path = _path(journal)
    return path in _held and not _is_at(path, _held[path])


UNKNOWN = {"pid": "?", "host": "?", "since": "now", "command": "?"}
"""What is known about a process that has written no note."""


def holder(journal: Path) -> dict[str, str] | None:
    """Return `pid`, `host`, `since` and `command` of the process that has locked `journal`; None if no process has.

    Raises:
        StoreError: The lock file is a link or not a regular file.
    """
    try:
        with _opened(_path(journal)) as note:
            if _is_free(note):
                return None
            note.seek(0)
            return {key: plain_text(str(value)) for key, value in (UNKNOWN | json.load(note)).items()}
    except OSError:
        return None
    except (ValueError, TypeError, RecursionError):  # just locked: the note is not written yet
        return UNKNOWN


def journals(folder: Path) -> list[Path]:
    """Return the journals of a folder for which there is a lock file."""
    names = (path.name[1:].removesuffix(".lock") for path in sorted(folder.glob(_path(folder / "runs*.jsonl").name)))
    return [folder / name for name in names if is_journal(name)]


def describe(journal: Path) -> str:
    """Describe the process that has locked `journal`; an empty string if no process has."""
    who = holder(journal)
    return f"process {who['pid']} on {who['host']}, since {who['since']}: {who['command']}" if who else ""


def _path(journal: Path) -> Path:
    return journal.with_name(f".{journal.name}.lock")


def _opened(path: Path, flags: int = os.O_RDONLY) -> FileIO:
    return FileIO(open_inside(path, path.parent, flags), "r+" if flags else "r")


def _acquire(path: Path, patience: float) -> FileIO:
    """Open and lock the file at `path`; start again if its last holder has removed it in between."""
    while True:
        note = _opened(path, os.O_RDWR | os.O_CREAT)
        try:
            _lock(note, patience)
            if _is_at(path, note):
                _write(path, note)
                return note
        except BaseException:
            note.close()
            raise
        note.close()


def _lock(file: FileIO, patience: float) -> None:
    """Lock `file`; try for `patience` seconds."""
    until = time.monotonic() + patience
    while True:
        try:
            _try_lock(file)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


def _try_lock(file: FileIO, *, is_shared: bool = False) -> None:
    """Lock a file until it is closed.

    Args:
        file: An open file; its position is lost.
        is_shared: Whether others may share the lock. `msvcrt` shares none.

    Raises:
        BlockingIOError: Another open file has the lock.
    """
    if fcntl:
        fcntl.flock(file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    elif msvcrt:
        file.seek(FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(*error.args) from error
    else:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def _is_at(path: Path, file: FileIO) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _write(path: Path, note: FileIO) -> None:
    """Write a note on this process into a lock file that is new, or that a killed process left behind."""
    note.seek(0)
    found = note.read(len(BEGINNING))
    if not BEGINNING.startswith(found):
        raise StoreError(
            f"{str(path)!r} begins with {plain_text(repr(found))}, which bncli did not write. "
            "Remove it, or try another folder."
        )
    facts = {
        "pid": os.getpid(),
        "host": platform.node(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": shlex.join(["bncli", *sys.argv[1:]]),
    }
    note.seek(0)
    note.truncate()
    note.write(json.dumps(facts).encode())


def _is_free(note: FileIO) -> bool:
    try:
        _try_lock(note, is_shared=True)
    except BlockingIOError:
        return False
    return True


def _refusal(journal: Path) -> str:
    who = describe(journal) or "another process"
    return (
        f"{str(journal)!r} is being written by {who}. "
        "Wait for it to end, or try another --out DIR; bncli status shows how far it is."
    )
