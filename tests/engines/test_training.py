"""The fields of training: the oracle against `fit` as a tutorial writes it, and the engines against each other."""

import functools
import math

import keras
import numpy as np
import pytest
from engines.tiny_runs import check_all_same, check_engines_agree, circles, seeded, tiny, train

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines import keras as oracle
from bncli.engines import stacked
from bncli.engines.method import group
from bncli.engines.rates import Schedule, steps_per_epoch, warmup_steps
from bncli.networks.network import network_of
from bncli.resolution import resolve
from bncli.study.execution import train_here
from bncli.training.schedules import REGISTRY

SGD = {"optimizer": "sgd", "lr": 0.5}


def plain_fit(config, optimizer, **compiled):
    """The same training as a tutorial writes it: arrays in, no shuffling."""
    data = datasets.load(config)
    model = network_of(config.model).build(config, data.input_shape, data.n_classes, config.seed)
    loss = "binary_crossentropy" if model.output_shape[-1] == 1 else "sparse_categorical_crossentropy"
    model.compile(optimizer, **{"loss": loss, "metrics": ["accuracy"]} | compiled)
    sizes = {"batch_size": config.batch_size, "epochs": config.epochs}
    rows = {"validation_data": (data.x_val, data.y_val), "validation_batch_size": 512}
    return model.fit(data.x_train, data.y_train, shuffle=False, verbose=0, **sizes, **rows).history


@functools.cache
def alone(config):
    """A run of the oracle, which several tests compare with others."""
    (result,) = train(oracle, [config])
    return result


def check_oracle_is(config, optimizer, names=("loss", "accuracy", "val_loss", "val_accuracy"), **compiled):
    expected = plain_fit(config, optimizer, **compiled)
    assert {name: alone(config).history[name] for name in names} == {
        name: pytest.approx(expected[name], rel=1e-5) for name in names
    }


def check_matters(config, **without):
    """The field under test changes the training: else the tests of this file would show nothing."""
    histories = [alone(run).history["loss"] for run in (config, config.replace(**without))]
    assert not np.allclose(*histories, rtol=1e-3)


DECAYED = {"norm": "batch", "optimizer": "adamw", "lr": 0.05, "weight_decay": 0.5, "shuffle": False}


