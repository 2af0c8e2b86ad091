"""Which runs train together, and how: decided from their configs and data alone, without TensorFlow.

Runs that differ only in the fields of `VARIED` share a graph and can be stacked. `make bench` measured the limits
below on two cores; docs/performance.md has the figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bncli import process
from bncli.config import FIELDS, RunConfig
from bncli.data import datasets
from bncli.data.dataset import Dataset
from bncli.errors import InvalidConfig, shown
from bncli.networks.cost import Cost
from bncli.networks.network import network_of
from bncli.probes.population import n_batches
from bncli.values import Value

RATES = ("lr", "momentum", "weight_decay", "clipnorm", "label_smoothing", "warmup")
"""The fields that enter a step of training as numbers."""

OMITTED = RATES[1:]
"""Those of them without which a graph is smaller, where they are zero."""

VARIED = ("seed", "init_scale", *RATES, "patience")
"""Fields that may differ between the runs of a stack: they enter a graph as numbers, or act between epochs. All others
shape the graph."""

STACK_BYTES = 1 << 30
"""Memory that one stack may take, as `run_bytes` estimates it."""

MAX_STACK = 256
"""Most runs in one stack: larger stacks gain little, and smaller ones are easier to divide evenly."""

CACHE_BYTES = 6 << 20
"""Memory that a step of a stack may touch under XLA, as `step_bytes` estimates it: more does not stay in the caches."""

LEAST_STACK, LEAST_LARGE = 4, 2
"""The fewest runs in a stack, even if a step does not stay in the caches; the second where two runs fill them and the
network has convolutions, which XLA computes slower for a single run. Without convolutions one run is enough there."""

STACKED_MAC_LIMIT = 400_000
"""Multiply-adds of convolutions per row above which stacking does not pay on a CPU: oneDNN keeps the cores busy."""

LANES = 2
"""Stacks that train at the same time under XLA: one of them keeps at most one and a half cores busy."""

SIDE_BY_SIDE = 4
"""Most large networks in one graph; TensorFlow's threads run their steps side by side."""

EVALUATION_ROWS = 512
"""Rows per batch of inference: it changes memory and time, not the results."""

CALL_SECONDS = 0.5
"""Time after which a stack tells how it stands."""

ORDER_BYTES = 1 << 25
"""Memory that the batch orders of a call may take."""

COMPILE_SECONDS = 0.16
"""Time in which XLA compiles one layer's `PASSES`."""

PASSES = 3
"""Passes of a training step: forward, backward to the weights, backward to the inputs."""

DISPATCH_SECONDS = 70e-6
"""Time that TensorFlow takes in each step to start one layer's operations without XLA, for any number of runs."""

FIT_STEP_SECONDS = 4e-3
"""Time of one step of `model.fit`, without its arithmetic."""

STEP_SECONDS = 4e-6
"""Fixed part of the time that one run's step takes under XLA."""

FLOPS = 50e9
"""Floating-point operations per second under XLA."""

PROCESS_BYTES = 870 << 20
"""Memory of a process with TensorFlow, Keras and scikit-learn."""

COMPILER_BYTES, LAYER_BYTES = 150 << 20, 10 << 20
"""What XLA adds to it, and what it adds for each layer, or step of a recurrent one."""

DATA_COPIES = 3
"""How often the data are in memory."""

SAVED_SHARE = 3.0
"""Time that XLA saves in a step, as a multiple of the time that the step takes with it."""


@dataclass(frozen=True)
class Method:
    """How a group of runs is trained.

    Attributes:
        n_runs: Runs in one compiled program.
        stacked: Whether these runs are vectorized along a leading axis. If not, the program has one copy of the
            network for each run, and their steps run side by side.
        matrix_conv: Whether a convolution is computed as a product of patches and kernel matrix.
        xla: Whether XLA compiles training, and the validation after every epoch.
        xla_evaluation: Whether it compiles inference after the last epoch.
        xla_population: Whether it compiles the estimation of population statistics.
        lanes: Stacks that train at the same time, each in a thread of its own.
    """

    n_runs: int
    stacked: bool
    matrix_conv: bool
    xla: bool = False
    xla_evaluation: bool = False
    xla_population: bool = False
    lanes: int = 1


