"""Write a command's result to stdout, and a study's files to its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bncli.cli import console
from bncli.report.exports import records, to_csv, to_json, to_json_line
from bncli.values import Value, show

if TYPE_CHECKING:
    from bncli.analysis.evidence import Evidence
    from bncli.results import RunResult
    from bncli.study.folder import Store
    from bncli.study.study import Condition


def write_rows(
    records: list[dict[str, Any]], rows: list[dict[str, str]], format: str, *, title: str = "", caption: str = ""
) -> None:
    """Write the same rows for programs (`records`) or for people (`rows`)."""
    if format == "json":
        console.write(to_json(records))
    elif format == "jsonl":
        console.write("\n".join(map(to_json_line, records)))
    elif format == "csv":
        console.write(to_csv(records))
    else:
        console.print_rows(rows, title=title, caption=caption, format=format)


def shown(value: Value) -> str:
    """Spell a value for people: a dash where there is none."""
    return "-" if value is None else show(value)


def stream(result: RunResult, condition: Condition) -> None:
    """Write a run's record as one line of JSON."""
    from bncli.analysis.runs import condition_columns

    console.write(to_json_line(condition_columns(condition) | result.to_record()))


def show_evidence(evidence: Evidence, format: str, *, single: bool = False) -> None:
    """Write a study's result to stdout.

    Args:
        evidence: The study with its results.
        format: One of `console.FORMATS`.
        single: Whether the study has one condition, so that each run gets a row.
    """
    from bncli.report.exports import as_json
    from bncli.report.rows import result_rows, run_rows, table_caption

    if format == "json":
        runs = {"runs": records(evidence.runs_table)} if single else {}
        console.write(to_json(as_json(evidence) | runs))
    elif format == "jsonl":
        for result in evidence.results:
            stream(result, evidence.conditions[result.config])
    elif format == "csv":
        console.write(to_csv(evidence.runs_table if single else evidence.joined_table))
    elif single:
        console.print_rows(run_rows(evidence), format=format)
    else:
        caption, title = table_caption(evidence), evidence.study.name
        console.print_rows(result_rows(evidence), title=title, caption=caption, format=format)


def write_folder(evidence: Evidence, store: Store, *, quiet: bool) -> None:
    """Write tables, figures and the page into a study's folder, and say where the page is."""
    from bncli.report.files import REPORT_FILE, write_files

    names = [name for name in write_files(evidence, store, console.warn) if not name.endswith((".svg", REPORT_FILE))]
    console.say(f"Wrote {', '.join(names)} in {store.folder}", quiet=quiet)
    console.say(f"Report: {store.folder / REPORT_FILE}", quiet=quiet)
