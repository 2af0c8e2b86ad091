"""The engine that trains many runs in one compiled program: which runs, when, and in how much memory.

`program` and `graph` have the training itself; docs/performance.md says what stacking gains.
"""

from __future__ import annotations

import gc
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from bncli import process
from bncli.backend import keras, tf
from bncli.config import RunConfig
from bncli.data.dataset import Dataset
from bncli.engines.base import OnEpoch, OnModel, callback_errors, failed_result, marked
from bncli.engines.method import Method, choose, group, halved
from bncli.engines.program import COMPILERS, NAME, Program
from bncli.results import RunResult

OUT_OF_MEMORY = (MemoryError, tf.errors.ResourceExhaustedError)

Stacks = Generator[list[RunResult], None, "Program | None"]
"""Yields the results of each stack; returns the program that trained last."""


def train(
    configs: Iterable[RunConfig],
    dataset: Dataset,
    on_epoch: OnEpoch | None = None,
    on_model: OnModel | None = None,
    *,
    always_stack: bool = False,
    method: Method | None = None,
    probe: str | None = None,
) -> Iterator[list[RunResult]]:
    """Train runs; those that share a graph train together.

    Args:
        configs: Resolved runs that all use `dataset`.
        dataset: Their data.
        on_epoch: Called after each epoch with the runs of a stack, and the epoch's number from 1.
        on_model: Called with each run and its trained model.
        always_stack: Stack large networks too, which train faster side by side.
        method: How to train the runs; chosen for each graph by default.
        probe: Which probes to record, one of `probes.inside.LEVELS`; None for none.

    Yields:
        The results of each stack when it ends. A run that raises an error has the state `failed`, and the other runs
        of its stack are trained again without it; an error in a callback ends the training.
    """
    for runs, ahead in _compiled_ahead(group(configs), dataset, always_stack, method, probe):
        yield from _run_group(runs, ahead, on_epoch, on_model)
    if process.is_ours:  # in a notebook, the session may hold the user's own models
        keras.backend.clear_session()


def _compiled_ahead(
    groups: list[list[RunConfig]], dataset: Dataset, always_stack: bool, method: Method | None, probe: str | None
) -> Iterator[tuple[list[RunConfig], Future[Program]]]:
    """Groups of runs with their programs; the next programs compile while one trains, as XLA compiles on one core."""
    pool = ThreadPoolExecutor(COMPILERS)
    ahead: deque[tuple[list[RunConfig], Future[Program]]] = deque()
    try:
        for runs in groups:
            ahead.append((runs, pool.submit(prepare, runs, dataset, method, always_stack=always_stack, probe=probe)))
            if len(ahead) > COMPILERS:
                yield ahead.popleft()
        yield from ahead
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def prepare(
    runs: Sequence[RunConfig],
    dataset: Dataset,
    method: Method | None = None,
    *,
    n_runs: int | None = None,
    always_stack: bool = False,
    probe: str | None = None,
) -> Program:
    """Compile a program for runs that share a graph; where memory runs out, for half as many at a time.

    Args:
        runs: The runs.
        dataset: Their data.
        method: The first method to try; `method.choose` chooses it by default.
        n_runs: For how many runs of this graph to choose a method, if there will be more than `runs`.
        always_stack: Choose among stacked methods only.
        probe: Which probes to record; None for none.

    Raises:
        MemoryError: The memory does not suffice for a single run.
    """
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    method = method or choose(runs[0], dataset, n_runs or len(runs), has_gpu=has_gpu, always_stack=always_stack)
    while True:
        try:
            return Program(runs, dataset, method, probe)
        except OUT_OF_MEMORY:
            if method.n_runs == 1:
                raise
        method = halved(method)


def _run_group(
    runs: list[RunConfig], ahead: Future[Program], on_epoch: OnEpoch | None, on_model: OnModel | None
) -> Iterator[list[RunResult]]:
    """Train the runs of one graph; if it can't be compiled, all of them have failed."""
    try:
        program = ahead.result()
    except Exception as error:  # noqa: BLE001 - one broken graph must not end a study; its records say why
        yield [failed_result(config, error, NAME) for config in runs]
        return
    yield from run_stacks(program, runs, on_epoch, on_model)


