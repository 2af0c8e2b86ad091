"""A study's folder: `study.json` says what it is, `runs.jsonl` holds one line a finished run.

One writer a journal appends and syncs; shards of a study write journals of their own (`runs-2-of-4.jsonl`), and every
reader reads all of them. A torn last line (a writer that was killed) is forgiven, any other damage is an error that
names the line. Files derived from them are replaced whole, so that no reader sees a half. Names that begin with a dot
(locks, temporary files) are no part of a study.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from bncli.atomic import replace_file, sync_folder
from bncli.config import DATA_FIELDS, DEFAULTS, RunConfig
from bncli.data import datasets
from bncli.data.facts import dataset_facts
from bncli.errors import StoreError
from bncli.results import RunResult
from bncli.study import lock, provenance
from bncli.study.journal import cut_torn_line, read_journal, write_all
from bncli.study.shard import Shard
from bncli.study.study import Plan, Study, condition_id
from bncli.values import Value, show

FORMAT = 1

STUDY_FILE = "study.json"

RUNS_FILE = "runs.jsonl"

SHARD_FILES = "runs-*-of-*.jsonl"

STUDY_PARTS = ("study", "conditions", "datasets")
"""What a reader of `study.json` relies on."""


class Store:
    """The records of one study on disk.

    Args:
        folder: The study's folder; made by `create`.
        journal: Name of the journal that `append` writes to.
    """

    def __init__(self, folder: Path, journal: str = RUNS_FILE) -> None:
        self.folder = folder
        self.journal = folder / journal

    def journals(self) -> list[Path]:
        """The journals that are there, in the order in which they are read."""
        main = self.folder / RUNS_FILE
        return [main] * main.exists() + sorted(self.folder.glob(SHARD_FILES))

    def create(self) -> None:
        """Make the folder and check that it can be written to, before any work starts.

        Raises:
            StoreError: It can't, or something other than a study is in the way.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise StoreError(
                f"Can't write to the output folder {str(self.folder)!r} ({error.strerror}). Try another --out DIR."
            ) from error
        own = {STUDY_FILE, *(path.name for path in self.journals())}
        names = sorted(path.name for path in self.folder.iterdir())
        strangers = [name for name in names if name not in own and not name.startswith(".")]
        if strangers and not self.has_study():
            shown = strangers[0] + (", ..." if len(strangers) > 1 else "")
            raise StoreError(
                f"The output folder {str(self.folder)!r} holds other files ({shown}) and no study. "
                "Try --out with a new or empty folder."
            )

    def has_study(self) -> bool:
        """Whether there is a `study.json`, readable or not."""
        return (self.folder / STUDY_FILE).exists()

    def read_study(self) -> dict[str, Any] | None:
        """Return the content of `study.json`, or None where there is none.

        Raises:
            StoreError: It is unreadable, incomplete or was written by a newer format.
        """
        path = self.folder / STUDY_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoreError(f"{str(path)!r} can't be read: {error}. Restore it or start in a new folder.") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            received = content.get("format") if isinstance(content, dict) else type(content).__name__
            raise StoreError(
                f"{str(path)!r} has a format that this version of bncli can't read. Allowed: {FORMAT}. "
                f"Received: {received}. Try a newer bncli."
            )
        missing = [part for part in STUDY_PARTS if part not in content]
        if missing:
            raise StoreError(f"{str(path)!r} lacks {', '.join(missing)}. Restore it or start in a new folder.")
        return content

    def write_study(self, content: dict[str, Any]) -> None:
        """Replace `study.json`, and wait until it is on the disk: no run is recorded before it."""
        text = json.dumps({"format": FORMAT} | content, indent=1) + "\n"
        replace_file(self.folder / STUDY_FILE, lambda path: path.write_text(text, encoding="utf-8"), durable=True)

    def read_runs(self) -> dict[str, RunResult]:
        """Return all results by `run_id`; of two lines on one run the later holds, but a failure undoes no success.

        Raises:
            StoreError: A line other than a torn last one can't be read.
        """
        results: dict[str, RunResult] = {}
        for path in self.journals():
            for result in read_journal(path):
                before = results.get(result.config.run_id)
                if not before or before.state == "failed" or result.state != "failed":
                    results[result.config.run_id] = result
        return results

    def append(self, *results: RunResult) -> None:
        """Append a line a result and wait once until all are on the disk; a torn line before them is cut off first.

        Raises:
            StoreError: The journal can't be written to, or is not the one that this process holds the lock of.
        """
        self._check_in_place()
        is_new = not self.journal.exists()
        lines = "".join(json.dumps(result.to_record(), allow_nan=False) + "\n" for result in results).encode()
        try:
            with self.journal.open("a+b", buffering=0) as journal:
                cut_torn_line(journal.fileno())
                write_all(journal.fileno(), lines)
                os.fsync(journal.fileno())
            if is_new:
                sync_folder(self.folder)
        except OSError as error:
            kept = "Finished runs are safe" if self.folder.is_dir() else "The folder is gone with its runs"
            raise StoreError(
                f"Can't write to {str(self.journal)!r} ({error.strerror}). "
                f"{kept}; mend this and give the same command again."
            ) from error

    def _check_in_place(self) -> None:
        if self.folder.is_dir() and lock.is_lost(self.journal):
            raise StoreError(
                f"The folder {str(self.folder)!r} is another than at the start: that one was moved or removed. "
                "Finished runs are in it; move it back and give the same command again."
            )

    def own_files(self, derived: Iterable[str]) -> list[str]:
        """Names of the files in the folder that are bncli's own, but for the study: journals and the `derived` ones."""
        names = [*(path.name for path in self.journals()), *derived]
        return [name for name in names if (self.folder / name).is_file()]

    def write_text(self, name: str, text: str) -> None:
        """Replace the file `name` of the folder by `text`."""
        self.write_with(name, lambda path: path.write_text(text, encoding="utf-8"))

    def write_with(self, name: str, write: Callable[[Path], object]) -> None:
        """Replace the file `name` of the folder by what `write` puts at the path that it is given."""
        replace_file(self.folder / name, write)

    def remove(self, name: str) -> None:
        """Remove the derived file `name` of the folder, if it is there."""
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"Can't remove {str(self.folder / name)!r}: {error.strerror}.") from error


