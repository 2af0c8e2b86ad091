"""One writer a file, of a journal or `study.json`: a lock that ends with its process and says who holds it."""

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
"""How long a lock is tried for: who only asks for the holder holds it for a moment."""

_held: dict[Path, IO[str]] = {}


@contextmanager
def hold(journal: Path, *, patience: float = SECONDS) -> Iterator[None]:
    """Keep every other process from writing to `journal` while the block runs; its folder is made if need be.

    The lock is the kernel's (`flock`), so a process that is killed leaves none behind. Its file is removed at the
    end; one that a killed process left is taken over.

    Args:
        journal: The file that the block writes to.
        patience: Seconds after which another process that holds the lock is told to the user.

    Raises:
        StoreError: Another process holds the lock, or the folder can't be written to.
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
    """Whether a lock that this process holds on `journal` is no longer in its folder: the folder was moved."""
    path = _path(journal)
    return path in _held and not _is_at(path, _held[path])


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


def journals(folder: Path) -> list[Path]:
    """The journals of a folder that are, or may be, written to by a process right now."""
    names = (path.name for path in sorted(folder.glob(_path(folder / "runs*.jsonl").name)))
    return [folder / name[1:].removesuffix(".lock") for name in names]


def describe(journal: Path) -> str:
    """Say in a few words which process writes to `journal`; nothing if there is none."""
    who = holder(journal)
    return f"process {who['pid']} on {who['host']}, since {who['since']}: {who['command']}" if who else ""


def _path(journal: Path) -> Path:
    return journal.with_name(f".{journal.name}.lock")


def _acquire(path: Path, patience: float) -> IO[str]:
    """Open and lock the file at `path`; one that its last holder removed in between is no lock, so look again."""
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
    """Lock `file`, in as many attempts as `patience` seconds allow."""
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
