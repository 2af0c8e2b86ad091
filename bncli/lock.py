"""One writer a journal: a lock that ends with its process, and a note in it that says who holds it."""

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


@contextmanager
def hold(journal: Path) -> Iterator[None]:
    """Keep every other process from writing to `journal` while the block runs; its folder is made if need be.

    The lock is the kernel's (`flock`), so a process that is killed leaves none behind. Its file is removed at the
    end; one that a killed process left is taken over.

    Raises:
        StoreError: Another process holds the lock, or the folder can't be written to.
    """
    path = _path(journal)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        note = _acquire(path)
    except BlockingIOError:
        raise StoreError(_refusal(journal)) from None
    except OSError as error:
        raise StoreError(
            f"Can't write to the output folder {str(journal.parent)!r} ({error.strerror}). Try another --out DIR."
        ) from error
    with note:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def holder(journal: Path) -> dict[str, str] | None:
    """Return `pid`, `host`, `since` and `command` of the process that writes to `journal`; None if there is none."""
    try:
        with _path(journal).open() as note:
            if _is_free(note):
                return None
            return {str(key): str(value) for key, value in json.load(note).items()}
    except OSError:
        return None
    except ValueError:  # taken this moment: the note is still to be written
        return {"pid": "?", "host": "?", "since": "now", "command": "?"}


def describe(journal: Path) -> str:
    """Say in a few words which process writes to `journal`; nothing if there is none."""
    who = holder(journal)
    return f"process {who['pid']} on {who['host']}, since {who['since']}: {who['command']}" if who else ""


def _path(journal: Path) -> Path:
    return journal.with_name(f".{journal.name}.lock")


def _acquire(path: Path) -> IO[str]:
    """Open and lock the file at `path`; one that its last holder removed in between is no lock, so look again."""
    while True:
        note = path.open("a+")
        try:
            _lock(note)
            if _is_at(path, note):
                _write(note)
                return note
        except BaseException:
            note.close()
            raise
        note.close()


def _lock(file: IO[str]) -> None:
    """Lock `file`, in more than one attempt: who only asks for the holder holds it for a moment."""
    for wait in (0.02, 0.1, 0.0):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise
            time.sleep(wait)
        else:
            return


def _is_at(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
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
