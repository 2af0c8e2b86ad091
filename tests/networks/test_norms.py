"""Every registered normalization, by its formula."""

import numpy as np
import pytest

from bncli.config import RunConfig
from bncli.networks import norms

SHAPES = [(64, 8), (16, 5, 5, 8)]


def make(name, **fields):
    return norms.make(RunConfig(norm=name, **fields))


def sample(shape):
    return np.random.default_rng(0).normal(3.0, 2.0, shape).astype("float32")


@pytest.mark.parametrize("name", norms.REGISTRY)
def test_a_norm_uses_only_fields_of_a_run(name):
    assert set(norms.fields(name)) <= set(RunConfig().to_dict())
    assert norms.description(name).endswith(".")


@pytest.mark.parametrize("shape", SHAPES, ids=["points", "images"])
@pytest.mark.parametrize("name", norms.REGISTRY)
def test_a_norm_keeps_the_shape_and_passes_a_gradient(name, shape):
    import tensorflow as tf

    layer, x = make(name), tf.constant(sample(shape))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        loss = tf.reduce_sum(y * tf.range(y.shape[-1], dtype=tf.float32))
    assert y.shape == x.shape
    assert np.isfinite(tape.gradient(loss, x)).all()


@pytest.mark.parametrize("name", norms.OVER_ONE_VALUE)
@pytest.mark.parametrize("shape", SHAPES, ids=["points", "images"])
def test_norms_within_a_sample_are_the_same_in_training_and_inference(name, shape):
    layer, x = make(name), sample(shape)
    assert np.array_equal(layer(x, training=True), layer(x, training=False))


@pytest.mark.parametrize("shape", SHAPES, ids=["points", "images"])
def test_batch_outputs_mean_0_and_variance_v_over_v_plus_epsilon(shape):
    x = sample(shape)
    y = np.asarray(make("batch", norm_epsilon=0.5)(x, training=True))
    axes = tuple(range(x.ndim - 1))
    v = x.var(axes)
    assert np.allclose(y.mean(axes), 0.0, atol=1e-5)
    assert np.allclose(y.var(axes), v / (v + 0.5), rtol=1e-4)


def test_batch_updates_its_moving_averages_by_one_minus_momentum():
    layer, x = make("batch", norm_momentum=0.9), sample((64, 8))
    layer(x, training=True)
    assert np.allclose(layer.moving_mean, 0.1 * x.mean(0), rtol=1e-4)
    assert np.allclose(layer.moving_variance, 0.9 + 0.1 * x.var(0), rtol=1e-4)


def test_batch_with_momentum_0_uses_the_last_batch_in_inference():
    layer, x = make("batch", norm_momentum=0.0), sample((64, 8))
    trained = layer(x, training=True)
    assert np.allclose(trained, layer(x, training=False), atol=1e-4)


def test_layer_norm_follows_its_formula():
    x = sample((16, 8))
    expected = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 0.001)
    assert np.allclose(make("layer")(x), expected, atol=1e-4)


def test_group_norm_follows_its_formula():
    x = sample((4, 5, 5, 8))
    grouped = x.reshape(4, 25, 2, 4)
    mean, var = grouped.mean((1, 3), keepdims=True), grouped.var((1, 3), keepdims=True)
    expected = ((grouped - mean) / np.sqrt(var + 0.001)).reshape(x.shape)
    assert np.allclose(make("group", groups=2)(x), expected, atol=1e-4)


def test_rms_norm_follows_its_formula():
    x = sample((16, 8))
    assert np.allclose(make("rms")(x), x / np.sqrt((x**2).mean(1, keepdims=True) + 0.001), atol=1e-4)


@pytest.mark.parametrize(("center", "scale", "n_weights"), [(True, True, 4), (False, True, 3), (False, False, 2)])
def test_center_and_scale_are_weights_of_batch(center, scale, n_weights):
    layer = make("batch", center=center, scale=scale)
    layer(sample((4, 8)))
    assert len(layer.weights) == n_weights


@pytest.mark.parametrize(("name", "effect"), norms.OVER_ONE_VALUE.items())
def test_norms_within_a_sample_lose_a_value_that_is_alone(name, effect):
    output = np.asarray(make(name, groups=1)(np.array([[-3.0], [5.0]], "float32")))
    expected = {"always outputs 0": [[0], [0]], "outputs only its sign": [[-1], [1]]}[effect]
    np.testing.assert_allclose(output, expected, atol=1e-3)


def test_none_is_a_name_without_fields():
    assert norms.names()[0] == norms.NONE
    assert norms.fields(norms.NONE) == ()
    assert norms.description(norms.NONE) == "No normalization."
