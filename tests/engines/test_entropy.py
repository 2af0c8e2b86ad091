"""Cross-entropy in the operations of the softmax before it."""

import numpy as np
import pytest
import tensorflow as tf

from bncli.backend import keras
from bncli.engines.criterion import Criterion
from bncli.engines.entropy import StackedCriterion
from bncli.tasks.task import CLASSIFICATION, REGRESSION

RNG = np.random.default_rng(0)
LABELS = tf.constant(RNG.integers(0, 4, 50))
LOGITS = tf.constant(RNG.normal(size=(50, 4)) * 10 ** RNG.uniform(-3, 3, (50, 1)), tf.float32)
SMOOTHING = tf.constant(0.1)
KINDS = (StackedCriterion, Criterion)


def losses_and_gradients(criterion, activation, *smoothing):
    with tf.GradientTape() as tape:
        tape.watch(LOGITS)
        losses = criterion.losses(LABELS, activation(LOGITS), *smoothing)
        total = tf.reduce_sum(losses * tf.range(50.0))
    return losses, tape.gradient(total, LOGITS)


@pytest.mark.parametrize("smoothing", [(), (SMOOTHING,)], ids=["hard", "soft"])
def test_losses_and_gradients_are_those_of_keras(smoothing):
    own, theirs = (losses_and_gradients(kind(CLASSIFICATION), keras.ops.softmax, *smoothing) for kind in KINDS)
    np.testing.assert_allclose(own[0], theirs[0], rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(own[1], theirs[1], rtol=2e-6, atol=2e-5)


@pytest.mark.parametrize("smoothing", [(), (tf.constant(0.0),)], ids=["hard", "soft"])
@pytest.mark.parametrize(
    "logits", [[0.0, -np.inf, 1.0], [0.0, 3e38, -3e38], [3e38, 0.0, -3e38]], ids=["impossible", "far", "further"]
)
def test_logits_of_other_classes_may_be_far_away(logits, smoothing):
    own, theirs = (
        kind(CLASSIFICATION).losses(tf.constant([0]), keras.ops.softmax(tf.constant([logits])), *smoothing)
        for kind in KINDS
    )
    assert np.isfinite(own).all()
    if not smoothing:  # Keras multiplies soft labels of 0 with -inf
        np.testing.assert_allclose(own, theirs, rtol=1e-6)


def test_infinite_logits_give_a_loss_that_is_not_finite():
    logits = tf.constant([[np.inf, 0.0], [np.nan, 0.0]])
    for kind in KINDS:
        assert not np.isfinite(kind(CLASSIFICATION).losses(tf.constant([0, 0]), keras.ops.softmax(logits))).any()


@pytest.mark.parametrize(
    ("task", "loss", "activation"),
    [
        (CLASSIFICATION, "focal_crossentropy", keras.ops.softmax),
        (CLASSIFICATION, "auto", lambda logits: tf.sigmoid(logits) / 4),
        (REGRESSION, "auto", lambda logits: keras.ops.sigmoid(logits[:, :1])),
    ],
    ids=["another loss", "probabilities without logits", "another task"],
)
def test_all_else_is_left_to_keras(task, loss, activation):
    own, theirs = (losses_and_gradients(kind(task, loss), activation) for kind in KINDS)
    np.testing.assert_array_equal(own[0], theirs[0])
    np.testing.assert_array_equal(own[1], theirs[1])
