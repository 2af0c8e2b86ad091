"""The Typer app: all commands, and `main`, which runs it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bncli.cli import console
from bncli.cli.command import Command, Group
from bncli.cli.compare import compare
from bncli.cli.dataset import dataset
from bncli.cli.listing import list_
from bncli.cli.report import report, status
from bncli.cli.sweep import sweep
from bncli.cli.train import train
from bncli.cli.verify import verify
from bncli.errors import BncliError
from bncli.study.execution import Train

EXIT_USAGE = 2

app = typer.Typer(
    name="bncli",
    cls=Group,
    help="Batch-normalization ablation studies: paired seeds, tables, figures, every run on disk.",
    epilog="Start with: bncli sweep   (the learning-rate study on real digits, about a minute)",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (dataset, train, compare, sweep, report, verify, status):
    app.command(cls=Command)(command)
app.command("list", cls=Command)(list_)


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
    """Run the command line. A `BncliError` is printed as one message, with exit status 2.

    Args:
        trainer: A function that trains runs in place of `execution.train_here`, for tests.
    """
    try:
        app(prog_name="bncli", obj=trainer)
    except BncliError as mistake:
        console.error(str(mistake))
        sys.exit(EXIT_USAGE)
