"""Cases of what the user names: whether it was trained, for how long, and how the rows of a file were scaled."""

import numpy as np
import pytest
from diagnosis.patients import block, model

from bncli.backend import keras
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.diagnosis.case import Training, looks_trained
from bncli.diagnosis.scaling import likely_scaling
from bncli.diagnosis.subjects import Subject, as_it_is, case_of, training_of
from bncli.engines import stacked
from bncli.engines.saving import save, training_facts
from bncli.networks import norms
from bncli.resolution import resolve

layers = keras.layers
DIGITS = {"dataset": "digits", "train_rows": ":400", "val_rows": ":100"}


def test_new_weights_look_new_whatever_their_constants():
    constant = keras.initializers.Constant(0.1)
    assert not looks_trained(model(*block("a"), layers.Dense(8, bias_initializer=constant)))
    assert not looks_trained(model(layers.Reshape((4, 1)), layers.LSTM(4)))


@pytest.mark.parametrize("part", ["bias", "gamma", "moving_mean"])
def test_a_single_moved_value_looks_trained(part):
    net = model(layers.Dense(8, name="d"), layers.BatchNormalization(name="n"))
    variable = getattr(net.get_layer("d" if part == "bias" else "n"), part)
    variable.assign(np.linspace(0, 0.5, 8))
    assert looks_trained(net)


FUNCTIONS = """
import keras

def drawn(input_shape, n_outputs):
    inner = [keras.layers.Dense(8, bias_initializer="random_normal"), keras.layers.BatchNormalization()]
    return keras.Sequential([keras.Input(input_shape), *inner, keras.layers.Dense(n_outputs, activation="softmax")])

def loaded(input_shape, n_outputs):
    return keras.models.load_model("m.keras")
"""


@pytest.mark.parametrize(("function", "is_trained"), [("drawn", False), ("loaded", True)])
def test_a_function_that_loads_weights_is_trained_and_one_that_draws_biases_is_not(folder, function, is_trained):
    (folder / "nets.py").write_text(FUNCTIONS)
    net = model(layers.Dense(8, bias_initializer="random_normal"), layers.BatchNormalization())
    net.save(folder / "m.keras")
    case = case_of(Subject(as_it_is(RunConfig(model=f"nets.py:{function}")), (4,), 3))
    assert case.is_trained is is_trained


def test_specs_get_batch_normalization_and_files_keep_what_they_have(tmp_path):
    model(*block("a")).save(tmp_path / "m.keras")
    assert as_it_is(RunConfig(model="dense8")).norm == "batch"
    assert as_it_is(RunConfig(model="dense8", norm="layer")).norm == "layer"
    saved = as_it_is(RunConfig(model=str(tmp_path / "m.keras")))
    assert (saved.norm, saved.keep_weights) == (norms.AS_IS, True)


def planned(**fields):
    data = datasets.load(RunConfig(dataset="moons", n_samples=200))
    return training_of(Subject(RunConfig(dataset="moons", n_samples=200, **fields), (2,), 2, data))


def test_the_training_of_a_spec_is_that_of_its_run():
    rows = len(datasets.load(RunConfig(dataset="moons", n_samples=200)).y_train)
    assert planned(epochs=3, batch_size=50) == Training(3 * -(-rows // 50), 50, rows)
    assert planned(optimizer="adamw").decays_norms
    assert planned(weight_decay=0.01).decays_norms
    assert not planned(weight_decay=0.01, decay="kernels").decays_norms
    assert not planned(optimizer="adamw", weight_decay=0.0).decays_norms


def trained_file(path, **fields):
    """A model that bncli saved after a short training by the stacked engine."""
    config, _ = resolve(RunConfig(model="dense16", norm="batch", norm_momentum=0.9, epochs=4, lr=0.01, **fields))
    data = datasets.load(config)
    facts = training_facts(config, len(data.y_train))
    list(stacked.train([config], data, on_model=lambda _, model: save(model, data, path, facts)))
    return RunConfig(model=str(path), **{name: fields[name] for name in DIGITS})


def test_a_file_of_bncli_knows_its_training_though_no_optimizer_counted(tmp_path):
    config = trained_file(tmp_path / "m.keras", **DIGITS, batch_size=40, weight_decay=0.001)
    subject = Subject(as_it_is(config), (8, 8, 1), 10)
    expected = Training(40, 40, None, decays_norms=True)
    assert training_of(subject) == expected
    assert case_of(subject).is_trained


def test_patience_may_have_ended_a_run_so_that_its_steps_are_unknown(tmp_path):
    config = trained_file(tmp_path / "m.keras", **DIGITS, patience=2)
    assert training_of(Subject(as_it_is(config), (8, 8, 1), 10)).n_steps is None


def test_a_file_does_not_tell_what_its_optimizer_left_out_of_the_decay(tmp_path):
    net = model(*block("a"))
    net.compile(keras.optimizers.AdamW(), "sparse_categorical_crossentropy")
    net.save(tmp_path / "m.keras")
    found = training_of(Subject(as_it_is(RunConfig(model=str(tmp_path / "m.keras"))), (4,), 3, batch_size=16))
    assert found == Training(None, 16, None, decays_norms=True, is_decay_sure=False)


@pytest.mark.parametrize("scaling", ["none", "unit", "standard"])
def test_rows_are_scaled_as_a_file_was_trained(tmp_path, scaling):
    data = datasets.load(RunConfig(**DIGITS, scaling=scaling))
    keras.utils.set_random_seed(0)
    inner = [layers.Flatten(), *block("a", 32, momentum=0.9)]
    net = model(*inner, shape=data.input_shape, n_outputs=10)
    net.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    net.fit(data.x_train, data.y_train, epochs=5, verbose=0)
    net.save(tmp_path / "m.keras")
    assert likely_scaling(as_it_is(RunConfig(model=str(tmp_path / "m.keras"), **DIGITS))).scaling == scaling


def test_a_model_that_scales_its_rows_gets_them_raw(tmp_path):
    config = trained_file(tmp_path / "m.keras", **DIGITS)
    assert likely_scaling(as_it_is(config)).scaling == "none"


def test_weights_that_are_no_numbers_leave_the_scaling_of_the_data(tmp_path):
    net = model(layers.Flatten(), *block("a"), shape=(8, 8, 1), n_outputs=10)
    net.get_layer("a").kernel.assign(np.full((64, 8), np.nan))
    net.save(tmp_path / "m.keras")
    assert likely_scaling(as_it_is(RunConfig(model=str(tmp_path / "m.keras"), **DIGITS))).scaling == "unit"
