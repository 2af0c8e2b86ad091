"""The random numbers of the stacked engine are TensorFlow's own, bit by bit, in every form that it runs them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bncli.engines import philox
from bncli.engines.layers import PhiloxDropout

LARGEST = 2**31 - 1
SEEDS = [[0, 0], [1, 0], [0, 1], [12345, 678], [LARGEST, 3], [LARGEST, LARGEST]]
SIZES = [1, 2, 3, 4, 5, 127, 4096, 100_003]


def by_the_op(seed, size):
    return tf.random.stateless_uniform([size], seed, alg="philox").numpy()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_numbers_are_those_of_the_op(seed, size):
    found = philox.uniform(tf.constant(seed), size)
    assert (found.dtype, found.shape) == (tf.float32, (size,))
    assert np.array_equal(found, by_the_op(seed, size))


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64, tf.uint32], ids=lambda dtype: dtype.name)
def test_the_seed_may_be_of_any_integer_type(dtype):
    assert np.array_equal(philox.uniform(tf.constant([LARGEST, 7], dtype), 10), by_the_op([LARGEST, 7], 10))


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_xla_compiles_them_to_the_same_numbers(size):
    compiled = tf.function(lambda seed: philox.uniform(seed, size), jit_compile=True)
    for seed in SEEDS:
        assert np.array_equal(compiled(tf.constant(seed)), by_the_op(seed, size))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_they_vectorize_over_runs_without_a_loop(jit_compile):
    def over_seeds(seeds):
        return tf.vectorized_map(lambda seed: philox.uniform(seed, 7), seeds, fallback_to_while_loop=False)

    found = tf.function(over_seeds, jit_compile=jit_compile)(tf.constant(SEEDS))
    assert np.array_equal(found, [by_the_op(seed, 7) for seed in SEEDS])


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("seed", [0, 1, LARGEST])
def test_dropout_drops_what_the_keras_layer_drops_call_after_call(rate, seed):
    ours, theirs = PhiloxDropout(rate, seed=seed), keras.layers.Dropout(rate, seed=seed)
    for call in range(4):
        x = tf.random.stateless_normal([9, 5, 3], [seed, call])
        assert np.array_equal(ours(x, training=True), theirs(x, training=True))


def test_calls_of_dropout_differ():
    layer, x = PhiloxDropout(0.5, seed=3), tf.ones([50])
    assert not np.array_equal(layer(x, training=True), layer(x, training=True))


def test_dropout_passes_everything_in_inference_and_at_rate_0():
    x = tf.random.stateless_normal([4, 6], [1, 2])
    assert np.array_equal(PhiloxDropout(0.5, seed=3)(x, training=False), x)
    assert np.array_equal(PhiloxDropout(0.0, seed=3)(x, training=True), x)