STUDY_SECONDS = 30.0
"""How long a process waits for others to write `study.json`: many shards may start at once."""


def default_folder(study: Study, *, is_preset: bool) -> Path:
    """Where a study goes without --out: its name, plus a hash of what it holds fixed unless it is a preset as shipped.

    More arms, axis values or seeds keep the folder, so that the command continues what is there.
    """
    if is_preset:
        return Path("studies") / study.name
    fixed = _fixed(study.to_dict(), {name for name, _ in study.axes})
    digest = hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()
    return Path("studies") / f"{study.name}-{digest[:6]}"


def _fixed(study: Mapping[str, Any], varied: set[str]) -> dict[str, Any]:
    """The fields that all runs of a study share before arms have their say."""
    return {name: value for name, value in study["run"].items() if name not in {*varied, "seed"}}


def open_store(folder: Path, study: Study, plan: Plan, shard: Shard | None = None, *, anew: bool = False) -> Store:
    """Open a study's folder for this study, new or to be continued, and write `study.json`.

    Who goes on to write runs holds `lock.hold` on the journal around both. A study that starts `anew` is not held to
    what was in the folder.

    Raises:
        StoreError: The folder holds another study or other data, or can't be written to.
    """
    data = {_data_label(config): _data_facts(config) for config in _one_per_data(plan)}
    store = Store(folder, shard.journal if shard else RUNS_FILE)
    with lock.hold(folder / STUDY_FILE, patience=STUDY_SECONDS):
        before = None if anew else store.read_study()
        store.create()
        known = _fingerprints(before) if before else {}
        if before:
            _check_same_study(folder, before, study)
            _check_same_data(folder, known, data)
        if before and shard:
            _check_no_less(folder, before["study"], study.to_dict())
        content = {"study": study.to_dict(), "conditions": _condition_entries(study, plan), "datasets": data}
        content["fingerprints"] = known | {name: facts["fingerprint"] for name, facts in data.items()}
        rest = before or provenance.collect()
        store.write_study(content | {name: value for name, value in rest.items() if name not in content})
    return store


