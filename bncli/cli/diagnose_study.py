"""`bncli diagnose DIR`: the conditions of a study, their networks and their recorded runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bncli.cli import console, output
from bncli.cli.findings import csv_of, print_finding, record_of
from bncli.errors import InvalidConfig
from bncli.networks import models
from bncli.report.exports import to_json
from bncli.tasks.metrics import POPULATION, default_of
from bncli.values import counted, plain_text

if TYPE_CHECKING:
    from bncli.diagnosis.case import Case
    from bncli.diagnosis.finding import Finding
    from bncli.diagnosis.studies import StudyCases
    from bncli.study.study import Condition

Diagnosed = list[tuple["Condition", "Case", list[tuple[str, "Finding"]]]]
"""Every condition with its findings by name."""


def is_folder(network: str) -> bool:
    """Return whether what the user named is a folder, and no network of that name."""
    return network not in models.REGISTRY and os.path.isdir(network)  # pathlib raises an error for long names


def check_alone(options: Mapping[str, Any]) -> None:
    """Check that options that describe a network are not given with a folder, which describes its own.

    Raises:
        InvalidConfig: One is.
    """
    given = [name for name, value in options.items() if value]
    if given:
        raise InvalidConfig(f"{given[0]} goes with a network. A study's folder says how its networks were trained.")


def diagnose_study(folder: Path, format: str) -> list[Finding]:
    """Print what is found in the conditions of a study; return the findings."""
    from bncli.diagnosis.diagnose import diagnose
    from bncli.diagnosis.studies import cases_of_study

    study = cases_of_study(folder)
    for note in study.notes:
        console.warn(note)
    diagnosed = [(condition, case, diagnose(case)) for condition, case in study.cases]
    if format in ("table", "md"):
        _print(study, diagnosed, format)
    else:
        console.write(_as_text(folder, study, diagnosed, format))
    return [finding for *_, found in diagnosed for _, finding in found]


def _print(study: StudyCases, diagnosed: Diagnosed, format: str) -> None:
    from bncli.diagnosis.diagnose import in_order
    from bncli.diagnosis.studies import merged, places

    default = default_of(study.evidence.score)
    rows = [_row(*each, default) for each in diagnosed]
    seeds = counted(len(study.evidence.study.seeds), "seed")
    title = f"{plain_text(study.evidence.study.name)}: {counted(len(rows), 'condition')}, {seeds}"
    console.print_rows(
        rows, title=title, format=format, spare=(POPULATION_COLUMN, "diverged", "runs", default), complete="json"
    )
    every = tuple(condition for condition, *_ in diagnosed)
    flat = [(condition, name, finding) for condition, _, found in diagnosed for name, finding in found]
    for each in in_order(merged(flat), lambda found: (found.finding, found.name)):
        print_finding(each.name, each.finding, format, places(each.conditions, every))
    if not flat:
        console.write("Nothing found.")


POPULATION_COLUMN = "with population statistics"


def _row(condition: Condition, case: Case, found: list[tuple[str, Finding]], default: str) -> dict[str, str]:
    """The line of a condition."""
    values = {name: output.shown(value) for name, value in condition.values}
    return (
        {"arm": condition.arm}
        | values
        | {
            "runs": str(len(case.runs)),
            "diverged": str(_count(case, "diverged")),
            default: _shown(_mean(case, default)),
            POPULATION_COLUMN: _shown(_mean(case, f"{POPULATION}{default}")),
            "found": ", ".join(dict.fromkeys(name for name, _ in found)) or "-",
        }
    )


def _count(case: Case, state: str) -> int:
    return sum(run.state == state for run in case.runs)


def _mean(case: Case, metric: str) -> float | None:
    """The mean of a metric over the runs that have it."""
    values = [value for run in case.runs if (value := run.metrics.get(metric)) is not None]
    return sum(values) / len(values) if values else None


def _shown(mean: float | None) -> str:
    return "-" if mean is None else f"{mean:.3f}"


def _as_text(folder: Path, study: StudyCases, diagnosed: Diagnosed, format: str) -> str:
    records = [
        _place(condition) | record_of(name, finding) for condition, _, found in diagnosed for name, finding in found
    ]
    if format == "csv":
        rows = [record | {f"param_{name}": value for name, value in record["values"].items()} for record in records]
        return csv_of(rows, ("arm", *(f"param_{name}" for name, _ in study.evidence.study.axes)))
    default = default_of(study.evidence.score)
    conditions = [
        _place(condition)
        | {"runs": len(case.runs), "diverged": _count(case, "diverged"), "failed": _count(case, "failed")}
        | {f"mean_{name}": _mean(case, name) for name in (default, f"{POPULATION}{default}")}
        | {"is_built": case.model is not None, "training": vars(case.training)}
        for condition, case, _ in diagnosed
    ]
    names = {"folder": str(folder), "study": study.evidence.study.name}
    return to_json(names | {"conditions": conditions, "findings": records, "notes": list(study.notes)})


def _place(condition: Condition) -> dict[str, Any]:
    return {"arm": condition.arm, "condition": str(condition), "values": dict(condition.values)}
