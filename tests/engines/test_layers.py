"""The layers in forms that stack compute what Keras' layers compute."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bncli.engines.layers import MatrixConv2D, PhiloxDropout, ReshapedMaxPooling2D

LARGEST = 2**31 - 1


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("seed", [0, 1, LARGEST])
def test_dropout_drops_what_the_keras_layer_drops_in_every_call(rate, seed):
    ours, theirs = PhiloxDropout(rate, seed=seed), keras.layers.Dropout(rate, seed=seed)
    for call in range(4):
        x = tf.random.stateless_normal([9, 5, 3], [seed, call])
        assert np.array_equal(ours(x, training=True), theirs(x, training=True))


def test_two_calls_of_dropout_differ():
    layer, x = PhiloxDropout(0.5, seed=3), tf.ones([50])
    assert not np.array_equal(layer(x, training=True), layer(x, training=True))


def test_dropout_changes_nothing_in_inference_and_at_rate_0():
    x = tf.random.stateless_normal([4, 6], [1, 2])
    assert np.array_equal(PhiloxDropout(0.5, seed=3)(x, training=False), x)
    assert np.array_equal(PhiloxDropout(0.0, seed=3)(x, training=True), x)


def test_matrix_convolution_equals_the_keras_layer():
    ours, theirs = MatrixConv2D(4, 3), keras.layers.Conv2D(4, 3)
    x = tf.random.stateless_normal([2, 6, 7, 3], [1, 2])
    ours.build(x.shape)
    theirs.build(x.shape)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(6, 8), (7, 9)])
def test_reshaped_max_pooling_equals_the_keras_layer(size):
    x = tf.random.stateless_normal([2, *size, 3], [1, 2])
    assert np.array_equal(ReshapedMaxPooling2D(2)(x), keras.layers.MaxPooling2D(2)(x))
