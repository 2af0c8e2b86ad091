"""A trained Keras model in inference mode, with its moving averages or with population statistics.

Functions are compiled here because `evaluate` and `predict` would take longer to start than to run, and because Keras
has no scores of probabilities. The model itself is not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace

import numpy as np

from bncli.backend import keras, tf
from bncli.config import RunConfig
from bncli.data.dataset import Dataset
from bncli.engines.base import with_added
from bncli.engines.criterion import Criterion
from bncli.engines.method import EVALUATION_ROWS
from bncli.engines.rows import population_batches
from bncli.engines.scoring import Scored
from bncli.engines.updates import Tensors
from bncli.probes.population import by_batch, moving_averages, population_statistics


class Inference:
    """A model with the values of its variables.

    Args:
        model: A trained model.
        dataset: The data that it was trained on.
        criterion: Its loss and score.

    Attributes:
        others: The values of its non-trainable variables.
        averages: Its moving averages, see `probes.population.moving_averages`.
    """

    def __init__(self, model: keras.Model, dataset: Dataset, criterion: Criterion) -> None:
        self.others = [variable.value for variable in model.non_trainable_variables]
        self.averages = moving_averages(model)
        self._weights = [variable.value for variable in model.trainable_variables]
        self._model, self._dataset, self._criterion = model, dataset, criterion
        rows = [tf.TensorSpec([None, *array.shape[1:]], array.dtype) for array in dataset.parts["train"]]
        others = [tf.TensorSpec(value.shape, value.dtype) for value in self.others]
        self._infer = tf.function(self._losses_and_answers, autograph=False, input_signature=(others, *rows))

    def _losses_and_answers(self, others: Tensors, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, ...]:
        called = self._model.stateless_call(self._weights, others, x, training=False, return_losses=True)
        predicted, _, added = called
        predicted = tf.cast(predicted, tf.float32)  # a mixed network may output float16, whose logarithms overflow
        losses = with_added(self._criterion.losses(y, predicted), added)
        return losses, self._criterion.marks(y, predicted), predicted

    def score(self, others: Tensors, parts: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Scored]:
        """Return how the model answers parts of the data, given the values of its non-trainable variables."""
        return {part: self._score(others, *rows) for part, rows in parts.items()}

    def _score(self, others: Tensors, x: np.ndarray, y: np.ndarray) -> Scored:
        found = list(self.answers(others, x, y))
        loss, mark = (np.concatenate([part[place] for part in found]).mean(dtype="float64") for place in (1, 2))
        answers = [(y[rows], predicted[None]) for rows, _, _, predicted in found]
        return Scored(np.array([loss]), self._criterion.score(np.array([mark]), y), answers)

    def answers(
        self, others: Tensors, x: np.ndarray, y: np.ndarray
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
        """Yield the losses, the marks and the outputs of rows, chunk by chunk, behind the place of the chunk."""
        for start in range(0, len(y), EVALUATION_ROWS):
            rows = slice(start, start + EVALUATION_ROWS)
            losses, marks, predicted = (values.numpy() for values in self._infer(others, x[rows], y[rows]))
            yield rows, losses, marks, predicted

    def population(self, config: RunConfig) -> Tensors:
        """Return the non-trainable variables with population statistics in place of the moving averages.

        Args:
            config: The run, which decides the batches.
        """
        return self.statistics(population_batches([config], len(self._dataset.y_train)))

    def statistics(self, batches: tf.Tensor) -> Tensors:
        """Return the non-trainable variables with statistics over some batches in place of the moving averages.

        Args:
            batches: Numbers of training rows, shape (batches, 1, rows).
        """
        return self.estimator(batches)(len(batches))

    def estimator(self, batches: tf.Tensor, *, quiet: bool = False) -> Callable[[int], Tensors]:
        """Return a function of a number of batches, which returns what `statistics` does for the first so many.

        Args:
            batches: Numbers of training rows, shape (batches, 1, rows).
            quiet: Whether only batch normalizations are in training mode, so that dropout, noise and augmentation are
                off; normalizations that are called with `training=False` are then estimated as well.
        """
        x = tf.constant(self._dataset.x_train)
        averages = replace(self.averages, momenta=dict.fromkeys(self.averages.momenta, 0.0)) if quiet else self.averages

        def call(others: Tensors, rows: tf.Tensor) -> Tensors:
            with by_batch(self._model) if quiet else nullcontext():
                called = self._model.stateless_call(self._weights, others, tf.gather(x, rows[0]), training=not quiet)
            found: Tensors = called[1]
            return found

        @tf.function(autograph=False)  # type: ignore[untyped-decorator,unused-ignore]
        def estimate(batches: tf.Tensor, n_steps: tf.Tensor) -> Tensors:
            return population_statistics(averages, self.others, batches, n_steps, call)

        return lambda count: list(estimate(batches, tf.constant(count)))
