"""Population statistics of a saved model: what they are, and how many rows they need."""

import keras
import numpy as np
import pytest

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.diagnosis.recalibrate import Point, Recalibration, Score, _counts, recalibrate, recalibrate_file, saved_model
from bncli.diagnosis.subjects import as_it_is
from bncli.errors import InvalidConfig
from bncli.networks.network import network_of
from bncli.networks.own import batch_norms
from bncli.networks.seeds import batch_order

DIGITS = RunConfig(dataset="digits", model="net.keras", batch_size=64)


def trained(layers, epochs=2, **frozen):
    """A network that was trained on digits for a short time."""
    keras.utils.set_random_seed(0)
    data = datasets.load(DIGITS)
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers, keras.layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(data.x_train, data.y_train, batch_size=64, epochs=epochs, verbose=0)
    return model, data


def dense(*more):
    return [
        keras.layers.Flatten(),
        *more,
        keras.layers.Dense(32),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
        keras.layers.Dense(32),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
    ]


def with_statistics(model, found):
    for layer in batch_norms(model):
        mean, variance = found.statistics[id(layer)]
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(variance)


def accuracy(model, x, y):
    return float((model.predict(x, verbose=0).argmax(axis=-1) == y).mean())


def test_a_model_whose_averages_lag_gains_what_keras_then_measures():
    model, data = trained(dense(), epochs=1)
    before = model.get_weights()
    found = recalibrate(model, data, 64)
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))
    assert found.before["val"].score == pytest.approx(accuracy(model, data.x_val, data.y_val))
    with_statistics(model, found)
    for part, (x, y) in data.parts.items():
        assert found.after[part].score == pytest.approx(accuracy(model, x, y))
        assert found.after[part].loss == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-4)
    assert found.after["val"].score > found.before["val"].score + 0.1
    assert found.after["val"].score > 0.9
    assert (found.n_rows, found.curve[-1].score) == (1344, found.after["val"])


def test_the_first_layer_gets_the_mean_over_whole_batches_of_what_it_normalizes_with():
    model, data = trained([keras.layers.Flatten(), keras.layers.BatchNormalization()], epochs=1)
    mean, variance = recalibrate(model, data, 100).statistics[id(model.layers[1])]
    batches = data.x_train[batch_order(0, 0, 1347)[:1300]].reshape(13, 100, 64)
    assert mean == pytest.approx(batches.mean(axis=(0, 1)), abs=1e-5)
    assert variance == pytest.approx(batches.var(axis=1).mean(axis=0), abs=1e-5)


def test_dropout_and_augmentation_are_off():
    """Dropout before a layer adds to the variance that training sees, and that inference does not have."""
    noise = keras.layers.Dropout(0.5)
    model, data = trained([keras.layers.RandomTranslation(0.2, 0.2), *dense(noise)], epochs=1)
    found = recalibrate(model, data, 1347)
    kernel, bias = (value.numpy() for value in batch_norms_before(model))
    flat = data.x_train.reshape(1347, 64)
    assert found.statistics[id(batch_norms(model)[0])][1] == pytest.approx((flat @ kernel + bias).var(axis=0), rel=1e-3)


def batch_norms_before(model):
    layer = next(layer for layer in model.layers if isinstance(layer, keras.layers.Dense))
    return layer.kernel, layer.bias


def test_frozen_layers_and_those_that_are_called_in_inference_mode_get_theirs():
    model, data = trained(dense())
    expected = recalibrate(model, data, 64).statistics
    inputs = keras.Input((8, 8, 1))
    for frozen in (True, False):
        model.trainable = not frozen
        outer = keras.Model(inputs, model(inputs, training=False))
        found = recalibrate(outer, data, 64).statistics
        assert [layer.trainable for layer in batch_norms(outer)] == [not frozen] * 2
        assert found.keys() == expected.keys()
        assert all(np.allclose(found[layer], expected[layer], rtol=1e-4, atol=1e-5) for layer in expected)


@pytest.mark.slow
def test_fewer_rows_than_a_batch_are_one_batch():
    model, data = trained(dense(), epochs=1)
    found = recalibrate(model, data, 10_000)
    assert [point.n_rows for point in found.curve] == [1347]
    assert (found.n_rows, found.n_enough) == (1347, 1347)


@pytest.mark.parametrize(
    ("n_batches", "size", "expected"),
    [
        (44, 32, [32, 96, 320, 1024]),
        (10, 100, [100, 300]),
        (1, 32, []),
        (1875, 32, [32, 96, 320, 1024, 3200, 10112, 32000]),
    ],
)
def test_the_curve_goes_up_by_half_decades(n_batches, size, expected):
    found = [count * size for count in _counts(n_batches, size)]
    assert found == expected


def curve(*accuracies, n_val=100):
    points = [Point(10 * 2**n, Score(value, 0.5)) for n, value in enumerate(accuracies)]
    return Recalibration({}, {}, {"val": points[-1].score}, points, n_val)


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ((0.9, 0.9, 0.9), 10),
        ((0.5, 0.88, 0.9), 20),
        ((0.9, 0.5, 0.9), 40),
        ((0.5, 0.93, 0.9), 20),
        ((0.5, 0.94, 0.9), 40),
        ((0.9,), 10),
        ((0.97, 0.99, 1.0), 20),
    ],
)
def test_enough_rows_are_those_from_which_on_accuracy_stays(accuracies, expected):
    assert curve(*accuracies).n_enough == expected


def test_the_standard_error_is_not_0_where_all_rows_are_right():
    assert curve(0.5, n_val=100).error == pytest.approx(0.5 / 104**0.5)
    assert curve(1.0, n_val=100).error == pytest.approx(0.0135, abs=1e-4)


def test_a_file_without_batch_normalization_is_refused(folder):
    trained([keras.layers.Flatten(), keras.layers.LayerNormalization()], epochs=1)[0].save("net.keras")
    with pytest.raises(InvalidConfig) as raised:
        saved_model(network_of("net.keras"), as_it_is(DIGITS))
    assert str(raised.value) == (
        "model 'net.keras' has no batch normalization, and so no statistics that could be estimated."
    )


def test_statistics_that_are_not_finite_are_refused(folder):
    model = trained(dense(), epochs=1)[0]
    kernel = model.layers[1].kernel.numpy()
    kernel[0] = np.nan
    model.layers[1].kernel.assign(kernel)
    model.layers[2].name = "first"
    model.save("net.keras")
    with pytest.raises(InvalidConfig) as raised:
        recalibrate_file(network_of("net.keras"), as_it_is(DIGITS))
    assert str(raised.value) == (
        "The statistics of layer 'first' are not finite for these rows. bncli diagnose FILE.keras says which weights "
        "are not finite; else check how the rows are scaled."
    )
