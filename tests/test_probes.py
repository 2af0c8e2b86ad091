"""Every probe on a network or an array whose answer is known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bncli.claims.recording import record
from bncli.config import RunConfig, resolve
from bncli.data import datasets
from bncli.engines import stacked
from bncli.probes.activations import layer_inputs, percentile_path, saturated_share, shape_of
from bncli.probes.gradients import covariate_shift, gradients

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 1)).astype("float32")
Y = RNG.normal(size=(20, 1)).astype("float32")


def squared(y, predicted):
    return tf.reduce_sum((predicted - y) ** 2, axis=-1)


def chain(n_layers):
    """A product of numbers: `n_layers` linear layers of one unit, no bias."""
    return keras.Sequential([keras.Input((1,)), *(keras.layers.Dense(1, use_bias=False) for _ in range(n_layers))])


def numbers(*values):
    return [tf.constant([[value]], tf.float32) for value in values]


def slope(product, other):
    """Gradient of mean((product * x - y)**2) by the factor whose partner is `other`."""
    return float(2 * np.mean((product * X - Y) * X) * other)


def test_gradients_of_a_product():
    found = gradients(chain(2), numbers(0.5, 3.0), [], X, Y, squared)
    assert np.ravel(found) == pytest.approx([slope(1.5, 3.0), slope(1.5, 0.5)], rel=1e-5)


def test_gradients_are_taken_in_training_mode_and_leave_the_model_alone():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization()])
    x = RNG.normal(5.0, 2.0, (16, 3)).astype("float32")
    weights, others = ([v.value for v in group] for group in (model.trainable_variables, model.non_trainable_variables))
    before = model.get_weights()
    target = RNG.normal(size=(16, 4)).astype("float32")
    found = gradients(model, weights, others, x, target, squared)
    assert np.abs(found[0]).max() > 1e-2
    assert np.abs(found[1]).max() < 1e-6  # the bias: only batch statistics take it away
    assert all(map(np.array_equal, before, model.get_weights()))


def test_covariate_shift_of_a_product():
    w1, w2, new_w1 = 0.5, 3.0, 0.8
    old, new = slope(w1 * w2, w1), slope(new_w1 * w2, new_w1)
    (found,) = covariate_shift(chain(2), numbers(w1, w2), numbers(new_w1, 99.0), [], X, Y, squared).numpy()
    assert found == pytest.approx([abs(old - new), np.sign(old * new)], rel=1e-5)


def test_only_updates_below_a_layer_shift_it():
    weights, updated = numbers(0.5, 3.0, 2.0), numbers(0.5, 3.0, 7.0)
    found = covariate_shift(chain(3), weights, updated, [], X, Y, squared)
    assert np.allclose(found, [[0, 1], [0, 1]])
    second, third = covariate_shift(chain(3), weights, numbers(0.5, 4.0, 2.0), [], X, Y, squared).numpy()
    assert np.allclose(second, [0, 1])
    assert third[0] > 0.1


def test_received_is_what_stands_before_each_layer():
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


def test_a_unit_that_never_varies_counts_for_its_zeros_alone():
    varied = np.array([[0.0], [0.0], [0.0], [4.0]])
    both = shape_of(np.hstack([varied, np.zeros((4, 1))]))
    assert both == (shape_of(varied).skew, shape_of(varied).kurtosis, 7 / 8)


def test_saturated_share():
    assert saturated_share(np.array([[-3.5, 0.0], [3.0, 4.0]])) == 0.5
    assert saturated_share(np.array([[-3.5, 0.0], [3.0, 4.0]]), limit=3.6) == 0.25


def test_percentile_path_adds_up_moves_there_and_back():
    moment = RNG.normal(size=(50, 3))
    assert percentile_path([moment, moment + 1, moment]) == pytest.approx(2)
    assert percentile_path([moment, moment]) == 0


@pytest.fixture(scope="module")
def recorded():
    """Three seeds of a small network, untrained and after two epochs; plain gradient descent."""
    base = RunConfig(dataset="circles", model="dense8", optimizer="sgd", lr=0.1, epochs=2, n_samples=200, norm="batch")
    configs = [resolve(base.replace(seed=seed))[0] for seed in (0, 1, 2)]
    data = datasets.load(configs[0])
    return configs, data, record(configs, data, (0, 2))


def binary(y, predicted):
    return keras.losses.binary_crossentropy(tf.cast(y, tf.float32)[:, None], predicted)


def test_a_recording_ends_where_the_engine_ends(recorded):
    configs, data, recording = recorded
    trained = {}
    list(
        stacked.train(configs, data, on_model=lambda config, model: trained.update({config.seed: model.get_weights()}))
    )
    for run, config in enumerate(configs):
        model = recording.model
        found = dict(
            zip((v.path for v in model.trainable_variables), (w[1, run] for w in recording.weights), strict=True)
        )
        found |= zip(
            (v.path for v in model.non_trainable_variables), (o[1, run] for o in recording.others), strict=True
        )
        for variable, value in zip(model.weights, trained[config.seed], strict=True):
            assert np.allclose(found[variable.path], value, atol=1e-5), variable.path


def test_updated_is_one_step_down_the_gradient(recorded):
    _, _, recording = recorded
    steps = recording.over_runs(
        lambda w, o, new: [
            tf.reduce_max(tf.abs(after - (before - 0.1 * gradient)))
            for before, after, gradient in zip(
                w, new, gradients(recording.model, w, o, recording.x, recording.y, binary), strict=True
            )
        ]
    )
    assert np.max(steps) < 1e-6
    assert np.shape(steps) == (len(recording.weights), 2, 3)
