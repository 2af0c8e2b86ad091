"""The loss around the weights, against a plain loop over its points."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from bncli.probes.gradients import covariate_shift, gradients
from bncli.probes.landscape import STEPS, Landscape

RATE = 0.1


def cross_entropy(y, predicted):
    return keras.losses.sparse_categorical_crossentropy(y, predicted)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    inner = [part for width in (6, 5, 4) for part in (layers.Dense(width), layers.BatchNormalization(), layers.ReLU())]
    model = keras.Sequential([keras.Input((3,)), *inner, layers.Dense(2, activation="softmax")])
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 3)).astype("float32"), rng.integers(0, 2, 32)
    return model, x, y


def values_of(variables):
    return [variable.value for variable in variables]


def surveyed(model, x, y, weights):
    look = Landscape(model, x, y, cross_entropy)
    found = look(weights, values_of(model.non_trainable_variables), tf.constant(RATE)).numpy()
    return dict(zip([(each.probe, each.number) for each in look.series], found, strict=True))


def test_every_number_is_that_of_a_plain_loop(network):
    model, x, y = network
    weights, others = values_of(model.trainable_variables), values_of(model.non_trainable_variables)
    slope = gradients(model, weights, others, x, y)
    losses, changes, bends = [], [], []
    for step in (0, *STEPS):
        moved = [weight - step * RATE * part for weight, part in zip(weights, slope, strict=True)]
        predicted, _ = model.stateless_call(moved, others, x, training=True)
        losses.append(float(np.mean(cross_entropy(y, predicted))))
        other = gradients(model, moved, others, x, y)
        changes.append(np.sqrt(sum(np.sum((one - two) ** 2) for one, two in zip(slope, other, strict=True))))
        bends.append(changes[-1] / (step * RATE * np.sqrt(sum(np.sum(part**2) for part in slope))) if step else 0.0)
    updated = [weight - RATE * part for weight, part in zip(weights, slope, strict=True)]
    shifts = covariate_shift(model, weights, updated, others, x, y).numpy()[:, 0]
    expected = {
        ("loss_range", 0): max(losses) - min(losses),
        ("gradient_change", 0): max(changes),
        ("smoothness", 0): max(bends),
    } | {("covariate_shift", number): shift for number, shift in enumerate(shifts, 2)}
    assert surveyed(model, x, y, weights) == pytest.approx(expected, rel=1e-4)


def test_a_network_of_one_kernel_has_no_covariate_shift():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation="softmax")])
    x, y = np.ones((4, 3), "float32"), np.zeros(4, int)
    found = surveyed(model, x, y, values_of(model.trainable_variables))
    assert sorted(found) == [("gradient_change", 0), ("loss_range", 0), ("smoothness", 0)]
