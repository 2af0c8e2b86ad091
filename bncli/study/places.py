"""The default folder of a study, and a list of all studies below a folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bncli.config import ABSENT, DEFAULTS
from bncli.data.files import is_data_path
from bncli.errors import StoreError, shown
from bncli.study import journal
from bncli.study.files import is_name
from bncli.study.folder import STUDY_FILE, Store
from bncli.study.formats import FIELDS_1
from bncli.study.study import Study
from bncli.values import Value

ROOT = Path("studies")

MAX_NAME, MAX_PART = 120, 30
"""The most bytes of a study's name, and of a data set's or a model's, in the name of a folder: systems allow 255."""


def default_folder(study: Study, *, as_written: bool, root: Path = ROOT) -> Path:
    """Return the folder of a study without `--out`: it says what the study is, and lies directly below `root`.

    A preset or file as it is written has a folder of its own name. Any other study has one that is made of its name,
    its data set, its model and a hash of the fields that all its runs share. More arms, axis values or seeds do not
    change the folder, so that the command continues it. If an earlier version made a folder under another name, that
    one is returned.

    Args:
        study: The study.
        as_written: Whether the study is as its preset or file describes it.
        root: The folder of all studies.

    >>> from bncli.study.files import load_study
    >>> study = load_study("circles-placement")
    >>> str(default_folder(study, as_written=True))
    'studies/circles-placement'
    >>> str(default_folder(study.vary({"epochs": 5}), as_written=False))
    'studies/circles-placement-circles-circles-mlp-...'
    """
    fixed = _fixed(study)
    digest = _digest({name: value for name, value in fixed.items() if value != ABSENT[name]})
    new = root / (safe_name(study.name) if as_written else "-".join([*_words(study, fixed), digest]))
    if os.path.lexists(new):
        return new
    digest_1 = _digest({name: value for name, value in fixed.items() if name in FIELDS_1})
    earlier = (f"{study.name}-{digest}", f"{study.name}-{digest_1}", *([study.name] if as_written else []))
    found = (root / name for name in earlier if is_name(study.name) and Store(root / name).has_study())
    return next(found, new)


def safe_name(text: str, limit: int = MAX_NAME) -> str:
    """Return a text as part of a folder's name: letters, digits and `. _ + -` only, which need no quotes in a shell.

    >>> safe_name("My study: lr/bn"), safe_name("conv32 pool flatten dense64", limit=16), safe_name("../../..")
    ('My-study-lr-bn', 'conv32-pool-flat', 'study')
    """
    words = re.sub(r"[^\w.+]+", "-", text).strip("-.").encode(errors="ignore")[:limit].decode(errors="ignore")
    return words.strip("-.") or "study"


def _words(study: Study, fixed: Mapping[str, Value]) -> list[str]:
    """A study's name, its data set and its model, as far as they are no axes."""
    parts = {name: str(fixed[name]) for name in ("dataset", "model") if name in fixed}
    if is_data_path(parts.get("dataset", "")):
        parts["dataset"] = Path(parts["dataset"]).stem
    return [safe_name(study.name), *(safe_name(part, MAX_PART) for part in parts.values())]


def _digest(fields: Mapping[str, Value]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:6]


def _fixed(study: Study) -> dict[str, Value]:
    """The fields of the base run, apart from axes and seed; a default that changed counts as what it was before."""
    fields = {name: value for name, value in study.base.to_dict().items() if name not in {*dict(study.axes), "seed"}}
    return {name: ABSENT[name] if value == DEFAULTS[name] else value for name, value in fields.items()}


def studies(root: Path) -> Iterator[dict[str, Any]]:
    """Yield a row for each study below a folder, in the order of their paths.

    Yields:
        `folder`; `study`, its name; `what`, data, arms and axes in words, or why the study can't be read; `done`, the
        number of runs with a record; `planned`; `failed`; `last_run`, the local time of the last record, or of
        `study.json` if there is no record. Unknown numbers and times are None.

    Raises:
        StoreError: There is no such folder.
    """
    if not os.path.isdir(root):
        raise StoreError(f"There is no folder {shown(str(root))}. Studies without --out go to {str(ROOT)!r}.")
    for path in sorted(root.rglob(STUDY_FILE)):
        if not any(part.startswith(".") for part in path.relative_to(root).parts):
            yield _row(path.parent)


def _row(folder: Path) -> dict[str, Any]:
    try:
        return {"folder": str(folder), **_facts(folder)}
    except StoreError as error:
        unknown = dict.fromkeys(("done", "planned", "failed", "last_run"))
        return {"folder": str(folder), "study": "", "what": str(error), **unknown}


def _facts(folder: Path) -> dict[str, Any]:
    content, paths = Store(folder).need_study(), journal.journals(folder)
    study = content["study"]
    states = {run: state for path in paths for run, state in journal.states(path).items()}
    axes = [f"{name} ({len(values)})" for name, values in study["axes"].items()]
    newest = max(path.stat().st_mtime for path in paths or [folder / STUDY_FILE])
    return {
        "study": study["name"],
        "what": f"{study['run']['dataset']}: {' x '.join([', '.join(study['arms']), *axes])}",
        "done": len(states),
        "planned": len(content["conditions"]) * len(study["seeds"]),
        "failed": sum(state == "failed" for state in states.values()),
        "last_run": time.strftime("%Y-%m-%d %H:%M", time.localtime(newest)),
    }
