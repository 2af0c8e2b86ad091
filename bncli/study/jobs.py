"""Worker processes for `--jobs` and `--scheduler`: how many are worthwhile, and how to start or reach them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from bncli import process
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines.method import by_engine, estimate_bytes, estimate_seconds, group
from bncli.errors import ClusterError, InvalidConfig, shown
from bncli.study.cluster import Cluster
from bncli.study.worker import ResultsOf, results_of
from bncli.values import plain_text, read_whole

CONNECT_SECONDS, LOCAL_SECONDS = 10, 60
"""How long a scheduler may take to accept a client: one elsewhere, and our own, which answers as soon as this machine
has time for it."""

ANSWER_SECONDS = 6
"""How long a scheduler may take for its first answer, so that the command ends within 10 s if there is none."""

PROTOCOLS = ("", "tcp", "tls", "ws", "wss")

ALLOWED_DEATHS = 2
"""Workers that may die while they train a batch, before the batch is blamed."""

WAIT_FOR_WORKER = "1h"
"""How long Dask waits for a lost worker to return. By its default, a second replacement within 15 s is the last one."""

SETTINGS = "Dask's settings: DASK_ variables and ~/.config/dask."
SCHEDULER_ADVICE = "Try the address that `dask scheduler` prints; for tls://, Dask's settings name the certificates."

MAX_JOBS, MAX_PORT = 1024, 65535

AUTO_SECONDS = 100.0
"""The estimated duration from which `--jobs auto` starts workers; see docs/scale.md."""

MEMORY_SHARE = 0.8
"""The share of the memory that `--jobs auto` lets workers take."""


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
    number, short work therefore stays in one process, and no more workers start than the memory suffices for.

    Args:
        wanted: The number that the user asked for; None to choose by the estimated duration.
        pending: The runs to train. There is at most one process per run.
        engine: `auto`, `stacked` or `keras`.
    """
    if wanted is not None:
        return min(wanted, len(pending))
    works = [
        (runs[0], datasets.load(runs[0]), len(runs), name)
        for name, part in by_engine(pending, engine).items()
        for runs in group(part)
    ]
    if sum(estimate_seconds(*work) for work in works) < AUTO_SECONDS:
        return 1
    suffices_for = int(MEMORY_SHARE * process.usable_memory() / max(estimate_bytes(*work) for work in works))
    return max(1, min(process.usable_cores(), len(pending), suffices_for))


def check_scheduler(address: str) -> None:
    """Check the form of a scheduler's address.

    Raises:
        InvalidConfig: It is empty, has no port, or names a protocol that bncli does not use.
    """
    protocol, _, place = address.rpartition("://")
    host, _, port = place.rpartition(":")
    try:
        read_whole(port, 1, MAX_PORT)
        is_address = protocol in PROTOCOLS and bool(host)
    except ValueError:
        is_address = False
    if not is_address:
        allowed = "an address of the form tcp://HOST:PORT or tls://HOST:PORT"
        raise InvalidConfig(f"--scheduler takes {allowed}. Received: {shown(address)}.")


@contextmanager
def connect(jobs: int, scheduler: str | None = None, results_of: ResultsOf = results_of) -> Iterator[Cluster]:
    """Start worker processes, or connect to a running Dask scheduler, while the block runs.

    Args:
        jobs: The number of processes; ignored with a scheduler.
        scheduler: The address of a scheduler, `tcp://HOST:PORT`.
        results_of: The function that a worker calls to train a batch.

    Raises:
        ClusterError: Dask can't be used, the processes can't be started, or the scheduler can't be reached.
    """
    with _refused("Dask can't be used", f"Look at {SETTINGS}"):
        import dask
        from distributed import Client

        from bncli.study.local import local_workers
    settings = {
        "distributed.scheduler.allowed-failures": ALLOWED_DEATHS,
        "distributed.admin.log-length": 0,
        "distributed.deploy.lost-worker-timeout": WAIT_FOR_WORKER,
    }
    with dask.config.set(settings), _silent(), ExitStack() as stack:
        if scheduler is None:
            with _refused(f"Can't start {jobs} worker processes", f"Try --jobs 1; or look at {SETTINGS}"):
                cluster = stack.enter_context(local_workers(jobs))
                client = stack.enter_context(Client(cluster, timeout=LOCAL_SECONDS, set_as_default=False))
        else:
            with _refused(f"No Dask scheduler at {shown(scheduler)}", SCHEDULER_ADVICE):
                _check_answer(scheduler)
                client = stack.enter_context(Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False))
        yield Cluster(client, results_of)


@contextmanager
def _refused(problem: str, advice: str) -> Iterator[None]:
    """Turn any error in the block into one line. What Dask raises for a bad setting or address can be of any type."""
    try:
        yield
    except Exception as error:
        reason = _origin(error)
        text = plain_text(" ".join(str(reason).split())) or type(reason).__name__
        raise ClusterError(f"{problem} ({text}). {advice}") from error


def _origin(error: BaseException) -> BaseException:
    """The error that caused an error: Dask wraps what says most, `Nanny failed to start`."""
    while error.__cause__:
        error = error.__cause__
    return error


def _check_answer(scheduler: str) -> None:
    """Ask a scheduler who it is. Dask itself waits without end for a port that accepts a connection and is silent.

    Raises:
        Exception: There is no answer in time, or it is not that of a scheduler.
    """
    from distributed import Security, rpc

    async def ask() -> Any:
        async with rpc(scheduler, connection_args=Security().get_connection_args("client")) as server:
            return await server.identity()

    loop = asyncio.new_event_loop()
    try:
        answer = loop.run_until_complete(asyncio.wait_for(ask(), ANSWER_SECONDS))
    except TimeoutError:
        raise ClusterError(f"no answer in {ANSWER_SECONDS} s") from None
    except MemoryError:  # Dask takes the first bytes, which may be letters, for the length of a message
        raise ClusterError("what answers is something else") from None
    finally:
        loop.close()  # `asyncio.run` would also wait for a name server that is silent
    if "workers" not in answer:
        raise ClusterError(f"what answers is a {answer['type']}")


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
