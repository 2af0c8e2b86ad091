"""A network's gradients, and how they change when the layers below are updated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf


Loss = Callable[[Any, Any], Any]
"""A function of targets and predictions that returns the loss of every row."""

Tensors = list[Any]


def gradients(
    model: keras.Model,
    weights: Sequence[tf.Tensor],
    others: Sequence[tf.Tensor],
    x: np.ndarray,
    y: np.ndarray,
    loss: Loss | None = None,
) -> list[tf.Tensor]:
    """Return the gradients of a batch's mean loss in training mode, one for each of `weights`.

    Args:
        model: The network; its own values take no part.
        weights: Trainable values, in the model's order.
        others: The values of its other variables.
        x: Rows.
        y: Their targets: class numbers, or what `loss` takes.
        loss: The loss; Keras' cross-entropy over classes by default.
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
    """Return the internal covariate shift of each layer in one training step.

    This is definition 2.1 of Santurkar et al. (2018), arXiv 1805.11604. For layer i, G is the gradient of its kernel
    before the step, and G' is the gradient of the same kernel after the layers below it, and only those, have made
    the step: G' = grad L(W1', ..., Wi-1', Wi, ..., Wk; x, y). Both are of the same batch, in training mode.

    Args:
        model: The network.
        weights: Its trainable values before the step.
        updated: The same after the step.
        others: The values of its other variables.
        x: The rows of the step.
        y: Their targets.
        loss: As in `gradients`.

    Returns:
        For each kernel but the first, the norm of G - G' and the cosine between G and G', shape (kernels - 1, 2).
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
