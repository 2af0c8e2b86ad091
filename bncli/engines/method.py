"""Which runs train together, and by which method: decided from the configs alone, before TensorFlow is loaded.

Runs that differ in nothing but the numbers of `VARIED` share a graph and can be stacked. The limits below were
measured by `make bench`; docs/performance.md holds the figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bncli.config import FIELDS, RunConfig
from bncli.data.datasets import Dataset
from bncli.networks.layout import Layer, lay_out
from bncli.values import Value

RATES = ("lr", "momentum", "weight_decay")
"""The numbers that the updates read."""

VARIED = ("seed", "init_scale", *RATES)
"""Fields that enter a compiled program as numbers, one a run; all others shape the graph."""

STACK_BYTES = 1 << 30
"""Memory that one stack may take by the estimate of `run_bytes`."""

MAX_STACK = 256
"""Larger stacks gain little: a step's fixed cost is spread over enough runs. Smaller ones are shared out better."""

STACKED_MAC_LIMIT = 400_000
"""Multiply-adds a row above which a run keeps the cores busy by itself: such runs are not stacked."""

LANES = 2
"""Stacks under XLA that train at a time: a program keeps no more than one and a half cores busy."""

SIDE_BY_SIDE = 4
"""Large networks in one program: their steps run beside each other on TensorFlow's threads."""

EVALUATION_ROWS = 512

COMPILE_SECONDS = 0.16
"""What XLA's compiler takes for a layer's three passes: forward, and backward to weights and to inputs."""

PASSES = 3

DISPATCH_SECONDS = 70e-6
"""What a layer's operations cost in a step without XLA, however few the runs."""

FIT_STEP_SECONDS = 4e-3
"""What a step of `model.fit` costs apart from its arithmetic."""

STEP_SECONDS, FLOPS, SAVED_SHARE = 4e-6, 50e9, 3.0
"""A run's step under XLA: fixed part and speed; without XLA it takes so many times longer still."""


@dataclass(frozen=True)
class Method:
    """How a group of runs is trained.

    Attributes:
        n_runs: Runs in one compiled program.
        stacked: Whether they are vectorized along a leading axis; else their steps stand side by side.
        matrix_conv: Whether a convolution is written as patches times kernel matrix.
        xla_steps: Whether XLA compiles the loop over whole batches.
        xla_tail: Whether XLA compiles the step on the smaller batch that ends an epoch.
        xla_evaluation: Whether XLA compiles inference.
        lanes: Stacks that train at a time, each on a thread of its own.
    """

    n_runs: int
    stacked: bool
    matrix_conv: bool
    xla_steps: bool = False
    xla_tail: bool = False
    xla_evaluation: bool = False
    lanes: int = 1


def halved(method: Method) -> Method:
    """The same method for half as many runs at a time."""
    return replace(method, n_runs=math.ceil(method.n_runs / 2))


def graph_key(config: RunConfig) -> tuple[Value, ...]:
    """What two runs must share to share a graph: every field but `VARIED`, and which of those are zero."""
    shared = tuple(getattr(config, name) for name in FIELDS if name not in VARIED)
    return (*shared, config.momentum > 0, (config.weight_decay or 0) > 0)


def group(configs: Iterable[RunConfig]) -> list[list[RunConfig]]:
    """Group runs by graph, in the order of their first appearance."""
    groups: dict[tuple[Value, ...], list[RunConfig]] = {}
    for config in configs:
        groups.setdefault(graph_key(config), []).append(config)
    return list(groups.values())


