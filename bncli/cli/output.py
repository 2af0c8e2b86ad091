"""Write results to stdout in any format, and a study's files to its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from bncli.cli import console
from bncli.report.exports import records, to_csv, to_json, to_json_line
from bncli.tasks.task import TASKS
from bncli.values import Value, show

if TYPE_CHECKING:
    from bncli.analysis.evidence import Evidence
    from bncli.results import RunResult
    from bncli.study.folder import Store
    from bncli.study.study import Condition


def write_rows(
    records: list[dict[str, Any]],
    rows: list[dict[str, str]],
    format: str,
    *,
    title: str = "",
    caption: str = "",
    spare: Sequence[str] = (),
) -> None:
    """Write a table to stdout.

    Args:
        records: Its rows with values, for `json`, `jsonl` and `csv`.
        rows: Its rows with texts, for `table` and `md`.
        format: One of `console.FORMATS`.
        title: A line above the table, for `table` and `md`.
        caption: A paragraph below the table, for `table` and `md`.
        spare: What may be left out of a table that is too wide; see `console.print_rows`.
    """
    if format == "json":
        console.write(to_json(records))
    elif format == "jsonl":
        console.write("\n".join(map(to_json_line, records)))
    elif format == "csv":
        console.write(to_csv(records))
    else:
        console.print_rows(rows, title=title, caption=caption, format=format, spare=spare)


def shown(value: Value) -> str:
    """Return a value as text for a table: a dash for None."""
    return "-" if value is None else show(value)


def stream(result: RunResult, condition: Condition) -> None:
    """Write a result to stdout as one line of JSON, with the columns of its condition."""
    from bncli.analysis.runs import condition_columns

    console.write(to_json_line(condition_columns(condition) | result.to_record()))


def show_evidence(evidence: Evidence, format: str, *, single: bool = False) -> None:
    """Write the results of a study to stdout.

    Args:
        evidence: The study with its results.
        format: One of `console.FORMATS`.
        single: Whether to write a row per run instead of a row per condition.
    """
    from bncli.report.exports import as_json
    from bncli.report.more_rows import other_caption, other_rows
    from bncli.report.rows import (
        DIFFERENCE,
        HIT_EPOCH,
        INTERVAL,
        LEARNED,
        MIDDLE,
        POPULATION_COLUMN,
        VERDICT,
        result_rows,
        run_caption,
        run_rows,
        table_caption,
    )

    if format == "json":
        runs = {"runs": records(evidence.runs_table)} if single else {}
        console.write(to_json(as_json(evidence) | runs))
    elif format == "jsonl":
        for result in evidence.results:
            stream(result, evidence.conditions[result.config])
    elif format == "csv":
        console.write(to_csv(evidence.runs_table if single else evidence.joined_table))
    elif single:
        score = TASKS[evidence.task].score
        more = [f"{evidence.metric}{INTERVAL}", "test_loss", f"train_{score}", f"val_{score}"]
        columns = ["loss", "val_loss", "params", score, "state", *more]
        spare = [name for name in columns if name != evidence.metric]  # what was asked for stays
        console.print_rows(run_rows(evidence), caption=partial(run_caption, evidence), format=format, spare=spare)
    else:
        caption, title = partial(table_caption, evidence), evidence.study.name
        others = "other metrics"
        if format == "latex" and evidence.folder:  # a paper has several tables, whose labels must differ
            title = evidence.folder.resolve().name
            others = f"{title}: {others}"
        intervals = (f"{evidence.metric}{INTERVAL}", f"{DIFFERENCE}{INTERVAL}")
        spare = ["curve", MIDDLE, "n", HIT_EPOCH, LEARNED, POPULATION_COLUMN, *intervals, VERDICT]
        console.print_rows(result_rows(evidence), title=title, caption=caption, format=format, spare=spare)
        if evidence.more:
            rows = other_rows(evidence)
            console.print_rows(rows, title=others, caption=other_caption(evidence), format=format)


@contextmanager
def then(write: Callable[[], None]) -> Iterator[None]:
    """Write files after the block, also if nobody reads what it prints: a folder gets its report all the same."""
    try:
        yield
    except OSError:
        write()
        raise
    write()


def write_folder(evidence: Evidence, store: Store, *, quiet: bool) -> None:
    """Write tables, figures and the page to a study's folder; print their names unless `quiet`."""
    from bncli.report.files import REPORT_FILE, write_files

    names = [name for name in write_files(evidence, store, console.warn) if not name.endswith((".svg", REPORT_FILE))]
    console.say(f"Wrote {', '.join(names)} in {store.folder}", quiet=quiet)
    console.say(f"Report: {store.folder / REPORT_FILE}", quiet=quiet)
