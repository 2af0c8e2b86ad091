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
    assert likely_scaling(as_it_is(CONFIG)) == scaling


@pytest.mark.parametrize("scaling", ["unit", "standard"])
def test_without_normalization_the_loss_tells_it(folder, scaling):
    save_trained(scaling, 3, 32, normalized=False)
    assert likely_scaling(as_it_is(CONFIG)) == scaling


def test_what_bncli_saved_takes_raw_rows(folder):
    save_trained("unit", 1, 64)
    with zipfile.ZipFile("net.keras", "a") as archive:
        archive.writestr("names.json", "{}")
    assert likely_scaling(as_it_is(CONFIG)) == "none"
