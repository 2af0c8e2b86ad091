"""`Store`: a study's folder. `study.json` describes the study, journals hold its finished runs.

Each journal has one writer at a time. Shards write to journals of their own (`runs-2-of-4.jsonl`); readers read all
journals. All other files are derived from these and replaced in one step. Files whose names begin with a dot (locks,
temporary files) are not part of the study.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bncli.atomic import check_writable, open_inside, refuse_links, replace_file
from bncli.errors import StoreError
from bncli.results import RunResult
from bncli.study import formats, journal, lock, probed, schema
from bncli.study.journal import RUNS_FILE

STUDY_FILE = "study.json"


class Store:
    """The folder of one study.

    Args:
        folder: Its path; `create` makes the folder.
        journal: Name of the journal to which `append` writes.
    """

    def __init__(self, folder: Path, journal: str = RUNS_FILE) -> None:
        self.folder = folder
        self.journal = folder / journal

    def check(self) -> None:
        """Check that runs can be recorded in the folder, before any work; nothing is made or changed.

        Raises:
            StoreError: The folder or the journal is not writable, or a journal or `study.json` is not a file of bncli.
        """
        try:
            check_writable(self.folder)
        except OSError as error:
            raise self._unwritable(error) from error
        refuse_links(self.folder / STUDY_FILE, self.folder)
        for path in {*journal.journals(self.folder), self.journal}:
            journal.check(path, is_written=path == self.journal)

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"Can't write to the output folder {str(self.folder)!r} ({error.strerror}). Try another --out DIR."
        )

    def create(self) -> None:
        """Check the folder, and make it if there is none.

        Raises:
            StoreError: As `check`, and where the folder holds other files and no study.
        """
        self.check()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error
        own = {STUDY_FILE, *(path.name for path in journal.journals(self.folder))}
        names = sorted(path.name for path in self.folder.iterdir())
        strangers = [name for name in names if name not in own and not name.startswith(".")]
        if strangers and not self.has_study():
            shown = strangers[0] + (", ..." if len(strangers) > 1 else "")
            raise StoreError(
                f"The output folder {str(self.folder)!r} holds other files ({shown}) and no study. "
                "Try --out with a new or empty folder."
            )

    def has_study(self) -> bool:
        """Return whether the folder has a `study.json`, readable or not."""
        return os.path.lexists(self.folder / STUDY_FILE)

    def read(self, name: str) -> bytes | None:
        """Return the content of the file `name` in the folder; None if there is no such file.

        Raises:
            StoreError: It is a link, not a regular file, or can't be read.
        """
        path = self.folder / name
        try:
            with open(open_inside(path, self.folder), "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"{str(path)!r} can't be read: {error.strerror}.") from error

    def read_study(self) -> dict[str, Any] | None:
        """Return the content of `study.json` in the current format; None if there is no such file.

        Raises:
            StoreError: The file can't be read, is damaged, or was written by a newer version.
        """
        text, path = self.read(STUDY_FILE), self.folder / STUDY_FILE
        if text is None:
            return None
        try:
            content = schema.parse(text)
        except ValueError as error:
            raise StoreError(f"{str(path)!r} can't be read: {error}. Restore it or start in a new folder.") from error
        return formats.upgraded(content, path)

    def need_study(self) -> dict[str, Any]:
        """Return the content of `study.json`.

        Raises:
            StoreError: As `read_study`, and where there is no such file.
        """
        content = self.read_study()
        if content is None:
            raise StoreError(
                f"{str(self.folder)!r} holds no study (no study.json). Give the --out folder of a compare or sweep."
            )
        return content

    def write_study(self, content: dict[str, Any]) -> None:
        """Replace `study.json`, and wait until the disk has it, because runs are recorded only after it."""
        text = json.dumps({**content, "format": formats.FORMAT}, indent=1) + "\n"
        self.write_with(STUDY_FILE, lambda path: path.write_text(text, encoding="utf-8"), durable=True)

    def read_runs(self) -> dict[str, RunResult]:
        """Return all results by the `run_id` of their configs.

        If a run has several records, the last one counts; but a failed run never replaces another result.

        Raises:
            StoreError: A line can't be read, other than an incomplete last one.
        """
        results: dict[str, RunResult] = {}
        for path in journal.journals(self.folder):
            for result in journal.read(path):
                before = results.get(result.config.run_id)
                if not before or before.state == "failed" or result.state != "failed":
                    results[result.config.run_id] = result
        return results

    def listed_runs(self, content: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], RunResult]]:
        """Yield the results that belong to the study, each with its condition.

        Args:
            content: The content of `study.json`.

        Yields:
            Pairs of an entry of `conditions` in `study.json` and a result.
        """
        entries, seeds = {entry["id"]: entry for entry in content["conditions"]}, set(content["study"]["seeds"])
        for result in self.read_runs().values():
            ids = (result.config.condition_id, *([result.old_ids.condition] if result.old_ids else []))
            entry = next((entries[name] for name in ids if name in entries), None)
            if entry and result.config.seed in seeds:
                yield entry, result

    def append(self, *results: RunResult) -> None:
        """Append a line for each result to the journal, and wait until the disk has them.

        Raises:
            StoreError: The journal is not writable, or the folder was moved since this process locked the journal; or
                what probes saw can't be written, though the results are.
        """
        self.check_in_place()
        lost: StoreError | None = None
        try:
            probed.write(self.folder, results)  # before the record, which says that the run is done
        except StoreError as error:
            lost = error
        try:
            journal.append(self.journal, results)
        except OSError as error:
            raise StoreError(
                f"Can't write to {str(self.journal)!r} ({error.strerror}). "
                "Finished runs are safe; fix the problem and rerun the same command."
            ) from error
        if lost:
            raise StoreError(
                f"{lost} The results of these runs are safe, but not what the probes saw. Fix the problem and rerun "
                "the same command for the other runs, or with --restart for all."
            ) from lost

    def check_in_place(self) -> None:
        """Check that the folder is the one whose journal this process has locked.

        Raises:
            StoreError: It was moved or removed.
        """
        if lock.is_lost(self.journal):
            raise StoreError(
                f"The folder {str(self.folder)!r} was moved or removed, and finished runs with it. "
                "If it was moved, move it back and rerun the same command."
            )

    def own_files(self, derived: Iterable[str]) -> list[str]:
        """Return the names of existing journals, and those of the `derived` names that exist."""
        probes = [path.name for path in probed.probe_files(self.folder)]
        names = [*(path.name for path in journal.journals(self.folder)), *probes, *derived]
        return [name for name in names if os.path.lexists(self.folder / name)]

    def write_text(self, name: str, text: str) -> None:
        """Replace the file `name` in the folder."""
        self.write_with(name, lambda path: path.write_text(text, encoding="utf-8"))

    def write_with(self, name: str, write: Callable[[Path], object], *, durable: bool = False) -> None:
        """Replace the file `name` in the folder.

        Args:
            name: Its path relative to the folder.
            write: A function that writes the new content to the path that it is given.
            durable: Whether to wait until the disk has it.

        Raises:
            StoreError: It can't be written, or is not a regular file of the folder's own.
        """
        replace_file(self.folder / name, write, durable=durable, inside=self.folder)

    def check_removable(self, names: Iterable[str]) -> None:
        """Check that files of the folder can be removed, before the first one is.

        Raises:
            StoreError: One is not a regular file of the folder's own, or the folder that it is in is not writable.
        """
        for path in (self.folder / name for name in names):
            refuse_links(path, self.folder)
            if not os.access(path.parent, os.W_OK | os.X_OK):
                raise StoreError(f"Can't remove {str(path)!r}: its folder is not writable.")

    def remove(self, name: str) -> None:
        """Remove the file `name` from the folder if it exists.

        Raises:
            StoreError: It can't be removed, or is not a regular file of the folder's own.
        """
        path = self.folder / name
        try:
            refuse_links(path, self.folder)
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"Can't remove {str(path)!r}: {error.strerror}.") from error
