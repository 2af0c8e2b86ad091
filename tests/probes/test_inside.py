"""What is counted as dead, saturated or lagging, and percentiles as NumPy has them."""

import keras
import numpy as np
import pytest
from keras import layers

from bncli.probes.inside import LEVELS, MAX_VALUES, PROBES, Look, percentiles_of
from bncli.probes.taps import tapped


def looked(model, x):
    look = Look(model, x, np.zeros(len(x), int), LEVELS[0], keras.losses.sparse_categorical_crossentropy)
    values, samples = look(
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
    )
    named = {(series.probe, series.number): float(value) for series, value in zip(look.series, values, strict=True)}
    return named, look.sampled, [each.numpy() for each in samples]


def test_dead_and_saturated_shares():
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4, activation="relu"), layers.Dense(2), layers.Activation("tanh")]
    )
    model.layers[0].set_weights([np.zeros((2, 4)), np.array([-1.0, -1.0, -1.0, 2.0])])
    model.layers[1].set_weights([np.zeros((4, 2)), np.array([0.0, 3.5])])
    named, sampled, _ = looked(model, np.ones((8, 2), "float32"))
    assert named["dead", 1] == 0.75
    assert named["saturated", 2] == 0.5
    names = [layer.name for layer in (model.layers[0], model.layers[2])]
    assert sampled == [[("preactivation", names[0], 1)], [("preactivation", names[1], 2)]]


def test_functions_of_a_functional_model_are_activations_too_but_a_rectifier_with_a_slope_has_no_dead_units():
    inputs = keras.Input((2,))
    dead = layers.Dense(4, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(-1))
    x = keras.ops.relu(dead(inputs))
    x = layers.ReLU(negative_slope=0.1)(keras.activations.relu(x, negative_slope=0.1))
    model = keras.Model(inputs, keras.ops.softmax(x))
    named, sampled, _ = looked(model, np.ones((8, 2), "float32"))
    assert {key: value for key, value in named.items() if key[0] == "dead"} == {("dead", 1): 1.0}
    functions = [each for each in model.operations if not isinstance(each, keras.Layer)]
    layer = model.layers[-1]
    assert sorted(name for equal in sampled for _, name, _ in equal) == sorted(
        [functions[0].name, functions[1].name, layer.name]
    )
    assert not any("call" in vars(each) for each in model.operations)


def test_lags_gamma_beta_and_norms_of_weights():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, use_bias=False), layers.BatchNormalization()])
    model.layers[0].set_weights([np.eye(3, 2)])
    x = np.random.default_rng(0).normal(2.0, 0.5, (64, 3)).astype("float32")
    model.layers[1].set_weights(np.array([[2.0, 4.0], [0.5, 1.5], [2.0, 2.0], [1.0, 1.0]]))
    named, *_ = looked(model, x)
    mean, variance = x[:, :2].mean(axis=0), x[:, :2].var(axis=0)
    assert named["mean_lag", 1] == pytest.approx(np.abs((2 - mean) / np.sqrt(variance + 1e-3)).mean(), rel=1e-4)
    assert named["variance_lag", 1] == pytest.approx(np.abs(np.log((1 + 1e-3) / (variance + 1e-3))).mean(), rel=1e-4)
    assert (named["gamma", 1], named["beta", 1]) == (3.0, 1.0)
    assert named["weight_norm", 1] == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize("shape", [(7,), (100,), (3, 50), (MAX_VALUES,)])
def test_percentiles_are_those_of_numpy(shape):
    values = np.random.default_rng(1).normal(size=shape).astype("float32")
    np.testing.assert_allclose(
        percentiles_of(values), np.moveaxis(np.percentile(values, (15, 50, 85), axis=-1), 0, -1), rtol=1e-5
    )


def test_of_many_values_some_are_drawn_the_same_each_time():
    model = keras.Sequential([keras.Input((16, 16, 1)), layers.Conv2D(8, 3), layers.BatchNormalization()])
    x = np.random.default_rng(0).normal(size=(64, 16, 16, 1)).astype("float32")
    first, again = (looked(model, x)[2] for _ in range(2))
    assert first[0].shape == (MAX_VALUES,)
    np.testing.assert_array_equal(first[0], again[0])


def test_what_a_norm_returns_and_the_activation_gets_is_sampled_once():
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2), layers.BatchNormalization(name="norm"), layers.ReLU(name="act")]
    )
    _, sampled, samples = looked(model, np.ones((4, 3), "float32"))
    assert sampled == [[("input", "norm", 1)], [("output", "norm", 1), ("preactivation", "act", 1)]]
    assert len(samples) == 2


def test_a_layer_that_is_called_twice_has_two_taps_and_the_model_is_left_as_it_was():
    shared, inputs = layers.LayerNormalization(name="norm"), keras.Input((3,))
    model = keras.Model(inputs, shared(shared(inputs) * 2))
    before = dict(shared.__dict__)
    with tapped(model) as taps:
        model(np.ones((2, 3), "float32"))
    assert [(tap.place, tap.kind) for tap in taps] == [
        ("norm", "input"),
        ("norm", "output"),
        ("norm 2", "input"),
        ("norm 2", "output"),
    ]
    assert shared.__dict__.keys() == before.keys()


def test_every_probe_says_what_it_is():
    for probe in PROBES.values():
        assert probe.label
        assert probe.what[0].islower()
        assert not probe.what.endswith(".")
