"""Open and replace files: never through a link in a study's folder, and never so that readers see half a file.

A file is replaced in one step: a temporary file is written beside it and renamed.
"""

from __future__ import annotations

import contextlib
import errno
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

_SAFELY = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
"""Flags to open a file with that may not be a link or make anyone wait; systems lack some of them."""


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
            raise _refusal(path, folder, what)


def _refusal(path: Path, folder: Path, what: str) -> StoreError:
    return StoreError(
        f"{str(path)!r} is {what}, and bncli reads, writes and deletes only files of its own in {str(folder)!r}. "
        "Remove it, or try another folder."
    )


def open_inside(path: Path, folder: Path, flags: int = os.O_RDONLY) -> int:
    """Open a regular file in a folder of bncli's own: no link is followed, and nothing is waited for.

    Args:
        path: A path below `folder`.
        folder: A study's folder, which may itself be a link.
        flags: Flags of `os.open`, such as `os.O_RDWR | os.O_CREAT`.

    Returns:
        The file's descriptor.

    Raises:
        StoreError: The path, or a folder on the way, is a link, or the path is not a regular file.
        OSError: The file can't be opened.
    """
    refuse_links(path, folder)
    descriptor = os.open(path, flags | _SAFELY, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # put there since the line before
        os.close(descriptor)
        raise _refusal(path, folder, "not a regular file")
    return descriptor


def check_replaceable(target: Path) -> None:
    """Check that `replace_file` can write a file, before the work of which it is the result.

    Raises:
        StoreError: The file can't be written.
    """
    try:
        mode = _mode(target)
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if mode is None or stat.S_ISREG(mode):
            check_writable(Path(os.path.realpath(target)).parent)
        elif not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise StoreError(f"Can't write {str(target)!r}: {error.strerror or error}.") from error


def check_writable(folder: Path) -> None:
    """Check that files can be made in a folder, or in the nearest one above it that exists. Nothing is left there.

    Raises:
        OSError: They can't.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    with tempfile.TemporaryFile(dir=existing):
        pass


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
        if durable:
            _sync(temporary, os.O_RDWR)
        if mode is not None:
            temporary.chmod(mode & 0o777)
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


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has a folder's list of files. File systems that can't do this are left to themselves."""
    with contextlib.suppress(OSError):
        _sync(folder, os.O_RDONLY)
