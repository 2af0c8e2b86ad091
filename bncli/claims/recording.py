"""Trains networks of many seeds and keeps their values at several epochs, so that probes can measure them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bncli.probes.gradients import Tensors

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from bncli.config import RunConfig
    from bncli.data.dataset import Dataset
    from bncli.engines.graph import State
    from bncli.engines.program import Program


@dataclass(frozen=True)
class Recording:
    """The values of one network for several seeds, each at several epochs of its training.

    Attributes:
        epochs: The epochs: how many each network had been trained for.
        model: The network; its own values take no part.
        weights: Trainable values in the model's order, of shape (epochs, runs, ...) each.
        others: The values of its other variables (moving statistics), shaped likewise.
        updated: The trainable values after one more training step on the rows `x`, `y`.
        x: Rows of that step, the same for all runs.
        y: Their class numbers.
    """

    epochs: tuple[int, ...]
    model: keras.Model
    weights: Tensors
    others: Tensors
    updated: Tensors
    x: np.ndarray
    y: np.ndarray

    def over_runs(self, measure: Callable[[Tensors, Tensors, Tensors], Any]) -> Any:
        """Measure every network.

        Args:
            measure: A function of weights, others and updated weights of one network, written in TensorFlow.

        Returns:
            What `measure` returns, as arrays with two more axes in front: (epochs, runs, ...).
        """
        import tensorflow as tf

        axes = self.weights[0].shape[:2]

        def flat(value: tf.Tensor) -> tf.Tensor:
            return tf.reshape(value, [-1, *value.shape[2:]])

        @tf.function(autograph=False)  # type: ignore[untyped-decorator,unused-ignore]
        def mapped(values: Any) -> Any:
            return tf.vectorized_map(lambda one: measure(*one), values)

        found = mapped(tf.nest.map_structure(flat, (self.weights, self.others, self.updated)))
        return tf.nest.map_structure(lambda value: value.numpy().reshape(*axes, *value.shape[1:]), found)


def record(configs: Sequence[RunConfig], dataset: Dataset, epochs: Sequence[int]) -> Recording:
    """Train runs together and keep their values after each of `epochs`.

    Args:
        configs: Resolved runs of at least `epochs[-1]` epochs that differ in their seeds only.
        dataset: Their data.
        epochs: Epochs in ascending order; 0 is the untrained network.
    """
    import tensorflow as tf

    from bncli.engines.method import Method
    from bncli.engines.program import Program
    from bncli.engines.rows import order_chunks

    # Only the loop over steps is called often enough to be worth compiling by XLA.
    method = Method(len(configs), stacked=True, matrix_conv=True, xla=True)
    program = Program(configs, dataset, method, by_epoch=True)
    state, numbers, kept = program.initial_state(configs), program.numbers(configs), []
    for epoch, orders in order_chunks(configs, len(dataset.y_train), 1):
        if epoch in epochs:
            kept.append((*state[:2], _next_weights(program, configs, state, epoch)))
        if epoch < epochs[-1]:
            state, _ = program.train_epochs(state, numbers, orders, epoch)
    if configs[0].epochs in epochs:
        kept.append((*state[:2], _next_weights(program, configs, state, configs[0].epochs)))
    weights, others, updated = tf.nest.map_structure(lambda *moments: tf.stack(moments), *kept)
    n_rows = program.graph.batch_size
    x, y = dataset.x_train[:n_rows], dataset.y_train[:n_rows]
    return Recording(tuple(epochs), program.graph.model, weights, others, updated, x, y)


def _next_weights(program: Program, configs: Sequence[RunConfig], state: State, epoch: int) -> Tensors:
    """The weights after one more step, on the first rows of the data."""
    import numpy as np
    import tensorflow as tf

    n_steps = -(-len(program.dataset.y_train) // program.graph.batch_size)
    rows = tf.constant(np.tile(np.arange(program.graph.batch_size, dtype="int32"), (len(configs), 1)))
    iteration = tf.constant(epoch * n_steps + 1.0)
    after, _, _ = program.graph.train_batch(state, program.numbers(configs), rows, iteration)
    weights: Tensors = after[0]
    return weights
