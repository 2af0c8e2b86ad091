"""The scaling of rows that a saved model was trained with."""

import zipfile

import keras
import pytest

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.diagnosis.scaling import likely_scaling
from bncli.diagnosis.subjects import as_it_is

CONFIG = RunConfig(dataset="digits", model="net.keras")


def save_trained(scaling, epochs, batch_size, normalized=True):
    """Save a network that normalizes near its input, so that any scaling of the rows suits its weights."""
    keras.utils.set_random_seed(1)
    data = datasets.load(CONFIG.replace(scaling=scaling))
    norm = [keras.layers.BatchNormalization()] if normalized else []
    hidden = [keras.layers.Flatten(), keras.layers.Dense(32), *norm, keras.layers.ReLU()]
    model = keras.Sequential([keras.Input((8, 8, 1)), *hidden, keras.layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(data.x_train, data.y_train, batch_size=batch_size, epochs=epochs, verbose=0)
    model.save("net.keras")


@pytest.mark.slow
@pytest.mark.parametrize("scaling", ["none", "unit", "standard"])
@pytest.mark.parametrize(("epochs", "batch_size"), [(1, 64), (10, 32)])
def test_averages_that_lag_tell_the_scaling_too(folder, scaling, epochs, batch_size):
    save_trained(scaling, epochs, batch_size)
    assert likely_scaling(as_it_is(CONFIG)).scaling == scaling


@pytest.mark.parametrize("scaling", ["unit", "standard"])
def test_without_normalization_the_loss_tells_it(folder, scaling):
    save_trained(scaling, 3, 32, normalized=False)
    assert likely_scaling(as_it_is(CONFIG)).scaling == scaling


def test_what_bncli_saved_takes_raw_rows(folder):
    save_trained("unit", 1, 64)
    with zipfile.ZipFile("net.keras", "a") as archive:
        archive.writestr("names.json", "{}")
    assert likely_scaling(as_it_is(CONFIG)).scaling == "none"


def save_lagging(momentum, *, epochs=4, compiled=True):
    """Save a network of `unit` rows whose moving averages have hardly left 0 and 1."""
    keras.utils.set_random_seed(7)
    data = datasets.load(CONFIG.replace(scaling="unit"))
    norm = keras.layers.BatchNormalization(momentum=momentum)
    hidden = [keras.layers.Conv2D(16, 3, use_bias=False), norm, keras.layers.ReLU(), keras.layers.Flatten()]
    model = keras.Sequential([keras.Input((8, 8, 1)), *hidden, keras.layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(data.x_train, data.y_train, epochs=epochs, verbose=0)
    saved = model if compiled else keras.Model(model.inputs[0], model.outputs[0])
    saved.save("net.keras")


def test_initial_values_that_averages_still_hold_are_taken_off(folder):
    save_lagging(0.999)
    assert likely_scaling(as_it_is(CONFIG)) == ("unit", (), "none")


def test_what_neither_weights_nor_averages_tell_is_said(folder):
    save_lagging(0.99999, compiled=False)  # without an optimizer, the file has no steps
    assert likely_scaling(as_it_is(CONFIG)) == ("standard", ("none", "unit"), "none")
