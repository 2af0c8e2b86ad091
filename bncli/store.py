"""A study's folder: `study.json` says what it is, `runs.jsonl` holds one line a finished run.

One writer a journal appends and syncs; shards of a study write journals of their own (`runs-2-of-4.jsonl`), and every
reader reads all of them. A torn last line (a writer that was killed) is forgiven, any other damage is an error that
names the line. Files derived from them are replaced whole, so that no reader sees a half. Names that begin with a dot
(locks, temporary files) are no part of a study.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from bncli import lock
from bncli.errors import BncliError, StoreError
from bncli.results import RunResult

FORMAT = 1
STUDY_FILE = "study.json"
RUNS_FILE = "runs.jsonl"
SHARD_FILES = "runs-*-of-*.jsonl"
STUDY_PARTS = ("study", "conditions", "datasets")
"""What a reader of `study.json` relies on."""

ORPHAN_SECONDS = 24 * 3600
"""Age from which a temporary file is one that a killed process left."""


class Store:
    """The records of one study on disk.

    Args:
        folder: The study's folder; made by `create`.
        journal: Name of the journal that `append` writes to.
    """

    def __init__(self, folder: Path, journal: str = RUNS_FILE) -> None:
        self.folder = folder
        self.journal = folder / journal

    def journals(self) -> list[Path]:
        """The journals that are there, in the order in which they are read."""
        main = self.folder / RUNS_FILE
        return [main] * main.exists() + sorted(self.folder.glob(SHARD_FILES))

    def create(self) -> None:
        """Make the folder and check that it can be written to, before any work starts.

        Raises:
            StoreError: It can't, or something other than a study is in the way.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise StoreError(
                f"Can't write to the output folder {str(self.folder)!r} ({error.strerror}). Try another --out DIR."
            ) from error
        own = {STUDY_FILE, *(path.name for path in self.journals())}
        names = sorted(path.name for path in self.folder.iterdir())
        strangers = [name for name in names if name not in own and not name.startswith(".")]
        if strangers and not self.has_study():
            shown = strangers[0] + (", ..." if len(strangers) > 1 else "")
            raise StoreError(
                f"The output folder {str(self.folder)!r} holds other files ({shown}) and no study. "
                "Try --out with a new or empty folder."
            )

    def has_study(self) -> bool:
        """Whether there is a `study.json`, readable or not."""
        return (self.folder / STUDY_FILE).exists()

    def read_study(self) -> dict[str, Any] | None:
        """Return the content of `study.json`, or None where there is none.

        Raises:
            StoreError: It is unreadable, incomplete or was written by a newer format.
        """
        path = self.folder / STUDY_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoreError(f"{str(path)!r} can't be read: {error}. Restore it or start in a new folder.") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            received = content.get("format") if isinstance(content, dict) else type(content).__name__
            raise StoreError(
                f"{str(path)!r} has a format that this version of bncli can't read. Allowed: {FORMAT}. "
                f"Received: {received}. Try a newer bncli."
            )
        missing = [part for part in STUDY_PARTS if part not in content]
        if missing:
            raise StoreError(f"{str(path)!r} lacks {', '.join(missing)}. Restore it or start in a new folder.")
        return content

    def write_study(self, content: dict[str, Any]) -> None:
        """Replace `study.json`, and wait until it is on the disk: no run is recorded before it."""
        text = json.dumps({"format": FORMAT} | content, indent=1) + "\n"
        replace_file(self.folder / STUDY_FILE, lambda path: path.write_text(text, encoding="utf-8"), durable=True)

    def read_runs(self) -> dict[str, RunResult]:
        """Return all results by `run_id`; of two lines on one run the later holds, but a failure undoes no success.

        Raises:
            StoreError: A line other than a torn last one can't be read.
        """
        results: dict[str, RunResult] = {}
        for path in self.journals():
            for result in _read_journal(path):
                before = results.get(result.config.run_id)
                if not before or before.state == "failed" or result.state != "failed":
                    results[result.config.run_id] = result
        return results

    def append(self, *results: RunResult) -> None:
        """Append a line a result and wait once until all are on the disk; a torn line before them is cut off first.

        Raises:
            StoreError: The journal can't be written to, or is not the one that this process holds the lock of.
        """
        self._check_in_place()
        is_new = not self.journal.exists()
        lines = "".join(json.dumps(result.to_record(), allow_nan=False) + "\n" for result in results).encode()
        try:
            with self.journal.open("a+b", buffering=0) as journal:
                _cut_torn_line(journal.fileno())
                _write_all(journal.fileno(), lines)
                os.fsync(journal.fileno())
            if is_new:
                _sync_folder(self.folder)
        except OSError as error:
            kept = "Finished runs are safe" if self.folder.is_dir() else "The folder is gone with its runs"
            raise StoreError(
                f"Can't write to {str(self.journal)!r} ({error.strerror}). "
                f"{kept}; mend this and give the same command again."
            ) from error

    def _check_in_place(self) -> None:
        if self.folder.is_dir() and lock.is_lost(self.journal):
            raise StoreError(
                f"The folder {str(self.folder)!r} is another than at the start: that one was moved or removed. "
                "Finished runs are in it; move it back and give the same command again."
            )

    def own_files(self, derived: Iterable[str]) -> list[str]:
        """Names of the files in the folder that are bncli's own, but for the study: journals and the `derived` ones."""
        names = [*(path.name for path in self.journals()), *derived]
        return [name for name in names if (self.folder / name).is_file()]

    def write_text(self, name: str, text: str) -> None:
        """Replace the file `name` of the folder by `text`."""
        self.write_with(name, lambda path: path.write_text(text, encoding="utf-8"))

    def write_with(self, name: str, write: Callable[[Path], object]) -> None:
        """Replace the file `name` of the folder by what `write` puts at the path that it is given."""
        replace_file(self.folder / name, write)

    def remove(self, name: str) -> None:
        """Remove the derived file `name` of the folder, if it is there."""
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"Can't remove {str(self.folder / name)!r}: {error.strerror}.") from error


