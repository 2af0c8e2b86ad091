"""The journal of a study: one line of JSON for each finished run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from bncli.errors import BncliError, StoreError
from bncli.results import RunResult


def read_journal(path: Path) -> Iterator[RunResult]:
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


def write_all(descriptor: int, content: bytes) -> None:
    """Write to the end; a disk that fills up takes a part first and fails on the next attempt."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def cut_torn_line(descriptor: int) -> None:
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
