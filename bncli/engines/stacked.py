"""Many runs in one compiled program: the real Keras layers, without a dispatch for every run and step.

An epoch is one function: a loop over steps, in it `tf.vectorized_map` over runs of `model.stateless_call` under a
gradient tape, then a pure optimizer update. Weights, moving statistics, slots, learning rates and batch orders
carry a leading axis of runs. See docs/performance.md for what this buys and where the time goes.
"""

from __future__ import annotations

import gc
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from bncli.config import RunConfig
from bncli.data.datasets import Dataset
from bncli.engines.backend import keras, tf
from bncli.engines.base import OnEpoch, OnModel, callback_errors, carried, failed_result
from bncli.engines.method import Method, choose, group, halved
from bncli.engines.program import COMPILERS, NAME, Program
from bncli.process import usable_cores
from bncli.results import RunResult

OUT_OF_MEMORY = (MemoryError, tf.errors.ResourceExhaustedError)

Stacks = Generator[list[RunResult], None, "Program | None"]


def train(
    configs: Iterable[RunConfig],
    dataset: Dataset,
    on_epoch: OnEpoch | None = None,
    on_model: OnModel | None = None,
    *,
    always_stack: bool = False,
) -> Iterator[list[RunResult]]:
    """Train runs, those of one graph together, and yield the results of each stack as it ends.

    Args:
        configs: Resolved runs that all use `dataset`.
        dataset: Their data.
        on_epoch: Called with the runs of a stack and the epoch (from 1) after each epoch.
        on_model: Called with a run and its trained model.
        always_stack: Stack networks too that the planner would rather train side by side.

    Yields:
        The results of a stack. A run that raises is a `failed` result, its mates are trained again without it; what a
        callback raises ends the training.
    """
    for runs, ahead in _prepared(group(configs), dataset, always_stack):
        yield from _run_group(runs, ahead, on_epoch, on_model)
    keras.backend.clear_session()


def _prepared(
    groups: list[list[RunConfig]], dataset: Dataset, always_stack: bool
) -> Iterator[tuple[list[RunConfig], Future[Program]]]:
    """Groups of runs with their programs, compiled a few groups ahead while others train: XLA compiles on one core."""
    pool = ThreadPoolExecutor(COMPILERS)
    ahead: deque[tuple[list[RunConfig], Future[Program]]] = deque()
    try:
        for runs in groups:
            ahead.append((runs, pool.submit(prepare, runs, dataset, always_stack=always_stack)))
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
) -> Program:
    """Compile a program for the runs of one graph, for half as many at a time for as long as memory runs out.

    Args:
        runs: Runs of one graph.
        dataset: Their data.
        method: The method to try instead of the planner's choice.
        n_runs: How many runs of this graph there are in all, for the planner; as many as `runs` if None.
        always_stack: Have the planner choose among stacked methods only.
    """
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    method = method or choose(runs[0], dataset, n_runs or len(runs), has_gpu=has_gpu, always_stack=always_stack)
    while True:
        try:
            return Program(runs, dataset, method)
        except OUT_OF_MEMORY:
            if method.n_runs == 1:
                raise
        method = halved(method)


def _run_group(
    runs: list[RunConfig], ahead: Future[Program], on_epoch: OnEpoch | None, on_model: OnModel | None
) -> Iterator[list[RunResult]]:
    """Train the runs of one graph; where it can't be compiled at all, that is their record."""
    try:
        program = ahead.result()
    except Exception as error:  # noqa: BLE001 - one broken graph must not end a study; its records say why
        yield [failed_result(config, error, NAME) for config in runs]
        return
    yield from run_stacks(program, runs, on_epoch, on_model)


def run_stacks(
    program: Program, runs: Sequence[RunConfig], on_epoch: OnEpoch | None, on_model: OnModel | None
) -> Stacks:
    """Train the runs of a program's graph, a stack at a time, in smaller stacks from where memory ran out.

    Returns:
        The program that trained last, for more runs of the graph; None where there is none that fits the memory.
    """
    with callback_errors():
        return (yield from _run_stacks(program, runs, carried(on_epoch), carried(on_model)))


def _run_stacks(
    program: Program, runs: Sequence[RunConfig], on_epoch: OnEpoch | None, on_model: OnModel | None
) -> Stacks:
    start = 0
    while start < len(runs):
        size, lanes = program.method.n_runs, min(program.method.lanes, usable_cores())
        stacks = [runs[place : place + size] for place in range(start, len(runs), size)][:lanes]
        for stack, results in zip(stacks, _run_abreast(program, stacks, on_epoch, on_model), strict=True):
            if not results:
                break
            yield results
            start += len(stack)
        else:
            continue
        dataset, method = program.dataset, halved(program.method)
        del program
        gc.collect()
        try:
            program = prepare(runs[start:], dataset, method)
        except Exception as error:  # noqa: BLE001 - see _train_group
            yield [failed_result(config, error, NAME) for config in runs[start:]]
            return None
    return program


class _Stopped(BaseException):
    """Ends a stack that nobody waits for any more; no `Exception`, so that no run is to blame."""


def _run_abreast(
    program: Program, stacks: Sequence[Sequence[RunConfig]], on_epoch: OnEpoch | None, on_model: OnModel | None
) -> list[list[RunResult]]:
    """Train stacks at the same time, each on a thread; where one ends with an error, the others end with their epoch.

    What a run took is its share of the time that all of them took.
    """
    if len(stacks) == 1:
        return [_survivors(program, stacks[0], on_epoch, on_model)]
    stopped, turn = threading.Event(), threading.Lock()

    def tell(configs: Sequence[RunConfig], epoch: int) -> None:
        with turn:
            if stopped.is_set():
                raise _Stopped
            if on_epoch:
                on_epoch(configs, epoch)

    pool = ThreadPoolExecutor(len(stacks), thread_name_prefix="bncli-lane")
    try:
        calls = [pool.submit(_survivors, program, stack, tell, on_model) for stack in stacks]
        found = [call.result() for call in calls]
    finally:
        stopped.set()
        pool.shutdown(wait=False)
    return [[replace(result, seconds=result.seconds / len(stacks)) for result in results] for results in found]


def _survivors(
    program: Program, stack: Sequence[RunConfig], on_epoch: OnEpoch | None, on_model: OnModel | None
) -> list[RunResult]:
    """Train a stack; where it raises, its halves apart, until the guilty run is alone. Nothing if memory ran out."""
    try:
        return program.train(stack, on_epoch, on_model)
    except Exception as error:  # noqa: BLE001 - one broken run must not end a study; its record says why
        if isinstance(error, OUT_OF_MEMORY) and program.method.n_runs > 1:
            return []
        if len(stack) == 1:
            return [failed_result(stack[0], error, NAME)]
    middle = len(stack) // 2
    halves = [_survivors(program, half, on_epoch, on_model) for half in (stack[:middle], stack[middle:])]
    return [*halves[0], *halves[1]] if all(halves) else []
