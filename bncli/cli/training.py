"""Train the runs of a command, here or on workers, while progress is shown."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bncli import timeline
from bncli.cli import console, output
from bncli.cli.options import Options
from bncli.cli.progress import Tracker, track, waiting
from bncli.config import RunConfig
from bncli.results import RunResult
from bncli.study.execution import Batches, Train, Work, execute, train_here
from bncli.study.folder import Store
from bncli.study.jobs import choose_jobs, connect, parse_jobs
from bncli.study.study import Condition
from bncli.thread import call_in_thread, in_thread

if TYPE_CHECKING:
    from bncli.engines.base import OnEpoch, OnModel


def train(work: Work, options: Options, store: Store | None, on_model: OnModel | None = None) -> list[RunResult]:
    """Train the pending runs while progress is shown; return the results of the share.

    Args:
        work: The runs, and the results that exist already.
        options: The options of the command.
        store: The folder that records the results; None without a folder.
        on_model: Called with the run and its trained model, in this process.
    """
    streams, pending = options.format == "jsonl", work.pending
    if streams:
        for config in work.share:
            if config.run_id in work.done:
                output.stream(work.done[config.run_id], work.conditions[config])

    def on_result(result: RunResult, condition: Condition) -> None:
        count_run(tracker, result, condition)
        if streams:
            output.stream(result, condition)

    def on_epoch(configs: Sequence[RunConfig], epoch: int) -> None:
        tracker.epoch(str(work.conditions[configs[0]]), len(configs))

    n_epochs = sum(config.epochs for config in pending)
    alone = not pending or on_model is not None
    with trainer(options, pending, alone=alone) as train, track(len(pending), n_epochs, quiet=options.quiet) as tracker:
        batches = train(pending, options.engine, on_epoch, on_model, options.probe)
        return execute(work, batches, store, on_result=on_result, fail_fast=options.fail_fast)


@contextmanager
def trainer(options: Options, pending: list[RunConfig], *, alone: bool) -> Iterator[Train]:
    """Yield the function that trains: in this process, or on workers if the options ask for them and not `alone`."""
    wanted = parse_jobs(options.jobs)
    jobs = 1 if alone else choose_jobs(wanted, pending, options.engine)
    if alone or (jobs == 1 and not options.scheduler):
        if pending and not options.trainer:
            import_tensorflow(quiet=options.quiet)
        yield train_aside(options.trainer or train_here)
        return
    with connect(jobs, options.scheduler) as workers:
        where = f"the Dask scheduler {options.scheduler}" if options.scheduler else f"{jobs} worker processes"
        console.say(f"Training on {where}", quiet=options.quiet)
        yield workers.train


def import_tensorflow(*, quiet: bool) -> None:
    """Import TensorFlow, and say so: it takes seconds."""
    if "tensorflow" not in sys.modules:
        with waiting("Importing TensorFlow", quiet=quiet), timeline.span("import TensorFlow"):
            call_in_thread(lambda: importlib.import_module("bncli.backend"))


def train_aside(train: Train) -> Train:
    """Return a function that trains in another thread, so that signals end it at once; see `in_thread`."""

    def iterate(
        configs: Sequence[RunConfig],
        engine: str,
        on_epoch: OnEpoch | None,
        on_model: OnModel | None,
        probe: str | None,
    ) -> Batches:
        return in_thread(lambda here: train(configs, engine, here(on_epoch), here(on_model), probe))

    return iterate


def count_run(tracker: Tracker, result: RunResult, condition: Condition) -> None:
    """Count a run that has ended; print a note if it failed."""
    tracker.run(str(condition), result.config.epochs - len(result.history.get("loss", [])))
    if result.state == "failed":
        console.warn(f"{condition} seed={result.config.seed} failed: {(result.error or '').splitlines()[0]}")
