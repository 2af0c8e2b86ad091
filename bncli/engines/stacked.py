"""Many runs in one compiled program: the real Keras layers, without a dispatch for every run and step.

An epoch is one function: a loop over steps, in it `tf.vectorized_map` over runs, in that `model.stateless_call`, a
gradient tape and a pure optimizer update. Weights, moving statistics, slots, learning rates and batch orders
carry a leading axis of runs. See docs/performance.md for what this buys and where the time goes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
from bncli.engines.keras import OnEpoch, OnModel, compile_model, count_params, failed  # noqa: E402
from bncli.engines.planner import EVALUATION_ROWS, VARIED, Method, choose, group  # noqa: E402
from bncli.results import HISTORY_METRICS, RunResult, finite  # noqa: E402
from bncli.seeds import batch_order  # noqa: E402

NAME = "stacked"

Tensors = list[tf.Tensor]
State = tuple[Tensors, Tensors, Tensors]
"""Weights, other variables (moving statistics, seed states), optimizer slots; each with a leading axis of runs."""


def train(
    configs: Iterable[RunConfig],
    dataset: Dataset,
    on_epoch: OnEpoch | None = None,
    on_model: OnModel | None = None,
) -> Iterator[list[RunResult]]:
    """Train runs, those of one graph together, and yield the results of each stack as it ends.

    Args:
        configs: Resolved runs that all use `dataset`.
        dataset: Their data.
        on_epoch: Called with the runs of a stack and the epoch (from 1) after each epoch.
        on_model: Called with a run and its trained model.

    Yields:
        The results of a stack. A stack that raises is yielded as `failed` results.
    """
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    for runs in group(configs):
        method = choose(runs[0], dataset, len(runs), has_gpu=has_gpu)
        program = None
        for start in range(0, len(runs), method.n_runs):
            stack = runs[start : start + method.n_runs]
            try:
                program = program or Program(runs[0], dataset, method)
                yield program.train(stack, on_epoch, on_model)
            except Exception as error:  # noqa: BLE001 - one broken stack must not end a study; its records say why
                yield [failed(config, error, NAME) for config in stack]
        keras.backend.clear_session()


class Program:
    """One graph over one data set, compiled once, that trains up to `method.n_runs` runs at a time."""

    def __init__(self, config: RunConfig, dataset: Dataset, method: Method) -> None:
        self.config, self.dataset, self.method = config, dataset, method
        self.model = build(config, dataset, method)
        self.rule = updates.rule_for(config.optimizer, momentum=config.momentum > 0, nesterov=config.nesterov)
        self.decay = (config.weight_decay or 0) > 0
        self.is_binary = self.model.output_shape[-1] == 1
        self.x, self.y = tf.constant(dataset.x_train), tf.constant(dataset.y_train)
        self.batch = min(config.batch_size, len(dataset.y_train))
        self.values: dict[int, dict[str, Any]] = {}
        self.epoch = tf.function(self._epoch, jit_compile=method.xla, autograph=False)
        self.evaluate = tf.function(self._evaluate, jit_compile=method.xla, autograph=False)

    def train(
        self, configs: Sequence[RunConfig], on_epoch: OnEpoch | None, on_model: OnModel | None
    ) -> list[RunResult]:
        """Train a stack and return its results in order; a short stack is filled up with copies of its last run."""
        started = time.perf_counter()
        filled = [*configs, *[configs[-1]] * (self.method.n_runs - len(configs))]
        state, logs, alive = self.start(filled), _Logs(), np.ones(len(filled), bool)
        numbers = {name: _numbers(filled, name) for name in VARIED[1:]}
        chunks = _chunks(self.dataset.x_val, self.dataset.y_val)
        for epoch, orders in enumerate(_orders(filled, len(self.dataset.y_train)), 1):
            *state, loss, correct = self.epoch(*state, numbers, orders, tf.constant(alive), self.n_updates(epoch - 1))
            logs.add(alive, self.mean(loss, correct, len(self.dataset.y_train)), self.score(state, chunks))
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
        own = [self.seeded(config.seed) for config in configs]
        weights = [_stack(variable, own) for variable in self.model.trainable_variables]
        others = [_stack(variable, own) for variable in self.model.non_trainable_variables]
        slots = [tf.zeros_like(weight) for weight in weights for _ in range(self.rule.n_slots)]
        return weights, others, slots

    def seeded(self, seed: int) -> dict[str, Any]:
        """The values that depend on the seed, drawn once for all runs that share it."""
        if seed not in self.values:
            shape, n_classes = self.dataset.input_shape, self.dataset.n_classes
            self.values[seed] = models.seeded_values(self.model, self.config, shape, n_classes, seed)
        return self.values[seed]

    def n_updates(self, n_epochs: int) -> tf.Tensor:
        """Number of optimizer updates in `n_epochs` epochs."""
        return tf.constant(float(n_epochs * math.ceil(len(self.dataset.y_train) / self.batch)), tf.float32)

    def _epoch(
        self,
        weights: Tensors,
        others: Tensors,
        slots: Tensors,
        numbers: dict[str, tf.Tensor],
        orders: tf.Tensor,
        alive: tf.Tensor,
        done: tf.Tensor,
    ) -> tuple[Any, ...]:
        """All steps of one epoch for all runs; runs that are not `alive` keep their state.

        `orders` has shape (runs, rows). Returns the state, then the sums over rows of loss and of correct answers.
        """
        n_runs, n_rows = orders.shape
        n_full, n_left = divmod(n_rows, self.batch)
        full = tf.reshape(orders[:, : n_full * self.batch], [n_runs, n_full, self.batch])
        zero = tf.zeros([n_runs])

        def body(
            step: tf.Tensor, weights: Tensors, others: Tensors, slots: Tensors, loss: tf.Tensor, correct: tf.Tensor
        ) -> Any:
            rows = tf.gather(full, step, axis=1)
            iteration = done + tf.cast(step, tf.float32) + 1.0
            out = self._step(weights, others, slots, numbers, rows, iteration)
            return step + 1, *out[:3], loss + out[3], correct + out[4]

        start = (tf.constant(0), weights, others, slots, zero, zero)
        _, *new, loss, correct = tf.while_loop(lambda step, *_: step < n_full, body, start, parallel_iterations=1)
        if n_left:
            rows = orders[:, n_full * self.batch :]
            out = self._step(new[0], new[1], new[2], numbers, rows, done + n_full + 1.0)
            *new, more_loss, more_correct = out
            loss, correct = loss + more_loss, correct + more_correct
        kept = tf.nest.map_structure(lambda now, before: _where(alive, now, before), new, [weights, others, slots])
        return *kept, loss, correct

    def _step(
        self,
        weights: Tensors,
        others: Tensors,
        slots: Tensors,
        numbers: dict[str, tf.Tensor],
        rows: tf.Tensor,
        iteration: tf.Tensor,
    ) -> Any:
        """One update of every run on its own batch of rows."""

        def one(arguments: Any) -> Any:
            weights, others, slots, numbers, rows = arguments
            x, y = tf.gather(self.x, rows), tf.gather(self.y, rows)
            with tf.GradientTape() as tape:
                tape.watch(weights)
                predicted, new_others = self.model.stateless_call(weights, others, x, training=True)
                losses = self._losses(y, predicted)
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, weights)
            new_weights, new_slots = updates.apply(
                self.rule, weights, gradients, slots, numbers, iteration, decay=self.decay
            )
            kept = [tf.cast(new, old.dtype) for new, old in zip(new_others, others, strict=True)]
            return new_weights, kept, new_slots, tf.reduce_sum(losses), self._correct(y, predicted)

        return self._over_runs(one, (weights, others, slots, numbers, rows))

    def _evaluate(self, weights: Tensors, others: Tensors, x: tf.Tensor, y: tf.Tensor, counts: tf.Tensor) -> Any:
        """Sums over the counted rows of loss and of correct answers, in inference mode, for every run."""

        def one(arguments: Any) -> Any:
            weights, others = arguments
            predicted, _ = self.model.stateless_call(weights, others, x, training=False)
            return tf.reduce_sum(counts * self._losses(y, predicted)), self._correct(y, predicted, counts)

        return self._over_runs(one, (weights, others))

    def _over_runs(self, function: Callable[[Any], Any], arguments: Any) -> Any:
        """Apply `function` to every run: vectorized, or directly to the only one."""
        if self.method.stacked:
            return tf.vectorized_map(function, arguments)
        out = function(tf.nest.map_structure(lambda tensor: tensor[0], arguments))
        return tf.nest.map_structure(lambda tensor: tensor[None], out)

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
            answers = tf.argmax(predicted, axis=-1, output_type=tf.int32)
        return tf.reduce_sum(counts * tf.cast(answers == y, tf.float32))

    def score(self, state: Sequence[Tensors], chunks: Sequence[tuple[Any, ...]]) -> tuple[np.ndarray, np.ndarray]:
        """Mean loss and accuracy of every run over all chunks, in inference mode."""
        loss = correct = np.zeros(self.method.n_runs)
        for chunk in chunks:
            more = self.evaluate(state[0], state[1], *chunk)
            loss, correct = loss + more[0].numpy(), correct + more[1].numpy()
        n_rows = sum(float(counts.sum()) for _, _, counts in chunks)
        return loss / n_rows, correct / n_rows

    def mean(self, loss: tf.Tensor, correct: tf.Tensor, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean loss and accuracy of an epoch from its sums."""
        return loss.numpy().astype("float64") / n_rows, correct.numpy().astype("float64") / n_rows

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
        noise = philox.uniform(self.seed_generator.next(), math.prod(inputs.shape))
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


def _stack(variable: keras.Variable, own: Sequence[dict[str, Any]]) -> tf.Tensor:
    """The values of one variable for all runs, shape (runs, ...)."""
    dtype = variable.value.dtype
    return tf.stack([tf.cast(values.get(variable.path, variable.value), dtype) for values in own])


def _numbers(configs: Sequence[RunConfig], name: str) -> tf.Tensor:
    return tf.constant([getattr(config, name) for config in configs], tf.float32)


def _where(alive: tf.Tensor, now: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.reshape(alive, [-1, *[1] * (now.shape.rank - 1)]), now, before)


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
