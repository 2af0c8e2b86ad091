"""Replace a file whole: write beside it, then rename."""

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
"""Age from which a temporary file is one that a killed process left."""


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
            sync_folder(target.parent)
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


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk; some network file systems refuse that, and then do it themselves."""
    with contextlib.suppress(OSError):
        _sync(folder)
