"""`verdicts.json`: what `bncli verify` found by checks, kept in the study's folder for the page.

A check may take TensorFlow and minutes, and its verdict depends on no run. Verdicts on runs are not kept: every report
gives them anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bncli.claims.judgement import VERDICTS, Verdict
from bncli.errors import StoreError
from bncli.study import schema
from bncli.study.folder import Store
from bncli.values import finite

VERDICTS_FILE = "verdicts.json"

SKIPPED = "skipped"

NUMBERS, TEXTS = ("value", "low", "high", "p_value"), ("text", "advice")

OF_CLAIM = ("check", "statement")
"""What must still be the same of a claim for its stored verdict to count."""


def store_verdicts(folder: Path, verdicts: Iterable[Verdict]) -> None:
    """Keep the verdicts that checks gave, beside those that the folder has already; write nothing if none is new.

    Args:
        folder: The study's folder; nothing is written if it holds no study.
        verdicts: Verdicts on claims of the study; those that no check gave are left out.

    Raises:
        StoreError: The file can't be written.
    """
    store = Store(folder)
    new = {verdict.claim.id: _record(verdict) for verdict in verdicts if _is_checked(verdict)}
    before = _stored(folder)
    if before | new != before and store.has_study():
        store.write_text(VERDICTS_FILE, json.dumps(before | new, indent=1) + "\n")


def with_stored(folder: Path, verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return the verdicts, those that were skipped replaced by what the folder keeps on the same claim.

    What can't be read in the file counts as not there: `bncli verify` writes it anew.

    Args:
        folder: The study's folder.
        verdicts: Verdicts on the study's claims.
    """
    stored = _stored(folder)
    return [_restored(verdict, stored.get(verdict.claim.id)) for verdict in verdicts]


def _is_checked(verdict: Verdict) -> bool:
    return bool(verdict.claim.check) and verdict.verdict != SKIPPED


def _record(verdict: Verdict) -> dict[str, Any]:
    numbers = {name: getattr(verdict, name) for name in NUMBERS}
    return {
        **{name: getattr(verdict.claim, name) for name in OF_CLAIM},
        "verdict": verdict.verdict,
        "n": verdict.n,
        **{name: None if number is None else finite(number) for name, number in numbers.items()},
        **{name: getattr(verdict, name) for name in TEXTS},
    }


def _stored(folder: Path) -> dict[str, Any]:
    try:
        found = schema.parse(Store(folder).read(VERDICTS_FILE) or b"{}")
    except (StoreError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _restored(verdict: Verdict, found: Any) -> Verdict:
    if verdict.verdict != SKIPPED or not _is_record_of(verdict, found):
        return verdict
    return replace(verdict, **{name: found[name] for name in ("verdict", "n", *NUMBERS, *TEXTS)})


def _is_record_of(verdict: Verdict, found: Any) -> bool:
    """Whether what was found in the file is a sound record on the verdict's claim as the claim stands now."""
    if not isinstance(found, Mapping) or any(found.get(name) != getattr(verdict.claim, name) for name in OF_CLAIM):
        return False
    kinds: Sequence[tuple[Sequence[str], tuple[type, ...]]] = (
        (("verdict", *TEXTS), (str,)),
        (("n",), (int,)),
        (NUMBERS, (int, float, type(None))),
    )
    is_typed = all(type(found.get(name, ...)) in types for names, types in kinds for name in names)
    return is_typed and found["verdict"] in VERDICTS
