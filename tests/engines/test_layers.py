"""The layers in forms that stack compute what Keras' layers compute."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bncli.engines.layers import FORMS, MatrixConv2D, PhiloxDropout, ReshapedMaxPooling2D, restacked
from bncli.networks.forms import REPLACED, why_not_stacked

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


IMAGES = {
    "strided, as Keras pads": lambda: keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
    "large steps, uneven kernel": lambda: keras.layers.Conv2D(4, (1, 2), strides=(3, 2)),
    "dilated": lambda: keras.layers.Conv2D(4, 3, dilation_rate=2, padding="same", use_bias=False),
    "depthwise": lambda: keras.layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2),
    "depthwise, valid": lambda: keras.layers.DepthwiseConv2D((2, 3), use_bias=False, activation="tanh"),
    "maximum": lambda: keras.layers.MaxPooling2D((3, 2)),
    "maximum that overlaps": lambda: keras.layers.MaxPooling2D(3, strides=2, padding="same"),
    "mean": lambda: keras.layers.AveragePooling2D(2),
    "mean that overlaps": lambda: keras.layers.AveragePooling2D(3, strides=2, padding="same"),
}
SEQUENCES = {
    "causal": lambda: keras.layers.Conv1D(4, 2, dilation_rate=2, padding="causal", activation="relu"),
    "dilated, without bias": lambda: keras.layers.Conv1D(4, 2, dilation_rate=2, use_bias=False),
    "lstm": lambda: keras.layers.LSTM(4, return_sequences=True, go_backwards=True),
    "gru": lambda: keras.layers.GRU(4),
}


def check_form(layer, shape):
    """The form of a layer in a model: the same variables, outputs and gradients."""
    theirs = keras.Sequential([keras.Input(shape), layer])
    ours, x = restacked(theirs), tf.random.stateless_normal([2, *shape], [1, 2])
    assert type(ours.layers[-1]) is not type(layer) or getattr(ours.layers[-1], "unroll", False)
    ours.set_weights(theirs.get_weights())
    found = []
    for model in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = model(x)
            loss = tf.reduce_sum(tf.sin(outputs))
        found.append([outputs, *tape.gradient(loss, [x, *model.trainable_variables])])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("size", [(7, 9), (8, 6)])
def test_a_form_of_a_layer_of_images_computes_what_the_layer_computes(name, size):
    check_form(IMAGES[name](), (*size, 3))


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_form_of_a_layer_of_sequences_computes_what_the_layer_computes(name):
    check_form(SEQUENCES[name](), (5, 3))


def test_every_replaced_layer_has_a_form():
    assert set(FORMS) == REPLACED


def test_a_nested_model_is_copied_with_its_layers():
    inner = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
    copied = restacked(keras.Sequential([keras.Input((6, 6, 1)), inner, keras.layers.Dense(3)]))
    assert [type(layer) for layer in copied.layers[0].layers] == [MatrixConv2D, keras.layers.Flatten]


def test_a_copy_keeps_a_python_function():
    def doubled(values):
        return 2 * values

    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(2, 3, activation=doubled)])
    assert restacked(model).layers[0].activation is doubled


class Own(keras.layers.Layer):
    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (keras.layers.Conv2D(4, 3, name="c"), ""),
        (keras.layers.Conv2D(4, 3, groups=2, name="c"), "Conv2D with groups (layer c) has no form that stacks"),
        (keras.layers.SpatialDropout2D(0.5, name="d"), "SpatialDropout2D (layer d) has no form that stacks"),
        (
            keras.layers.Dropout(0.5, noise_shape=(None, 1, 1, 2), name="d"),
            "Dropout with noise_shape (layer d) has no form that stacks",
        ),
        (Own(name="mine"), "layer mine is of the user's class Own"),
    ],
)
def test_what_keeps_a_model_from_being_stacked(layer, reason):
    assert why_not_stacked(keras.Sequential([keras.Input((6, 6, 2)), layer])) == reason


def test_unknown_functions_between_layers_and_subclasses_are_not_stacked():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.ops.sort(keras.ops.relu(keras.layers.Dense(3)(inputs))))
    assert why_not_stacked(model) == "it calls the function Sort of keras.ops between its layers"

    class Net(keras.Model):
        pass

    assert why_not_stacked(Net()) == "Net is a subclass of keras.Model"


@pytest.mark.parametrize("size", [(2, 2), (3, 2)])
def test_of_equal_values_the_first_gets_the_gradient_of_max_pooling_as_in_keras(size):
    x = tf.constant(np.random.default_rng(0).integers(0, 3, (4, 7, 6, 2)).astype("float32"))
    found = []
    for layer in (ReshapedMaxPooling2D(size), keras.layers.MaxPooling2D(size)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = tf.square(layer(x) + 1)
        found.append((outputs, tape.gradient(outputs, x)))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)
