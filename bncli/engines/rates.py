"""The learning rate by update: a linear warm-up, then a schedule."""

from __future__ import annotations

import math
from typing import Any

from bncli.backend import keras, tf
from bncli.config import RunConfig
from bncli.training import schedules


def steps_per_epoch(config: RunConfig, n_rows: int) -> int:
    """Return the number of updates in an epoch of a run on `n_rows` training rows."""
    return math.ceil(n_rows / config.batch_size)


def warmup_steps(config: RunConfig, n_rows: int) -> int:
    """Return the number of updates in a run's warm-up."""
    return round(config.warmup * steps_per_epoch(config, n_rows))


def is_constant(config: RunConfig) -> bool:
    """Whether every update of a run has the same learning rate."""
    return config.schedule == "constant" and config.warmup == 0


def factor(schedule: str, done: tf.Tensor, n_warmup: tf.Tensor, n_steps: int) -> tf.Tensor:
    """Return the factor on the learning rate in an update, which is 0 in the first one of a warm-up, as in Keras'.

    Args:
        schedule: The name of the schedule that follows the warm-up.
        done: The number of updates before this one, as a float.
        n_warmup: The updates of the warm-up, as floats: a scalar, or of shape (runs,) for a stack.
        n_steps: All updates of the training.
    """
    after = schedules.REGISTRY[schedule](tf.maximum(done - n_warmup, 0.0), tf.maximum(n_steps - n_warmup, 1.0))
    return tf.where(done < n_warmup, done / tf.maximum(n_warmup, 1.0), after)


class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The learning rate of one run for a Keras optimizer.

    Args:
        config: The run.
        n_rows: The number of its training rows.
    """

    def __init__(self, config: RunConfig, n_rows: int) -> None:
        self._config = config
        self._n_steps = config.epochs * steps_per_epoch(config, n_rows)
        self._n_warmup = float(warmup_steps(config, n_rows))

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the learning rate after `step` updates."""
        done, n_warmup = tf.cast(step, tf.float32), tf.constant(self._n_warmup)
        return self._config.lr * factor(self._config.schedule, done, n_warmup, self._n_steps)

    def get_config(self) -> dict[str, Any]:
        """Return what Keras stores of a schedule; models are compiled anew before they are saved."""
        return {}
