"""Locks: only one process at a time writes to a journal or to `study.json`, and others can see which one.

filelock 4.2 would replace `_acquire` and `_lock` (30 lines); it adds 54 ms to the start, leaves its files in the
folder, and can't tell whether the folder was moved.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bncli.errors import StoreError

SECONDS = 0.12
"""How long to try for a lock. `holder` in another process takes it for a moment, which is not a conflict."""

_held: dict[Path, IO[str]] = {}
"""The open lock files of this process, by path."""


@contextmanager
def hold(journal: Path, *, patience: float = SECONDS) -> Iterator[None]:
    """Lock a file while the block runs. Its folder is made if there is none.

    The lock is the kernel's (`flock`), which releases it when the process ends, however it ends. The lock file, a note
    on the process, is removed after the block; a file that a killed process left behind is reused.

    Args:
        journal: The file that the block writes to.
        patience: Seconds to wait for a process that has the lock.

    Raises:
        StoreError: Another process has the lock, or the folder is not writable.
    """
    path = _path(journal)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        note = _acquire(path, patience)
    except BlockingIOError:
        raise StoreError(_refusal(journal)) from None
    except OSError as error:
        raise StoreError(
            f"Can't write to the output folder {str(journal.parent)!r} ({error.strerror}). Try another --out DIR."
        ) from error
    with note:
        _held[path] = note
        try:
            yield
        finally:
            del _held[path]
            if _is_at(path, note):
                path.unlink(missing_ok=True)


def is_lost(journal: Path) -> bool:
    """Return whether the folder was moved or removed while this process had a lock on `journal`."""
    path = _path(journal)
    return path in _held and not _is_at(path, _held[path])


def holder(journal: Path) -> dict[str, str] | None:
    """Return `pid`, `host`, `since` and `command` of the process that has locked `journal`; None if no process has."""
    try:
        with _path(journal).open() as note:
            if _is_free(note):
                return None
            return {str(key): str(value) for key, value in json.load(note).items()}
    except OSError:
        return None
    except ValueError:  # just locked: the note is not written yet
        return {"pid": "?", "host": "?", "since": "now", "command": "?"}


def journals(folder: Path) -> list[Path]:
    """Return the journals of a folder for which there is a lock file."""
    names = (path.name for path in sorted(folder.glob(_path(folder / "runs*.jsonl").name)))
    return [folder / name[1:].removesuffix(".lock") for name in names]


def describe(journal: Path) -> str:
    """Describe the process that has locked `journal`; an empty string if no process has."""
    who = holder(journal)
    return f"process {who['pid']} on {who['host']}, since {who['since']}: {who['command']}" if who else ""


def _path(journal: Path) -> Path:
    return journal.with_name(f".{journal.name}.lock")


def _acquire(path: Path, patience: float) -> IO[str]:
    """Open and lock the file at `path`; start again if its last holder has removed it in between."""
    while True:
        note = path.open("a+")
        try:
            _lock(note, patience)
            if _is_at(path, note):
                _write(note)
                return note
        except BaseException:
            note.close()
            raise
        note.close()


def _lock(file: IO[str], patience: float) -> None:
    """Lock `file`; try for `patience` seconds."""
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


def _is_at(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _write(note: IO[str]) -> None:
    facts = {
        "pid": os.getpid(),
        "host": platform.node(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": shlex.join(["bncli", *sys.argv[1:]]),
    }
    note.truncate(0)
    note.write(json.dumps(facts))
    note.flush()


def _is_free(note: IO[str]) -> bool:
    try:
        fcntl.flock(note, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refusal(journal: Path) -> str:
    who = describe(journal) or "another process"
    return (
        f"{str(journal)!r} is being written by {who}. "
        "Wait for it to end, or try another --out DIR; bncli status shows how far it is."
    )