@pytest.mark.slow
def test_decay_of_kernels_is_that_of_an_optimizer_with_the_other_weights_excluded():
    config = circles(**DECAYED, decay="kernels")
    optimizer = keras.optimizers.AdamW(0.05, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    check_oracle_is(config, optimizer)
    check_matters(config, decay="all")


@pytest.mark.parametrize("model", ["dense8", pytest.param("lstm8 dense8", marks=pytest.mark.slow)])
def test_engines_agree_on_decay_of_kernels(model):
    check_engines_agree(seeded(tiny(model=model, dataset="digits", decay="kernels", **DECAYED)))


def test_clipnorm_is_keras_own():
    config = circles(**SGD, norm="batch", clipnorm=0.05, shuffle=False)
    check_oracle_is(config, keras.optimizers.SGD(0.5, clipnorm=0.05))
    check_matters(config, clipnorm=0.0)


@pytest.mark.slow
def test_engines_agree_on_runs_that_are_clipped_differently_in_one_stack():
    runs = [circles(**SGD, norm="batch", clipnorm=clipnorm) for clipnorm in (0.02, 0.2)]
    assert group(runs) == [runs]
    check_engines_agree(runs)


RATE, N_ROWS = 0.3, 95
RUN = RunConfig(lr=RATE, batch_size=10, epochs=12)
N_STEPS, N_WARMUP = 120, 25
AFTER = N_STEPS - N_WARMUP

KERAS = keras.optimizers.schedules
SAME_IN_KERAS = {
    "constant": lambda n_steps: KERAS.PiecewiseConstantDecay([10**6], [RATE, 0.0]),
    "cosine": lambda n_steps: KERAS.CosineDecay(RATE, n_steps),
    "step": lambda n_steps: KERAS.PiecewiseConstantDecay(
        [math.ceil(0.5 * n_steps) - 1, math.ceil(0.75 * n_steps) - 1], [RATE, 0.1 * RATE, 0.01 * RATE]
    ),
    "exponential": lambda n_steps: KERAS.ExponentialDecay(RATE, n_steps, 0.01),
}
"""Keras' schedules; a new rate of its `PiecewiseConstantDecay` holds from the update after the boundary on."""


def rates_of(schedule, steps):
    return [float(schedule(step)) for step in steps]


@pytest.mark.parametrize("name", REGISTRY)
def test_a_schedule_gives_the_rates_of_keras(name):
    ours = rates_of(Schedule(RUN.replace(schedule=name), N_ROWS), range(N_STEPS))
    assert ours == pytest.approx(rates_of(SAME_IN_KERAS[name](N_STEPS), range(N_STEPS)), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", REGISTRY)
def test_a_warmup_rises_by_the_same_amount_with_every_update_and_the_schedule_follows(name):
    ours = rates_of(Schedule(RUN.replace(schedule=name, warmup=2.5), N_ROWS), range(N_STEPS))
    assert ours[:N_WARMUP] == pytest.approx([RATE * step / N_WARMUP for step in range(N_WARMUP)])
    assert ours[N_WARMUP:] == pytest.approx(rates_of(SAME_IN_KERAS[name](AFTER), range(AFTER)), rel=1e-6, abs=1e-8)


def test_a_warmup_before_a_cosine_is_that_of_keras_cosine_decay():
    theirs = KERAS.CosineDecay(0.0, AFTER, warmup_target=RATE, warmup_steps=N_WARMUP)
    ours = Schedule(RUN.replace(schedule="cosine", warmup=2.5), N_ROWS)
    assert rates_of(ours, range(N_STEPS)) == pytest.approx(rates_of(theirs, range(N_STEPS)), rel=1e-6, abs=1e-8)


BY_SHAPE = [pytest.param(name, marks=[] if name in ("cosine", "step") else [pytest.mark.slow]) for name in REGISTRY]
"""The schedules; a smooth one and one with steps are trained by the quick tests, too."""


@pytest.mark.parametrize("name", BY_SHAPE)
def test_the_oracle_trains_by_the_schedule_of_keras(name):
    config = circles(**SGD, norm="batch", schedule=name, epochs=4, shuffle=False).replace(lr=RATE)
    n_steps = config.epochs * steps_per_epoch(config, len(datasets.load(config).y_train))
    check_oracle_is(config, keras.optimizers.SGD(SAME_IN_KERAS[name](n_steps)))
    if name != "constant":
        check_matters(config, schedule="constant")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "cosine")) for name in REGISTRY]
)
@pytest.mark.parametrize("warmup", [pytest.param(0.0, marks=pytest.mark.slow), 1.3])
def test_engines_agree_on_every_schedule(name, warmup):
    check_engines_agree(
        seeded(circles(optimizer="adamw", lr=0.05, norm="batch", schedule=name, warmup=warmup, epochs=4))
    )


@pytest.mark.slow
def test_engines_agree_on_warmups_of_other_lengths_in_one_stack():
    runs = [circles(**SGD, norm="batch", epochs=4, warmup=warmup) for warmup in (0.5, 3.0)]
    assert group(runs) == [runs]
    assert [warmup_steps(run, len(datasets.load(run).y_train)) for run in runs] == [1, 6]
    check_engines_agree(runs)
    check_matters(runs[0], warmup=0.0)


