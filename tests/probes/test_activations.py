"""Inputs of layers, and statistics of arrays whose answers are known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bncli.probes.activations import layer_inputs, percentile_path, saturated_share, shape_of

RNG = np.random.default_rng(0)


def test_layer_inputs_are_the_outputs_of_the_layer_before():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
        ]
    )
    x = RNG.normal(size=(8, 3)).astype("float32")
    kernel = tf.constant(RNG.normal(size=(3, 4)), tf.float32)
    weights = [kernel, tf.ones(4), tf.zeros(4)]
    into_norm, into_relu = layer_inputs(model, model.layers[1:], weights, [tf.zeros(4), tf.ones(4)], x)
    linear = x @ kernel.numpy()
    assert np.allclose(into_norm, linear, atol=1e-5)
    assert np.allclose(into_relu, (linear - linear.mean(0)) / np.sqrt(linear.var(0) + 0.001), atol=1e-4)


def test_shape_of_known_distributions():
    normal = shape_of(RNG.normal(size=(200_000, 2)))
    assert (normal.skew, normal.kurtosis, normal.zeros) == pytest.approx((0, 0, 0), abs=0.05)
    exponential = shape_of(RNG.exponential(size=(200_000, 2)))
    assert exponential.skew == pytest.approx(2, abs=0.1)
    assert exponential.kurtosis == pytest.approx(6, abs=1)


def test_a_constant_unit_counts_in_the_zeros_only():
    varied = np.array([[0.0], [0.0], [0.0], [4.0]])
    both = shape_of(np.hstack([varied, np.zeros((4, 1))]))
    assert both == (shape_of(varied).skew, shape_of(varied).kurtosis, 7 / 8)


def test_saturated_share_counts_values_beyond_the_limit():
    assert saturated_share(np.array([[-3.5, 0.0], [3.0, 4.0]])) == 0.5
    assert saturated_share(np.array([[-3.5, 0.0], [3.0, 4.0]]), limit=3.6) == 0.25


def test_percentile_path_adds_up_moves_in_both_directions():
    rows = RNG.normal(size=(50, 3))
    assert percentile_path([rows, rows + 1, rows]) == pytest.approx(2)
    assert percentile_path([rows, rows]) == 0
