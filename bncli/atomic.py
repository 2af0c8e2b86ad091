"""Replace a file in one step: write a temporary file beside it, then rename it. Readers never see half a file."""

from __future__ import annotations

import contextlib
import glob
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from bncli.errors import StoreError

ORPHAN_SECONDS = 24 * 3600
"""Age in seconds from which a temporary file counts as left behind by a killed process."""


def replace_file(target: Path, write: Callable[[Path], object], *, durable: bool = False) -> None:
    """Write a temporary file beside `target` and rename it to `target`; missing folders are made.

    Args:
        target: The file to replace.
        write: A function that writes the new content to the path that it is given.
        durable: Wait until the disk has the file. Not needed for files that can be made again.

    Raises:
        StoreError: The file can't be written.
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
            sync_folder(target.parent)
    except OSError as error:
        raise StoreError(f"Can't write {str(target)!r}: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _remove_orphans(target: Path) -> None:
    """Remove temporary files of `target` that killed processes left behind."""
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


def sync_folder(folder: Path) -> None:
    """Wait until the disk has a folder's list of files. File systems that can't do this are left to themselves."""
    with contextlib.suppress(OSError):
        _sync(folder)