@pytest.mark.parametrize("engine", [oracle, stacked])
def test_a_model_that_was_trained_by_schedule_and_soft_labels_is_saved_as_plain_keras_knows_it(engine, tmp_path):
    config = circles(schedule="cosine", label_smoothing=0.1, lr=0.125)
    (result,) = train(engine, [config], on_model=lambda _, model: model.save(tmp_path / "run.keras"))
    loaded = keras.models.load_model(tmp_path / "run.keras")
    assert float(loaded.optimizer.learning_rate) == 0.125
    data = datasets.load(config)
    loss, accuracy = loaded.evaluate(data.x_val, data.y_val, verbose=0)
    assert [loss, accuracy] == pytest.approx([result.metrics["val_loss"], result.metrics["val_accuracy"]], rel=1e-5)


@pytest.mark.parametrize("dataset", ["circles", "digits"])
def test_label_smoothing_is_keras_own_in_training_and_absent_from_validation(dataset):
    config = tiny(**SGD, dataset=dataset, model="dense8", label_smoothing=0.3, shuffle=False, epochs=3)
    data, result = datasets.load(config), alone(config)
    model = network_of(config.model).build(config, data.input_shape, data.n_classes, config.seed)
    losses = {"circles": keras.losses.BinaryCrossentropy, "digits": keras.losses.CategoricalCrossentropy}
    labels = [y if dataset == "circles" else np.eye(10)[y] for y in (data.y_train, data.y_val)]
    model.compile(keras.optimizers.SGD(0.5), losses[dataset](label_smoothing=0.3), metrics=["accuracy"])
    fitted = model.fit(data.x_train, labels[0], batch_size=config.batch_size, epochs=3, shuffle=False, verbose=0)
    assert result.history["loss"] == pytest.approx(fitted.history["loss"], rel=1e-5)
    assert result.history["accuracy"] == pytest.approx(fitted.history["accuracy"])
    model.compile(loss=losses[dataset](), metrics=["accuracy"])
    expected = model.evaluate(data.x_val, labels[1], verbose=0)
    assert [result.metrics["val_loss"], result.metrics["val_accuracy"]] == pytest.approx(expected, rel=1e-5)
    check_matters(config, label_smoothing=0.0)


@pytest.mark.parametrize(
    "fields",
    [{"dataset": "circles"}, {"dataset": "digits"}, pytest.param({"model": "dense8 softmax"}, marks=pytest.mark.slow)],
)
def test_engines_agree_on_smoothed_labels_of_other_shares_in_one_stack(fields):
    start = {"dataset": "circles", "model": "dense8", "norm": "batch"} | fields
    runs = [tiny(**SGD, **start, label_smoothing=share) for share in (0.1, 0.5)]
    assert group(runs) == [runs]
    check_engines_agree(runs)


def check_stops(result, config):
    """The run ended as a run of Keras' `EarlyStopping` does: its last lowest loss lies `patience` epochs back."""
    losses, n_epochs = result.history["val_loss"], len(result.history["loss"])
    assert (result.state, result.stopped_epoch) == ("complete", n_epochs if n_epochs < config.epochs else None)
    assert n_epochs == config.epochs or losses.index(min(losses)) == n_epochs - 1 - config.patience


OVERFITTING = {"model": "dense8*2", "optimizer": "adam", "lr": 0.1, "epochs": 12}


def test_patience_is_keras_early_stopping():
    config = circles(**OVERFITTING, patience=2, shuffle=False)
    data = datasets.load(config)
    (result,) = train(oracle, [config])
    model = network_of(config.model).build(config, data.input_shape, data.n_classes, config.seed)
    model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping("val_loss", patience=2)
    rows = {"validation_data": (data.x_val, data.y_val), "batch_size": config.batch_size, "shuffle": False}
    fitted = model.fit(data.x_train, data.y_train, epochs=12, callbacks=[stop], verbose=0, **rows)
    assert result.stopped_epoch == stop.stopped_epoch + 1 == len(fitted.history["loss"]) < 12
    assert result.metrics["val_loss"] == pytest.approx(fitted.history["val_loss"][-1], rel=1e-5)
    assert result.history["val_loss"] == pytest.approx(fitted.history["val_loss"], rel=1e-5)


