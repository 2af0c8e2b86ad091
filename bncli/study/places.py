"""The default folder of a study, and a list of all studies below a folder."""

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
    """Return the folder of a study without `--out`: its name and a hash of the fields that all its runs share.

    More arms, axis values or seeds do not change the folder, so that the command continues it. If an earlier version
    made a folder under another name, that one is returned.

    Args:
        study: The study.
        as_written: Whether the study is as its preset or file describes it, whose name needs no hash.
        root: The folder of all studies.

    >>> from bncli.study.files import load_study
    >>> study = load_study("circles-placement")
    >>> str(default_folder(study, as_written=True))
    'studies/circles-placement'
    >>> str(default_folder(study.vary({"epochs": 5}), as_written=False))
    'studies/circles-placement-...'
    """
    fixed = _fixed(study)
    old = _hashed(study, {name: value for name, value in fixed.items() if name in FIELDS_1})
    new = study.name if as_written else _hashed(study, {n: value for n, value in fixed.items() if value != ABSENT[n]})
    return root / (old if not (root / new).exists() and (root / old / STUDY_FILE).exists() else new)


def _hashed(study: Study, fields: Mapping[str, Value]) -> str:
    return f"{study.name}-{hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:6]}"


def _fixed(study: Study) -> dict[str, Value]:
    """The fields of the base run, apart from axes and seed."""
    return {name: value for name, value in study.base.to_dict().items() if name not in {*dict(study.axes), "seed"}}


def studies(root: Path) -> Iterator[dict[str, Any]]:
    """Yield a row for each study below a folder, in the order of their paths.

    Yields:
        `folder`; `study`, its name; `what`, data, arms and axes in words, or why the study can't be read; `done`, the
        number of runs with a record; `planned`; `failed`; `last_run`, the local time of the last record, or of
        `study.json` if there is no record. Unknown numbers and times are None.

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
        unknown = dict.fromkeys(("done", "planned", "failed", "last_run"))
        return {"folder": str(folder), "study": "", "what": str(error), **unknown}
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
