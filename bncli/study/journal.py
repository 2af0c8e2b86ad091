"""Journals: files with one line of JSON for each finished run.

A process that is killed while it writes leaves an incomplete last line, which readers ignore. Any other damage is an
error that names the line.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from bncli.atomic import sync_folder
from bncli.errors import BncliError, StoreError
from bncli.results import RunResult
from bncli.study import formats
from bncli.study.formats import NewerVersion

RUNS_FILE = "runs.jsonl"
SHARD_FILES = "runs-*-of-*.jsonl"

_HEAD = re.compile(rb'\{"run_id": "([0-9a-f]+)", "state": "([a-z]+)"')


def journals(folder: Path) -> list[Path]:
    """Return the journals of a folder in the order in which they are read: the main one, then those of shards."""
    main = folder / RUNS_FILE
    return [main] * main.exists() + sorted(folder.glob(SHARD_FILES))


def read(path: Path) -> Iterator[RunResult]:
    """Yield the results of a journal, without an incomplete last line.

    Raises:
        StoreError: The file or a complete line can't be read.
    """
    for number, line in enumerate(_lines(path), 1):
        yield _read_line(path, number, line[:-1])


def states(path: Path) -> dict[str, str]:
    """Return the state of each run by `run_id`. Only the beginning of each line is read, which is fast."""
    heads = map(_HEAD.match, _lines(path))
    return {head[1].decode(): head[2].decode() for head in heads if head}


def append(path: Path, results: Iterable[RunResult]) -> None:
    """Append a line for each result, and wait until the disk has them; an incomplete last line is removed first."""
    is_new = not path.exists()
    lines = "".join(json.dumps(result.to_record(), allow_nan=False) + "\n" for result in results).encode()
    with path.open("a+b", buffering=0) as journal:
        _remove_incomplete_line(journal.fileno())
        _write_all(journal.fileno(), lines)
        os.fsync(journal.fileno())
    if is_new:
        sync_folder(path.parent)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as lines:
            yield from (line for line in lines if line.endswith(b"\n"))
    except OSError as error:
        raise StoreError(f"{str(path)!r} can't be read: {error.strerror}.") from error


def _read_line(path: Path, number: int, line: bytes) -> RunResult:
    try:
        record = json.loads(line)
        formats.check_fields(record["config"], f"{str(path)!r}, line {number},", None)
        return RunResult.from_record(record)
    except NewerVersion:
        raise
    except (ValueError, KeyError, TypeError, BncliError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise StoreError(
            f"{str(path)!r}, line {number}, is damaged ({reason}). "
            "Remove that line; the same command then trains its run again."
        ) from error


def _write_all(descriptor: int, content: bytes) -> None:
    """Write all bytes: a disk that fills up takes some of them and fails on the next call."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _remove_incomplete_line(descriptor: int) -> None:
    """Remove what follows the last line end; blocks are read backwards from the end of the file."""
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
