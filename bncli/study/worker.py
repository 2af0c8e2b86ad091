"""What runs inside a Dask worker: one batch of runs at a time, in a process that keeps its last program."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bncli import process
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.data.datasets import Dataset
from bncli.engines.method import graph_key
from bncli.errors import DataError
from bncli.results import RunResult

if TYPE_CHECKING:
    from distributed import Worker

    from bncli.engines.base import OnEpoch


TOPIC = "bncli-epochs"
"""Where workers tell the epochs that they have trained."""

TELL_SECONDS = 0.25

MAX_BATCHES = 500

MAX_MEMORY_SHARE = 0.7
"""A worker that has trained so many batches, or that fills so much of its memory, is replaced by a fresh process."""


class Cancelled(BaseException):
    """Ends a batch that nobody waits for; no `Exception`, so that no engine takes it for a run that broke."""


_busy = threading.Lock()

_n_done = 0

_programs: dict[Any, Any] = {}


@dataclass(frozen=True)
class Batch:
    """Runs that train together.

    Attributes:
        runs: Runs on one data set, of one graph.
        fingerprint: Their data's; a worker that holds other data refuses them.
        engine: `auto`, `stacked` or `keras`.
        n_planned: Runs of their graph in all, which decide the method: the same whatever the batches.
    """

    runs: tuple[RunConfig, ...]
    fingerprint: str
    engine: str
    n_planned: int

    def new_key(self) -> str:
        """A name for a task that trains the batch."""
        return f"bncli-{self.runs[0].run_id}-{len(self.runs)}-{uuid.uuid4().hex[:6]}"

    def halves(self) -> list[Batch]:
        """The batch in two, each trained as if there were no more runs."""
        middle = len(self.runs) // 2
        parts = (self.runs[:middle], self.runs[middle:])
        return [replace(self, runs=runs, n_planned=len(runs)) for runs in parts]


ResultsOf = Callable[[Batch, Dataset, "OnEpoch"], list[RunResult]]


def run_batch(batch: Batch, key: str, results_of: ResultsOf) -> list[RunResult]:
    """Train a batch in this worker process and return its results in order.

    Raises:
        DataError: The data here is not what the study was planned with.
        Reschedule: This process is to be replaced first; Dask then gives the batch to another.
    """
    global _n_done
    with _busy:  # a worker with several threads would train several at a time in one TensorFlow
        if process.WORKER in os.environ:
            process.take_over()
        _make_room()
        data = _load(batch)
        results = results_of(batch, data, _teller(key))
        _n_done += 1
        return results


def _load(batch: Batch) -> Dataset:
    """The batch's data: read again where this process still holds what a file was before it changed."""
    data = datasets.load(batch.runs[0])
    if data.fingerprint() != batch.fingerprint:
        datasets.forget()
        data = datasets.load(batch.runs[0])
    if data.fingerprint() != batch.fingerprint:
        raise DataError(
            f"A worker's data {batch.runs[0].dataset!r} is not that of this process. Give all workers the same files."
        )
    return data


def results_of(batch: Batch, data: Dataset, on_epoch: OnEpoch) -> list[RunResult]:
    """Train a batch and return its results in order."""
    if batch.engine == "keras":
        from bncli.engines import keras

        stacks = keras.train(batch.runs, data, on_epoch)
    else:
        stacks = _stacked_results(batch, data, on_epoch)
    return [result for stack in stacks for result in stack]


def _stacked_results(batch: Batch, data: Dataset, on_epoch: OnEpoch) -> Iterator[list[RunResult]]:
    """Train with the program of the batch before, if it is the same; its compilation is what takes longest."""
    from bncli.engines import stacked
    from bncli.engines.base import failed_result
    from bncli.engines.program import NAME

    key = (graph_key(batch.runs[0]), batch.fingerprint, batch.engine, batch.n_planned)
    program = _programs.pop(key, None)
    if not program:
        _programs.clear()
        try:
            program = stacked.prepare(batch.runs, data, n_runs=batch.n_planned, always_stack=batch.engine == "stacked")
        except Exception as error:  # noqa: BLE001 - the record of its runs says why
            yield [failed_result(config, error, NAME) for config in batch.runs]
            return
    if program := (yield from stacked.run_stacks(program, batch.runs, on_epoch, None)):
        _programs[key] = program


def _teller(key: str) -> OnEpoch:
    """A function that tells the driver, now and then, which epoch this batch has reached.

    It raises `Cancelled` where the driver no longer wants the batch: Dask can't stop a task by itself.
    """
    from distributed import get_worker

    worker, last = get_worker(), 0.0

    def on_epoch(runs: Sequence[RunConfig], epoch: int) -> None:
        nonlocal last
        if _is_cancelled(worker, key):
            raise Cancelled
        if time.monotonic() - last >= TELL_SECONDS:
            last = time.monotonic()
            worker.log_event(TOPIC, {"key": key, "epoch": epoch})

    return on_epoch


def _is_cancelled(worker: Worker, key: str) -> bool:
    task = worker.state.tasks.get(key)
    return task is None or task.state == "cancelled"


def _make_room() -> None:
    """Ask for a fresh process in place of one that has done or leaked enough."""
    from distributed import Reschedule, get_worker

    worker = get_worker()
    if _n_done and (_n_done >= MAX_BATCHES or _memory_share(worker) > MAX_MEMORY_SHARE):
        logging.disable()  # nobody needs to read how this process ends
        worker.loop.add_callback(worker.close_gracefully, restart=True, reason="bncli-fresh-process")
        raise Reschedule


def _memory_share(worker: Worker) -> float:
    """How much of its memory the worker fills, from 0 to 1; 0 where it has no limit."""
    limit = worker.memory_manager.memory_limit
    return worker.monitor.proc.memory_info().rss / limit if limit else 0.0
