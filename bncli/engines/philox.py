"""The random numbers of `tf.random.stateless_uniform`, in plain arithmetic that vectorizes and compiles.

TensorFlow's own op has no vectorized form, and XLA gives it other numbers than the CPU kernel that `model.fit`
runs. This is that kernel's generator: Philox-4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as
1, 2, 3"), with the seed scrambled by one block of the same function, as TensorFlow does it. Tests hold it to the op
bit by bit.
"""

from __future__ import annotations

import math

from bncli.engines.backend import tf

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)

_WEYL = (0x9E3779B9, 0xBB67AE85)

_SCRAMBLE_KEY = (0x3EC8F720, 0x02461E29)

_ROUNDS = 10

Words = list[tf.Tensor]


def uniform(seed: tf.Tensor, n_values: int) -> tf.Tensor:
    """Return `n_values` floats in [0, 1), those of `stateless_uniform([n_values], seed, alg="philox")` on a CPU.

    Args:
        seed: Two integers below 2**31, shape (2,).
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
    """Ten rounds over a block of four words."""
    for _ in range(_ROUNDS):
        high_0, low_0 = _multiply(_MULTIPLIERS[0], counter[0])
        high_1, low_1 = _multiply(_MULTIPLIERS[1], counter[2])
        xor = tf.bitwise.bitwise_xor
        counter = [xor(xor(high_1, counter[1]), key[0]), low_1, xor(xor(high_0, counter[3]), key[1]), low_0]
        key = [key[i] + _word(_WEYL[i]) for i in range(2)]
    return counter


def _multiply(factor: int, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """High and low word of the 64-bit product."""
    product = tf.cast(words, tf.uint64) * tf.constant(factor, tf.uint64)
    return tf.cast(tf.bitwise.right_shift(product, tf.constant(32, tf.uint64)), tf.uint32), tf.cast(product, tf.uint32)


def _to_float(words: tf.Tensor) -> tf.Tensor:
    """The low 23 bits as the mantissa of a float in [1, 2), less 1: exactly that many times 2**-23.

    Written as a product because `tf.bitcast` has no vectorized form and would loop over the runs.
    """
    return tf.cast(tf.bitwise.bitwise_and(words, _word(0x7FFFFF)), tf.float32) * 2.0**-23


def _word(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint32)
