"""The random numbers equal those of TensorFlow's operation, bit by bit, however they are run."""

import numpy as np
import pytest
import tensorflow as tf

from bncli.engines import philox

LARGEST = 2**31 - 1
SEEDS = [[0, 0], [1, 0], [0, 1], [12345, 678], [LARGEST, 3], [LARGEST, LARGEST]]
SIZES = [1, 2, 3, 4, 5, 127, 4096, 100_003]


def by_tensorflow(seed, size):
    return tf.random.stateless_uniform([size], seed, alg="philox").numpy()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_numbers_equal_those_of_the_operation(seed, size):
    found = philox.uniform(tf.constant(seed), size)
    assert (found.dtype, found.shape) == (tf.float32, (size,))
    assert np.array_equal(found, by_tensorflow(seed, size))


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64, tf.uint32], ids=lambda dtype: dtype.name)
def test_the_seed_may_be_of_any_integer_type(dtype):
    assert np.array_equal(philox.uniform(tf.constant([LARGEST, 7], dtype), 10), by_tensorflow([LARGEST, 7], 10))


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_xla_gives_the_same_numbers(size):
    compiled = tf.function(lambda seed: philox.uniform(seed, size), jit_compile=True)
    for seed in SEEDS:
        assert np.array_equal(compiled(tf.constant(seed)), by_tensorflow(seed, size))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_numbers_vectorize_over_runs_without_a_loop(jit_compile):
    def over_seeds(seeds):
        return tf.vectorized_map(lambda seed: philox.uniform(seed, 7), seeds, fallback_to_while_loop=False)

    found = tf.function(over_seeds, jit_compile=jit_compile)(tf.constant(SEEDS))
    assert np.array_equal(found, [by_tensorflow(seed, 7) for seed in SEEDS])
