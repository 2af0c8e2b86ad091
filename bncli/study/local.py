"""The scheduler and the worker processes of `--jobs`: nobody else can reach them, and nothing of them stays.

Other users of the machine can connect to a port on 127.0.0.1, and who reaches a Dask port can run code. All connections
are therefore encrypted, and both ends show a certificate that is made for each call and never leaves its processes.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any

import dask
from distributed import Nanny, Scheduler, Security, SpecCluster, Worker
from distributed.system import MEMORY_LIMIT

from bncli import process

HOST = "127.0.0.1"

KILL_SECONDS = 0.1
"""How long to wait for a cluster whose start was interrupted before its new processes are killed, too."""


class _QuietScheduler(Scheduler):  # type: ignore[misc]
    """A scheduler without the HTTP server that Dask starts with or without a dashboard."""

    def start_http_server(self, *args: Any, **options: Any) -> None:
        """Start nothing."""


class _QuietWorker(Worker):  # type: ignore[misc]
    """A worker without an HTTP server, whose process ends with the one that started it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        process.die_with_parent()
        super().__init__(*args, **options)

    def start_http_server(self, *args: Any, **options: Any) -> None:
        """Start nothing."""


@contextmanager
def local_workers(jobs: int) -> Iterator[SpecCluster]:
    """A scheduler in this process, and worker processes that share the cores and the memory.

    They keep their temporary files in a folder of their own, which is removed in the end. The start takes seconds. It
    happens in a thread, so that a signal can interrupt it and what has started by then is known and is ended.

    Args:
        jobs: The number of worker processes.
    """
    nannies: list[Nanny] = []
    with (
        tempfile.TemporaryDirectory(prefix="bncli-jobs-", ignore_cleanup_errors=True) as folder,
        dask.config.set({"temporary-directory": folder, "distributed.worker.multiprocessing-method": "spawn"}),
        ThreadPoolExecutor(1, initializer=_block_interrupts) as pool,
    ):
        starting = pool.submit(_start, jobs, folder, nannies)
        try:
            yield starting.result()
        finally:
            _end(starting, nannies)


def _start(jobs: int, folder: str, nannies: list[Nanny]) -> SpecCluster:
    """Start a cluster; add the objects that watch over its worker processes to `nannies` as they are made."""

    def watched(*args: Any, **options: Any) -> Nanny:
        nannies.append(Nanny(*args, **options))
        return nannies[-1]

    private = {"host": HOST, "protocol": "tls://", "security": Security.temporary()}
    threads = str(max(1, process.usable_cores() // jobs))
    variables = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), threads)
    worker = private | {
        "worker_class": _QuietWorker,
        "nthreads": 1,
        "memory_limit": MEMORY_LIMIT // jobs,
        "silence_logs": logging.CRITICAL,
        "env": variables | {"TF_CPP_MIN_LOG_LEVEL": "3", "TMPDIR": folder, process.WORKER: "1"},
    }
    return SpecCluster(
        scheduler={"cls": _QuietScheduler, "options": private | {"port": 0, "dashboard": False}},
        workers={number: {"cls": watched, "options": worker} for number in range(jobs)},
        security=private["security"],
        silence_logs=logging.CRITICAL,
    )


def _end(starting: Future[SpecCluster], nannies: list[Nanny]) -> None:
    """End a cluster at once. By itself, a worker ends only after its current step, seconds later."""
    _kill(nannies)
    while wait([starting], KILL_SECONDS).not_done:
        _kill(nannies)
    if not starting.exception():
        starting.result().close()


def _kill(nannies: list[Nanny]) -> None:
    """Kill worker processes; no others take their place."""
    for nanny in list(nannies):
        nanny.close_gracefully()
        with suppress(ProcessLookupError):
            if nanny.pid:
                os.kill(nanny.pid, signal.SIGKILL)


def _block_interrupts() -> None:
    """Keep Ctrl-C, which a terminal sends to all processes, from those that this thread and its threads start."""
    resource_tracker.ensure_running()  # otherwise the first queue starts it, which unblocks the signal again
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
