"""Gradients and covariate shift of products of numbers, whose answers are known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bncli.probes.gradients import covariate_shift, gradients

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 1)).astype("float32")
Y = RNG.normal(size=(20, 1)).astype("float32")


def squared(y, predicted):
    return tf.reduce_sum((predicted - y) ** 2, axis=-1)


def chain(n_layers):
    """A product of numbers: `n_layers` linear layers of one unit, no bias."""
    return keras.Sequential([keras.Input((1,)), *(keras.layers.Dense(1, use_bias=False) for _ in range(n_layers))])


def numbers(*values):
    return [tf.constant([[value]], tf.float32) for value in values]


def slope(product, other):
    """Gradient of mean((product * x - y)**2) by the factor whose partner is `other`."""
    return float(2 * np.mean((product * X - Y) * X) * other)


def test_gradients_of_a_product():
    found = gradients(chain(2), numbers(0.5, 3.0), [], X, Y, squared)
    assert np.ravel(found) == pytest.approx([slope(1.5, 3.0), slope(1.5, 0.5)], rel=1e-5)


def test_gradients_are_taken_in_training_mode_and_leave_the_model_alone():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization()])
    x = RNG.normal(5.0, 2.0, (16, 3)).astype("float32")
    weights, others = ([v.value for v in group] for group in (model.trainable_variables, model.non_trainable_variables))
    before = model.get_weights()
    target = RNG.normal(size=(16, 4)).astype("float32")
    found = gradients(model, weights, others, x, target, squared)
    assert np.abs(found[0]).max() > 1e-2
    assert np.abs(found[1]).max() < 1e-5  # the bias: batch statistics cancel it, moving ones would not
    assert all(map(np.array_equal, before, model.get_weights()))


def test_covariate_shift_of_a_product():
    w1, w2, new_w1 = 0.5, 3.0, 0.8
    old, new = slope(w1 * w2, w1), slope(new_w1 * w2, new_w1)
    (found,) = covariate_shift(chain(2), numbers(w1, w2), numbers(new_w1, 99.0), [], X, Y, squared).numpy()
    assert found == pytest.approx([abs(old - new), np.sign(old * new)], rel=1e-5)


def test_only_updates_below_a_layer_shift_it():
    weights, updated = numbers(0.5, 3.0, 2.0), numbers(0.5, 3.0, 7.0)
    found = covariate_shift(chain(3), weights, updated, [], X, Y, squared)
    assert np.allclose(found, [[0, 1], [0, 1]])
    second, third = covariate_shift(chain(3), weights, numbers(0.5, 4.0, 2.0), [], X, Y, squared).numpy()
    assert np.allclose(second, [0, 1])
    assert third[0] > 0.1
