"""How many runs of a study are done, read from its folder alone, also while it is being trained."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from bncli.study import lock
from bncli.study.folder import Store

STATES = ("complete", "diverged", "failed", "pending")
"""The states of a planned run: those of a result, and `pending`."""


def status_rows(folder: Path) -> list[dict[str, Any]]:
    """Count the runs of every condition by state.

    Returns:
        One row per condition, in the study's order, with the columns `arm`, `param_<axis>` for every axis, `planned`
        (the number of seeds), and a count for each of `STATES`.

    Raises:
        StoreError: The folder holds no study, or its files are damaged.
    """
    store = Store(folder)
    content = store.need_study()
    counts = Counter[tuple[str, str]]((entry["id"], result.state) for entry, result in store.listed_runs(content))
    return [_row(condition, len(content["study"]["seeds"]), counts) for condition in content["conditions"]]


def _row(condition: dict[str, Any], n_planned: int, counts: Counter[tuple[str, str]]) -> dict[str, Any]:
    known: dict[str, int] = {state: counts[condition["id"], state] for state in STATES[:-1]}
    values = {f"param_{name}": value for name, value in condition["values"].items()}
    pending = {"pending": n_planned - sum(known.values())}
    return {"arm": condition["arm"]} | values | {"planned": n_planned} | known | pending


def status_totals(table: list[dict[str, Any]]) -> str:
    """Return the totals of `status_rows` in one line: `12 runs: 8 complete, 4 pending`."""
    counts = {state: sum(row[state] for row in table) for state in STATES}
    n_planned = sum(row["planned"] for row in table)
    parts = [f"{number:,} {state}" for state, number in counts.items() if number or state in ("complete", "pending")]
    return f"{n_planned:,} run{'s' if n_planned != 1 else ''}: {', '.join(parts)}"


def writers(folder: Path) -> list[str]:
    """Return a line for each process that is writing to a journal of the folder."""
    found = [(journal.name, lock.describe(journal)) for journal in lock.journals(folder)]
    return [f"{name} is being written by {who}" for name, who in found if who]
