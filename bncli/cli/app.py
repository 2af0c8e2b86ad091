"""The Typer app: all commands, and `main`, which runs it."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from bncli import process, timeline
from bncli.cli import console
from bncli.cli.command import Command, Group
from bncli.cli.compare import compare
from bncli.cli.dataset import dataset
from bncli.cli.diagnose import diagnose
from bncli.cli.export import export
from bncli.cli.listing import list_
from bncli.cli.model import model
from bncli.cli.recalibrate import recalibrate
from bncli.cli.report import report, status
from bncli.cli.sweep import sweep
from bncli.cli.train import train
from bncli.cli.verify import verify
from bncli.errors import BncliError, first_line
from bncli.study.execution import Train
from bncli.values import plain_text

EXIT_UNEXPECTED, EXIT_USAGE = 1, 2

TRACEBACK = "BNCLI_TRACEBACK"
"""Environment variable that, with any value, shows the traceback of an error that nobody expected."""

HELP = """Measure what batch normalization (BN) does to a neural network.

bncli trains the network without BN and with BN, from many random seeds, and reports the difference with a 95%
interval: as a table, and as a page with figures. Every finished run is saved.
"""

EPILOG = """\b
Try first (times on two cores):
  bncli dataset moons           1 s    look at a small data set
  bncli compare -d moons -b 8   10 s   without BN, before and after ReLU
  bncli sweep                   1 min  ten times the learning rate, on digits

\b
What there is to choose from:
  bncli dataset        data sets, for --dataset; or take a file
  bncli list models    networks, for --model
  bncli list arms      arms, the ways to normalize a network, for --arms
  bncli list metrics   scores by which arms are compared, for --metric
  bncli list presets   ready-made studies, for --preset
  bncli list studies   the studies that you have run
"""

COMMANDS: dict[str, tuple[Callable[..., None], str]] = {
    "dataset": (dataset, "List the data sets; describe, plot or export one."),
    "model": (model, "Show a network, and what every arm makes of it."),
    "train": (train, "Train one network, from one or many seeds."),
    "compare": (compare, "Train arms and compare them seed by seed."),
    "sweep": (sweep, "Compare arms at every value of other settings."),
    "diagnose": (diagnose, "Say what is wrong with a network's normalizations."),
    "recalibrate": (recalibrate, "Write a saved model with statistics of its data."),
    "report": (report, "Make tables, figures and page of a study again."),
    "export": (export, "Write a run as a Keras program, or for TensorBoard."),
    "verify": (verify, "Check what is claimed about BN: trains the presets."),
    "status": (status, "Count the finished and missing runs of a study."),
    "list": (list_, "List presets, models, arms, metrics or studies."),
}
"""The commands by name, each with its line in the help of `bncli`."""

app = typer.Typer(
    name="bncli",
    cls=Group,
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name, (command, line) in COMMANDS.items():
    app.command(name, cls=Command, short_help=line)(command)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        console.write(f"bncli {version('bncli')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main(trainer: Train | None = None) -> None:
    """Run the command line, and end it with an exit status. Every error is printed as one message.

    The status is 2 for a `BncliError`, and 1 for an error that nobody expected.

    Args:
        trainer: A function that trains runs in place of `execution.train_here`, for tests.
    """
    try:
        with timeline.recorded():
            app(prog_name="bncli", obj=trainer)
    except BncliError as mistake:
        console.error(str(mistake))
        sys.exit(EXIT_USAGE)
    except Exception as failure:
        if TRACEBACK in os.environ or getattr(failure, "errno", None) in process.UNWRITABLE:
            raise
        console.error(unexpected(failure))
        sys.exit(EXIT_UNEXPECTED)


def unexpected(failure: Exception) -> str:
    """Return a message for an error that is a defect of bncli, or of a library, or a lack of memory."""
    where = traceback.extract_tb(failure.__traceback__)[-1]
    place = f"{Path(where.filename).name}, line {where.lineno}"
    text = plain_text(f"{type(failure).__name__}: {first_line(failure)}")
    return (
        f"bncli did not expect this: {text} ({place}). Runs that a folder has are safe. Please report it, with the "
        f"traceback that {TRACEBACK}=1 shows."
    )