def _condition_entries(study: Study, plan: Plan) -> list[dict[str, Any]]:
    return [
        {"arm": condition.arm, "values": dict(condition.values), "id": condition_id(config)}
        for config, condition in plan.runs
        if config.seed == study.seeds[0]
    ]


def _fingerprints(content: Mapping[str, Any]) -> dict[str, str]:
    """Fingerprints of all data that runs in the folder may have used, also before the study was narrowed."""
    used = {name: facts["fingerprint"] for name, facts in content["datasets"].items()}
    return dict(content.get("fingerprints", {})) | used


def note_session(store: Store) -> None:
    """Add this process to the `sessions` in `study.json`, those that trained, unless it is like the last one there.

    The newest session's facts are also beside the list.
    """
    now = provenance.collect()
    with lock.hold(store.folder / STUDY_FILE, patience=STUDY_SECONDS):
        if content := store.read_study():
            sessions = content.get("sessions", [{name: content[name] for name in now if name in content}])
            if sessions[-1] != now:
                sessions = [*sessions, now]
            store.write_study(content | now | {"sessions": sessions})


def _data_facts(config: RunConfig) -> dict[str, Any]:
    data = datasets.load(config)
    return dataset_facts(data) | {"fingerprint": data.fingerprint()}


def _one_per_data(plan: Plan) -> list[RunConfig]:
    return list({data_key(config): config for config, _ in plan.runs}.values())


def data_key(config: RunConfig) -> tuple[Value, ...]:
    return tuple(getattr(config, name) for name in DATA_FIELDS)


def _data_label(config: RunConfig) -> str:
    """Name the data of a run by the fields that choose it: `mnist train_rows=1:8001 scaling=unit`."""
    chosen = ((name, getattr(config, name)) for name in DATA_FIELDS[1:])
    return " ".join([config.dataset, *(f"{name}={show(value)}" for name, value in chosen if value != DEFAULTS[name])])


def _check_same_study(folder: Path, before: Mapping[str, Any], study: Study) -> None:
    there, here = before["study"], study.to_dict()
    varied = {*there["axes"], *here["axes"]}
    old, new = _fixed(there, varied), _fixed(here, varied)
    different = [name for name in new if old.get(name) != new[name]]
    if different:
        shown = ", ".join(f"{name} ({old.get(name)!r} there, {new[name]!r} here)" for name in different[:5])
        raise StoreError(
            f"The output folder {str(folder)!r} holds another study: it differs in {shown}. "
            "Try another --out, or make the field an axis."
        )


def _check_no_less(folder: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse a share of a smaller study: what it leaves out of `study.json` is hidden, while other shares train it."""
    for part in ("seeds", "arms", *{**there["axes"], **here["axes"]}):
        old, new = _values_of(part, there), _values_of(part, here)
        if any(value not in new for value in old):
            raise StoreError(
                f"The output folder {str(folder)!r} holds a larger study than this share is of: it differs in {part} "
                f"({_listed(old)} there, {_listed(new)} here). Give every share the same options, or try another --out."
            )


def _values_of(part: str, study: Mapping[str, Any]) -> list[Any]:
    """The seeds, the arms, or the values of a field, which has one where it is no axis."""
    if part in ("seeds", "arms"):
        return list(study[part])
    return list(study["axes"].get(part, [study["run"].get(part)]))


def _listed(values: list[Any]) -> str:
    texts = [show(value) for value in values]
    return ", ".join(texts) if len(texts) < 6 else f"{len(texts)} from {texts[0]} to {texts[-1]}"


def _check_same_data(folder: Path, there: Mapping[str, str], here: Mapping[str, Any]) -> None:
    changed = [name for name, facts in here.items() if there.get(name, facts["fingerprint"]) != facts["fingerprint"]]
    if changed:
        raise StoreError(
            f"The data {changed[0]!r} is not what the runs in {str(folder)!r} were trained on. "
            "Restore the data, or try another --out."
        )
