"""`bncli verify`: train studies and give verdicts on their published claims."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bncli.cli import console, hints, output
from bncli.cli.options import (
    EngineOption,
    FormatOption,
    Options,
    QuietOption,
    SeedsOption,
    completion,
    option,
)
from bncli.cli.session import EXIT_FAILED_RUNS, Session, check_failed
from bncli.errors import cut
from bncli.registry import check_name
from bncli.report.verdict_file import store_verdicts
from bncli.study.execution import ENGINES
from bncli.study.files import presets
from bncli.study.folder import Store
from bncli.study.places import ROOT, default_folder
from bncli.values import counted, plain_text

if TYPE_CHECKING:
    from bncli.claims.judgement import Verdict
    from bncli.claims.verify import Subject
    from bncli.config import RunConfig
    from bncli.results import RunResult
    from bncli.study.study import Condition


def verify(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PRESET|FILE.toml",
            show_default=False,
            help="Studies whose claims are checked; by default all presets except those that need MNIST.",
            autocompletion=completion(presets),
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Check all presets, also those that train on MNIST (hours).")
    ] = False,
    ids: Annotated[
        list[str] | None, option("--claim", metavar="ID", help="Check this claim only; may be repeated.")
    ] = None,
    list_only: Annotated[
        bool,
        typer.Option("--list", "-l", help="List the claims and how each is tested, or why it is not; train nothing."),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if a claim is contradicted or not reproduced.")
    ] = False,
    seeds: SeedsOption = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of all studies; runs that it has are reused.")
    ] = ROOT,
    engine: EngineOption = "auto",
    format: FormatOption = "table",
    quiet: QuietOption = False,
) -> None:
    """Train the presets and give verdicts on the published claims.

    A verdict is reproduced, direction only, not reproduced, contradicted, does not transfer, exact, inconclusive, not
    testable or skipped. The exit status does not depend on the verdicts, unless --strict is given.
    """
    from bncli.claims import verify as verifying
    from bncli.claims.discovery import method
    from bncli.claims.judgement import UNMET

    console.check_format(format)
    check_name("engine", engine, ENGINES)
    chosen = verifying.subjects(names or (), ids or (), everything=everything or list_only)
    if list_only:
        _show_claims(chosen, format)
        hints.say_next(["verify", "circles-placement"], format, quiet=quiet)
        return
    options = Options(engine=engine, quiet=quiet, seeds=seeds, trainer=context.obj)
    options.seed_list()  # a mistake in it is told before checks run, which take minutes
    found: list[tuple[str, Verdict]] = []
    trained: list[RunResult] = []
    for subject in chosen:
        results, conditions, trivial = _runs_of(subject, options, out)
        verdicts = verifying.judge(subject, results, conditions, trivial)
        folder = default_folder(subject.study, as_written=True, root=out)
        store_verdicts(folder, verdicts)
        _renew_report(Store(folder), quiet=quiet)
        found += [(subject.study.name, verdict) for verdict in verdicts]
        trained += results
    found = _controlled(found)
    _show_verdicts(verifying.in_order(found), format)
    if line := method([verdict for _, verdict in found]):
        console.say(line, quiet=quiet)
    if not (names or ids or everything):
        _say_left_out(verifying.left_out(chosen), quiet=quiet)
    check_failed(trained)
    folders = [default_folder(subject.study, as_written=True, root=out) for subject in chosen if subject.trains]
    shown = [folder for folder in folders if folder.is_dir()]
    hints.say_next(["report", str(shown[0])] if shown else ["verify", "--list"], format, quiet=quiet)
    if strict and any(verdict.verdict in UNMET for _, verdict in found):
        raise typer.Exit(EXIT_FAILED_RUNS)


def _controlled(found: Sequence[tuple[str, Verdict]]) -> list[tuple[str, Verdict]]:
    """Pairs of study and verdict, with those verdicts that stand among all of them."""
    from bncli.claims.discovery import controlled

    return list(zip([study for study, _ in found], controlled([verdict for _, verdict in found]), strict=True))


def _runs_of(
    subject: Subject, options: Options, root: Path
) -> tuple[list[RunResult], dict[RunConfig, Condition], float | None]:
    """Train the runs that the claims need; if the data is missing, read the folder's results instead."""
    from bncli.claims.verify import part_of, stored, trivial_score_of

    if not subject.trains:
        return [], {}, None
    folder = default_folder(subject.study, as_written=True, root=root)
    if subject.absent:
        results, conditions, trivial = stored(folder)
        return list(results), dict(conditions), trivial
    study = subject.study.vary(seeds=options.seed_list() or subject.seeds)
    _say_too_few(subject, len(study.seeds))
    trained = Session(study, options, folder, select=lambda plan: part_of(plan, subject.claims)).results()
    return *trained, trivial_score_of(folder)


def _say_too_few(subject: Subject, n_seeds: int) -> None:
    """Say before training which claims the seeds can't decide."""
    needed = subject.undecided_by(n_seeds)
    if needed:
        console.warn(
            f"{counted(n_seeds, 'seed')} will leave {counted(len(needed), 'claim')} of "
            f"{plain_text(subject.study.name)} inconclusive: {cut(plain_text(', '.join(needed), None))}. "
            f"Try --seeds {max(needed.values())}."
        )


def _renew_report(store: Store, *, quiet: bool) -> None:
    """Write the folder's report again if it has one that lacks the verdicts or the runs of this call."""
    from bncli.analysis.evidence import read_evidence
    from bncli.report.files import is_report_stale

    if is_report_stale(store):
        output.write_folder(read_evidence(store.folder), store, quiet=quiet)


def _say_left_out(counts: dict[str, int], *, quiet: bool) -> None:
    if counts:
        console.say(
            f"Left out: {counted(sum(counts.values()), 'claim')} that need MNIST. "
            f"Try bncli verify --all (hours), or one of: {', '.join(counts)}",
            quiet=quiet,
        )


def _show_claims(chosen: Sequence[Subject], format: str) -> None:
    from bncli.claims import verify as verifying

    pairs = [(subject.study.name, claim) for subject in chosen for claim in subject.claims]
    records = [verifying.columns(*pair) for pair in pairs]
    output.write_rows(
        records, [verifying.listed(*pair) for pair in pairs], format, spare=("source", "study", "#", "tested by")
    )


def _show_verdicts(found: Sequence[tuple[str, Verdict]], format: str) -> None:
    from bncli.claims import verify as verifying

    records = [verifying.record(*pair) for pair in found]
    output.write_rows(records, [verifying.row(*pair) for pair in found], format, spare=("study", "#"))
