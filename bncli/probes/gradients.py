"""Gradients of a network, and how they move when the layers below are updated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf


Loss = Callable[[Any, Any], Any]

Tensors = list[Any]


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
