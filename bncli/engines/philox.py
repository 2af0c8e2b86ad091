"""The random numbers of `tf.random.stateless_uniform`, computed with operations that vectorize over runs.

TensorFlow's own operation does not vectorize, and under XLA it returns other numbers than on the CPU, where
`model.fit` runs it. The generator is Philox-4x32-10 of Salmon et al. (2011), "Parallel random numbers: as easy as
1, 2, 3", SC '11. As in TensorFlow, one Philox block first turns the seed into key and counter.
"""

from __future__ import annotations

import math

from bncli.backend import tf

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
"""The multipliers of Philox-4x32."""

_WEYL = (0x9E3779B9, 0xBB67AE85)
"""What a round adds to the two words of the key: the golden ratio and the square root of 3, less 1, as fractions."""

_SCRAMBLE_KEY = (0x3EC8F720, 0x02461E29)
"""The key with which TensorFlow turns a seed into key and counter."""

_ROUNDS = 10

Words = list[tf.Tensor]
"""Tensors of uint32 of one shape: the words of one or many blocks."""


def uniform(seed: tf.Tensor, n_values: int) -> tf.Tensor:
    """Return `n_values` uniform float32 numbers in [0, 1).

    They equal those of `tf.random.stateless_uniform([n_values], seed, alg="philox")` on a CPU, bit for bit.

    Args:
        seed: Two integers from 0 to 2**31 - 1, shape (2,).
        n_values: How many numbers.
    """
    zero = tf.zeros([1], tf.uint32)
    first, second = (tf.reshape(tf.cast(seed[i], tf.uint32), [1]) for i in range(2))
    mixed = _philox([first, zero, second, zero], [_word(part) for part in _SCRAMBLE_KEY])
    blocks = tf.cast(tf.range(math.ceil(n_values / 4)), tf.uint32)
    counter = [blocks, tf.zeros_like(blocks), mixed[2] + tf.zeros_like(blocks), mixed[3] + tf.zeros_like(blocks)]
    words = tf.reshape(tf.stack(_philox(counter, mixed[:2]), axis=-1), [-1])[:n_values]
    return _to_float(words)


def _philox(counter: Words, key: Words) -> Words:
    """Apply ten rounds to a block of four words, with a key of two."""
    for _ in range(_ROUNDS):
        high_0, low_0 = _multiply(_MULTIPLIERS[0], counter[0])
        high_1, low_1 = _multiply(_MULTIPLIERS[1], counter[2])
        xor = tf.bitwise.bitwise_xor
        counter = [xor(xor(high_1, counter[1]), key[0]), low_1, xor(xor(high_0, counter[3]), key[1]), low_0]
        key = [key[i] + _word(_WEYL[i]) for i in range(2)]
    return counter


def _multiply(factor: int, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the high and the low word of the 64-bit product."""
    product = tf.cast(words, tf.uint64) * tf.constant(factor, tf.uint64)
    return tf.cast(tf.bitwise.right_shift(product, tf.constant(32, tf.uint64)), tf.uint32), tf.cast(product, tf.uint32)


def _to_float(words: tf.Tensor) -> tf.Tensor:
    """Return the low 23 bits of each word times 2**-23, exactly.

    TensorFlow makes them the mantissa of a number in [1, 2) and subtracts 1, which gives the same; but `tf.bitcast`
    does not vectorize.
    """
    return tf.cast(tf.bitwise.bitwise_and(words, _word(0x7FFFFF)), tf.float32) * 2.0**-23


def _word(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint32)
