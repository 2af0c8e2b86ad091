"""Calls of layers, seen in all kinds of models; and noise, switched off and on again."""

import itertools

import numpy as np
import pytest

from bncli.backend import keras
from bncli.probes.recording import noise_of, record, without_noise

layers = keras.layers
X = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)


class Own(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.first, self.relu = layers.Dense(3, name="first"), layers.ReLU(name="relu")

    def call(self, x):
        return self.relu(self.first(self.relu(x)))


def nested():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="inner")], name="part")
    return keras.Sequential([keras.Input((3,)), inner, layers.ReLU(name="end")])


@pytest.mark.parametrize(("make", "expected"), [(Own, ["relu", "first", "relu"]), (nested, ["inner", "end"])])
def test_every_call_is_shown_in_order_with_what_goes_in_and_out(make, expected):
    model, seen = make(), []
    outputs = model(X).numpy()
    record(model, X, lambda layer, given, made: seen.append((layer.name, given.numpy(), made.numpy())))
    assert [name for name, *_ in seen] == expected
    assert np.array_equal(seen[0][1], X)
    assert np.array_equal(seen[-1][2], outputs)
    assert all(np.array_equal(after[1], before[2]) for before, after in itertools.pairwise(seen))


def test_a_model_calls_its_layers_as_before_when_recording_has_failed():
    model = nested()

    def fail(*_):
        raise RuntimeError("seen")

    with pytest.raises(RuntimeError, match="seen"):
        record(model, X, fail)
    assert all("call" not in vars(layer) for layer in model._flatten_layers())
    assert model(X).shape == (4, 2)


class DropPath(layers.Layer):
    rate: float

    def __init__(self, rate):
        super().__init__()
        self.rate = rate


class Dilated(DropPath):
    """A layer of the user whose rate is none of noise."""


def test_noise_is_known_by_keras_layers_and_by_names():
    cell = layers.LSTM(2, dropout=0.1, recurrent_dropout=0.2)
    assert noise_of(layers.GaussianNoise(0.5)) == {"stddev": 0.5}
    assert noise_of(cell) == {}
    assert noise_of(cell.cell) == {"dropout": 0.1, "recurrent_dropout": 0.2}
    assert noise_of(DropPath(0.5)) == {"rate": 0.5}
    assert noise_of(Dilated(0.5)) == {}


def test_without_noise_training_mode_is_inference_mode():
    inner = [layers.Reshape((3, 1)), layers.LSTM(4, dropout=0.5, recurrent_dropout=0.5), layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((3,)), *inner, layers.GaussianNoise(1.0)])
    expected = model(X, training=False).numpy()
    with without_noise(model):
        assert np.array_equal(model(X, training=True), expected)
    assert not np.array_equal(model(X, training=True), expected)
    assert (inner[1].dropout, inner[2].rate, model.layers[-1].stddev) == (0.5, 0.5, 1.0)
