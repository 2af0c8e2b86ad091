"""Filled batches: normalizations have the statistics and gradients that Keras' layers have without the filling."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from bncli.engines.filling import FEW_POSITIONS, _normalized, count_samples, counted
from bncli.engines.layers import restacked
from bncli.networks.layers import GhostBatchNormalization

SHAPES = {"rows": (5,), "sequences": (4, 3), "images": (9, 8, 2)}
SETTINGS = [{}, {"center": False}, {"scale": False}, {"momentum": 0.5, "epsilon": 0.1}]


def normalization(**settings):
    return layers.BatchNormalization(
        **settings,
        gamma_initializer=keras.initializers.RandomUniform(0.5, 2, seed=1),
        beta_initializer=keras.initializers.RandomUniform(-1, 1, seed=2),
    )


def outcome(layer, x, upstream, mask=None):
    """Outputs, gradients and averages after a training step of a batch."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x, training=True, mask=mask)
    gradients = tape.gradient(outputs, [x, *(v.value for v in layer.trainable_variables)], output_gradients=upstream)
    return [outputs, *gradients, layer.moving_mean, layer.moving_variance]


def pair(shape, settings):
    """A layer of Keras', and one with the same values in a model whose samples count."""
    expected = normalization(**settings)
    expected.build((None, *shape))
    model = keras.Sequential([keras.Input(shape), normalization(**settings)])
    assert count_samples(model)
    return expected, model.layers[-1]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_samples_that_do_not_count_change_nothing(shape, settings):
    draw = np.random.default_rng(0)
    x, filling = (tf.constant(draw.normal(3, 2, (n, *shape)).astype("float32")) for n in (6, 3))
    upstream = tf.constant(draw.normal(size=(6, *shape)).astype("float32"))
    expected, layer = pair(shape, settings)
    theirs = outcome(expected, x, upstream)
    with counted(tf.constant([1.0] * 6 + [0.0] * 3)):
        ours = outcome(layer, tf.concat([x, filling], 0), tf.concat([upstream, tf.zeros([3, *shape])], 0))
    for found, wanted in zip([ours[0][:6], ours[1][:6], *ours[2:]], theirs, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert (6 + 3) * np.prod(SHAPES["images"][:-1]) > FEW_POSITIONS  # so that both ways of summing are tested


def test_masked_steps_count_neither_but_have_the_gradients_that_keras_gives_them():
    draw = np.random.default_rng(0)
    x, upstream = (tf.constant(draw.normal(size=(6, 4, 3)).astype("float32")) for _ in range(2))
    mask = tf.constant(draw.integers(0, 2, (6, 4)).astype(bool))
    expected, layer = pair((4, 3), {})
    theirs = outcome(expected, x, upstream, mask)
    with counted(tf.ones([6])):
        ours = outcome(layer, x, upstream, mask)
    for found, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_outside_of_the_block_and_in_inference_it_is_keras_layer():
    x = tf.random.stateless_normal([6, 5], [1, 2])
    expected, layer = pair((5,), {})
    np.testing.assert_array_equal(layer(x, training=True), expected(x, training=True))
    with counted(tf.constant([1.0, 0, 0, 0, 0, 0])):
        np.testing.assert_array_equal(layer(x), expected(x))


@pytest.mark.parametrize(
    "layer",
    [
        GhostBatchNormalization(2),
        layers.BatchNormalization(axis=1),
        layers.Softmax(axis=0),
        layers.UnitNormalization(axis=0),
        layers.ActivityRegularization(0.1),
        layers.Dense(2, activity_regularizer="l2"),
    ],
    ids=["ghost", "axis", "softmax", "unit", "activity", "activity of a layer"],
)
def test_what_depends_on_the_number_of_samples_in_another_way_is_not_filled(layer):
    assert not count_samples(keras.Sequential([keras.Input((4, 3)), layer]))


def test_functions_over_a_batch_are_not_filled_but_those_of_single_values_are():
    inputs = keras.Input((3,))
    centred = inputs - keras.ops.mean(inputs, axis=0, keepdims=True)
    assert not count_samples(keras.Model(inputs, layers.Dense(2)(centred)))
    assert count_samples(keras.Model(inputs, layers.Dense(2)(keras.ops.relu(inputs * 2 + 1))))


def test_a_normalization_that_is_called_with_a_mask_counts_samples():
    inputs = keras.Input((4, 3))
    x = layers.GRU(2, return_sequences=True)(layers.Masking()(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.GRU(2)(layers.BatchNormalization()(x))))
    assert count_samples(restacked(model))


@pytest.mark.parametrize("xla", [False, True])
def test_sums_over_many_positions_lose_little_to_rounding(xla):
    """Against float64. A single product over all 34,000 positions, which XLA sums one after the other, loses 1e-5."""
    rng = np.random.default_rng(0)
    x, upstream = (rng.uniform(0.5, 1.5, (64, 24, 24, 8)).astype("float32") for _ in range(2))
    counts = np.ones(x.shape[:-1], "float32")
    counts[-5:] = upstream[-5:] = 0

    @tf.function(jit_compile=xla)
    def train(x, upstream):
        gamma, beta = tf.ones(8), tf.zeros(8)
        with tf.GradientTape() as tape:
            tape.watch([gamma, beta])
            outputs, mean, variance = _normalized(x, gamma, beta, counts, 1e-3, is_masked=False)
            loss = tf.reduce_sum(outputs * upstream)
        return [mean, variance, *tape.gradient(loss, [gamma, beta])]

    values, weights = (array[:-5].astype("float64").reshape(-1, 8) for array in (x, upstream))
    mean, variance = values.mean(axis=0), values.var(axis=0)
    to_gamma = weights * (values - mean) / np.sqrt(variance + 1e-3)
    sizes = mean, variance, np.abs(to_gamma).sum(axis=0), weights.sum(axis=0)
    expected = mean, variance, to_gamma.sum(axis=0), weights.sum(axis=0)
    for found, exact, size in zip(train(x, upstream), expected, sizes, strict=True):
        assert np.abs(found - exact).max() < 1e-6 * size.max()
