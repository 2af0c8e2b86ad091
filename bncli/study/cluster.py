"""Many processes or machines: batches of runs as tasks of Dask workers, ours or those of a running scheduler.

Batches are submitted a window at a time and their results come back to the one process that writes the journal. Dask
moves a batch whose worker died to another one; a batch that outlives several workers is trained again alone, then
split, until the run that kills its worker is known.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
import queue
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from bncli import process
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines.method import choose, estimate_seconds, group
from bncli.errors import BncliError, ClusterError, InvalidConfig
from bncli.process import usable_cores
from bncli.results import RunResult
from bncli.study.execution import Batches, by_data
from bncli.study.worker import TOPIC, Batch, ResultsOf, results_of, run_batch

if TYPE_CHECKING:
    from distributed import Client, Future

    from bncli.engines.base import OnEpoch, OnModel


CONNECT_SECONDS = 10

PATIENCE = 6
"""Times in a row, `CONNECT_SECONDS` apart, that no worker may be there: a fresh one takes its time to start."""

ALLOWED_DEATHS = 2
"""Workers that a batch may outlive before it is a suspect."""

WINDOW = 2
"""Batches under way for every worker: the next is there when one ends."""

WAIT_FOR_WORKER = "1h"
"""How long after a worker went Dask gives up on its place: by default, a second replacement within 15 s is the last."""

MAX_JOBS = 1024

AUTO_SECONDS = 100.0
"""Work from which on `auto` starts workers; see docs/scale.md."""


class Cluster:
    """Workers that train batches.

    Args:
        client: A connected Dask client.
        results_of: What a worker calls to train a batch, as `worker.results_of`.
    """

    def __init__(self, client: Client, results_of: ResultsOf = results_of) -> None:
        self.client, self.results_of = client, results_of
        self.news: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.tasks: dict[str, tuple[Future[Any], Batch]] = {}
        self.suspects: list[Batch] = []
        self.n_misses = self.n_seen = 0

    def train(
        self,
        configs: Sequence[RunConfig],
        engine: str = "auto",
        on_epoch: OnEpoch | None = None,
        on_model: OnModel | None = None,
    ) -> Batches:
        """Train runs and yield the results of each batch as it comes in.

        Args:
            configs: Resolved runs.
            engine: `auto`, `stacked` or `keras`.
            on_epoch: Called with the runs of a batch and the epoch (from 1) after each epoch.
            on_model: Not called: models stay in the workers.

        Raises:
            ClusterError: The workers can't be used, or are gone.
        """
        epochs = _Epochs(on_epoch)
        self.client.subscribe_topic(TOPIC, lambda event: self.news.put(event[1]))
        try:
            yield from self._run(iter(batches_of(configs, engine, self._count_workers())), epochs)
            while self.suspects:
                yield from self._run(iter([self.suspects.pop(0)]), epochs, alone=True)
        finally:
            self.client.unsubscribe_topic(TOPIC)
            self.client.cancel([future for future, _ in self.tasks.values()], force=True)
            self.tasks.clear()

    def _count_workers(self) -> int:
        n_workers = len(self.client.nthreads())
        if not n_workers:
            raise ClusterError(f"The scheduler {self.client.scheduler.address} has no workers. Try to start some.")
        return n_workers

    def _run(self, batches: Iterator[Batch], epochs: _Epochs, *, alone: bool = False) -> Iterator[list[RunResult]]:
        """Keep a window of batches under way until all have ended; hand on epochs and results as they come."""
        while True:
            for batch in itertools.islice(batches, self._n_free()):
                self._submit(batch)
            if not self.tasks:
                return
            try:
                news = self.news.get(timeout=CONNECT_SECONDS)
            except queue.Empty:
                self.n_misses = 0 if self._is_alive() else self.n_misses + 1
                if self.n_misses >= PATIENCE:
                    self._count_workers()
                continue
            self.n_misses = 0
            if isinstance(news, dict):
                if entry := self.tasks.get(news["key"]):
                    epochs.tell(entry[1], news["epoch"])
                continue
            if entry := self.tasks.pop(news.key, None):
                results = self._outcome(news, entry[1], alone=alone)
                epochs.end(entry[1], results)
                if results:
                    yield results

    def _n_free(self) -> int:
        """How many batches more the workers can take that are there by now; counted when all but one each are done."""
        if len(self.tasks) > self.n_seen:
            return 0
        self.n_seen = max(1, len(self.client.nthreads()))
        return WINDOW * self.n_seen - len(self.tasks)

    def _submit(self, batch: Batch) -> None:
        key = batch.new_key()
        future = self.client.submit(run_batch, batch, key, self.results_of, key=key, pure=False)
        self.tasks[key] = future, batch
        future.add_done_callback(self.news.put)

    def _is_alive(self) -> bool:
        """Whether a worker is there; raise where even the scheduler does not answer."""
        try:
            return bool(self.client.nthreads())
        except OSError as error:
            raise ClusterError(f"The Dask scheduler is gone ({error}). Finished runs are safe.") from error

    def _outcome(self, future: Future[Any], batch: Batch, *, alone: bool) -> list[RunResult]:
        """The results of a batch that has ended; none yet if it is to be trained again in parts."""
        from distributed import CancelledError, KilledWorker

        try:
            results: list[RunResult] = future.result()
        except KilledWorker as error:
            return self._blame(batch, error, alone=alone)
        except CancelledError as error:
            raise ClusterError("The Dask scheduler is gone. Finished runs are safe.") from error
        except BncliError:
            raise
        except Exception as error:
            raise ClusterError(
                f"A worker could not train ({type(error).__name__}: {error}). "
                "Workers need the same bncli, packages and data as this process."
            ) from error
        return results

    def _blame(self, batch: Batch, error: Exception, *, alone: bool) -> list[RunResult]:
        """Keep the halves of a batch that killed its workers for later; a single run that did so alone has failed."""
        if len(batch.runs) > 1:
            self.suspects += batch.halves()
        elif not alone:  # its worker may have died of another batch
            self.suspects.append(batch)
        else:
            text = f"{type(error).__name__}: the worker process died each time it trained this run\n{error}"
            return [RunResult(batch.runs[0], "failed", engine=batch.engine, error=text)]
        return []


class _Epochs:
    """Turns what workers tell now and then into one call an epoch."""

    def __init__(self, on_epoch: OnEpoch | None) -> None:
        self.on_epoch = on_epoch
        self.told: dict[Batch, int] = {}

    def tell(self, batch: Batch, epoch: int) -> None:
        """Hand on all epochs up to `epoch` that were not yet told; a batch that starts again tells none twice."""
        for number in range(self.told.get(batch, 0) + 1, epoch + 1):
            if self.on_epoch:
                self.on_epoch(batch.runs, number)
        self.told[batch] = max(epoch, self.told.get(batch, 0))

    def end(self, batch: Batch, results: Sequence[RunResult]) -> None:
        """Hand on what is left of a batch that has ended."""
        self.tell(batch, max((len(result.history.get("loss", [])) for result in results), default=0))
        del self.told[batch]


def batches_of(configs: Sequence[RunConfig], engine: str, n_workers: int) -> Iterator[Batch]:
    """Cut the runs into batches.

    Stacks are those of one process, however many workers there are: in another stack, a run's numbers round otherwise.
    Runs that train side by side or by `model.fit` don't touch each other, so of them every worker gets a share.
    """
    share = math.ceil(len(configs) / n_workers)
    for on_one_set in by_data(configs):
        data = datasets.load(on_one_set[0])
        fingerprint = data.fingerprint()
        for runs in group(on_one_set):
            most, size = len(runs), 1
            if engine != "keras":
                method = choose(runs[0], data, most, has_gpu=False, always_stack=engine == "stacked")
                if not method.stacked:
                    most = min(most, share)
                    method = choose(runs[0], data, most, has_gpu=False)
                size = method.n_runs
            for start in range(0, len(runs), size):
                yield Batch(tuple(runs[start : start + size]), fingerprint, engine, most)


@contextmanager
def connect(jobs: int, scheduler: str | None = None, results_of: ResultsOf = results_of) -> Iterator[Cluster]:
    """Start `jobs` worker processes, or connect to the Dask scheduler at an address.

    Args:
        jobs: How many processes; ignored with a scheduler.
        scheduler: The address of a scheduler, `tcp://HOST:PORT`.
        results_of: What a worker calls to train a batch.

    Raises:
        ClusterError: The scheduler can't be reached.
    """
    import dask
    from distributed import Client

    settings = {
        "distributed.scheduler.allowed-failures": ALLOWED_DEATHS,
        "distributed.admin.log-length": 0,
        "distributed.deploy.lost-worker-timeout": WAIT_FOR_WORKER,
    }
    with dask.config.set(settings), _silent(), ExitStack() as stack:
        try:
            with _no_interrupt_for_children():
                address = scheduler or stack.enter_context(_local(jobs))
                client = stack.enter_context(Client(address, timeout=CONNECT_SECONDS, set_as_default=False))
        except (OSError, ValueError) as error:
            if not scheduler:
                raise ClusterError(f"Can't start {jobs} worker processes ({error}). Try fewer: --jobs 2.") from error
            raise ClusterError(
                f"No Dask scheduler at {scheduler!r} ({error}). Try the tcp:// address that `dask scheduler` prints."
            ) from error
        yield Cluster(client, results_of)


@contextmanager
def _local(jobs: int) -> Iterator[Any]:
    """A scheduler in this process and `jobs` worker processes, each with its share of the cores."""
    from distributed import LocalCluster

    threads = str(max(1, usable_cores() // jobs))
    settings = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), threads)
    cluster = LocalCluster(
        n_workers=jobs,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",  # any free port: a fixed one is taken where two sweeps run
        silence_logs=logging.CRITICAL,
        env=settings | {"TF_CPP_MIN_LOG_LEVEL": "3", process.WORKER: "1"},
    )
    with cluster:
        try:
            yield cluster
        finally:  # what is left of them is of no use, and waiting for the end of a step takes seconds
            for nanny in cluster.workers.values():
                nanny.auto_restart = False
                if nanny.pid:
                    os.kill(nanny.pid, signal.SIGKILL)


def parse_jobs(text: str) -> int | None:
    """Read the number of worker processes; None for `auto`.

    Raises:
        InvalidConfig: Neither.
    """
    if text == "auto":
        return None
    if not text.isdecimal() or not 1 <= int(text) <= MAX_JOBS:
        raise InvalidConfig(f"--jobs takes a number from 1 to {MAX_JOBS:,}, or auto. Received: {text!r}.")
    return int(text)


def choose_jobs(wanted: int | None, pending: Sequence[RunConfig], engine: str) -> int:
    """How many processes shall train: as many as are `wanted`, at most one a run; if None, by the work.

    A worker costs seconds before its first run (a Python, TensorFlow, its own compilation), so work that one process
    ends soon stays in one.
    """
    if wanted is not None:
        return min(wanted, len(pending))
    seconds = sum(estimate_seconds(runs[0], datasets.load(runs[0]), len(runs), engine) for runs in group(pending))
    return 1 if seconds < AUTO_SECONDS else min(usable_cores(), len(pending))


@contextmanager
def _no_interrupt_for_children() -> Iterator[None]:
    """Have threads and processes that start in the block never see Ctrl-C: a terminal sends it to all of them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what Dask logs about coming and going workers from the user."""
    loggers = [logging.getLogger(name) for name in ("distributed", "tornado", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
