"""`bncli report` and `bncli status`: the results and the state of a study, read from its folder without TensorFlow."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bncli.analysis.choice import choose
from bncli.analysis.evidence import read_evidence
from bncli.cli import console, output
from bncli.cli.options import FormatOption, MetricOption, QuietOption, ThresholdOption
from bncli.cli.train import is_of_train
from bncli.study import status as states
from bncli.study.folder import Store

FolderArgument = Annotated[
    Path, typer.Argument(metavar="DIR", show_default=False, help="The --out folder of a compare or sweep.")
]


def report(
    folder: FolderArgument,
    metric: MetricOption = None,
    threshold: ThresholdOption = None,
    format: FormatOption = "table",
    quiet: QuietOption = False,
) -> None:
    """Make tables, figures and report.html again from stored runs, without TensorFlow."""
    console.check_format(format)
    evidence = read_evidence(folder, *choose(Store(folder), metric, threshold))
    with output.then(partial(output.write_folder, evidence, Store(folder), quiet=quiet)):
        output.show_evidence(evidence, format, single=is_of_train(evidence.study))


def status(folder: FolderArgument, format: FormatOption = "table") -> None:
    """Count the runs of a study by condition: complete, diverged, failed, pending; also while it trains."""
    console.check_format(format)
    rows, writers = states.status_rows(folder), states.writers(folder)
    shown = [{name.removeprefix("param_"): output.shown(value) for name, value in row.items()} for row in rows]
    output.write_rows(rows, shown, format, caption=states.status_totals(rows))
    for text in writers:
        console.say(text)
