"""The LSTM and the GRU of stacks give what Keras' layers give, and so do their gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bncli.engines.recurrent import GatedGRU, GatedLSTM


def outcome(layer, x, mask=None):
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x, mask=mask)
        loss = tf.reduce_sum(tf.sin(3 * outputs))
    return [outputs, *tape.gradient(loss, [x, *(variable.value for variable in layer.trainable_variables)])]


PAIRS = {"lstm": (keras.layers.LSTM, GatedLSTM), "gru": (keras.layers.GRU, GatedGRU)}


def check_same(kind, settings, mask=None):
    x = tf.random.stateless_normal([5, 6, 3], [1, 2])
    theirs, ours = PAIRS[kind]
    expected, layer = theirs(4, **settings), ours(4, unroll=True, **settings)
    for each in (expected, layer):
        each.build(x.shape)
    layer.set_weights([0.5 * np.random.default_rng(0).normal(size=each.shape) for each in expected.get_weights()])
    expected.set_weights(layer.get_weights())
    for found, wanted in zip(outcome(layer, x, mask), outcome(expected, x, mask), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("use_bias", [True, False])
def test_states_and_gradients_are_those_of_keras(kind, return_sequences, use_bias):
    check_same(kind, {"return_sequences": return_sequences, "use_bias": use_bias})


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        *(
            (kind, each)
            for kind in PAIRS
            for each in ({"activation": "relu"}, {"recurrent_activation": "hard_sigmoid"})
        ),
        *((kind, {"go_backwards": True}) for kind in PAIRS),
        ("lstm", {"unit_forget_bias": False}),
        ("gru", {"reset_after": False}),
    ],
)
def test_other_settings_are_left_to_keras(kind, settings):
    check_same(kind, settings)


@pytest.mark.parametrize("kind", PAIRS)
def test_masks_are_left_to_keras(kind):
    check_same(kind, {}, tf.constant(np.random.default_rng(1).integers(0, 2, (5, 6)).astype(bool)))
