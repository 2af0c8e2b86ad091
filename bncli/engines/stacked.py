"""Many runs in one compiled program: the real Keras layers, without a dispatch for every run and step.

An epoch is one function: a loop over steps, in it `tf.vectorized_map` over runs of `model.stateless_call` under a
gradient tape, then a pure optimizer update. Weights, moving statistics, slots, learning rates and batch orders
carry a leading axis of runs. See docs/performance.md for what this buys and where the time goes.
"""

from __future__ import annotations

import gc
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from bncli.engines.quiet import import_tensorflow

import_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from bncli import models  # noqa: E402
from bncli.config import RunConfig  # noqa: E402
from bncli.datasets import Dataset  # noqa: E402
from bncli.engines import philox, updates  # noqa: E402
from bncli.engines.keras import (  # noqa: E402
    OnEpoch,
    OnModel,
    callback_errors,
    carried,
    compile_model,
    count_params,
    failed,
)
from bncli.engines.planner import EVALUATION_ROWS, RATES, Method, choose, group, halved  # noqa: E402
from bncli.provenance import usable_cores  # noqa: E402
from bncli.results import HISTORY_METRICS, RunResult, finite  # noqa: E402
from bncli.seeds import batch_order  # noqa: E402

NAME = "stacked"

OUT_OF_MEMORY = (MemoryError, tf.errors.ResourceExhaustedError)

COMPILERS = 2
"""Threads that compile ahead; more would only hold more programs in memory."""

_tracing = threading.Lock()
"""Functions are traced one at a time: two that take turns at Python's lock would both be late for their compiler."""

Stacks = Generator[list[RunResult], None, "Program | None"]

Tensors = list[tf.Tensor]
State = tuple[Tensors, Tensors, Tensors]
"""Weights, other variables (moving statistics, seed states), optimizer slots; each with a leading axis of runs."""


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
        yield from _train_group(runs, ahead, on_epoch, on_model)
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


def _train_group(
    runs: list[RunConfig], ahead: Future[Program], on_epoch: OnEpoch | None, on_model: OnModel | None
) -> Iterator[list[RunResult]]:
    """Train the runs of one graph; where it can't be compiled at all, that is their record."""
    try:
        program = ahead.result()
    except Exception as error:  # noqa: BLE001 - one broken graph must not end a study; its records say why
        yield [failed(config, error, NAME) for config in runs]
        return
    yield from train_stacks(program, runs, on_epoch, on_model)


def train_stacks(
    program: Program, runs: Sequence[RunConfig], on_epoch: OnEpoch | None, on_model: OnModel | None
) -> Stacks:
    """Train the runs of a program's graph, a stack at a time, in smaller stacks from where memory ran out.

    Returns:
        The program that trained last, for more runs of the graph; None where there is none that fits the memory.
    """
    with callback_errors():
        return (yield from _train_stacks(program, runs, carried(on_epoch), carried(on_model)))


def _train_stacks(
    program: Program, runs: Sequence[RunConfig], on_epoch: OnEpoch | None, on_model: OnModel | None
) -> Stacks:
    start = 0
    while start < len(runs):
        size, lanes = program.method.n_runs, min(program.method.lanes, usable_cores())
        stacks = [runs[place : place + size] for place in range(start, len(runs), size)][:lanes]
        for stack, results in zip(stacks, _abreast(program, stacks, on_epoch, on_model), strict=True):
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
            yield [failed(config, error, NAME) for config in runs[start:]]
            return None
    return program


class _Stopped(BaseException):
    """Ends a stack that nobody waits for any more; no `Exception`, so that no run is to blame."""


