"""`Session`: a command that trains a study, from the check of its options to the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bncli import process, timeline
from bncli.analysis.choice import Choice, check_measured_by, choice_of, choose
from bncli.analysis.lag import planned_lag
from bncli.atomic import check_replaceable
from bncli.claims.claim import parse_claims
from bncli.cli import console, output, saved_model, training
from bncli.cli.command import EXIT_INTERRUPTED
from bncli.cli.options import Options
from bncli.config import RunConfig
from bncli.data import datasets, sets
from bncli.engines.method import check_memory
from bncli.errors import BncliError, InvalidConfig, StoreError
from bncli.networks.reference import reference_of
from bncli.registry import check_name
from bncli.report.notes import lag_notice
from bncli.results import RunResult
from bncli.study import journal, lock, probed
from bncli.study.execution import ENGINES, Work, work_of
from bncli.study.folder import Store
from bncli.study.jobs import check_scheduler, connect, parse_jobs
from bncli.study.journal import RUNS_FILE
from bncli.study.opening import Opened, as_begun, open_folder
from bncli.study.shard import Shard, parse_shard
from bncli.study.study import Condition, Plan, Study
from bncli.values import counted, plain_text, show

if TYPE_CHECKING:
    from bncli.analysis.evidence import Evidence

EXIT_FAILED_RUNS = 1

MAX_QUESTION = 500
"""The most characters of a study's question that are printed; the page has all."""


