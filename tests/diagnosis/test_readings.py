"""What is measured of a model, against plain Keras; and that the model is left as it was."""

import numpy as np
import pytest
from diagnosis.patients import block, data, fitted_weights, on_data, settled
from sklearn.metrics import balanced_accuracy_score

from bncli.backend import keras
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.diagnosis.readings import take_readings

layers = keras.layers


def noisy():
    return on_data(*block("a", 16), layers.Dropout(0.5), *block("b", 16, momentum=0.9), layers.GaussianNoise(0.1))


def test_a_model_is_left_bit_for_bit_as_it_was_with_its_random_state():
    model = noisy()
    model.get_layer("a_norm").trainable = False
    before = [variable.numpy() for variable in model.variables]
    take_readings(model, data(), 32)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.variables, strict=True))
    assert [layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)] == [0.5]
    assert [model.get_layer(f"{name}_norm").trainable for name in "ab"] == [False, True]
    assert [model.get_layer(f"{name}_norm").momentum for name in "ab"] == [0.99, 0.9]
    assert not any("call" in vars(layer) for layer in model.layers)


@pytest.fixture(scope="module")
def trained():
    model = on_data(*block("a", 16, momentum=0.9), *block("b", 16, momentum=0.9))
    model.set_weights(fitted_weights())
    return model


def accuracy(model, x, y, **mode):
    return float((np.argmax(model(x, **mode), axis=-1) == y).mean())


def test_scores_are_those_of_keras_with_moving_batch_and_population_statistics(trained):
    found, part = take_readings(trained, data(), 50), data().parts
    for name in ("train", "val"):
        x, y = part[name]
        model = keras.models.clone_model(trained)
        model.set_weights(trained.get_weights())
        scores = found.scores[name]
        assert scores["moving"].score == pytest.approx(accuracy(model, x, y, training=False))
        loss = keras.losses.sparse_categorical_crossentropy(y, model(x))
        assert scores["moving"].loss == pytest.approx(float(np.mean(loss)), rel=1e-4)
        settled(model)  # one batch of all rows: the mean over batches differs by chance alone
        population = accuracy(model, x, y, training=False)
        assert scores["population"].score == pytest.approx(population, abs=0.02)
        assert scores["batch"].score == pytest.approx(population, abs=0.05)
    assert (found.n_changed, found.n_alone, found.n_rows) == (0, 64, len(data().y_train))


def test_rare_classes_are_scored_by_the_balanced_accuracy():
    dataset = datasets.load(RunConfig(dataset="imbalanced"))
    inputs = keras.Input(dataset.input_shape)
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.BatchNormalization()(inputs)))
    found = take_readings(model, dataset)
    assert found.score_name == "balanced_accuracy"
    for name in ("train", "val"):
        x, y = dataset.parts[name]
        expected = balanced_accuracy_score(y, np.argmax(model(x), axis=-1))
        assert found.scores[name]["moving"].score == pytest.approx(expected)


def test_population_statistics_are_those_of_the_rows_and_moving_ones_those_of_the_layer(trained):
    found = take_readings(trained, data(), 50).norms
    model = keras.models.clone_model(trained)
    model.set_weights(trained.get_weights())
    settled(model)
    for reading in found:
        layer = model.get_layer(reading.name)
        assert np.allclose(reading.population[0], layer.moving_mean, atol=0.1)
        assert np.allclose(reading.population[1], layer.moving_variance, rtol=0.2, atol=0.01)
        assert np.array_equal(reading.moving[0], np.asarray(trained.get_layer(reading.name).moving_mean, "float64"))
        assert (reading.noisy, reading.quiet, reading.shift) == (None, None, 1.0)


def test_batch_normalization_with_momentum_1_has_population_statistics_too():
    stuck, free = on_data(*block("a", momentum=1.0)), on_data(*block("a"))
    free.set_weights(stuck.get_weights())
    found, usual = (take_readings(model, data(), 50) for model in (stuck, free))
    assert np.allclose(found.norms[0].population[1], usual.norms[0].population[1], rtol=1e-3)


def test_dropout_doubles_the_second_moment_that_a_norm_gets():
    keras.utils.set_random_seed(0)
    inner = [layers.Dense(64, use_bias=False), layers.ReLU(), layers.Dropout(0.5), layers.BatchNormalization(name="n")]
    (norm,) = take_readings(on_data(*inner), data(), 50).norms
    x = data().x_train
    values = np.maximum(x @ np.asarray(inner[0].kernel), 0)
    expected = (2 * (values**2).mean(axis=0) - values.mean(axis=0) ** 2 + 1e-3) / (values.var(axis=0) + 1e-3)
    assert norm.shift == pytest.approx(float(np.exp(np.log(expected).mean())), rel=0.1)


def test_channels_are_those_of_the_axis_of_the_norm():
    inner = [layers.Reshape((2, 1)), layers.Conv1D(3, 1), layers.Dropout(0.5), layers.BatchNormalization(axis=1)]
    (norm,) = take_readings(on_data(*inner, layers.Flatten()), data(), 50).norms
    assert norm.noisy.shape == norm.population[0].shape == (2,)


def test_calls_of_a_shared_layer_are_read_apart():
    relu = layers.ReLU(name="relu")
    inputs = keras.Input((2,))
    x = relu(layers.Dense(4, name="wide", bias_initializer=keras.initializers.Constant(-100))(inputs))
    x = relu(layers.Dense(3)(x))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(x))
    found = {reading.name: reading.n_dead for reading in take_readings(model, data()).layers if reading.is_rectified}
    assert found["relu"] == 4
    assert set(found) == {"relu", "relu (call 2)"}


def test_one_output_counts_as_the_second_class():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, activation="sigmoid")])
    x, y = data().parts["val"]
    expected = float(((np.asarray(model(x))[:, 0] > 0.5) == y).mean())
    assert take_readings(model, data()).scores["val"]["moving"].score == pytest.approx(expected)
