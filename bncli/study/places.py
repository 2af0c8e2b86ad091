"""Where studies lie on disk: the folder of a study without --out, and all studies under a folder."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bncli.config import ABSENT
from bncli.errors import StoreError
from bncli.study import journal
from bncli.study.folder import STUDY_FILE, Store
from bncli.study.formats import FIELDS_1
from bncli.study.study import Study
from bncli.values import Value

ROOT = Path("studies")


def default_folder(study: Study, *, as_written: bool, root: Path = ROOT) -> Path:
    """Return where a study goes without --out: its name, plus a hash of what it holds fixed.

    More arms, axis values or seeds keep the folder, so that the command continues what is there. A folder that an
    earlier version named otherwise is continued too.

    Args:
        study: The study.
        as_written: Whether it is as its preset or file says; then there is no hash.
        root: The folder of all studies.
    """
    fixed = _fixed(study)
    old = _hashed(study, {name: value for name, value in fixed.items() if name in FIELDS_1})
    new = study.name if as_written else _hashed(study, {n: value for n, value in fixed.items() if value != ABSENT[n]})
    return root / (old if not (root / new).exists() and (root / old / STUDY_FILE).exists() else new)


def _hashed(study: Study, fields: Mapping[str, Value]) -> str:
    return f"{study.name}-{hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:6]}"


def _fixed(study: Study) -> dict[str, Value]:
    """The fields that all runs of a study have in common, apart from those that arms set."""
    return {name: value for name, value in study.base.to_dict().items() if name not in {*dict(study.axes), "seed"}}


def studies(root: Path) -> Iterator[dict[str, Any]]:
    """Yield one row for each study under a folder, by path.

    Columns: `folder`, `study`, `what` (arms and axes in words), `done` (runs with a record), `planned`, `failed`,
    `last_run` (local time of the last record, or of `study.json` where there is none).

    Raises:
        StoreError: There is no such folder.
    """
    if not root.is_dir():
        raise StoreError(f"There is no folder {str(root)!r}. Studies without --out go to {str(ROOT)!r}.")
    for path in sorted(root.rglob(STUDY_FILE)):
        if not any(part.startswith(".") for part in path.relative_to(root).parts):
            yield _row(path.parent)


def _row(folder: Path) -> dict[str, Any]:
    try:
        content = Store(folder).need_study()
    except StoreError as error:
        return {"folder": str(folder), "study": "", "what": str(error), "done": None, "planned": None} | {
            "failed": None, "last_run": None,
        }  # fmt: skip
    study, paths = content["study"], journal.journals(folder)
    states = {run: state for path in paths for run, state in journal.states(path).items()}
    axes = [f"{name} ({len(values)})" for name, values in study["axes"].items()]
    newest = max(path.stat().st_mtime for path in paths or [folder / STUDY_FILE])
    return {
        "folder": str(folder),
        "study": study["name"],
        "what": f"{study['run']['dataset']}: {' x '.join([', '.join(study['arms']), *axes])}",
        "done": len(states),
        "planned": len(content["conditions"]) * len(study["seeds"]),
        "failed": sum(state == "failed" for state in states.values()),
        "last_run": time.strftime("%Y-%m-%d %H:%M", time.localtime(newest)),
    }
