"""The loss of every row, and what the score is made of, as Keras computes them. Both engines train by them."""

from __future__ import annotations

import numpy as np

from bncli.backend import keras, tf
from bncli.tasks.scores import r2_of
from bncli.tasks.task import REGRESSION, TASKS


class Criterion:
    """How the outputs for rows are judged.

    Args:
        task: The task.
        loss: The name of the loss; `auto` for the task's usual one.
    """

    def __init__(self, task: str, loss: str = "auto") -> None:
        self.task, self.loss = task, TASKS[task].losses[0] if loss == "auto" else loss

    def losses(self, y: tf.Tensor, predicted: tf.Tensor, smoothing: tf.Tensor | None = None) -> tf.Tensor:
        """Return Keras' loss of every row.

        Args:
            y: Class numbers or quantities, shape (rows,).
            predicted: Probabilities of shape (rows, classes), or (rows, 1) for the second of two classes; quantities of
                shape (rows, 1).
            smoothing: The share of each label that is spread over all classes, if any is.
        """
        n_outputs = predicted.shape[-1]
        function = keras.losses.get(self.keras_name(n_outputs, is_soft=smoothing is not None))
        return function(self.labels(y, n_outputs, smoothing), predicted)

    def keras_name(self, n_outputs: int, *, is_soft: bool) -> str:
        """Return the name of Keras' function for a network of so many outputs.

        Args:
            n_outputs: The number of outputs.
            is_soft: Whether labels are smoothed.
        """
        if self.task == REGRESSION:
            return self.loss
        if n_outputs == 1:
            return f"binary_{self.loss}"
        return (
            f"categorical_{self.loss}"
            if self.takes_shares(n_outputs, is_soft=is_soft)
            else f"sparse_categorical_{self.loss}"
        )

    def takes_shares(self, n_outputs: int, *, is_soft: bool) -> bool:
        """Return whether labels are shares of all classes: smoothed, or for a loss that Keras lacks for class numbers.

        Args:
            n_outputs: The number of outputs.
            is_soft: Whether labels are smoothed.
        """
        return n_outputs > 1 and (is_soft or self.loss == "focal_crossentropy")

    def labels(self, y: tf.Tensor, n_outputs: int, smoothing: float | tf.Tensor | None = None) -> tf.Tensor:
        """Return labels as the loss takes them.

        Args:
            y: Class numbers or quantities, shape (rows,).
            n_outputs: The number of outputs.
            smoothing: The share of each label that is spread evenly over all classes; None if labels are not smoothed.

        Returns:
            Shape (rows, 1), or (rows, classes) for shares; class numbers of shape (rows,) where the loss takes those.
        """
        if self.task == REGRESSION:
            return y[:, None]
        share = 0.0 if smoothing is None else smoothing
        if n_outputs == 1:
            return tf.cast(y, tf.float32)[:, None] * (1 - share) + 0.5 * share
        if self.takes_shares(n_outputs, is_soft=smoothing is not None):
            return tf.one_hot(y, n_outputs) * (1 - share) + share / n_outputs
        return y

    def marks(self, y: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        """Return what the score of rows is made of: 1 for a right class and 0 for a wrong one; the squared error.

        Returns:
            Shape (rows,).
        """
        if self.task == REGRESSION:
            return tf.square(predicted[:, 0] - y)
        if predicted.shape[-1] == 1:
            answers = tf.cast(predicted[:, 0] > 0.5, tf.int32)
        else:
            # In XLA's argmax NaN is the largest number, in the CPU's kernel the smallest: make it the smallest in both.
            known = tf.where(tf.math.is_nan(predicted), tf.cast(-1.0, predicted.dtype), predicted)
            answers = tf.argmax(known, axis=-1, output_type=tf.int32)
        return tf.cast(answers == y, tf.float32)

    def score(self, marks: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the score of runs: the accuracy, or R² over the rows.

        Args:
            marks: The mean over the rows of what `marks` returns, shape (runs,).
            y: The labels of the rows.
        """
        return r2_of(marks, y) if self.task == REGRESSION else np.asarray(marks)

    def points(self, marks: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return what each row is worth, so that the mean is the score.

        Args:
            marks: What `marks` returns, shape (rows,).
            y: The labels of the rows.
        """
        return 1 - marks / y.var() if self.task == REGRESSION else marks

    def metric(self, n_outputs: int, *, is_soft: bool) -> keras.metrics.Metric | str:
        """Return what `compile` takes, so that `fit` reports the mean of `marks` under the score's name.

        Args:
            n_outputs: The number of outputs.
            is_soft: Whether labels are smoothed.
        """
        name = TASKS[self.task].score
        if self.task == REGRESSION:
            return keras.metrics.MeanSquaredError(name=name)
        is_plain = not is_soft and not self.takes_shares(n_outputs, is_soft=is_soft)
        return name if is_plain else keras.metrics.MeanMetricWrapper(_soft_accuracy, name=name)


def _soft_accuracy(y: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Which rows are answered by the class that their soft label is highest for; Keras' own asks for an equal label."""
    if predicted.shape[-1] == 1:
        return tf.cast((y > 0.5) == (predicted > 0.5), tf.float32)[:, 0]
    return tf.cast(tf.argmax(y, axis=-1) == tf.argmax(predicted, axis=-1), tf.float32)
