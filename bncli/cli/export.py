"""`bncli export`: a run as a program of plain Keras, a study for TensorBoard, the schema of study files."""

from __future__ import annotations

import importlib.util
import shlex
from pathlib import Path
from typing import Annotated

import typer

from bncli.analysis.evidence import read_evidence
from bncli.cli import console
from bncli.cli.options import QuietOption, completion, option
from bncli.errors import InvalidConfig, shown
from bncli.registry import check_name
from bncli.report.exports import to_json
from bncli.report.study_schema import study_schema
from bncli.results import RunResult
from bncli.study.folder import Store
from bncli.values import counted

KINDS = ("script", "tensorboard")

SCHEMA = "schema"
"""What is exported of no study."""


def export(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", show_default=False, help="The folder of a study; or schema, see below.")
    ],
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="|".join(KINDS),
            show_default=False,
            help="script: a program of plain Keras that trains a run and prints its numbers. tensorboard: curves, "
            "settings, figures and probes for TensorBoard.",
            autocompletion=completion(lambda: KINDS),
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN_ID", show_default=False, help="The run, or how its id begins; else the first."),
    ] = None,
    out: Annotated[
        Path | None,
        option("--out", "-o", metavar="FOLDER", help="Where tensorboard writes; by default DIR/tensorboard."),
    ] = None,
    by_run: Annotated[
        bool, option("--by-run", help="Each seed as a run of TensorBoard, not the mean over seeds.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Write a run as a Keras program to stdout, or a study for TensorBoard.

    bncli export schema: the JSON Schema of study files, with which editors complete and check them.
    """
    if folder == SCHEMA and not Path(folder).exists():
        for name, is_given in ((f"KIND ({kind})", kind), ("--out", out), ("--by-run", by_run)):
            if is_given:
                raise InvalidConfig(f"schema is written to stdout and takes no {name}.")
        console.write(to_json(study_schema()))
        return
    if kind is None:
        raise InvalidConfig(
            f"export needs a kind. Allowed: {', '.join(KINDS)}. Try bncli export {shown(folder)} script."
        )
    check_name("kind of export", kind, KINDS)
    store = Store(Path(folder))
    if kind == "tensorboard":
        _tensorboard(store, run, out, by_run=by_run, quiet=quiet)
        return
    for name, is_given in (("--out", out is not None), ("--by-run", by_run)):
        if is_given:
            raise InvalidConfig(f"{name} is for tensorboard; a script is written to stdout.")
    from bncli.report.script.program import script_of

    console.write(script_of(chosen_run(store, run)))


def _tensorboard(store: Store, run: str | None, out: Path | None, *, by_run: bool, quiet: bool) -> None:
    """Write a study for TensorBoard, and say how to open it."""
    if run is not None:
        raise InvalidConfig("tensorboard takes no RUN_ID: it writes the whole study. Try --by-run.")
    if importlib.util.find_spec("tensorboard") is None:
        raise InvalidConfig(
            "tensorboard is not installed. It comes with the extra of that name: pip install 'bncli[tensorboard]'."
        )
    evidence, target = read_evidence(store.folder), out or store.folder / "tensorboard"
    from bncli.report.tensorboard import write_tensorboard

    names = write_tensorboard(evidence, target, by_run=by_run, replace=out is None)
    console.say(f"Wrote {counted(len(names), 'run')} of TensorBoard to {target}", quiet=quiet)
    console.say(f"Next: {shlex.join(['tensorboard', '--logdir', str(target)])}", quiet=quiet)


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