def test_runs_of_one_stack_stop_each_in_its_own_epoch_in_both_engines():
    runs = [circles(**OVERFITTING, norm="batch").replace(seed=seed, patience=seed) for seed in (0, 1, 2, 3)]
    assert group(runs) == [runs]
    calls = []
    results = train(stacked, runs, on_epoch=lambda configs, epoch: calls.append((epoch, len(configs))))
    for result, config in zip(results, runs, strict=True):
        check_stops(result, config)
    check_all_same(results, train(oracle, runs))
    lengths = [len(result.history["loss"]) for result in results]
    assert lengths[0] == 12
    assert len(set(lengths)) > 2
    assert calls == [(epoch, sum(length >= epoch for length in lengths)) for epoch in range(1, 13)]


@pytest.fixture
def mixed():
    """Keras' global policy, as its guide on mixed precision sets it."""
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.slow
def test_a_mixed_run_is_fit_under_the_same_policy(mixed):
    models, config = [], tiny(**SGD, norm="batch", dtype="mixed_float16", shuffle=False, model="conv4 flatten dense8")
    check_oracle_is(config, keras.optimizers.SGD(0.5))
    train(oracle, [config], on_model=lambda _, model: models.append(model))
    assert type(models[0].optimizer) is keras.optimizers.LossScaleOptimizer
    assert {layer.compute_dtype for layer in models[0].layers[:-1]} == {"float16"}
    assert models[0].layers[-1].compute_dtype == "float32"
    assert {weight.dtype for weight in models[0].trainable_weights} == {"float32"}


@pytest.mark.slow
def test_a_mixed_run_is_trained_by_the_oracle_whatever_engine_is_wanted():
    plain, mixed = runs = [circles(norm="batch", dtype=dtype) for dtype in ("float32", "mixed_float16")]
    for engine in ("auto", "stacked"):
        found = {result.config: result for batch in train_here(runs, engine) for result in batch}
        assert (found[plain].engine, found[mixed].engine) == ("stacked", "keras")
    assert found[mixed].state == "complete"
    assert found[mixed].history["loss"] == pytest.approx(found[plain].history["loss"], rel=0.01)
    assert found[mixed].history["loss"] != found[plain].history["loss"]
    assert keras.config.dtype_policy().name == "float32"


FUNCTIONS = """
import keras
from keras import layers

def asks(input_shape, n_outputs, norm):
    return keras.Sequential([keras.Input(input_shape), layers.Dense(8), norm(), layers.Dense(n_outputs)])

def plain(input_shape, n_outputs, decay=0.9, patience=3, dtype="any"):
    assert (decay, patience, dtype) == (0.9, 3, "any")
    end = layers.Dense(n_outputs, "softmax", kernel_regularizer="l2")
    return keras.Sequential([keras.Input(input_shape), layers.Dense(8), layers.BatchNormalization(), end])
"""
EVERYTHING = {
    "optimizer": "nadam",
    "weight_decay": 0.01,
    "decay": "kernels",
    "schedule": "cosine",
    "warmup": 0.5,
    "clipnorm": 0.5,
    "label_smoothing": 0.1,
    "patience": 2,
}


@pytest.mark.parametrize(
    ("function", "placement"), [("asks", "before"), pytest.param("plain", "in-place", marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_the_fields_of_training_hold_for_networks_of_functions_too(function, placement, tmp_path):
    (tmp_path / "nets.py").write_text(FUNCTIONS)
    spec = circles(norm="layer", epochs=4, lr=0.02, **EVERYTHING)
    config, _ = resolve(spec.replace(model=f"{tmp_path}/nets.py:{function}", placement=placement))
    check_engines_agree([config])
    (result,) = train(oracle, [config.replace(dtype="mixed_float16")])
    assert (result.state, result.error) == ("complete", None)
    assert result.metrics["val_loss"] == pytest.approx(train(oracle, [config])[0].metrics["val_loss"], rel=0.02)