def run_stacks(
    program: Program, runs: Sequence[RunConfig], on_epoch: OnEpoch | None, on_model: OnModel | None
) -> Stacks:
    """Train runs of a program's graph stack by stack; where memory runs out, go on in smaller stacks.

    Args:
        program: A program for their graph.
        runs: Any number of runs.
        on_epoch: Called after each epoch with the runs of a stack, and the epoch's number from 1.
        on_model: Called with each run and its trained model.

    Yields:
        The results of each stack.

    Returns:
        The program that trained last, which can train more runs; None if the memory does not suffice for one run.
    """
    with callback_errors():
        return (yield from _run_stacks(program, runs, marked(on_epoch), marked(on_model)))


def _run_stacks(
    program: Program, runs: Sequence[RunConfig], on_epoch: OnEpoch | None, on_model: OnModel | None
) -> Stacks:
    start = 0
    while start < len(runs):
        size, lanes = program.method.n_runs, min(program.method.lanes, process.usable_cores())
        stacks = [runs[place : place + size] for place in range(start, len(runs), size)][:lanes]
        for stack, results in zip(stacks, _run_lanes(program, stacks, on_epoch, on_model), strict=True):
            if not results:
                break
            yield results
            start += len(stack)
        else:
            continue
        dataset, method, probe = program.dataset, halved(program.method), program.probe
        del program
        gc.collect()
        try:
            program = prepare(runs[start:], dataset, method, probe=probe)
        except Exception as error:  # noqa: BLE001 - see _run_group
            yield [failed_result(config, error, NAME) for config in runs[start:]]
            return None
    return program


class _Stopped(BaseException):
    """Ends a stack after another one raised an error; not an `Exception`, which would be recorded as a failed run."""


def _run_lanes(
    program: Program, stacks: Sequence[Sequence[RunConfig]], on_epoch: OnEpoch | None, on_model: OnModel | None
) -> list[list[RunResult]]:
    """Train stacks at the same time, each in a thread; if one raises an error, the others end after their epoch.

    The time of a run is its share of the time that all stacks took together.
    """
    if len(stacks) == 1:
        return [_run_or_split(program, stacks[0], on_epoch, on_model)]
    stopped, turn = threading.Event(), threading.Lock()

    def in_turn(configs: Sequence[RunConfig], epoch: int) -> None:
        with turn:
            if stopped.is_set():
                raise _Stopped
            if on_epoch:
                on_epoch(configs, epoch)

    pool = ThreadPoolExecutor(len(stacks), thread_name_prefix="bncli-lane")
    try:
        calls = [pool.submit(_run_or_split, program, stack, in_turn, on_model) for stack in stacks]
        found = [call.result() for call in calls]
    finally:
        stopped.set()
        pool.shutdown(wait=False)
    return [[replace(result, seconds=result.seconds / len(stacks)) for result in results] for results in found]


def _run_or_split(
    program: Program, stack: Sequence[RunConfig], on_epoch: OnEpoch | None, on_model: OnModel | None
) -> list[RunResult]:
    """Train a stack; if it raises an error, train each half by itself, until the broken run is alone.

    The list is empty if memory ran out: the caller then tries a smaller program.
    """
    try:
        return program.run(stack, on_epoch, on_model)
    except Exception as error:  # noqa: BLE001 - one broken run must not end a study; its record says why
        if isinstance(error, OUT_OF_MEMORY) and program.method.n_runs > 1:
            return []
        if len(stack) == 1:
            return [failed_result(stack[0], error, NAME)]
    middle = len(stack) // 2
    halves = [_run_or_split(program, half, on_epoch, on_model) for half in (stack[:middle], stack[middle:])]
    return [*halves[0], *halves[1]] if all(halves) else []
