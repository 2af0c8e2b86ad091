"""`bncli report` and `bncli status`: the results and the state of a study, read from its folder without TensorFlow."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from bncli.analysis.choice import choose
from bncli.analysis.evidence import read_evidence
from bncli.cli import console, hints, output
from bncli.cli.continuing import command_that_continues
from bncli.cli.options import FormatOption, MarginOption, MetricOption, QuietOption, ThresholdOption, option
from bncli.cli.train import is_of_train
from bncli.registry import check_name
from bncli.report.figure import REGISTRY
from bncli.study import status as states
from bncli.study.folder import Store

FolderArgument = Annotated[
    Path, typer.Argument(metavar="DIR", show_default=False, help="The --out folder of a compare or sweep.")
]


def report(
    folder: FolderArgument,
    metric: MetricOption = None,
    threshold: ThresholdOption = None,
    margin: MarginOption = None,
    figure: Annotated[
        str | None, option("--figure", metavar="NAME", help="Write this figure only.", complete=lambda: REGISTRY)
    ] = None,
    format: FormatOption = "table",
    quiet: QuietOption = False,
) -> None:
    """Make tables, figures and report.html again from stored runs, without TensorFlow."""
    console.check_format(format)
    if figure is not None:
        check_name("figure", figure, REGISTRY)
    evidence = read_evidence(folder, *choose(Store(folder), metric, threshold, margin, console.warn))
    if figure is not None:
        from bncli.report.files import write_figure

        names = write_figure(evidence, Store(folder), figure, console.warn)
        console.say(f"Wrote {', '.join(str(folder / name) for name in names)}", quiet=quiet)
        return
    with output.then(partial(output.write_folder, evidence, Store(folder), quiet=quiet)):
        output.show_evidence(evidence, format, single=is_of_train(evidence.study))
    hints.say_next(hints.after_report(folder, evidence), format, quiet=quiet)


def status(context: typer.Context, folder: FolderArgument, format: FormatOption = "table") -> None:
    """Count the runs of a study by condition: complete, diverged, failed, pending; also while it trains."""
    console.check_format(format)
    rows, writers = states.status_rows(folder), states.writers(folder)
    shown = [{name.removeprefix("param_"): output.shown(value) for name, value in row.items()} for row in rows]
    output.write_rows(rows, shown, format, caption=states.status_totals(rows))
    for text in writers:
        console.say(text)
    hints.say_next(_after_status(context, folder, rows, is_written=bool(writers)), format)


def _after_status(context: typer.Context, folder: Path, rows: list[dict[str, Any]], *, is_written: bool) -> list[str]:
    """The command that trains what is missing or failed; the report of a folder that is complete or being written."""
    counts = {state: sum(row[state] for row in rows) for state in states.STATES}
    if is_written or not (counts["pending"] or counts["failed"]):
        return ["report", str(folder)] if any(counts[state] for state in states.STATES[:-1]) else []
    words = command_that_continues(folder, getattr(context.find_root().command, "commands", {}))
    return [*words, *([] if counts["pending"] else ["--retry-failed"])] if words else []
