"""Measurements on a network that are no score: what its layers receive, and how its gradients move.

Each function takes a Keras model and values for its variables, or arrays, and changes neither. `record` trains
networks to measure, many seeds at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from bncli.config import RunConfig
    from bncli.datasets import Dataset

PERCENTILES = (15, 50, 85)
"""Those of the BN paper's figure 1b and 1c."""

Loss = Callable[[Any, Any], Any]
Tensors = list[Any]


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

    from bncli.engines import stacked
    from bncli.engines.planner import Method
    from bncli.seeds import batch_order

    # Of the three functions only the loop over steps is called often enough to be worth compiling.
    method = Method(len(configs), stacked=True, matrix_conv=True, xla_steps=True)
    program = stacked.Program(configs, dataset, method)
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


def gradients(
    model: keras.Model,
    weights: Sequence[tf.Tensor],
    others: Sequence[tf.Tensor],
    x: np.ndarray,
    y: np.ndarray,
    loss: Loss | None = None,
) -> list[tf.Tensor]:
    """Gradients of the mean loss over a batch in training mode, one for each of the trainable `weights`.

    Args:
        model: The network; its own values take no part.
        weights: Trainable values, in the model's order.
        others: Values of its other variables.
        x: Rows.
        y: Class numbers, or whatever `loss` compares with.
        loss: Loss of every row; Keras' cross-entropy over classes unless given.
    """
    import keras
    import tensorflow as tf

    loss = loss or keras.losses.sparse_categorical_crossentropy
    with tf.GradientTape() as tape:
        tape.watch(weights)
        predicted, _ = model.stateless_call(weights, others, x, training=True)
        mean = tf.reduce_mean(loss(y, predicted))
    found: list[tf.Tensor] = tape.gradient(mean, weights)
    return found


def covariate_shift(
    model: keras.Model,
    weights: Sequence[tf.Tensor],
    updated: Sequence[tf.Tensor],
    others: Sequence[tf.Tensor],
    x: np.ndarray,
    y: np.ndarray,
    loss: Loss | None = None,
) -> tf.Tensor:
    """How far the update of the layers below turns each layer's gradient: Santurkar et al. 2018, definition 2.1.

    G is the gradient of a layer's kernel before a training step; G' is the same once all variables below the
    layer, and only those, have made that step. Same batch, training mode.

    Args:
        model: The network.
        weights: Its trainable values before the step.
        updated: Those after the step.
        others: Values of its other variables.
        x: The rows of the step.
        y: Their class numbers.
        loss: As for `gradients`.

    Returns:
        Shape (kernels but the first, 2): norm of G - G', cosine between G and G'.
    """
    import tensorflow as tf

    before = gradients(model, weights, others, x, y, loss)
    rows = []
    for place in [k for k, weight in enumerate(weights) if len(weight.shape) > 1][1:]:
        mixed = [*updated[:place], *weights[place:]]
        old = before[place]
        new = gradients(model, mixed, others, x, y, loss)[place]
        cosine = tf.reduce_sum(old * new) / (tf.norm(old) * tf.norm(new))
        rows.append(tf.stack([tf.norm(old - new), cosine]))
    return tf.stack(rows)


def received(
    model: keras.Model, layers: Sequence[keras.Layer], weights: Tensors, others: Tensors, x: np.ndarray
) -> Tensors:
    """What each of `layers` receives for the rows `x` in training mode, each of shape (rows, ...)."""
    import keras

    tapped = keras.Model(model.inputs[0], [*(layer.input for layer in layers), *model.outputs])
    values, _ = tapped.stateless_call(weights, others, x, training=True)
    found: Tensors = values[: len(layers)]
    return found


class Shape(NamedTuple):
    """How a distribution looks; 0 all over for a Gaussian."""

    skew: float
    kurtosis: float
    zeros: float


def shape_of(values: np.ndarray) -> Shape:
    """Mean over units of absolute skew, absolute excess kurtosis and share of exact zeros.

    Units that never vary have neither skew nor kurtosis and count for their zeros alone.

    Args:
        values: Shape (rows, units).
    """
    import numpy as np
    from scipy.stats import kurtosis, skew

    varied = values[:, np.ptp(values, axis=0) > 0].astype("float64")
    return Shape(
        float(np.abs(skew(varied)).mean()), float(np.abs(kurtosis(varied)).mean()), float((values == 0).mean())
    )


def saturated_share(values: np.ndarray, limit: float = 3.0) -> float:
    """Share of `values` farther than `limit` from 0: there a sigmoid's slope is below a fifth of its largest."""
    import numpy as np

    return float((np.abs(values) > limit).mean())


def percentile_path(values: Sequence[np.ndarray]) -> float:
    """How far the 15th, 50th and 85th percentile of a unit travel from each moment to the next, summed.

    Args:
        values: One array of shape (rows, units) a moment.

    Returns:
        The mean over percentiles and units, in the units of `values`.
    """
    import numpy as np

    moments = np.stack([np.percentile(moment, PERCENTILES, axis=0) for moment in values])
    return float(np.abs(np.diff(moments, axis=0)).sum(axis=0).mean())