def halved(method: Method) -> Method:
    """Return the same method for half as many runs in one program."""
    return replace(method, n_runs=math.ceil(method.n_runs / 2))


def graph_key(config: RunConfig) -> tuple[Value, ...]:
    """Return what two runs must have in common to share a graph.

    These are all fields except `VARIED`, and which of `OMITTED` are zero: then the graph omits them.
    """
    shared = tuple(getattr(config, name) for name in FIELDS if name not in VARIED)
    return (*shared, *((getattr(config, name) or 0) > 0 for name in OMITTED))


def by_engine(configs: Iterable[RunConfig], engine: str) -> dict[str, list[RunConfig]]:
    """Return runs by the engine that trains them: the wanted one, or `keras` for those that only it can train.

    >>> base = RunConfig(dataset="circles")
    >>> found = by_engine([base, base.replace(dtype="mixed_float16"), base.replace(seed=1)], "auto")
    >>> {engine: [(run.dtype, run.seed) for run in runs] for engine, runs in found.items()}
    {'auto': [('float32', 0), ('float32', 1)], 'keras': [('mixed_float16', 0)]}
    """
    found: dict[str, list[RunConfig]] = {}
    for runs in group(configs):
        is_only_keras = bool(why_one_by_one(runs[0], cost_of(runs[0], datasets.load(runs[0]))))
        found.setdefault("keras" if is_only_keras else engine, []).extend(runs)
    return found


def why_one_by_one(config: RunConfig, cost: Cost) -> str:
    """Return in a few words why only `model.fit` can train a run; an empty text if the stacked engine can, too.

    Args:
        config: The run.
        cost: What its network costs.
    """
    return cost.one_by_one if config.dtype == "float32" else f"its dtype is {config.dtype}"


def group(configs: Iterable[RunConfig]) -> list[list[RunConfig]]:
    """Return the runs in groups that share a graph, in the order in which each graph first appears.

    >>> base = RunConfig(dataset="circles")
    >>> runs = [base.replace(norm=norm, seed=seed) for seed in (0, 1) for norm in ("none", "batch")]
    >>> [[(run.norm, run.seed) for run in runs] for runs in group(runs)]
    [[('none', 0), ('none', 1)], [('batch', 0), ('batch', 1)]]
    """
    groups: dict[tuple[Value, ...], list[RunConfig]] = {}
    for config in configs:
        groups.setdefault(graph_key(config), []).append(config)
    return list(groups.values())


