"""Population statistics are the means over batches of what Keras' layer normalizes with."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bncli.probes.population import by_batch, moving_averages, n_batches, population_statistics

X = np.random.default_rng(0).normal(3.0, 2.0, size=(60, 4)).astype("float32")
BATCHES = np.arange(60, dtype="int32").reshape(3, 20)


def network(**fields):
    """Two normalizations, one of them in a nested model, and a dropout whose seed is another variable."""
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5), keras.layers.BatchNormalization(**fields)])
    layers = [keras.layers.BatchNormalization(momentum=0.5), inner, keras.layers.Dropout(0.2)]
    return keras.Sequential([keras.Input((4,)), *layers])


def estimate(model, n_steps=3):
    weights = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]
    averages = moving_averages(model)

    @tf.function
    def run():
        def call(others, rows):
            return model.stateless_call(weights, others, tf.gather(X, rows), training=True)[1]

        return population_statistics(averages, others, tf.constant(BATCHES), tf.constant(n_steps), call)

    return run()


@pytest.mark.parametrize("momentum", [0.0, 0.99, 0.999])
def test_the_statistics_of_the_first_layer_are_means_over_the_batches(momentum):
    model = network(momentum=momentum)
    found = dict(zip([v.path for v in model.non_trainable_variables], estimate(model), strict=True))
    mean, variance = (found[v.path] for v in (model.layers[0].moving_mean, model.layers[0].moving_variance))
    batches = X[BATCHES]
    assert mean.numpy() == pytest.approx(batches.mean(axis=(0, 1)), rel=1e-4)
    assert variance.numpy() == pytest.approx(batches.var(axis=1).mean(axis=0), rel=1e-4)


def test_a_deeper_layer_gets_the_statistics_of_inputs_that_are_normalized_by_batch():
    model = network(momentum=0.99)
    inner = model.layers[1]
    found = dict(zip([v.path for v in model.non_trainable_variables], estimate(model), strict=True))
    normalized = [(rows - rows.mean(axis=0)) / np.sqrt(rows.var(axis=0) + 1e-3) for rows in X[BATCHES]]
    dense = [rows @ inner.layers[0].kernel.numpy() for rows in normalized]
    variance = found[inner.layers[1].moving_variance.path].numpy()
    assert variance == pytest.approx(np.mean([rows.var(axis=0) for rows in dense], axis=0), rel=1e-3)


def test_the_model_and_its_other_variables_stay_as_they_are():
    model = network(momentum=0.9)
    before = [value.numpy() for value in model.non_trainable_variables]
    found = estimate(model)
    averages = moving_averages(model)
    for place, (old, new) in enumerate(zip(before, found, strict=True)):
        assert (np.array_equal(old, new)) == (place not in averages.momenta)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.non_trainable_variables, strict=True))


class Still(keras.layers.Layer):
    """A layer of the user's that keeps its normalization in inference mode."""

    def __init__(self):
        super().__init__()
        self.norm = keras.layers.BatchNormalization()

    def call(self, x):
        return self.norm(x, training=False)


def test_averages_that_training_does_not_move_stay_what_the_layer_normalizes_with():
    model = keras.Sequential([keras.Input((4,)), Still(), keras.layers.BatchNormalization()])
    still, moved = model.layers[0].norm, model.layers[1]
    still.moving_mean.assign([1.0, 2.0, 0.0, 3.0])
    found = dict(zip([v.path for v in model.non_trainable_variables], estimate(model), strict=True))
    np.testing.assert_array_equal(found[still.moving_mean.path], still.moving_mean)
    np.testing.assert_array_equal(found[still.moving_variance.path], still.moving_variance)
    inputs = (X[BATCHES] - still.moving_mean.numpy()) / np.sqrt(1 + 1e-3)
    assert found[moved.moving_mean.path].numpy() == pytest.approx(inputs.mean(axis=(0, 1)), rel=1e-4)


def test_a_frozen_layer_and_other_normalizations_have_no_averages_to_estimate():
    model = network()
    assert len(moving_averages(model).momenta) == 4
    model.layers[1].layers[1].trainable = False
    assert set(moving_averages(model).momenta.values()) == {0.5}
    assert not moving_averages(keras.Sequential([keras.Input((4,)), keras.layers.LayerNormalization()]))


def test_renorm_has_the_variance_that_its_mean_deviation_gives():
    layer = keras.layers.BatchNormalization(renorm=True, momentum=0.9, epsilon=0.01)
    model = keras.Sequential([keras.Input((4,)), layer])
    found = dict(zip([v.path for v in model.non_trainable_variables], estimate(model), strict=True))
    batches = X[BATCHES]
    deviation = np.sqrt(batches.var(axis=1) + 0.01).mean(axis=0)
    assert found[layer.moving_mean.path].numpy() == pytest.approx(batches.mean(axis=(0, 1)), rel=1e-4)
    assert found[layer.moving_stddev.path].numpy() == pytest.approx(deviation, rel=1e-4)
    assert found[layer.moving_variance.path].numpy() == pytest.approx(deviation**2 - 0.01, rel=1e-4)


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "epochs", "expected"),
    [(1347, 32, 40, 42), (1347, 32, 2, 32), (100, 32, 1, 3), (500, 500, 100, 1), (60_000, 32, 100, 1875)],
)
def test_a_thousand_rows_or_a_twentieth_of_the_steps_but_at_most_one_epoch(n_rows, batch_size, epochs, expected):
    assert n_batches(n_rows, batch_size, epochs) == expected


def moments(x):
    return x.mean(axis=0), x.var(axis=0)


def averages(layer):
    return layer.moving_mean.numpy(), layer.moving_variance.numpy()


def test_by_batch_a_layer_that_is_called_in_inference_mode_gets_what_the_batch_has():
    norm, inputs = keras.layers.BatchNormalization(), keras.Input((4,))
    part = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), norm])
    model = keras.Model(inputs, part(inputs, training=False))
    with by_batch(model):
        model(X[:20], training=False)
    for found, expected in zip(averages(norm), moments(X[:20]), strict=True):
        assert found == pytest.approx(expected, rel=1e-4)
    before = averages(norm)
    model(X[20:], training=False)
    assert np.array_equal(averages(norm), before)
    assert (norm.momentum, "call" in vars(norm)) == (0.99, False)


def test_by_batch_a_layer_that_is_called_twice_gets_the_mean_of_its_calls():
    norm, inputs = keras.layers.BatchNormalization(), keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Add()([norm(inputs), norm(inputs * 3)]))
    with by_batch(model):
        model(X)
    for found, one, other in zip(averages(norm), moments(X), moments(X * 3), strict=True):
        assert found == pytest.approx((one + other) / 2, rel=1e-4)
