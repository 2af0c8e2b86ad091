"""Weights copied from model to model, by the names of the layers."""

import keras
import numpy as np
from keras import layers

from bncli.networks.copying import copy_weights


def model(*found, shape=(4,)):
    return keras.Sequential([keras.Input(shape), *found])


def test_by_name_and_not_by_position():
    source = model(layers.Dense(4, name="a"), layers.Dense(4, name="b"))
    target = model(layers.Dense(4, name="b"), layers.Dense(4, name="a"))
    assert copy_weights(source, target) == []
    for name in ("a", "b"):
        assert np.array_equal(source.get_layer(name).kernel, target.get_layer(name).kernel)


def test_a_kernel_is_copied_where_the_bias_is_new():
    source = model(layers.Dense(3, use_bias=False, name="a"))
    target = model(layers.Dense(3, bias_initializer="ones", name="a"))
    assert copy_weights(source, target) == ["a"]
    assert np.array_equal(source.get_layer("a").kernel, target.get_layer("a").kernel)
    assert np.array_equal(target.get_layer("a").bias, np.ones(3))
    assert copy_weights(target, source) == []


def test_another_shape_and_another_name_are_left_and_named():
    source = model(layers.Dense(4, name="a"), layers.Dense(3, name="b"))
    target = model(layers.Dense(5, name="a"), layers.Dense(3, name="c"), layers.ReLU(name="no_weights"))
    kept = target.get_weights()
    assert copy_weights(source, target) == ["a", "c"]
    assert all(map(np.array_equal, kept, target.get_weights()))


def test_nested_and_composite_layers():
    def nested():
        inner = keras.Sequential([layers.Bidirectional(layers.LSTM(2), name="both")], name="inner")
        return model(inner, layers.Dense(2, name="out"), shape=(3, 2))

    source, target = nested(), nested()
    assert copy_weights(source, target) == []
    rows = np.random.default_rng(0).normal(size=(2, 3, 2)).astype("float32")
    assert np.array_equal(source(rows), target(rows))


def test_an_adapted_layer_uses_what_is_copied():
    source, target = (model(layers.Normalization(name="scaling")) for _ in range(2))
    rows = np.arange(12, dtype="float32").reshape(3, 4)
    source.layers[0].adapt(rows)
    assert copy_weights(source, target) == []
    assert np.array_equal(source(rows), target(rows))