def replace_file(target: Path, write: Callable[[Path], object], *, durable: bool = False) -> None:
    """Let `write` fill a temporary file beside `target`, then rename it over `target`.

    Args:
        target: The file to replace.
        write: Called with the path that it is to fill.
        durable: Wait until the file is on the disk; what can be made again needs no such wait.

    Raises:
        StoreError: The place can't be written to.
    """
    temporary = target.with_name(f".{uuid.uuid4().hex[:8]}.{target.name}")  # process ids repeat between hosts
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_orphans(target)
        write(temporary)
        if durable:
            _sync(temporary)
        temporary.replace(target)
        if durable:
            _sync_folder(target.parent)
    except OSError as error:
        raise StoreError(f"Can't write {str(target)!r}: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _remove_orphans(target: Path) -> None:
    """Remove temporary files of `target` that killed processes left long ago."""
    pattern = f".{'[0-9a-f]' * 8}.{glob.escape(target.name)}"
    for path in target.parent.glob(pattern):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > ORPHAN_SECONDS:
                path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk; some network file systems refuse that, and then do it themselves."""
    with contextlib.suppress(OSError):
        _sync(folder)


def _read_journal(path: Path) -> Iterator[RunResult]:
    """Results of the whole lines of a journal; a torn last one has no line end and is left out."""
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.endswith(b"\n"):
                    yield _read_line(path, number, line[:-1])
    except OSError as error:
        raise StoreError(f"{str(path)!r} can't be read: {error.strerror}.") from error


def _read_line(path: Path, number: int, line: bytes) -> RunResult:
    try:
        return RunResult.from_record(json.loads(line))
    except (ValueError, KeyError, TypeError, BncliError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise StoreError(
            f"{str(path)!r}, line {number}, is damaged ({reason}). "
            "Remove that line; the same command then trains its run again."
        ) from error


def _write_all(descriptor: int, content: bytes) -> None:
    """Write to the end; a disk that fills up takes a part first and fails on the next attempt."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _cut_torn_line(descriptor: int) -> None:
    """Cut off what follows the last line end, looking back a block at a time."""
    end = size = os.lseek(descriptor, 0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 65_536)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)
