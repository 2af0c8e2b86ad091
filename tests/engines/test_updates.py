"""The update rules against Keras' own optimizers, 100 steps each."""

import numpy as np
import pytest
import tensorflow as tf

from bncli.config import RunConfig
from bncli.engines import updates
from bncli.engines.base import make_optimizer
from bncli.engines.method import RATES
from bncli.resolution import resolve
from bncli.training.optimizers import OPTIMIZERS

CASES = [
    {"optimizer": "sgd", "momentum": 0.0},
    {"optimizer": "sgd", "momentum": 0.9},
    {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
    *({"optimizer": name} for name in OPTIMIZERS if name != "sgd"),
    {"optimizer": "adam", "weight_decay": 0.02},
    {"optimizer": "sgd", "momentum": 0.5, "weight_decay": 0.02},
    {"optimizer": "sgd", "clipnorm": 0.5},
    {"optimizer": "lion", "clipnorm": 0.5, "weight_decay": 0.02},
]


def problem():
    """A random least-squares problem whose gradients shrink and change sign during training."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(12, 5)).astype("float32"), rng.normal(size=(12, 3)).astype("float32")
    start = [rng.normal(size=(5, 3)).astype("float32"), rng.normal(size=3).astype("float32")]

    def gradients(weights):
        residual = a @ weights[0] + weights[1] - b
        return [(a.T @ residual / 12).astype("float32"), residual.mean(0)]

    return start, gradients


def by_keras(config, start, gradients):
    optimizer = make_optimizer(config, config.lr)
    weights = [tf.keras.Variable(value) for value in start]
    for _ in range(100):
        optimizer.apply(gradients([np.asarray(weight) for weight in weights]), weights)
    return [np.asarray(weight) for weight in weights]


def by_rule(config, start, gradients):
    rule = updates.rule_for(config.optimizer, momentum=config.momentum > 0, nesterov=config.nesterov)
    numbers = {name: tf.constant(getattr(config, name), tf.float32) for name in RATES}
    weights = [tf.constant(value) for value in start]
    slots = [tf.zeros_like(weight) for weight in weights for _ in range(rule.n_slots)]
    for step in range(1, 101):
        gradient = [tf.constant(g) for g in gradients([weight.numpy() for weight in weights])]
        gradient = updates.clipped(gradient, numbers["clipnorm"]) if config.clipnorm else gradient
        decayed = [config.weight_decay > 0] * len(weights)
        weights, slots = updates.apply(rule, weights, gradient, slots, numbers, tf.constant(float(step)), decayed)
    return [weight.numpy() for weight in weights]


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_a_rule_gives_the_weights_of_the_keras_optimizer(case):
    config, _ = resolve(RunConfig(lr=0.05, **case))
    start, gradients = problem()
    ours, theirs = by_rule(config, start, gradients), by_keras(config, start, gradients)
    for mine, other, first in zip(ours, theirs, start, strict=True):
        assert np.abs(other - first).max() > 0.05
        np.testing.assert_allclose(mine, other, rtol=2e-5, atol=2e-6)
