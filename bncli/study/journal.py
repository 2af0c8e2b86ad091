"""Journals: files with one line of JSON for each finished run.

A process that is killed while it writes leaves an incomplete last line, which readers ignore and the next writer
removes. Any other damage is an error that names the line, and what bncli did not write is never removed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from bncli.atomic import open_inside, sync_folder
from bncli.errors import BncliError, StoreError
from bncli.results import RunResult
from bncli.study import formats
from bncli.study.formats import NewerVersion
from bncli.values import plain_text

RUNS_FILE = "runs.jsonl"

BEGINNING = b'{"run_id":'
"""How every record begins."""

_NAME = re.compile(r"runs(-[0-9]+-of-[0-9]+)?\.jsonl")

_HEAD = re.compile(rb'\{"run_id": "([0-9a-f]+)", "state": "([a-z]+)"')


def is_journal(name: str) -> bool:
    """Return whether a file's name is that of a journal: `runs.jsonl` or, for a shard, `runs-2-of-4.jsonl`."""
    return bool(_NAME.fullmatch(name))


def journals(folder: Path) -> list[Path]:
    """Return the journals of a folder in the order in which they are read: the main one, then those of shards."""
    found = [path for path in sorted(folder.glob("runs*.jsonl")) if is_journal(path.name)]
    return sorted(found, key=lambda path: path.name != RUNS_FILE)


def read(path: Path) -> Iterator[RunResult]:
    """Yield the results of a journal, without an incomplete last line.

    Raises:
        StoreError: The file or a complete line can't be read.
    """
    for number, line in enumerate(_lines(path), 1):
        yield _read_line(path, number, line[:-1])


def states(path: Path) -> dict[str, str]:
    """Return the state of each run by `run_id`. Only the beginning of each line is read, which is fast.

    Raises:
        StoreError: The file can't be read.
    """
    heads = map(_HEAD.match, _lines(path))
    return {head[1].decode(): head[2].decode() for head in heads if head}


def check(path: Path, *, is_written: bool = False) -> None:
    """Check that a journal, if it exists, begins with a record and ends with one, which may be incomplete.

    Args:
        path: The journal.
        is_written: Whether it must be possible to append to it.

    Raises:
        StoreError: It is not a regular file, can't be opened, or holds something else.
    """
    try:
        with _opened(path, os.O_RDWR if is_written else os.O_RDONLY) as journal:
            _check_record(path, "begins", os.read(journal.fileno(), 40))
            _end_of_lines(path, journal.fileno())
    except FileNotFoundError:
        return
    except OSError as error:
        what = "written" if is_written else "read"
        raise StoreError(f"{str(path)!r} can't be {what}: {error.strerror}. Try another --out DIR.") from error


def append(path: Path, results: Iterable[RunResult]) -> None:
    """Append a line for each result, and wait until the disk has them; an incomplete last line is removed first.

    Raises:
        StoreError: The file is not a journal.
        OSError: It can't be written.
    """
    is_new = not path.exists()
    lines = "".join(json.dumps(result.to_record(), allow_nan=False) + "\n" for result in results).encode()
    with _opened(path, os.O_RDWR | os.O_APPEND | os.O_CREAT) as journal:
        os.ftruncate(journal.fileno(), _end_of_lines(path, journal.fileno()))
        _write_all(journal.fileno(), lines)
        os.fsync(journal.fileno())
    if is_new:
        sync_folder(path.parent)


def _opened(path: Path, flags: int = os.O_RDONLY) -> BinaryIO:
    return os.fdopen(open_inside(path, path.parent, flags), "rb")


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with _opened(path) as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield line
                else:
                    _check_record(path, "ends", line)
    except OSError as error:
        raise StoreError(f"{str(path)!r} can't be read: {error.strerror}.") from error


def _check_record(path: Path, where: str, found: bytes) -> None:
    """Check that a line, complete or not, is one of bncli's."""
    if not (found.startswith(BEGINNING) or BEGINNING.startswith(found)):
        raise StoreError(
            f"{str(path)!r} {where} with {plain_text(repr(found[:40]))}, which bncli did not write. "
            "Remove it, or try another folder."
        )


def _read_line(path: Path, number: int, line: bytes) -> RunResult:
    what = f"{str(path)!r}, line {number},"
    try:
        return RunResult.from_record(formats.checked_record(line, what))
    except NewerVersion:
        raise
    except (ValueError, BncliError) as error:
        reason = str(error).rstrip(".")
        raise StoreError(
            f"{what} is damaged ({reason}). Remove that line; the same command then trains its run again."
        ) from error


def _write_all(descriptor: int, content: bytes) -> None:
    """Write all bytes: a disk that fills up takes some of them and fails on the next call."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _end_of_lines(path: Path, descriptor: int) -> int:
    """The size of the file up to its last line end. Blocks are read backwards from the end of the file."""
    start, found = os.lseek(descriptor, 0, os.SEEK_END), -1
    while start > 0 and found < 0:
        end, start = start, max(0, start - 65_536)
        os.lseek(descriptor, start, os.SEEK_SET)
        found = os.read(descriptor, end - start).rfind(b"\n")
    end_of_lines = start + found + 1
    os.lseek(descriptor, end_of_lines, os.SEEK_SET)
    _check_record(path, "ends", os.read(descriptor, 40))
    return end_of_lines