def choose(config: RunConfig, dataset: Dataset, n_runs: int, *, has_gpu: bool, always_stack: bool = False) -> Method:
    """Choose the method for `n_runs` runs that share a graph.

    Runs are stacked: steps of small networks spend their time in dispatch, not in arithmetic, and XLA updates the
    weights of large ones in one pass. On a CPU large convolutions are fastest in oneDNN's kernels, which XLA's loops
    don't call; so a few such runs train side by side without XLA.

    >>> from bncli.data import datasets
    >>> config = RunConfig(dataset="circles", model="dense50", epochs=100)
    >>> choose(config, datasets.load(config), 128, has_gpu=False).n_runs
    64

    Args:
        config: One of the runs.
        dataset: Their data.
        n_runs: How many there are.
        has_gpu: Whether TensorFlow uses a GPU; there everything is stacked and compiled by XLA.
        always_stack: Whether to stack large networks too.
    """
    cost = cost_of(config, dataset)
    if why_alone(cost, has_gpu=has_gpu, always_stack=always_stack):
        return Method(_side_by_side(n_runs), stacked=False, matrix_conv=False)
    batch_size = min(config.batch_size, len(dataset.y_train))
    n_steps = config.epochs * math.ceil(len(dataset.y_train) / batch_size)
    xla = has_gpu or _xla_pays(cost, n_steps, n_runs, batch_size, PASSES, PASSES + 1)
    lanes = LANES if xla and not has_gpu else 1
    most = max(1, min(MAX_STACK, STACK_BYTES // run_bytes(cost, config, dataset)))
    cached = max(_least_stack(cost, batch_size), CACHE_BYTES // step_bytes(cost, batch_size)) if lanes > 1 else most
    size, n_rows = _stack_size(n_runs, cached, most, lanes), len(dataset.y_train)
    n_stacks = math.ceil(n_runs / size)
    chunks = math.ceil(n_rows / EVALUATION_ROWS) + 3 * math.ceil(len(dataset.y_val) / EVALUATION_ROWS)
    batches = n_batches(n_rows, batch_size, config.epochs)
    return Method(
        size,
        stacked=True,
        matrix_conv=True,
        xla=xla,
        xla_evaluation=has_gpu or (xla and _xla_pays(cost, n_stacks * chunks, size, EVALUATION_ROWS)),
        xla_population=has_gpu or (xla and _xla_pays(cost, n_stacks * batches, size, batch_size)),
        lanes=lanes,
    )


def why_alone(cost: Cost, *, has_gpu: bool, always_stack: bool = False) -> str:
    """Return in a few words why runs of a network train side by side, not stacked; an empty text if they are stacked.

    Args:
        cost: What the network costs.
        has_gpu: Whether TensorFlow uses a GPU.
        always_stack: Whether to stack large networks too.
    """
    if cost.alone or has_gpu or always_stack or cost.conv_macs <= STACKED_MAC_LIMIT:
        return cost.alone
    return f"{cost.conv_macs:,} multiply-adds of convolutions a row keep the cores busy"


def _stack_size(n_runs: int, good: int, most: int, lanes: int) -> int:
    """The size of equal stacks: at most `good`, or up to half more if a lane then trains a tenth less.

    >>> [_stack_size(n_runs, 4, 100, lanes=2) for n_runs in (3, 8, 9, 16, 20, 28)]
    [2, 4, 5, 4, 5, 4]
    """
    rounds = math.ceil(n_runs / min(good, most) / lanes)
    size, larger = (math.ceil(n_runs / lanes / max(1, each)) for each in (rounds, rounds - 1))
    work, less = (each * math.ceil(n_runs / each / lanes) for each in (size, larger))
    return larger if larger <= min(1.5 * good, most) and less <= 0.9 * work else size


def _least_stack(cost: Cost, batch_size: int) -> int:
    """The fewest runs in a stack, however many bytes a step touches."""
    if 2 * step_bytes(cost, batch_size) <= CACHE_BYTES:
        return LEAST_STACK
    return LEAST_LARGE if cost.conv_macs else 1


def _side_by_side(n_runs: int) -> int:
    """How many large networks share a program, so that the last turn is filled up with the fewest copies."""
    sizes = range(min(n_runs, SIDE_BY_SIDE), min(n_runs, 2) - 1, -1)
    return min(sizes, key=lambda size: math.ceil(n_runs / size) * size)


def _xla_pays(cost: Cost, n_calls: int, n_runs: int, n_rows: int, passes: int = 1, compiled: int = 1) -> bool:
    """Whether XLA saves more time in all calls than it takes to compile.

    Args:
        cost: What the network costs.
        n_calls: How many calls there are.
        n_runs: For how many runs each is.
        n_rows: With how many rows for each run.
        passes: How many passes a call makes over them.
        compiled: How many passes there are in the program.
    """
    arithmetic = passes * 2 * n_rows * cost.macs / FLOPS
    saved = DISPATCH_SECONDS * cost.n_layers + n_runs * SAVED_SHARE * (STEP_SECONDS + arithmetic)
    return n_calls * saved > COMPILE_SECONDS * cost.n_layers * compiled / PASSES


def estimate_seconds(config: RunConfig, dataset: Dataset, n_runs: int, engine: str) -> float:
    """Estimate roughly in how many seconds one process trains `n_runs` runs of one graph, with compilation."""
    cost = cost_of(config, dataset)
    by_step = FIT_STEP_SECONDS if engine == "keras" else cost.n_layers * STEP_SECONDS
    compilation = 0 if engine == "keras" else COMPILE_SECONDS * cost.n_layers
    return compilation + n_runs * config.epochs * _epoch_seconds(config, dataset, cost, by_step)


def _epoch_seconds(config: RunConfig, dataset: Dataset, cost: Cost, by_step: float) -> float:
    """Estimate the seconds of an epoch of one run, of which `by_step` are for a step without its arithmetic."""
    n_rows = len(dataset.y_train)
    arithmetic = 2 * cost.macs * (PASSES * n_rows + len(dataset.y_val)) / FLOPS
    return math.ceil(n_rows / config.batch_size) * by_step + arithmetic


def cost_of(config: RunConfig, dataset: Dataset) -> Cost:
    """Return what a run's network costs."""
    return network_of(config.model).cost(config, dataset.input_shape, dataset.n_classes)


def epochs_per_call(config: RunConfig, dataset: Dataset, method: Method) -> int:
    """Return how many epochs a stack trains without a word to anybody: as many as take about `CALL_SECONDS`."""
    if not method.xla:
        return 1
    cost = cost_of(config, dataset)
    seconds = method.n_runs * _epoch_seconds(config, dataset, cost, cost.n_layers * STEP_SECONDS)
    fits = ORDER_BYTES // (4 * method.n_runs * len(dataset.y_train))
    return max(1, min(config.epochs, round(CALL_SECONDS / seconds), fits))


def estimate_bytes(config: RunConfig, dataset: Dataset, n_runs: int, engine: str) -> int:
    """Estimate the peak memory of one process that trains `n_runs` runs of one graph, without a GPU.

    Of sixteen networks on digits, circles and MNIST none took 25 % more or less; docs/performance.md has the table.
    """
    cost = cost_of(config, dataset)
    method = Method(1, stacked=False, matrix_conv=False)
    if engine != "keras":
        method = choose(config, dataset, n_runs, has_gpu=False, always_stack=engine == "stacked")
    compiler = COMPILER_BYTES + LAYER_BYTES * cost.n_layers if method.xla else 0
    data = DATA_COPIES * (dataset.x_train.nbytes + dataset.x_val.nbytes)
    runs = method.lanes * method.n_runs * run_bytes(cost, config, dataset, stacked=method.stacked)
    return PROCESS_BYTES + data + compiler + runs


def run_bytes(cost: Cost, config: RunConfig, dataset: Dataset, *, stacked: bool = True) -> int:
    """Estimate the bytes that one run takes in a stack: weights and slots, activations and batch orders.

    In inference a stack holds what its largest layer computes twice; runs side by side hold it once.
    """
    n_rows = len(dataset.y_train)
    training = 3 * min(config.batch_size, n_rows) * cost.n_activations
    inference = (2 if stacked else 1) * min(EVALUATION_ROWS, n_rows) * cost.widest
    return 4 * (8 * cost.n_weights + training + inference + 2 * n_rows)


def step_bytes(cost: Cost, batch_size: int) -> int:
    """Estimate the bytes that a step of one run touches: weights, gradients and two slots, and activations twice."""
    return 4 * (4 * cost.n_weights + 2 * batch_size * cost.n_activations)


def check_memory(configs: Iterable[RunConfig]) -> None:
    """Check, by arithmetic alone, that the memory suffices for at least one step of every run.

    A step needs the weights, their gradients, and what the layers with weights compute for a batch; an engine needs
    more than that, but never less.

    Raises:
        InvalidConfig: It does not suffice.
    """
    for config in {graph_key(config): config for config in configs}.values():
        data = datasets.load(config)
        check_fits(config.model, cost_of(config, data), min(config.batch_size, len(data.y_train)))


def check_fits(model: str, cost: Cost, n_rows: int) -> None:
    """Check that the memory suffices for a step of one run; see `check_memory`.

    Args:
        model: The network, for the message.
        cost: What it costs.
        n_rows: Samples per batch.

    Raises:
        InvalidConfig: It does not suffice.
    """
    limit = process.usable_memory()
    n_bytes = 4 * (2 * cost.n_weights + n_rows * cost.n_outputs)
    if n_bytes > limit:
        raise InvalidConfig(
            f"model {shown(model)} is too large: its {cost.n_weights:,} weights and a batch of {n_rows:,} rows take at "
            f"least {n_bytes / 2**30:,.1f} GiB. Allowed: {limit / 2**30:,.1f} GiB, the memory of this machine. Try "
            "fewer or smaller layers, or a smaller batch_size."
        )
