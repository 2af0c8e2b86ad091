"""Networks of many seeds, kept at several moments of their training so that they can be measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bncli.probes.gradients import Tensors

if TYPE_CHECKING:
    import keras
    import numpy as np

    from bncli.config import RunConfig
    from bncli.data.datasets import Dataset


@dataclass(frozen=True)
class Recording:
    """Networks of several seeds at several moments of their training.

    Attributes:
        epochs: The moments: epochs trained so far.
        model: The network they share; its own values are none of theirs.
        weights: Trainable values in the model's order, each of shape (moments, runs, ...).
        others: The other values (moving statistics), likewise shaped.
        updated: The trainable values after one more step of training on the rows `x`, `y`.
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
        """Apply `measure(weights, others, updated)` to each network; results gain the axes (moments, runs)."""
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
    """Train runs of one graph together and keep what they are after each of `epochs` (0: untrained).

    Args:
        configs: Resolved runs that differ in nothing but their seeds.
        dataset: Their data.
        epochs: When to look, in rising order.
    """
    import numpy as np
    import tensorflow as tf

    from bncli.engines.method import Method
    from bncli.engines.program import Program
    from bncli.networks.seeds import batch_order

    # Of the three functions only the loop over steps is called often enough to be worth compiling.
    method = Method(len(configs), stacked=True, matrix_conv=True, xla_steps=True)
    program = Program(configs, dataset, method)
    state, numbers, n_rows = program.start(configs), program.numbers(configs), len(dataset.y_train)
    x, y = dataset.x_train[: program.batch], dataset.y_train[: program.batch]
    rows = tf.constant(np.tile(np.arange(len(y), dtype="int32"), (len(configs), 1)))
    n_steps, kept = -(-n_rows // program.batch), []
    for epoch in range(epochs[-1] + 1):
        if epoch in epochs:
            after, _, _ = program.tail(state, numbers, rows, tf.constant(epoch * n_steps + 1.0))
            kept.append((state[0], state[1], after[0]))
        if epoch < epochs[-1]:
            orders = [batch_order(config.seed, epoch, n_rows, shuffle=config.shuffle) for config in configs]
            state, _ = program.epoch(state, numbers, tf.constant(np.stack(orders)), epoch)
    weights, others, updated = tf.nest.map_structure(lambda *moments: tf.stack(moments), *kept)
    return Recording(tuple(epochs), program.model, weights, others, updated, x, y)