class Session:
    """A command that trains a study: check, plan, open the folder, train, show.

    Args:
        study: The study.
        options: The options of the command.
        out: The study's folder; None stores nothing.
        save_model: The file to which the trained model is saved; None saves no model.
        select: A function that returns the part of the plan to train; None trains all of it.
    """

    def __init__(
        self,
        study: Study,
        options: Options,
        out: Path | None,
        *,
        save_model: Path | None = None,
        select: Callable[[Plan], Plan] | None = None,
    ) -> None:
        self.study, self.options, self.out, self.save_model = study, options, out, save_model
        self.select = select or (lambda plan: plan)
        self.shard: Shard | None = None
        self.plan = Plan(())
        self.choice = Choice()
        self.opened: Opened | None = None
        self.unsaved: BncliError | None = None
        self.shown: Evidence | None = None

    @property
    def given(self) -> tuple[list[str] | None, float | None, float | None]:
        """What the user wants to compare by: metric, threshold and margin, as far as they are given."""
        return self.options.metric, self.options.threshold, self.options.margin

    @property
    def store(self) -> Store | None:
        """The folder, once it is open; None without a folder."""
        return self.opened.store if self.opened else None

    def run(self, *, single: bool = False) -> None:
        """Train the runs that have no result yet, and show all results.

        Args:
            single: Whether to print a row per run instead of a row per condition.

        Raises:
            typer.Exit: Runs failed (status 1), or the command was interrupted (130, 143).
        """
        self.check()
        self.warm_up()
        self.make_plan()
        if self.options.dry_run:
            self.check_memory([config for config, _ in self.plan.runs])
            self.show_plan()
            return
        with self.open():
            work = self.find_work()
            results = self.trained(work)
            if self.shard:
                self.show_share(work, results)
            else:
                self.show(work, results, single=single)
                self.say_saved(results)
        check_failed(results)

    def results(self) -> tuple[list[RunResult], dict[RunConfig, Condition]]:
        """Train the missing runs of the selected part; return its results, and the condition of every run."""
        self.warm_up()
        self.make_plan()
        with self.open():
            work = self.find_work()
            return self.trained(work), dict(work.conditions)

    def check(self) -> None:
        """Check the options, before anything is loaded or trained."""
        console.check_format(self.options.format)
        check_name("engine", self.options.engine, ENGINES)
        probed.check_level(self.options.probe, self.out, "--probe", "--out DIR")
        self.choice = choice_of(*self.given)
        parse_jobs(self.options.jobs)
        if self.options.scheduler is not None:
            check_scheduler(self.options.scheduler)
        if self.options.shard:
            self.shard = self.checked_shard(self.options.shard)
        parse_claims(self.study)
        process.check_backend()
        self.check_places()

    def check_places(self) -> None:
        """Check that runs and model can be written where they are to go, while nothing is lost yet."""
        if self.out:
            store = Store(self.out, self.journal)
            if not self.options.restart:
                store.read_study()
            store.check()
        if self.save_model:
            check_replaceable(self.save_model)

    @property
    def journal(self) -> str:
        """Name of the journal to which this command records runs."""
        return self.shard.journal if self.shard else RUNS_FILE

    def checked_shard(self, text: str) -> Shard:
        """Return the share that `--shard` asks for."""
        if self.options.restart:
            raise InvalidConfig("--restart deletes the runs of all shards. Give it once, without --shard.")
        if not self.out:
            raise InvalidConfig("--shard records its share in the study's folder. Try --out DIR.")
        return parse_shard(text)

    def warm_up(self) -> None:
        """Import TensorFlow and load the data at the same time, if both are certainly needed.

        A user's own file is not loaded here, so that an error in it is reported before TensorFlow is imported.
        """
        trains_here = (self.options.jobs, self.options.scheduler, self.options.dry_run) == ("1", None, False)
        is_new = self.options.restart or not (self.out and Store(self.out).has_study())
        is_sure = trains_here and is_new and not self.options.trainer and self.study.base.dataset in sets.REGISTRY
        if is_sure and process.can_fork():
            with self.saying_what_is_saved(), datasets.loading(self.study.base):
                training.import_tensorflow(quiet=self.options.quiet)

    def make_plan(self) -> None:
        """Expand the study to runs, and print notices on settings without effect."""
        if self.out and not self.options.restart:
            self.study = as_begun(self.study, self.out)
        self.plan = self.study.plan()
        check_measured_by(self.plan, self.options.metric, self.options.probe)
        for notice in self.plan.notices:
            console.warn(notice)

    @contextmanager
    def saying_what_is_saved(self) -> Iterator[None]:
        """At Ctrl-C or SIGTERM in the block, print what is saved and exit."""
        try:
            yield
        except KeyboardInterrupt as interrupt:
            console.say(self.what_is_saved())
            raise typer.Exit(getattr(interrupt, "status", EXIT_INTERRUPTED)) from None

    def what_is_saved(self) -> str:
        """Return a sentence on what an interrupted command has saved."""
        if self.store:
            part = self.select(self.plan)
            done = self.store.read_runs()
            n_done = sum(config.run_id in done for config, _ in part.runs)
            return (
                f"Interrupted. {n_done} of {len(part.runs)} runs are saved in {self.store.folder}; "
                "the same command continues."
            )
        if self.out:
            return "Interrupted before the first run; the same command starts again."
        return "Interrupted. Nothing is saved: give --out DIR to keep finished runs."

    @contextmanager
    def open(self) -> Iterator[None]:
        """Lock the journal and open the folder while the block runs; with `--restart`, empty the folder first."""
        with self.saying_what_is_saved(), lock.hold(self.out / self.journal) if self.out else nullcontext():
            if self.out:
                if self.options.restart:
                    self.empty(self.out)
                self.opened = open_folder(self.out, self.study, self.plan, self.shard, anew=self.options.restart)
                self.choice = choose(self.opened.store, *self.given, console.warn)
            yield

    def empty(self, folder: Path) -> None:
        """Delete bncli's own files in a study's folder, and print their names.

        Raises:
            StoreError: The folder holds no study, a process is writing to it, or a file can't be deleted. No run is
                lost.
        """
        from bncli.report.files import derived_files

        if self.options.scheduler:  # before any run is deleted, check that the address is right
            with connect(1, self.options.scheduler):
                pass
        store = Store(folder)
        store.check()
        names = store.own_files(derived_files())
        if names and not store.has_study():
            raise StoreError(
                f"--restart deletes nothing in {str(folder)!r}, which holds {names[0]} but no study (no study.json). "
                "Try --out with a new or empty folder."
            )
        store.check_removable(names)
        with ExitStack() as held:
            for path in sorted({*journal.journals(folder), *lock.journals(folder)} - {store.journal}):
                held.enter_context(lock.hold(path))
            if names:
                console.warn(f"--restart deletes in {folder}: {', '.join(names)}")
            for name in reversed(names):  # journals last: if a file can't be deleted, no run is lost
                store.remove(name)

    def find_work(self) -> Work:
        """Return the runs that need training; print the size of the study."""
        part = self.select(self.plan)
        work = work_of(part, self.store, self.shard, retry_failed=self.options.retry_failed)
        if self.save_model and self.store and not work.pending:
            raise StoreError(
                f"--save-model needs a run that is trained now, but this one is done already in "
                f"{str(self.store.folder)!r}. Try without --out."
            )
        self.check_memory(work.pending)
        self.announce(part, work)
        return work

    def check_memory(self, configs: Sequence[RunConfig]) -> None:
        """Check that runs fit into the memory of this machine, unless a scheduler's workers train them."""
        if not self.options.scheduler:
            check_memory(configs)

    def announce(self, part: Plan, work: Work) -> None:
        """Print the question of the study, its size and its folder."""
        n_done, quiet = len(work.share) - len(work.pending), self.options.quiet
        share = f"; share {self.shard.number} of {self.shard.count} has {len(work.share)}" if self.shard else ""
        done = f"; {n_done} are done already" if n_done else ""
        if self.study.question:
            console.say(plain_text(self.study.question, MAX_QUESTION), quiet=quiet)
        console.say(f"{self.size(part)}{share}{done}", quiet=quiet)
        if self.store:
            console.say(f"Folder: {self.store.folder}", quiet=quiet)
        if work.pending and (code := code_of_study_file(self.study, self.options)):
            console.warn(code)
        lag = planned_lag(self.plan) if work.pending else None
        if lag:
            console.say(f"Note: {lag_notice(lag)}", quiet=quiet)

    def size(self, plan: Plan) -> str:
        """Return the size of a plan as text: `80 runs: 8 conditions x 10 seeds`."""
        conditions, seeds = counted(len(plan.conditions), "condition"), counted(len(self.study.seeds), "seed")
        return f"{counted(len(plan.runs), 'run')}: {conditions} x {seeds}"

    def trained(self, work: Work) -> list[RunResult]:
        """Train the pending runs; return the results of the share."""
        return training.train(work, self.options, self.store, self.save if self.save_model else None)

    def save(self, config: RunConfig, model: Any) -> None:
        """Save the trained model; keep an error until the results are shown, which would be lost."""
        try:
            if self.save_model:
                saved_model.save(self.save_model, config, model)
        except BncliError as error:
            self.unsaved = error

    def show_plan(self) -> None:
        """Print the planned runs: a row per condition, or a row per run in `json`, `jsonl` and `csv`."""
        from bncli.analysis.runs import condition_columns

        records = [
            {"run_id": config.run_id, **condition_columns(condition), "seed": config.seed}
            for config, condition in self.plan.runs
        ]
        seeds, caption = self.study.seeds, self.size(self.plan)
        text = ", ".join(map(str, seeds)) if len(seeds) < 6 else f"{seeds[0]} to {seeds[-1]}"
        rows = [
            {name: output.shown(value) for name, value in condition.values} | {"arm": condition.arm, "seeds": text}
            for condition in self.plan.conditions
        ]
        output.write_rows(records, rows, self.options.format, title=self.study.name, caption=caption)

    def show_share(self, work: Work, results: list[RunResult]) -> None:
        """Print the state of a shard, which has no report of its own, and how to see the report of all shards."""
        n_done, n_runs, shard = len(results), len(work.share), self.shard
        state = "is done" if n_done == n_runs else f"stopped after {n_done} of its {n_runs} runs"
        if shard:
            share = f"Share {shard.number} of {shard.count} {state}."
            console.say(f"{share} bncli report {self.out} shows what all shares have so far.")

    def show(self, work: Work, results: list[RunResult], *, single: bool) -> None:
        """Print the results, and write tables, figures and the page to the folder."""
        with timeline.span("statistics"):
            evidence = self.shown = self.evidence(results)
        is_changed = bool(work.pending) or self.given != (None, None, None)
        with output.then(partial(self.write, evidence, is_changed=is_changed)):
            if self.options.format != "jsonl":
                output.show_evidence(evidence, self.options.format, single=single)

    def say_saved(self, results: list[RunResult]) -> None:
        """Say what the saved model takes and gives.

        Raises:
            BncliError: It could not be saved.
        """
        path = self.save_model
        if self.unsaved:
            raise self.unsaved
        if path and results[0].state != "failed":
            console.say(saved_model.description(path, results[0].config), quiet=self.options.quiet)
            if note := saved_model.precision_note(path, results[0].config):
                console.warn(note)

    def evidence(self, results: list[RunResult]) -> Evidence:
        """Return the evidence on the study of this command."""
        from bncli.analysis.evidence import make_evidence

        folder = self.store.folder if self.store else None
        return make_evidence(self.study, self.plan, results, *self.choice, folder)

    def write(self, evidence: Evidence, *, is_changed: bool) -> None:
        """Write tables, figures and the page to the folder. If its study is larger, they cover the whole study."""
        from bncli.analysis.evidence import read_evidence

        if not self.opened:
            return
        if self.opened.is_part:
            console.say(
                f"The study in the folder is larger: {extent(self.opened.whole)}. Its report covers all of it.",
                quiet=self.options.quiet,
            )
            if not is_changed:
                return
            evidence = read_evidence(self.opened.store.folder)
        output.write_folder(evidence, self.opened.store, quiet=self.options.quiet)


def code_of_study_file(study: Study, options: Options) -> str:
    """Say which Python file a study file has bncli run; empty if the user typed the model, or it is no Python file."""
    place = reference_of(study.base.model)
    if options.preset is None or options.model is not None or place is None or place.is_file:
        return ""
    return f"The study file {plain_text(options.preset)} has bncli run the code of {plain_text(place.place)}."


def extent(study: Study) -> str:
    """Return the extent of a study as text: `30 seeds, the arms none, batch:before, lr 0.1, 0.2`."""
    arms = ", ".join(arm.label for arm in study.arms)
    axes = [f"{name} {', '.join(map(show, values))}" for name, values in study.axes]
    return ", ".join([counted(len(study.seeds), "seed"), f"the arms {arms}", *axes])


def check_failed(results: Sequence[RunResult]) -> None:
    """Exit with status 1 if runs failed, after an error message with the first one's error."""
    failed = [result for result in results if result.state == "failed"]
    if failed:
        first = (failed[0].error or "").splitlines()[0]
        console.error(f"{len(failed)} of {len(results)} runs failed, the first with {first}")
        raise typer.Exit(EXIT_FAILED_RUNS)
