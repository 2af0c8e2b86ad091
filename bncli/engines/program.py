"""One graph over one data set, compiled once, that trains a stack of runs."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from bncli.config import RunConfig
from bncli.data.datasets import Dataset
from bncli.engines import updates
from bncli.engines.backend import keras, tf
from bncli.engines.base import OnEpoch, OnModel, compile_model, count_params
from bncli.engines.layers import build_stackable
from bncli.engines.method import EVALUATION_ROWS, RATES, Method
from bncli.networks.building import build_model
from bncli.networks.initial import seeded_values
from bncli.networks.seeds import batch_order
from bncli.results import RunResult
from bncli.tasks.metrics import HISTORY_METRICS
from bncli.values import finite

NAME = "stacked"

_tracing = threading.Lock()
"""Functions are traced one at a time: two that take turns at Python's lock would both be late for their compiler."""

Tensors = list[tf.Tensor]

State = tuple[Tensors, Tensors, Tensors]
"""Weights, other variables (moving statistics, seed states), optimizer slots; each with a leading axis of runs."""


COMPILERS = 2
"""Threads that compile ahead; more would only hold more programs in memory."""


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
        self.model = build_stackable(config, dataset, method)
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
            self.values[key] = seeded_values(self.model, config, shape, n_classes, config.seed)
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
        model = build_model(config, self.dataset.input_shape, self.dataset.n_classes, config.seed)
        for variables, values in ((model.trainable_variables, state[0]), (model.non_trainable_variables, state[1])):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(tf.cast(value[index], variable.dtype))
        compile_model(model, config)
        model.optimizer.build(model.trainable_variables)
        return model


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