def choose(config: RunConfig, dataset: Dataset, n_runs: int, *, has_gpu: bool, always_stack: bool = False) -> Method:
    """Choose the method for `n_runs` runs of one graph.

    Small networks are stacked: their steps cost dispatch, not arithmetic. On a CPU a large convolution is fastest in
    the library's own kernel, which XLA's loops do not call, so a few runs of it go side by side without XLA.
    """
    steps = lay_out(config, dataset.input_shape, dataset.n_classes)
    macs = macs_per_row(steps, dataset.input_shape)
    if macs > STACKED_MAC_LIMIT and not has_gpu and not always_stack:
        return Method(_side_by_side(n_runs), stacked=False, matrix_conv=False)
    n_rows = len(dataset.y_train)
    batch = min(config.batch_size, n_rows)
    n_full, n_left = divmod(n_rows, batch)

    def pays(n_calls: int, n_rows: int, passes: int) -> bool:
        return has_gpu or _xla_pays(len(steps), n_calls, n_runs, 2 * n_rows * macs, passes)

    xla_steps = pays(config.epochs * n_full, batch, PASSES)
    lanes = LANES if xla_steps and not has_gpu else 1
    most = max(1, min(MAX_STACK, STACK_BYTES // run_bytes(steps, config, dataset)))
    n_stacks = lanes * math.ceil(n_runs / most / lanes)
    return Method(
        math.ceil(n_runs / n_stacks),
        stacked=True,
        matrix_conv=True,
        xla_steps=xla_steps,
        xla_tail=pays(config.epochs, n_left, PASSES),
        xla_evaluation=pays(config.epochs, len(dataset.y_val), 1),
        lanes=lanes,
    )


def _side_by_side(n_runs: int) -> int:
    """How many large networks to train at a time, so that the last turn is filled up with the fewest copies."""
    sizes = range(min(n_runs, SIDE_BY_SIDE), min(n_runs, 2) - 1, -1)
    return min(sizes, key=lambda size: math.ceil(n_runs / size) * size)


def _xla_pays(n_layers: int, n_calls: int, n_runs: int, flops: int, passes: int) -> bool:
    """Whether XLA saves more seconds in `n_calls` calls of `flops` a pass, for every run, than its compiler takes."""
    saved = DISPATCH_SECONDS * n_layers + n_runs * SAVED_SHARE * (STEP_SECONDS + passes * flops / FLOPS)
    return n_calls * saved > COMPILE_SECONDS * n_layers * passes / PASSES


def estimate_seconds(config: RunConfig, dataset: Dataset, n_runs: int, engine: str) -> float:
    """Rough seconds that one process trains `n_runs` runs of one graph, compilation included."""
    steps = lay_out(config, dataset.input_shape, dataset.n_classes)
    macs = macs_per_row(steps, dataset.input_shape)
    n_rows = len(dataset.y_train)
    n_steps = config.epochs * math.ceil(n_rows / config.batch_size)
    arithmetic = 2 * macs * config.epochs * (3 * n_rows + len(dataset.y_val)) / FLOPS
    if engine == "keras":
        return n_runs * (n_steps * FIT_STEP_SECONDS + arithmetic)
    return COMPILE_SECONDS * len(steps) + n_runs * (n_steps * len(steps) * STEP_SECONDS + arithmetic)


def macs_per_row(steps: Iterable[Layer], input_shape: tuple[int, ...]) -> int:
    """Multiply-adds of one forward pass over one row."""
    total, shape = 0, input_shape
    for step in steps:
        if step.kind == "conv":
            total += math.prod(step.shape) * 9 * shape[-1]
        elif step.kind == "dense":
            total += step.shape[0] * shape[-1]
        elif step.kind == "lstm":
            total += shape[0] * 4 * step.value * (shape[1] + step.value)
        shape = step.shape
    return total


def run_bytes(steps: tuple[Layer, ...], config: RunConfig, dataset: Dataset) -> int:
    """Estimate of the memory that one run takes in a stack: weights with slots, and the widest activations."""
    weights, activations, shape = 0, math.prod(dataset.input_shape), dataset.input_shape
    for step in steps:
        size = math.prod(step.shape)
        if step.kind == "conv":
            weights += 9 * shape[-1] * step.shape[-1]
            activations += 9 * shape[-1] * math.prod(step.shape[:2])
        elif step.kind == "dense":
            weights += shape[-1] * size
        elif step.kind == "lstm":
            weights += 4 * step.value * (shape[1] + step.value)
            activations += shape[0] * 8 * step.value
        activations += size
        shape = step.shape
    training = 3 * min(config.batch_size, len(dataset.y_train)) * activations
    inference = 2 * min(EVALUATION_ROWS, len(dataset.y_train)) * max(math.prod(step.shape) for step in steps)
    return 4 * (8 * weights + training + inference + 2 * len(dataset.y_train))