def _abreast(
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
            return [failed(stack[0], error, NAME)]
    middle = len(stack) // 2
    halves = [_survivors(program, half, on_epoch, on_model) for half in (stack[:middle], stack[middle:])]
    return [*halves[0], *halves[1]] if all(halves) else []


class Program:
    """One graph over one data set, compiled once, that trains up to `method.n_runs` runs at a time.

    Args:
        runs: Runs of one graph.
        dataset: Their data.
        method: How they are trained; see `prepare`.
    """

    def __init__(self, runs: Sequence[RunConfig], dataset: Dataset, method: Method) -> None:
        self.config = config = runs[0]
        self.dataset = dataset
        self.method = method
        self.model = build(config, dataset, method)
        self.rule = updates.rule_for(config.optimizer, momentum=config.momentum > 0, nesterov=config.nesterov)
        self.decay = (config.weight_decay or 0) > 0
        self.is_binary = self.model.output_shape[-1] == 1
        self.x, self.y = tf.constant(dataset.x_train), tf.constant(dataset.y_train)
        self.batch = min(config.batch_size, len(dataset.y_train))
        self.values: dict[tuple[int, float], dict[str, Any]] = {}
        self.steps = tf.function(self._steps, jit_compile=method.xla_steps, autograph=False)
        self.tail = tf.function(self._step, jit_compile=method.xla_tail, autograph=False)
        self.evaluate = tf.function(self._evaluate, jit_compile=method.xla_evaluation, autograph=False)
        self._compile(self.fill(runs[: method.n_runs]), runs[: method.n_runs * method.lanes])

    def fill(self, configs: Sequence[RunConfig]) -> list[RunConfig]:
        """Fill a short stack up with copies of its last run: another size would be another program."""
        return [*configs, *[configs[-1]] * (self.method.n_runs - len(configs))]

    def _compile(self, configs: Sequence[RunConfig], drawn: Sequence[RunConfig]) -> None:
        """Call every function once, on no step or one row, for what that compiles; XLA compiles them side by side.

        Meanwhile the values are drawn that the runs `drawn` start from.
        """
        state, numbers, none = self._zeros(len(configs)), self.numbers(configs), tf.constant(0)
        orders = tf.zeros([len(configs), len(self.dataset.y_train)], tf.int32)
        n_left = len(self.dataset.y_train) % self.batch
        chunk = _chunks(self.dataset.x_val[:1], self.dataset.y_val[:1])[0]
        with ThreadPoolExecutor(COMPILERS) as pool:
            calls: list[Future[Any]] = []
            calls.append(pool.submit(_first_call, self.steps, state, numbers, orders, tf.constant(0.0), none))
            if n_left:
                rows = orders[:, :n_left]
                calls.append(pool.submit(_first_call, self.tail, state, numbers, rows, tf.constant(1.0)))
            calls.append(pool.submit(_first_call, self.evaluate, state[0], state[1], *chunk))
            calls += [pool.submit(self.seeded, config) for config in drawn]
            for call in calls:
                call.result()

    def _zeros(self, n_runs: int) -> State:
        """A state of the right shapes."""

        def zeros(variables: Sequence[keras.Variable]) -> Tensors:
            return [tf.zeros([n_runs, *variable.shape], variable.value.dtype) for variable in variables]

        weights = zeros(self.model.trainable_variables)
        slots = [tf.zeros_like(weight) for weight in weights for _ in range(self.rule.n_slots)]
        return weights, zeros(self.model.non_trainable_variables), slots

    def epoch(
        self, state: State, numbers: dict[str, tf.Tensor], orders: tf.Tensor, number: int
    ) -> tuple[State, tuple[np.ndarray, np.ndarray]]:
        """Train epoch `number` (from 0); return the state, and mean loss and accuracy of every run."""
        n_rows = orders.shape[1]
        n_full, n_left = divmod(n_rows, self.batch)
        done = float(number * math.ceil(n_rows / self.batch))
        state, loss, correct = self.steps(state, numbers, orders, tf.constant(done), tf.constant(n_full))
        loss, correct = loss.numpy().astype("float64"), correct.numpy().astype("float64")
        if n_left:
            rows = orders[:, n_full * self.batch :]
            state, more_loss, more_correct = self.tail(state, numbers, rows, tf.constant(done + n_full + 1))
            loss, correct = loss + more_loss.numpy(), correct + more_correct.numpy()
        return state, (loss / n_rows, correct / n_rows)

    def numbers(self, configs: Sequence[RunConfig]) -> dict[str, tf.Tensor]:
        """What the updates of the runs may differ in, shape (runs,) each."""
        return {name: tf.constant([getattr(c, name) for c in configs], tf.float32) for name in RATES}

    def train(
        self, configs: Sequence[RunConfig], on_epoch: OnEpoch | None, on_model: OnModel | None
    ) -> list[RunResult]:
        """Train a stack and return its results in order; a short stack is filled up with copies of its last run."""
        started = time.perf_counter()
        filled = self.fill(configs)
        state, logs, alive = self.start(filled), _Logs(), np.ones(len(filled), bool)
        numbers, n_rows = self.numbers(filled), len(self.dataset.y_train)
        chunks = _chunks(self.dataset.x_val, self.dataset.y_val)
        for epoch, orders in enumerate(_orders(filled, n_rows), 1):
            before = state
            state, means = self.epoch(state, numbers, orders, epoch - 1)
            if not alive.all():
                state = _freeze(alive, state, before)
            logs.add(alive, means, self.score(state, chunks))
            alive = alive & logs.is_finite
            if on_epoch:
                on_epoch(configs, epoch)
            if not alive[: len(configs)].any():
                break
        _, train_accuracy = self.score(state, _chunks(self.dataset.x_train, self.dataset.y_train))
        seconds = (time.perf_counter() - started) / len(configs)
        if on_model:
            for index, config in enumerate(configs):
                on_model(config, self.trained_model(config, state, index))
        histories = logs.histories(len(configs))
        return [
            self.result(config, history, float(accuracy), seconds)
            for config, history, accuracy in zip(configs, histories, train_accuracy, strict=False)
        ]

    def start(self, configs: Sequence[RunConfig]) -> State:
        """Initial values of a stack: each run's own weights and dropout seeds, the rest as Keras starts it."""
        own = [self.seeded(config) for config in configs]
        weights = [_stack(variable, own) for variable in self.model.trainable_variables]
        others = [_stack(variable, own) for variable in self.model.non_trainable_variables]
        slots = [tf.zeros_like(weight) for weight in weights for _ in range(self.rule.n_slots)]
        return weights, others, slots

    def seeded(self, config: RunConfig) -> dict[str, Any]:
        """The values that a run starts from, drawn once for all runs that share them."""
        key = (config.seed, config.init_scale)
        if key not in self.values:
            shape, n_classes = self.dataset.input_shape, self.dataset.n_classes
            self.values[key] = models.seeded_values(self.model, config, shape, n_classes, config.seed)
        return self.values[key]

    def _steps(
        self, state: State, numbers: dict[str, tf.Tensor], orders: tf.Tensor, done: tf.Tensor, n_steps: tf.Tensor
    ) -> tuple[State, tf.Tensor, tf.Tensor]:
        """The first `n_steps` whole batches of an epoch, for all runs.

        `orders` has shape (runs, rows), `done` counts the updates before this epoch; `n_steps` is an argument so that a
        call of no steps compiles the loop without running it. Returns the state, then each run's sums over rows
        of loss and of correct answers.
        """
        n_runs, n_rows = orders.shape
        n_full = n_rows // self.batch
        full = tf.reshape(orders[:, : n_full * self.batch], [n_runs, n_full, self.batch])
        zero = tf.zeros([n_runs])

        def body(step: tf.Tensor, state: State, loss: tf.Tensor, correct: tf.Tensor) -> tuple[Any, ...]:
            iteration = done + tf.cast(step, tf.float32) + 1.0
            new, more_loss, more_correct = self._step(state, numbers, tf.gather(full, step, axis=1), iteration)
            return step + 1, new, loss + more_loss, correct + more_correct

        start = (tf.constant(0), state, zero, zero)
        _, *out = tf.while_loop(lambda step, *_: step < n_steps, body, start, parallel_iterations=1)
        return tuple(out)

    def _step(
        self, state: State, numbers: dict[str, tf.Tensor], rows: tf.Tensor, iteration: tf.Tensor
    ) -> tuple[State, tf.Tensor, tf.Tensor]:
        """One update of every run on its own batch: `rows` has shape (runs, batch)."""
        weights, others, slots = state
        gradients, new_others, loss, correct = self._over_runs(self._gradients, (weights, others, rows))
        weights, slots = updates.apply(self.rule, weights, gradients, slots, numbers, iteration, decay=self.decay)
        return (weights, new_others, slots), loss, correct

    def _gradients(self, arguments: Any) -> tuple[Tensors, Tensors, tf.Tensor, tf.Tensor]:
        """One run's gradients on one batch, its other variables afterwards, and its sums of loss and right answers."""
        weights, others, rows = arguments
        x, y = tf.gather(self.x, rows), tf.gather(self.y, rows)
        with tf.GradientTape() as tape:
            tape.watch(weights)
            predicted, new_others = self.model.stateless_call(weights, others, x, training=True)
            losses = self._losses(y, predicted)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, weights)
        kept = [tf.cast(new, old.dtype) for new, old in zip(new_others, others, strict=True)]
        return gradients, kept, tf.reduce_sum(losses), self._correct(y, predicted)

    def _evaluate(self, weights: Tensors, others: Tensors, x: tf.Tensor, y: tf.Tensor, counts: tf.Tensor) -> Any:
        """Sums over the counted rows of loss and of correct answers, in inference mode, for every run."""

        def one(arguments: Any) -> Any:
            weights, others = arguments
            predicted, _ = self.model.stateless_call(weights, others, x, training=False)
            return tf.reduce_sum(counts * self._losses(y, predicted)), self._correct(y, predicted, counts)

        return self._over_runs(one, (weights, others))

    def _over_runs(self, function: Callable[[Any], Any], arguments: Any) -> Any:
        """Apply `function` to every run: vectorized, or side by side for TensorFlow's threads to share out."""
        if self.method.stacked:
            return tf.vectorized_map(function, arguments)
        runs = [tf.nest.map_structure(lambda tensor, i=i: tensor[i], arguments) for i in range(self.method.n_runs)]
        return tf.nest.map_structure(lambda *tensors: tf.stack(tensors), *map(function, runs))

    def _losses(self, y: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        """Keras' cross-entropy of every row."""
        if self.is_binary:
            return keras.losses.binary_crossentropy(tf.cast(y, tf.float32)[:, None], predicted)
        return keras.losses.sparse_categorical_crossentropy(y, predicted)

    def _correct(self, y: tf.Tensor, predicted: tf.Tensor, counts: tf.Tensor | float = 1.0) -> tf.Tensor:
        """Number of right answers, as Keras' `accuracy` counts them."""
        if self.is_binary:
            answers = tf.cast(predicted[:, 0] > 0.5, tf.int32)
        else:
            # Not a number is the largest for XLA and the smallest for the CPU's kernel: here it is the smallest.
            known = tf.where(tf.math.is_nan(predicted), -1.0, predicted)
            answers = tf.argmax(known, axis=-1, output_type=tf.int32)
        return tf.reduce_sum(counts * tf.cast(answers == y, tf.float32))

    def score(self, state: Sequence[Tensors], chunks: Sequence[tuple[Any, ...]]) -> tuple[np.ndarray, np.ndarray]:
        """Mean loss and accuracy of every run over all chunks, in inference mode."""
        loss = correct = np.zeros(self.method.n_runs)
        for chunk in chunks:
            more = self.evaluate(state[0], state[1], *chunk)
            loss, correct = loss + more[0].numpy(), correct + more[1].numpy()
        n_rows = sum(float(counts.sum()) for _, _, counts in chunks)
        return loss / n_rows, correct / n_rows

    def result(
        self, config: RunConfig, history: dict[str, list[float | None]], accuracy: float, seconds: float
    ) -> RunResult:
        """The result of one run of a stack; `seconds` is its share of the stack's time."""
        diverged = history["loss"][-1] is None
        return RunResult(
            config,
            "diverged" if diverged else "complete",
            params=count_params(self.model),
            metrics={name: values[-1] for name, values in history.items()} | {"train_accuracy": accuracy},
            history=history,
            seconds=seconds,
            engine=NAME,
            error=f"The loss was not finite in epoch {len(history['loss'])}." if diverged else None,
        )

    def trained_model(self, config: RunConfig, state: Sequence[Tensors], index: int) -> keras.Model:
        """A plain Keras model with the trained values of one run."""
        model = models.build(config, self.dataset.input_shape, self.dataset.n_classes, config.seed)
        for variables, values in ((model.trainable_variables, state[0]), (model.non_trainable_variables, state[1])):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(tf.cast(value[index], variable.dtype))
        compile_model(model, config)
        model.optimizer.build(model.trainable_variables)
        return model


def build(config: RunConfig, dataset: Dataset, method: Method) -> keras.Model:
    """Build a run's network with the layer forms that the method wants; variables come in the oracle's order."""
    layers: dict[str, Callable[..., keras.Layer]] = {"dropout": PhiloxDropout}
    if method.stacked:
        layers["lstm"] = _unrolled_lstm
    if method.matrix_conv:
        layers |= {"conv": MatrixConv2D, "pool": ReshapedMaxPooling2D}
    return models.build(config, dataset.input_shape, dataset.n_classes, config.seed, layers)


def _unrolled_lstm(**arguments: Any) -> keras.Layer:
    """Keras' LSTM written out step by step: a loop inside would neither vectorize nor compile."""
    return keras.layers.LSTM(unroll=True, **arguments)


class PhiloxDropout(keras.layers.Dropout):  # type: ignore[misc]
    """Keras' dropout with the oracle's masks in a form that stacks: see `philox`."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drop entries in training and scale the others up."""
        if not training or self.rate == 0:
            return inputs
        seed = tf.math.floormod(self.seed_generator.next(), tf.int32.max - 1)  # as Keras wraps it
        noise = philox.uniform(seed, math.prod(inputs.shape))
        kept = tf.reshape(noise, inputs.shape) >= self.rate
        return tf.where(kept, inputs * (1.0 / (1.0 - self.rate)), 0.0)


class MatrixConv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """Keras' convolution as patches x kernel matrix: the same weights and sums, in a form that stacks under XLA."""

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Return the valid convolution of `inputs` (rows, height, width, channels) with `kernel`."""
        size_h, size_w, n_in, n_out = kernel.shape
        height, width = inputs.shape[1] - size_h + 1, inputs.shape[2] - size_w + 1
        shifts = [inputs[:, i : i + height, j : j + width] for i in range(size_h) for j in range(size_w)]
        patches = tf.reshape(tf.concat(shifts, axis=-1), [-1, size_h * size_w * n_in])
        flat = tf.matmul(patches, tf.reshape(kernel, [size_h * size_w * n_in, n_out]))
        return tf.reshape(flat, [-1, height, width, n_out])


class ReshapedMaxPooling2D(keras.layers.MaxPooling2D):  # type: ignore[misc]
    """Keras' 2x2 maximum as a reduction, which XLA compiles well.

    Where pixels tie, the gradient is shared between them instead of going to the first. Ties come from ReLU's zeros,
    where it is zero anyway.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the maximum of every 2x2 square of (rows, height, width, channels)."""
        height, width, channels = inputs.shape[1] // 2, inputs.shape[2] // 2, inputs.shape[3]
        even = inputs[:, : height * 2, : width * 2]
        return tf.reduce_max(tf.reshape(even, [-1, height, 2, width, 2, channels]), axis=(2, 4))


class _Logs:
    """Metrics of a stack, epoch by epoch."""

    def __init__(self) -> None:
        self.epochs: list[np.ndarray] = []
        self.counted: list[np.ndarray] = []

    @property
    def is_finite(self) -> np.ndarray:
        """Whether the last epoch's loss of every run is finite."""
        return np.asarray(np.isfinite(self.epochs[-1][0]))

    def add(self, alive: np.ndarray, train: tuple[np.ndarray, ...], val: tuple[np.ndarray, ...]) -> None:
        """Keep an epoch; it counts for the runs that were still alive when it began."""
        self.epochs.append(np.stack([*train, *val]))
        self.counted.append(alive)

    def histories(self, n_runs: int) -> list[dict[str, list[float | None]]]:
        """The history of every run, in the order of `HISTORY_METRICS`."""
        values, lengths = np.stack(self.epochs), np.sum(self.counted, axis=0)
        return [
            {
                name: [finite(value) for value in values[: lengths[run], index, run].tolist()]
                for index, name in enumerate(HISTORY_METRICS)
            }
            for run in range(n_runs)
        ]


def _first_call(function: Any, *arguments: Any) -> None:
    """Trace and compile a function: the one holds Python's lock all along, so only the others' compilers run beside."""
    with _tracing:
        function.get_concrete_function(*arguments)
    function(*arguments)


def _stack(variable: keras.Variable, own: Sequence[dict[str, Any]]) -> tf.Tensor:
    """The values of one variable for all runs, shape (runs, ...)."""
    dtype = variable.value.dtype
    return tf.stack([tf.cast(values.get(variable.path, variable.value), dtype) for values in own])


def _freeze(alive: np.ndarray, now: State, before: State) -> State:
    """The new state of the runs that are `alive`, and the state that the others diverged in."""

    def pick(new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
        return tf.where(tf.reshape(alive, [-1, *[1] * (new.shape.rank - 1)]), new, old)

    kept: State = tf.nest.map_structure(pick, now, before)
    return kept


def _chunks(x: np.ndarray, y: np.ndarray) -> list[tuple[Any, ...]]:
    """Rows in chunks of one shape for every set, the last filled up with rows that count nothing."""
    chunks = []
    for start in range(0, len(y), EVALUATION_ROWS):
        part = slice(start, start + EVALUATION_ROWS)
        n_missing = EVALUATION_ROWS - len(y[part])
        counts = np.concatenate([np.ones(len(y[part]), "float32"), np.zeros(n_missing, "float32")])
        filled = (np.concatenate([a[part], np.repeat(a[:1], n_missing, axis=0)]) for a in (x, y))
        chunks.append((*map(tf.constant, filled), counts))
    return chunks


def _orders(configs: Sequence[RunConfig], n_rows: int) -> Iterator[tf.Tensor]:
    """The batch orders of every epoch, shape (runs, rows); the next is drawn while the last is trained on."""

    def draw(epoch: int) -> np.ndarray:
        seeds = dict.fromkeys(config.seed for config in configs)
        drawn = {seed: batch_order(seed, epoch, n_rows, shuffle=configs[0].shuffle) for seed in seeds}
        return np.stack([drawn[config.seed] for config in configs])

    with ThreadPoolExecutor(1) as pool:
        ahead: Future[np.ndarray] = pool.submit(draw, 0)
        for epoch in range(configs[0].epochs):
            orders = ahead.result()
            if epoch + 1 < configs[0].epochs:
                ahead = pool.submit(draw, epoch + 1)
            yield tf.constant(orders)
