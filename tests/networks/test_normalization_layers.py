"""Ghost batch normalization: chunk by chunk what Keras' layer computes, and all of the batch where it is one chunk."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bncli.networks.layers import GhostBatchNormalization

SHAPES = [(6,), (4, 3, 6)]


def sample(n, shape, seed=0):
    return np.random.default_rng(seed).normal(3.0, 2.0, (n, *shape)).astype("float32")


def draw(layer, shape):
    """Build a layer and give its gamma and beta values of their own."""
    layer.build((None, *shape))
    for weight in layer.trainable_weights:
        weight.assign(np.random.default_rng(1).uniform(0.5, 1.5, weight.shape))
    return layer


def pair(shape, ghost, **settings):
    return draw(GhostBatchNormalization(ghost, **settings), shape), draw(
        keras.layers.BatchNormalization(**settings), shape
    )


def gradients(layer, x, calls):
    """What the layer returns for parts of the batch, and the gradients of their sum to input and weights."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.concat([layer(part, training=True) for part in calls(x)], 0)
        loss = tf.reduce_sum(tf.sin(y))
    return [y, *tape.gradient(loss, [x, *layer.trainable_weights])]


@pytest.mark.parametrize("shape", SHAPES, ids=["points", "images"])
@pytest.mark.parametrize(
    ("n", "ghost", "sizes"),
    [
        (12, 4, [4, 4, 4]),
        (12, 5, [5, 5, 2]),
        (13, 4, [4, 4, 5]),
        (11, 4, [4, 4, 3]),
        (3, 2, [3]),
        (5, 4, [5]),
        (6, 4, [4, 2]),
    ],
)
@pytest.mark.parametrize("is_known", [True, False], ids=["known size", "unknown size"])
def test_every_chunk_is_normalized_as_by_keras_and_the_averages_are_their_mean(shape, n, ghost, sizes, is_known):
    x = sample(n, shape)
    ghostly, plain = pair(shape, ghost, momentum=0.9, epsilon=0.01)
    signature = [tf.TensorSpec([n if is_known else None, *shape])]
    call = tf.function(lambda part: ghostly(part, training=True), input_signature=signature)
    np.testing.assert_allclose(call(x), ghostly(x, training=True), atol=1e-5)
    ghostly = draw(GhostBatchNormalization(ghost, momentum=0.9, epsilon=0.01), shape)
    ours = gradients(ghostly, x, lambda x: [x])
    theirs = gradients(plain, x, lambda x: tf.split(x, sizes))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    axes = tuple(range(len(shape)))
    parts = np.split(x, np.cumsum(sizes)[:-1])
    np.testing.assert_allclose(ghostly.moving_mean, 0.1 * np.mean([p.mean(axes) for p in parts], 0), rtol=1e-4)
    variance = 0.9 + 0.1 * np.mean([p.var(axes) for p in parts], 0)
    np.testing.assert_allclose(ghostly.moving_variance, variance, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=["points", "images"])
@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_a_batch_that_is_one_chunk_is_normalized_as_by_keras_to_the_bit(shape, n):
    ghostly, plain = pair(shape, 8)
    x = sample(n, shape)
    assert np.array_equal(ghostly(x, training=True), plain(x, training=True))
    assert all(np.array_equal(one, other) for one, other in zip(ghostly.weights, plain.weights, strict=True))


@pytest.mark.parametrize("settings", [{"center": False}, {"scale": False}, {"center": False, "scale": False}])
def test_gamma_and_beta_are_there_as_in_keras(settings):
    ghostly, plain = pair((6,), 4, **settings)
    x = sample(8, (6,))
    parts = [plain(x[:4], training=True), plain(x[4:], training=True)]
    np.testing.assert_allclose(ghostly(x, training=True), np.concatenate(parts), atol=1e-5)
    assert [weight.name for weight in ghostly.weights] == [weight.name for weight in plain.weights]


@pytest.mark.parametrize("is_frozen", [True, False])
def test_inference_and_a_frozen_layer_are_keras_layer(is_frozen):
    ghostly, plain = pair((6,), 4)
    for layer in (ghostly, plain):
        layer.trainable = not is_frozen
        layer.moving_mean.assign(np.arange(6.0))
    x = sample(8, (6,))
    assert np.array_equal(ghostly(x, training=is_frozen), plain(x, training=is_frozen))


def test_steps_that_a_mask_leaves_out_do_not_count():
    ghostly, plain = pair((3, 6), 4)
    x, mask = sample(8, (3, 6)), np.arange(24).reshape(8, 3) % 4 != 1
    whole = [plain(x[rows], training=True, mask=mask[rows]) for rows in (slice(4), slice(4, 8))]
    np.testing.assert_allclose(ghostly(x, training=True, mask=mask), np.concatenate(whole), atol=1e-4)


def test_half_precision_is_normalized_in_float32():
    layer = GhostBatchNormalization(4, dtype="mixed_float16")
    y = layer(tf.cast(300 * sample(8, (6,)), "float16"), training=True)
    assert y.dtype == "float16"
    assert np.isfinite(y).all()


def test_the_layer_is_saved_with_its_chunks(tmp_path):
    model = keras.Sequential([keras.Input((6,)), GhostBatchNormalization(4, momentum=0.5, name="ghost")])
    model(sample(8, (6,)), training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("ghost").ghost == 4
    assert np.array_equal(loaded(sample(8, (6,), seed=2)), model(sample(8, (6,), seed=2)))
