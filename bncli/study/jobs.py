"""Worker processes for `--jobs` and `--scheduler`: how many are worthwhile, and how to start or reach them."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from bncli import process
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines.method import estimate_seconds, group
from bncli.errors import ClusterError, InvalidConfig, shown
from bncli.study.cluster import Cluster
from bncli.study.worker import ResultsOf, results_of
from bncli.values import read_whole

CONNECT_SECONDS = 10

ALLOWED_DEATHS = 2
"""Workers that may die while they train a batch, before the batch is blamed."""

WAIT_FOR_WORKER = "1h"
"""How long Dask waits for a lost worker to return. By its default, a second replacement within 15 s is the last one."""

MAX_JOBS = 1024

AUTO_SECONDS = 100.0
"""The estimated duration from which `--jobs auto` starts workers; see docs/scale.md."""


def parse_jobs(text: str) -> int | None:
    """Parse a number of worker processes.

    Returns:
        The number; None for `auto`.

    Raises:
        InvalidConfig: The text is neither a number in the allowed range nor `auto`.

    >>> parse_jobs("4"), parse_jobs("auto")
    (4, None)
    """
    if text == "auto":
        return None
    try:
        return read_whole(text, 1, MAX_JOBS)
    except ValueError:
        raise InvalidConfig(
            f"--jobs takes a number from 1 to {MAX_JOBS:,}, or auto. Received: {shown(text)}."
        ) from None


def choose_jobs(wanted: int | None, pending: Sequence[RunConfig], engine: str) -> int:
    """Return how many processes to train with.

    A worker takes seconds before its first run, for Python, TensorFlow and its own compilation. Without a wanted
    number, short work therefore stays in one process.

    Args:
        wanted: The number that the user asked for; None to choose by the estimated duration.
        pending: The runs to train. There is at most one process per run.
        engine: `auto`, `stacked` or `keras`.
    """
    if wanted is not None:
        return min(wanted, len(pending))
    seconds = sum(estimate_seconds(runs[0], datasets.load(runs[0]), len(runs), engine) for runs in group(pending))
    return 1 if seconds < AUTO_SECONDS else min(process.usable_cores(), len(pending))


@contextmanager
def connect(jobs: int, scheduler: str | None = None, results_of: ResultsOf = results_of) -> Iterator[Cluster]:
    """Start worker processes, or connect to a running Dask scheduler, while the block runs.

    Args:
        jobs: The number of processes; ignored with a scheduler.
        scheduler: The address of a scheduler, `tcp://HOST:PORT`.
        results_of: The function that a worker calls to train a batch.

    Raises:
        ClusterError: The processes can't be started, or the scheduler can't be reached.
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
                address = scheduler or stack.enter_context(_local_workers(jobs))
                client = stack.enter_context(Client(address, timeout=CONNECT_SECONDS, set_as_default=False))
        except (OSError, ValueError) as error:
            if not scheduler:
                raise ClusterError(f"Can't start {jobs} worker processes ({error}). Try fewer: --jobs 2.") from error
            raise ClusterError(
                f"No Dask scheduler at {scheduler!r} ({error}). Try the tcp:// address that `dask scheduler` prints."
            ) from error
        yield Cluster(client, results_of)


@contextmanager
def _local_workers(jobs: int) -> Iterator[Any]:
    """A scheduler in this process, and worker processes that share the cores."""
    from distributed import LocalCluster

    threads = str(max(1, process.usable_cores() // jobs))
    settings = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), threads)
    cluster = LocalCluster(
        n_workers=jobs,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",  # any free port: a second sweep would find a fixed one taken
        silence_logs=logging.CRITICAL,
        env=settings | {"TF_CPP_MIN_LOG_LEVEL": "3", process.WORKER: "1"},
    )
    with cluster:
        try:
            yield cluster
        finally:  # the results are in, and a worker ends by itself only after its current step, seconds later
            for nanny in cluster.workers.values():
                nanny.auto_restart = False
                if nanny.pid:
                    os.kill(nanny.pid, signal.SIGKILL)


@contextmanager
def _no_interrupt_for_children() -> Iterator[None]:
    """Keep Ctrl-C, which a terminal sends to all processes, from those that are started in the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _silent() -> Iterator[None]:
    """Hide Dask's log messages on workers that start and end."""
    loggers = [logging.getLogger(name) for name in ("distributed", "tornado", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
