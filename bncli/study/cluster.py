"""`Cluster`: train batches of runs on Dask workers, and find the run that kills them.

A few batches per worker are submitted at a time, and results return to this process, which writes the journal. If a
worker dies, Dask gives its batch to another one. A batch whose workers die repeatedly is set aside and trained again
in halves, alone, until the run that is to blame is found.
"""

from __future__ import annotations

import itertools
import queue
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bncli.config import RunConfig
from bncli.errors import BncliError, ClusterError
from bncli.results import RunResult
from bncli.study.batches import Batch, batches_of
from bncli.study.execution import Batches
from bncli.study.worker import TOPIC, ResultsOf, results_of, run_batch

if TYPE_CHECKING:
    from distributed import Client, Future

    from bncli.engines.base import OnEpoch, OnModel

NEWS_SECONDS = 10
"""How long to wait for news of the workers before checking that they are there."""

PATIENCE = 6
"""How many checks in a row may find no worker: a new one takes a while to start."""

WINDOW = 2
"""Submitted batches per worker, so that a worker that ends one has the next."""


class Cluster:
    """Workers that train batches.

    Args:
        client: A connected Dask client.
        results_of: The function that a worker calls to train a batch, by default `worker.results_of`.
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
        probe: str | None = None,
    ) -> Batches:
        """Train runs, as `execution.train_here` does.

        Args:
            configs: Resolved runs.
            engine: `auto`, `stacked` or `keras`.
            on_epoch: Called after each epoch with the runs of a batch and the number of the epoch, from 1.
            on_model: Not called: models stay in the workers.
            probe: Which probes to record; None for none.

        Yields:
            The results of a batch.

        Raises:
            ClusterError: There are no workers, they can't train, or the scheduler has ended.
        """
        epochs = _Epochs(on_epoch)
        self.client.subscribe_topic(TOPIC, lambda event: self.news.put(event[1]))
        try:
            yield from self._run(iter(batches_of(configs, engine, self._count_workers(), probe)), epochs)
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
        """Submit batches until all have ended; report epochs, and yield results."""
        while True:
            for batch in itertools.islice(batches, self._n_free()):
                self._submit(batch)
            if not self.tasks:
                return
            news = self._next_news()
            if isinstance(news, dict):
                if entry := self.tasks.get(news["key"]):
                    epochs.reached(entry[1], news["epoch"])
            elif news and (entry := self.tasks.pop(news.key, None)):
                results = self._outcome(news, entry[1], alone=alone)
                epochs.ended(entry[1], results)
                if results:
                    yield results

    def _next_news(self) -> Any:
        """A message of a worker (a dict), or a future that has ended; None if neither comes for a while.

        Raises:
            ClusterError: The scheduler has ended, or there have been no workers for too long.
        """
        try:
            news = self.news.get(timeout=NEWS_SECONDS)
        except queue.Empty:
            self.n_misses = 0 if self._has_workers() else self.n_misses + 1
            if self.n_misses >= PATIENCE:
                self._count_workers()
            return None
        self.n_misses = 0
        return news

    def _n_free(self) -> int:
        """How many more batches to submit. Workers are counted again when each has one batch left."""
        if len(self.tasks) > self.n_seen:
            return 0
        self.n_seen = max(1, len(self.client.nthreads()))
        return WINDOW * self.n_seen - len(self.tasks)

    def _submit(self, batch: Batch) -> None:
        key = batch.new_key()
        future = self.client.submit(run_batch, batch, key, self.results_of, key=key, pure=False)
        self.tasks[key] = future, batch
        future.add_done_callback(self.news.put)

    def _has_workers(self) -> bool:
        try:
            return bool(self.client.nthreads())
        except OSError as error:
            raise ClusterError(f"The Dask scheduler is gone ({error}). Finished runs are safe.") from error

    def _outcome(self, future: Future[Any], batch: Batch, *, alone: bool) -> list[RunResult]:
        """The results of a batch that has ended; none if its runs are to be trained again."""
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
        """Set aside the halves of a batch whose workers died; a single run that was trained alone has failed."""
        if len(batch.runs) > 1:
            self.suspects += batch.halves()
        elif not alone:  # its worker may have died because of another batch
            self.suspects.append(batch)
        else:
            text = f"{type(error).__name__}: the worker process died each time it trained this run\n{error}"
            return [RunResult(batch.runs[0], "failed", engine=batch.engine, error=text)]
        return []


class _Epochs:
    """Calls `on_epoch` once for every epoch of every batch, although workers report only some epochs."""

    def __init__(self, on_epoch: OnEpoch | None) -> None:
        self.on_epoch = on_epoch
        self.reported: dict[Batch, int] = {}

    def reached(self, batch: Batch, epoch: int) -> None:
        """Report all epochs up to `epoch`; a batch that is trained again reports none twice."""
        for number in range(self.reported.get(batch, 0) + 1, epoch + 1):
            if self.on_epoch:
                self.on_epoch(batch.runs, number)
        self.reported[batch] = max(epoch, self.reported.get(batch, 0))

    def ended(self, batch: Batch, results: Sequence[RunResult]) -> None:
        """Report the remaining epochs of a batch that has ended."""
        self.reached(batch, max((len(result.history.get("loss", [])) for result in results), default=0))
        del self.reported[batch]
