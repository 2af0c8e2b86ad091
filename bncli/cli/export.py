"""`bncli export`: a run of a study as a program of plain Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bncli.cli import console
from bncli.cli.options import completion
from bncli.errors import InvalidConfig, shown
from bncli.registry import check_name
from bncli.results import RunResult
from bncli.study.folder import Store
from bncli.values import counted

KINDS = ("script",)


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False, help="The folder of a study.")],
    kind: Annotated[
        str,
        typer.Argument(
            metavar="|".join(KINDS),
            show_default=False,
            help="script: a program of plain Keras that trains a run and prints its numbers.",
            autocompletion=completion(lambda: KINDS),
        ),
    ],
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN_ID", show_default=False, help="The run, or how its id begins; else the first."),
    ] = None,
) -> None:
    """Write a run as a stand-alone Keras program to stdout; it needs no bncli and prints the numbers of the run."""
    check_name("kind of export", kind, KINDS)
    from bncli.report.script.program import script_of

    console.write(script_of(chosen_run(Store(folder), run)))


def chosen_run(store: Store, begins: str | None) -> RunResult:
    """Return the run of a folder whose id begins with a text; the first that has ended without the text.

    Raises:
        StoreError: The folder holds no study.
        InvalidConfig: There is no such run, or there are several, or it failed.
    """
    results = [result for _, result in store.listed_runs(store.need_study())]
    found = [result for result in results if result.run_id.startswith(begins or "")]
    if begins is None:
        found = [result for result in results if result.state != "failed"][:1]
    if len(found) == 1 and found[0].state == "failed":
        raise InvalidConfig(f"Run {found[0].run_id} failed, so that there are no numbers of it. Try another run.")
    if len(found) != 1:
        raise InvalidConfig(_how_many(store.folder, begins, results, len(found)))
    return found[0]


def _how_many(folder: Path, begins: str | None, results: list[RunResult], count: int) -> str:
    if begins is None:
        return f"{shown(str(folder))} has no run that has ended."
    few = ", ".join(result.run_id for result in results[:3])
    return (
        f"RUN_ID must be the beginning of one run's id. {count or 'None'} of the {counted(len(results), 'run')} in "
        f"{shown(str(folder))} begin{'s' if count < 2 else ''} with {shown(begins)}. Runs there: {few}"
        f"{', ... (runs.jsonl has all)' if len(results) > 3 else ''}."
    )
