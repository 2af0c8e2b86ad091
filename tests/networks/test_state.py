"""Which models may share a program: layers of the user's with a state, or random numbers, of their own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from bncli.networks.state import why_one_by_one


class DrawsByTensorFlow(layers.Layer):
    def call(self, x):
        return x + tf.random.normal(tf.shape(x))


class DrawsByTheGlobalSeed(layers.Layer):
    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x))


class DrawsByItsOwnSeed(layers.Layer):
    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(3)

    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x), seed=self.seeds)


class CountsItself(layers.Layer):
    def __init__(self):
        super().__init__()
        self.count = tf.Variable(0.0)

    def call(self, x):
        self.count.assign_add(1.0)
        return x + self.count


class CountsWithKeras(layers.Layer):
    def build(self, shape):
        self.count = self.add_weight(shape=(), trainable=False, initializer="zeros")

    def call(self, x):
        self.count.assign(self.count + 1.0)
        return x + self.count


class CallsPython(layers.Layer):
    def call(self, x):
        return tf.ensure_shape(tf.numpy_function(lambda a: a + np.float32(1), [x], tf.float32), x.shape)

    def compute_output_shape(self, shape):
        return shape


class Fails(layers.Layer):
    def call(self, x, training=False):
        if training:
            raise RuntimeError("not in a graph")
        return x


UNTRACKED = "it has a variable, or a state of random numbers, that Keras does not track"


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (DrawsByTensorFlow, "it draws random numbers that do not come from a keras.random.SeedGenerator"),
        (DrawsByTheGlobalSeed, UNTRACKED),
        (CountsItself, UNTRACKED),
        (CallsPython, "it calls Python code in every step"),
        (DrawsByItsOwnSeed, ""),
        (CountsWithKeras, ""),
        (layers.BatchNormalization, ""),
        (lambda: layers.Dropout(0.5), ""),
    ],
)
def test_state_that_keras_does_not_know_keeps_a_model_alone(layer, expected):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4), layer(), layers.Dense(2)])
    assert why_one_by_one(model, (4,)) == expected


def test_a_model_that_can_not_be_traced_says_why():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4), Fails()])
    assert why_one_by_one(model, (4,)) == ("Keras can't call it without its variables (RuntimeError: not in a graph)")


def test_a_layer_in_float64_is_left_to_fit():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype="float64", name="precise")])
    assert why_one_by_one(model, (3,)) == "layer precise computes in float64"
