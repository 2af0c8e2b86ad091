"""The TensorFlow functions that train and evaluate many runs of one network at a time.

A step takes each run's own batch and computes its gradients with `model.stateless_call` under a gradient tape, over all
runs at once by `tf.vectorized_map`; a pure optimizer update follows. Weights, other variables, slots, learning rates
and batches have a leading axis of runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bncli.backend import keras, tf
from bncli.config import RunConfig
from bncli.data.dataset import Dataset
from bncli.engines import rates, updates
from bncli.engines.base import with_added
from bncli.engines.entropy import StackedCriterion
from bncli.engines.filling import count_samples, counted
from bncli.engines.layers import build_stackable
from bncli.engines.method import EVALUATION_ROWS, Method
from bncli.engines.rates import is_constant, steps_per_epoch
from bncli.engines.updates import Tensors
from bncli.probes.inside import Look
from bncli.probes.population import moving_averages, population_statistics
from bncli.training.optimizers import is_decayed

State = tuple[Tensors, Tensors, Tensors]
"""Weights, other variables (moving statistics, dropout seeds) and optimizer slots, of shape (runs, ...) each."""

Numbers = dict[str, tf.Tensor]
"""The fields of `method.RATES`, shape (runs,) each; the warm-up in updates."""


class Graph:
    """The functions of one network on one data set, each compiled at its first call.

    Args:
        config: A run; others may differ from it in the fields of `method.VARIED`.
        dataset: Its data.
        method: How many runs there are, and how they are computed.
        probe: Which probes to record, one of `probes.inside.LEVELS`; None for none.

    Attributes:
        model: The network in layers that stack; its own values take no part.
        criterion: Its loss and score.
        averages: Its moving averages, see `probes.population.moving_averages`.
        rule: The optimizer's update.
        batch_size: Rows per batch.
        train_epochs: See `_train_epochs`.
        train_batch: `(state, numbers, rows, iteration)` to `(state, loss, marks)`, for a single batch of any size.
        evaluate: `(weights, others, x, y, counts)` to `(loss, marks, predicted)`: sums over the rows that count, and
            outputs of shape (runs, rows, outputs), in inference.
        population: `(weights, others, batches, n_steps)` to the other variables with population statistics; see
            `probes.population`.
    """

    def __init__(self, config: RunConfig, dataset: Dataset, method: Method, probe: str | None = None) -> None:
        self.method = method
        self.model = build_stackable(config, dataset, method)
        self.rule = updates.rule_for(config.optimizer, momentum=config.momentum > 0, nesterov=config.nesterov)
        self.batch_size = min(config.batch_size, len(dataset.y_train))
        self._constraints = [variable.constraint for variable in self.model.trainable_variables]
        has_decay = (config.weight_decay or 0) > 0
        self._decayed = [has_decay and is_decayed(each, config.decay) for each in self.model.trainable_variables]
        self._schedule, self._is_constant = config.schedule, is_constant(config)
        self._n_steps = config.epochs * steps_per_epoch(config, len(dataset.y_train))
        self._smooths = config.label_smoothing > 0
        self._clips = config.clipnorm > 0
        self.criterion = StackedCriterion(dataset.task, config.loss)
        self._class_weights = dataset.class_weights(config.class_weight)
        self._x, self._y = tf.constant(dataset.x_train), tf.constant(dataset.y_train)
        self._is_filled = method.stacked and count_samples(self.model)
        self._is_imbalanced, self._n_classes = dataset.is_imbalanced, dataset.n_classes
        self._val = _validation_parts(dataset)
        self.train_epochs = tf.function(self._train_epochs, jit_compile=method.xla, autograph=False)
        self.train_batch = tf.function(self._train_batch, autograph=False)
        self.evaluate = tf.function(self._evaluate, jit_compile=method.xla_evaluation, autograph=False)
        self.averages = moving_averages(self.model)
        self.population = tf.function(self._population, jit_compile=method.xla_population, autograph=False)
        self.look = Look(self.model, *dataset.parts["train"], probe, self.criterion.losses) if probe else None
        self.looking = tf.function(self._looking, autograph=False)
        self.surveying = tf.function(self._surveying, autograph=False)

    def zeros(self) -> State:
        """Return a state of the right shapes and types, all zeros."""

        def stacked(variable: keras.Variable) -> tf.Tensor:
            return tf.zeros([self.method.n_runs, *variable.shape], variable.value.dtype)

        weights = [stacked(variable) for variable in self.model.trainable_variables]
        return weights, [stacked(variable) for variable in self.model.non_trainable_variables], self.slots(weights)

    def slots(self, weights: Tensors) -> Tensors:
        """Return the optimizer's slots before the first update."""
        return [tf.zeros_like(weight) for weight in weights for _ in range(self.rule.n_slots)]

    def _train_epochs(
        self,
        state: State,
        numbers: Numbers,
        orders: tf.Tensor,
        alive: tf.Tensor,
        n_done: tf.Tensor,
        n_epochs: tf.Tensor,
    ) -> tuple[State, tf.Tensor]:
        """Train every run for some epochs, and validate after each.

        Args:
            state: The state before.
            numbers: Learning rates and the like.
            orders: Each epoch's order of rows for each run, shape (epochs, runs, rows).
            alive: Which runs train, shape (runs,); one ends after an epoch whose loss is not finite.
            n_done: Updates before these epochs, as a float.
            n_epochs: How many epochs; a tensor, so that a call with 0 compiles the loops without running them.

        Returns:
            The state afterwards, and what was measured, shape (epochs, measures, runs): sums over training rows of loss
            and of `Criterion.marks`, then what `_validate` returns.
        """
        n_rows = orders.shape[2]
        n_steps = math.ceil(n_rows / self.batch_size)
        places = tf.range(orders.shape[0])[:, None, None]

        def body(epoch: tf.Tensor, state: State, alive: tf.Tensor, measured: tf.Tensor) -> tuple[Any, ...]:
            done = n_done + tf.cast(epoch * n_steps, tf.float32)
            new, loss, marks = self._train_epoch(state, numbers, tf.gather(orders, epoch), done)
            new = _picked(alive, new, state)
            found = tf.stack([loss, marks, *self._validate(*new[:2])])
            measured = tf.where(places == epoch, found[None], measured)
            return epoch + 1, new, alive & tf.math.is_finite(loss), measured

        n_measures = 3 + (self._n_classes if self._is_imbalanced else 1)
        start = (tf.constant(0), state, alive, tf.zeros([orders.shape[0], n_measures, self.method.n_runs]))
        _, state, _, measured = tf.while_loop(lambda epoch, *_: epoch < n_epochs, body, start, parallel_iterations=1)
        return state, measured

    def _train_epoch(
        self, state: State, numbers: Numbers, orders: tf.Tensor, n_done: tf.Tensor
    ) -> tuple[State, tf.Tensor, tf.Tensor]:
        """Train every run for an epoch; return sums over its rows of loss and marks, too."""
        n_runs, n_rows = orders.shape
        n_full, weights = n_rows // self.batch_size, None
        if self._is_filled:
            n_full = math.ceil(n_rows / self.batch_size)
            n_missing = n_full * self.batch_size - n_rows
            orders = tf.pad(orders, [(0, 0), (0, n_missing)])
            weights = np.ones([n_full, self.batch_size], "float32")
            weights[-1, self.batch_size - n_missing :] = 0
        batches = tf.reshape(orders[:, : n_full * self.batch_size], [n_runs, n_full, self.batch_size])

        def body(step: tf.Tensor, state: State, loss: tf.Tensor, marks: tf.Tensor) -> tuple[Any, ...]:
            iteration = n_done + tf.cast(step, tf.float32) + 1.0
            rows = tf.gather(batches, step, axis=1)
            counts = None if weights is None else tf.gather(tf.constant(weights), step)
            new, more_loss, more_marks = self._train_batch(state, numbers, rows, iteration, counts)
            return step + 1, new, loss + more_loss, marks + more_marks

        start = (tf.constant(0), state, tf.zeros([n_runs]), tf.zeros([n_runs]))
        _, state, loss, marks = tf.while_loop(lambda step, *_: step < n_full, body, start, parallel_iterations=1)
        if n_full * self.batch_size < n_rows:
            iteration = n_done + n_full + 1.0
            rows = orders[:, n_full * self.batch_size :]
            state, more_loss, more_marks = self._train_batch(state, numbers, rows, iteration)
            loss, marks = loss + more_loss, marks + more_marks
        return state, loss, marks

    def _validate(self, weights: Tensors, others: Tensors) -> list[tf.Tensor]:
        """Return sums over the validation rows, shape (runs,) each: of loss; of marks, by class where some are rare."""
        x, y, counts = self._val
        n_runs = self.method.n_runs
        groups = tf.one_hot(y, self._n_classes) * counts[..., None] if self._is_imbalanced else counts[..., None]

        def body(part: tf.Tensor, loss: tf.Tensor, marks: tf.Tensor) -> tuple[Any, ...]:
            rows, labels, weight, group = (tf.gather(tensor, part) for tensor in (x, y, counts, groups))

            def one(arguments: Any) -> Any:
                predicted, _, added = self.model.stateless_call(*arguments, rows, training=False, return_losses=True)
                losses = with_added(self.criterion.losses(labels, predicted), added)
                right = self.criterion.marks(labels, predicted)
                return tf.reduce_sum(weight * losses), tf.linalg.matvec(group, right, transpose_a=True)

            more_loss, more_marks = self._over_runs(one, (weights, others))
            return part + 1, loss + more_loss, marks + more_marks

        start = (tf.constant(0), tf.zeros([n_runs]), tf.zeros([n_runs, groups.shape[-1]]))
        if len(x) == 1:
            _, loss, marks = body(*start)
        else:
            _, loss, marks = tf.while_loop(lambda part, *_: part < len(x), body, start, parallel_iterations=1)
        return [loss, *tf.unstack(marks, axis=1)]

    def _train_batch(
        self,
        state: State,
        numbers: Numbers,
        rows: tf.Tensor,
        iteration: tf.Tensor,
        counts: tf.Tensor | None = None,
    ) -> tuple[State, tf.Tensor, tf.Tensor]:
        """Update every run by its own batch.

        Args:
            state: The state before.
            numbers: Learning rates and the like.
            rows: Row numbers, shape (runs, batch).
            iteration: The number of this update, from 1, as a float.
            counts: 1 for each sample that counts, 0 for each that only fills the batch up, shape (batch,); None if all
                count.

        Returns:
            The state afterwards, and for each run the sums over its samples of loss and of `Criterion.marks`.
        """
        weights, others, slots = state
        smoothing = (numbers["label_smoothing"],) if self._smooths else ()
        filled = () if counts is None else (tf.tile(counts[None], [rows.shape[0], 1]),)
        compute = self._gradients if counts is None else self._filled_gradients
        gradients, new_others, loss, marks = self._over_runs(compute, (*filled, weights, others, rows, *smoothing))
        if not self._is_constant:
            factor = rates.factor(self._schedule, iteration - 1, numbers["warmup"], self._n_steps)
            numbers = numbers | {"lr": numbers["lr"] * factor}
        gradients = updates.clipped(gradients, numbers["clipnorm"]) if self._clips else gradients
        weights, slots = updates.apply(self.rule, weights, gradients, slots, numbers, iteration, self._decayed)
        if any(self._constraints):
            weights = self._over_runs(self._constrained, weights)
        return (weights, new_others, slots), loss, marks

    def _constrained(self, weights: Tensors) -> Tensors:
        """One run's weights within the constraints of their layers, which Keras applies after every update."""
        pairs = zip(weights, self._constraints, strict=True)
        return [constraint(weight) if constraint else weight for weight, constraint in pairs]

    def _filled_gradients(self, arguments: Any) -> tuple[Tensors, Tensors, tf.Tensor, tf.Tensor]:
        """As `_gradients`, with what each sample counts as the first argument."""
        counts, *others = arguments
        return self._gradients(others, counts)

    def _gradients(
        self, arguments: Any, counts: tf.Tensor | None = None
    ) -> tuple[Tensors, Tensors, tf.Tensor, tf.Tensor]:
        """One run's gradients on a batch, its other variables afterwards, and its sums of loss and marks."""
        weights, others, rows, *smoothing = arguments
        x, y = tf.gather(self._x, rows), tf.gather(self._y, rows)
        with tf.GradientTape() as tape, counted(counts):
            tape.watch(weights)
            predicted, new_others, added = self.model.stateless_call(
                weights, others, x, training=True, return_losses=True
            )
            losses = self.criterion.losses(y, predicted, *smoothing)
            if self._class_weights is not None:
                losses *= tf.gather(self._class_weights, y)
            losses = with_added(losses, added)
            total = tf.reduce_sum(losses if counts is None else losses * counts)
            loss = total / (losses.shape[0] if counts is None else tf.reduce_sum(counts))
        found = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        gradients = [tf.convert_to_tensor(gradient) for gradient in found]  # an embedding's is sparse
        return (
            gradients,
            _as_before(new_others, others),
            total,
            self._marks(y, predicted, 1.0 if counts is None else counts),
        )

    def _evaluate(self, weights: Tensors, others: Tensors, x: tf.Tensor, y: tf.Tensor, counts: tf.Tensor) -> Any:
        def one(arguments: Any) -> Any:
            weights, others = arguments
            predicted, _, added = self.model.stateless_call(weights, others, x, training=False, return_losses=True)
            loss = tf.reduce_sum(counts * with_added(self.criterion.losses(y, predicted), added))
            return loss, self._marks(y, predicted, counts), predicted

        return self._over_runs(one, (weights, others))

    def _population(self, weights: Tensors, others: Tensors, batches: tf.Tensor, n_steps: tf.Tensor) -> Tensors:
        """Estimate population statistics: `batches` are row numbers, shape (batches, runs, rows)."""

        def one(arguments: Any) -> Tensors:
            weights, others, rows = arguments
            _, new_others = self.model.stateless_call(weights, others, tf.gather(self._x, rows), training=True)
            return _as_before(new_others, others)

        def call(others: Tensors, rows: tf.Tensor) -> Tensors:
            found: Tensors = self._over_runs(one, (weights, others, rows))
            return found

        return population_statistics(self.averages, others, batches, n_steps, call)

    def _looking(self, weights: Tensors, others: Tensors) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Look inside every run; see `probes.inside.Look`."""
        found: tuple[tf.Tensor, list[tf.Tensor]] = self._over_runs(
            lambda state: self.look(*state) if self.look else (), (weights, others)
        )
        return found

    def _surveying(self, weights: Tensors, others: Tensors, rates: tf.Tensor) -> tf.Tensor:
        """Survey the loss around every run's weights; see `probes.landscape.Landscape`."""
        landscape = self.look.landscape if self.look else None
        return self._over_runs(lambda state: landscape(*state) if landscape else (), (weights, others, rates))

    def _over_runs(self, function: Callable[[Any], Any], arguments: Any) -> Any:
        """Apply `function` to every run: vectorized, or as copies that TensorFlow's threads run side by side."""
        if self.method.stacked:
            return tf.vectorized_map(function, arguments)
        runs = [tf.nest.map_structure(lambda tensor, i=i: tensor[i], arguments) for i in range(self.method.n_runs)]
        return tf.nest.map_structure(lambda *tensors: tf.stack(tensors), *map(function, runs))

    def _marks(self, y: tf.Tensor, predicted: tf.Tensor, counts: tf.Tensor | float = 1.0) -> tf.Tensor:
        """The sum over rows of `Criterion.marks`."""
        return tf.reduce_sum(counts * self.criterion.marks(y, predicted))


def _picked(alive: tf.Tensor, now: State, before: State) -> State:
    """The new state of the runs that are alive, and the old state of those that have ended."""

    def pick(new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
        return tf.where(tf.reshape(alive, [-1, *[1] * (new.shape.rank - 1)]), new, old)

    kept: State = tf.nest.map_structure(pick, now, before)
    return kept


def _validation_parts(dataset: Dataset) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The validation rows in parts of equal size, at most `EVALUATION_ROWS`: features, labels, and which rows count."""
    n_rows = len(dataset.y_val)
    n_parts = math.ceil(n_rows / EVALUATION_ROWS)
    size = math.ceil(n_rows / n_parts)
    chosen = np.minimum(np.arange(n_parts * size), n_rows - 1).reshape(n_parts, size)
    counts = (np.arange(n_parts * size) < n_rows).astype("float32").reshape(n_parts, size)
    return tf.constant(dataset.x_val[chosen]), tf.constant(dataset.y_val[chosen]), tf.constant(counts)


def _as_before(new: Tensors, old: Tensors) -> Tensors:
    """The new values in the types of the old ones."""
    return [tf.cast(value, before.dtype) for value, before in zip(new, old, strict=True)]
