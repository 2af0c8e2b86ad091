"""Replace a file in one step: write a temporary file beside it, then rename it. Readers never see half a file."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from bncli.errors import StoreError

ORPHAN_SECONDS = 24 * 3600
"""Age in seconds from which a temporary file counts as left behind by a killed process."""

Write = Callable[[Path], object]


def replace_file(target: Path, write: Write, *, durable: bool = False, inside: Path | None = None) -> None:
    """Write a temporary file and rename it to `target`; missing folders are made.

    An existing file keeps its permissions. A link stays: the file that it names is replaced. What is not a regular
    file, such as a named pipe or `/dev/null`, is written to.

    Args:
        target: The file to replace.
        write: A function that writes the new content to the path that it is given.
        durable: Wait until the disk has the file. Not needed for files that can be made again.
        inside: A folder that `target` must not leave, see `refuse_links`; None to follow links.

    Raises:
        StoreError: The file can't be written.
    """
    try:
        if inside is not None:
            refuse_links(target, inside)
        mode = _mode(target)
        if mode is None or stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            _rename(Path(os.path.realpath(target)), write, mode, durable=durable)
        else:
            _copy(target, write)
    except OSError as error:
        raise StoreError(f"Can't write {str(target)!r}: {error.strerror or error}.") from error


def refuse_links(target: Path, folder: Path) -> None:
    """Check that a path in a folder of bncli's own leads to a regular file there, or to nothing yet.

    The folder itself may be a link: its user chose it.

    Args:
        target: A path below `folder`.
        folder: A study's folder.

    Raises:
        StoreError: The path, or a folder on the way, is a link, or the path is not a regular file.
    """
    parts = target.relative_to(folder).parts
    for number in range(len(parts)):
        path = folder.joinpath(*parts[: number + 1])
        is_expected = stat.S_ISREG if path == target else stat.S_ISDIR
        mode = _mode(path, follow_symlinks=False)
        if mode is not None and not is_expected(mode):
            what = "a link" if stat.S_ISLNK(mode) else f"not a regular {'file' if path == target else 'folder'}"
            raise StoreError(
                f"{str(path)!r} is {what}, and bncli writes and deletes only its own files in {str(folder)!r}. "
                "Remove it, or try another folder."
            )


def _mode(path: Path, *, follow_symlinks: bool = True) -> int | None:
    """Type and permissions of what is at a path; None for nothing."""
    try:
        return os.stat(path, follow_symlinks=follow_symlinks).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise StoreError(f"Can't write {str(path)!r}, which is not a path: {error}.") from error


def _rename(target: Path, write: Write, mode: int | None, *, durable: bool) -> None:
    temporary = target.with_name(f".{uuid.uuid4().hex[:8]}.{target.name}")  # process ids repeat between hosts
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_orphans(target)
        if mode is not None:
            temporary.touch(mode=0o600)  # until it has the permissions of the file that it replaces
        write(temporary)
        if mode is not None:
            temporary.chmod(mode & 0o777)
        if durable:
            _sync(temporary)
        temporary.replace(target)
        if durable:
            sync_folder(target.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _copy(target: Path, write: Write) -> None:
    """Write to a file that can be read back and searched, then copy it to a pipe or device, which can't."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder, target.name)
        write(temporary)
        with temporary.open("rb") as source, target.open("wb") as pipe:
            shutil.copyfileobj(source, pipe)


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
