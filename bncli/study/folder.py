"""`Store`: a study's folder. `study.json` describes the study, journals hold its finished runs.

Each journal has one writer at a time. Shards write to journals of their own (`runs-2-of-4.jsonl`); readers read all
journals. All other files are derived from these and replaced in one step. Files whose names begin with a dot (locks,
temporary files) are not part of the study.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bncli.atomic import replace_file
from bncli.errors import StoreError
from bncli.results import RunResult
from bncli.study import formats, journal, lock
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

    def create(self) -> None:
        """Make the folder if there is none, and check that it is writable.

        Raises:
            StoreError: The folder is not writable, or holds other files and no study.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise StoreError(
                f"Can't write to the output folder {str(self.folder)!r} ({error.strerror}). Try another --out DIR."
            ) from error
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
        return (self.folder / STUDY_FILE).exists()

    def read_study(self) -> dict[str, Any] | None:
        """Return the content of `study.json` in the current format; None if there is no such file.

        Raises:
            StoreError: The file can't be read, is incomplete, or was written by a newer version.
        """
        path = self.folder / STUDY_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
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
        replace_file(self.folder / STUDY_FILE, lambda path: path.write_text(text, encoding="utf-8"), durable=True)

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
            StoreError: The journal is not writable, or the folder was moved since this process locked the journal.
        """
        self._check_in_place()
        try:
            journal.append(self.journal, results)
        except OSError as error:
            kept = "Finished runs are safe" if self.folder.is_dir() else "The folder is gone with its runs"
            raise StoreError(
                f"Can't write to {str(self.journal)!r} ({error.strerror}). "
                f"{kept}; fix the problem and rerun the same command."
            ) from error

    def _check_in_place(self) -> None:
        if self.folder.is_dir() and lock.is_lost(self.journal):
            raise StoreError(
                f"The folder {str(self.folder)!r} is not the one of the start, which was moved or removed. "
                "Finished runs are in that one; move it back and rerun the same command."
            )

    def own_files(self, derived: Iterable[str]) -> list[str]:
        """Return the names of existing journals, and those of the `derived` names that exist."""
        names = [*(path.name for path in journal.journals(self.folder)), *derived]
        return [name for name in names if (self.folder / name).is_file()]

    def write_text(self, name: str, text: str) -> None:
        """Replace the file `name` in the folder."""
        self.write_with(name, lambda path: path.write_text(text, encoding="utf-8"))

    def write_with(self, name: str, write: Callable[[Path], object]) -> None:
        """Replace the file `name` in the folder; `write` is given a path to write the new content to."""
        replace_file(self.folder / name, write)

    def remove(self, name: str) -> None:
        """Remove the file `name` from the folder if it exists.

        Raises:
            StoreError: It can't be removed.
        """
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"Can't remove {str(self.folder / name)!r}: {error.strerror}.") from error
