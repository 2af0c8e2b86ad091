"""The code that a Dask worker runs: it trains one batch at a time, and reuses its last compiled program."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bncli import process
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.data.dataset import Dataset
from bncli.engines.method import graph_key
from bncli.errors import DataError
from bncli.results import RunResult
from bncli.study.batches import Batch

if TYPE_CHECKING:
    from distributed import Worker

    from bncli.engines.base import OnEpoch


TOPIC = "bncli-epochs"
"""The Dask topic on which workers report the epochs that they have trained."""

REPORT_SECONDS = 0.25
"""Shortest time between two reports of a worker."""

MAX_BATCHES, MAX_MEMORY_SHARE = 500, 0.7
"""A worker that has trained so many batches, or uses more than this share of its memory, is replaced."""


class Cancelled(BaseException):
    """Ends a batch whose results are not wanted any more. Engines would record an `Exception` as a failed run."""


_busy = threading.Lock()

_n_done = 0

_programs: dict[Any, Any] = {}


ResultsOf = Callable[[Batch, Dataset, "OnEpoch"], list[RunResult]]


def run_batch(batch: Batch, key: str, results_of: ResultsOf) -> list[RunResult]:
    """Train a batch in this worker process.

    Args:
        batch: The runs.
        key: The name of the Dask task.
        results_of: The function that trains them.

    Returns:
        The results, in the order of the runs.

    Raises:
        DataError: The data differs from that of the process that submitted the batch.
        Reschedule: This process has to be replaced first; Dask gives the batch to another one.
    """
    global _n_done
    with _busy:  # a worker with several threads would train several batches at a time
        if process.WORKER in os.environ:
            process.take_over()
        _make_room()
        data = _load(batch)
        results = results_of(batch, data, _reporter(key))
        _n_done += 1
        return results


def _load(batch: Batch) -> Dataset:
    """The batch's data; files are read again if this process read them before they changed."""
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
    """Train a batch with an engine; return its results in order."""
    from bncli import backend

    with backend.own_settings():
        if batch.engine == "keras":
            from bncli.engines import keras

            stacks = keras.train(batch.runs, data, on_epoch, probe=batch.probe)
        else:
            stacks = _stacked_results(batch, data, on_epoch)
        return [result for stack in stacks for result in stack]


def _stacked_results(batch: Batch, data: Dataset, on_epoch: OnEpoch) -> Iterator[list[RunResult]]:
    """Train with the program of the last batch if it fits, because compilation takes longest."""
    from bncli.engines import stacked
    from bncli.engines.base import failed_result
    from bncli.engines.program import NAME

    key = (graph_key(batch.runs[0]), batch.fingerprint, batch.engine, batch.n_planned, batch.probe)
    program = _programs.pop(key, None)
    if not program:
        _programs.clear()
        try:
            always = batch.engine == "stacked"
            program = stacked.prepare(batch.runs, data, n_runs=batch.n_planned, always_stack=always, probe=batch.probe)
        except Exception as error:  # noqa: BLE001 - the record of its runs says why
            yield [failed_result(config, error, NAME) for config in batch.runs]
            return
    if program := (yield from stacked.run_stacks(program, batch.runs, on_epoch, None)):
        _programs[key] = program


def _reporter(key: str) -> OnEpoch:
    """A callback that reports now and then which epoch the batch has reached.

    It raises `Cancelled` if the task was cancelled, because Dask can't stop a running task.
    """
    from distributed import get_worker

    worker, last = get_worker(), 0.0

    def on_epoch(runs: Sequence[RunConfig], epoch: int) -> None:
        nonlocal last
        if _is_cancelled(worker, key):
            raise Cancelled
        if time.monotonic() - last >= REPORT_SECONDS:
            last = time.monotonic()
            worker.log_event(TOPIC, {"key": key, "epoch": epoch})

    return on_epoch


def _is_cancelled(worker: Worker, key: str) -> bool:
    task = worker.state.tasks.get(key)
    return task is None or task.state == "cancelled"


def _make_room() -> None:
    """Have this process replaced if it has trained many batches or uses much of its memory."""
    from distributed import Reschedule, get_worker

    worker = get_worker()
    if _n_done and (_n_done >= MAX_BATCHES or _memory_share(worker) > MAX_MEMORY_SHARE):
        logging.disable()  # how this process ends is of no interest
        worker.loop.add_callback(worker.close_gracefully, restart=True, reason="bncli-fresh-process")
        raise Reschedule


def _memory_share(worker: Worker) -> float:
    """The share of its memory limit that the worker uses; 0 if it has no limit."""
    limit = worker.memory_manager.memory_limit
    return worker.monitor.proc.memory_info().rss / limit if limit else 0.0
