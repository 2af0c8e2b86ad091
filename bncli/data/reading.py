"""How a file of the user's is read: a regular file of a bounded size, and one kind of error for whatever goes wrong."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bncli.errors import BncliError, DataError, first_line
from bncli.values import plain_text

MAX_BYTES = 4 * 2**30
"""Largest file, and largest array that one may unpack to: small files can claim or unpack to terabytes."""


def quoted(path: str | Path) -> str:
    """Return a path, or another text from outside, in quotes as messages show it."""
    return plain_text(repr(str(path)))


def is_file(path: Path) -> bool:
    """Return whether there is a regular file, or a link to one; folders, pipes and devices are none.

    Raises:
        DataError: It can't be found out, e.g. in a folder that may not be searched.
    """
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a NUL character in a path is a ValueError
        return False
    except OSError as error:
        raise DataError(f"Can't look for {quoted(path)}: {error.strerror}.") from error


@contextmanager
def reading(path: str | Path, kind: str, advice: str = "") -> Iterator[BinaryIO]:
    """Open a file for the block, which reads it.

    Libraries get the open file and never the path, which some of them take for a URL or a place in the home folder.

    Args:
        path: Path of a file for which `is_file` is true.
        kind: What it is read as, for the message.
        advice: A sentence on what to try.

    Raises:
        DataError: The file is too large, or the block raised an error of any kind.
    """
    try:
        with open(path, "rb") as file:
            check_size(quoted(path), os.fstat(file.fileno()).st_size, "the file")
            yield file
    except BncliError:
        raise
    except Exception as error:  # no list of what libraries make of damaged bytes is complete
        ending = f" {advice}" if advice else ""
        raise DataError(f"{quoted(path)} can't be read as {kind}: {_reason(error)}.{ending}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "it takes more memory than there is"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnicodeDecodeError):
        return "it is not in UTF-8. Save it in that encoding"
    return plain_text(first_line(error))


def why_not_downloaded(error: Exception) -> str:
    """Return the reason of an error of a download, without the layers that Python's library puts around it."""
    reason = getattr(error, "reason", None)
    return plain_text(first_line(reason if isinstance(reason, Exception) else error))


def check_size(source: str, n_bytes: int, what: str) -> None:
    """Check how much memory something will take, before anything is allocated.

    Args:
        source: The file as messages name it, see `quoted`.
        n_bytes: The size by the file's header.
        what: What takes the memory, for the message.

    Raises:
        DataError: It is more than `MAX_BYTES`.
    """
    if n_bytes > MAX_BYTES:
        size = f"{min(n_bytes, 2**70) / 2**30:,.1f}"  # headers can claim numbers that no float can hold
        raise DataError(
            f"{source} is too large: {what} would take {size} GiB. Allowed: {MAX_BYTES / 2**30:g} GiB. "
            "Try fewer rows or columns."
        )
