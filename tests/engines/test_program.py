"""One compiled program gives the same results by every method, and hands out ordinary Keras models."""

import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from engines.tiny_runs import (
    ARMS,
    CLOSE,
    PLAIN,
    XLA,
    check_all_same,
    circles,
    exploding,
    name_of,
    seeded,
    tiny,
    train,
)

from bncli.data import datasets
from bncli.engines import stacked
from bncli.engines.method import LANES, MAX_STACK, Method
from bncli.engines.program import Program
from bncli.tasks.metrics import history_metrics
from bncli.tasks.scores import trivial_scores

SIDE_BY_SIDE = Method(2, stacked=False, matrix_conv=False)
ALONE = Method(1, stacked=False, matrix_conv=False)


def train_by(method, configs):
    """Train by this method in one program."""
    program = Program(configs, datasets.load(configs[0]), method)
    stacks = [configs[start : start + method.n_runs] for start in range(0, len(configs), method.n_runs)]
    return [result for stack in stacks for result in program.run(stack)]


def check_methods_agree(method, close=CLOSE, **fields):
    runs = seeded(tiny(**{"lr": 0.02, "epochs": 3, **fields}))
    check_all_same(train_by(method, runs), train_by(PLAIN, runs), close)


def test_xla_changes_nothing_but_speed():
    check_methods_agree(XLA, model="conv8 pool dropout0.2 flatten", norm="batch")


@pytest.mark.slow
@pytest.mark.parametrize("arm", ARMS, ids=name_of)
def test_xla_changes_nothing_with_any_norm(arm):
    """At a small rate: a bias before a normalization has rounding as its gradient, which Adam makes a whole step of."""
    network = {"dataset": "circles", "model": "dense8 dropout0.3 dense8"}
    close = 1e-3 if arm["norm"] == "renorm" else CLOSE  # its limits on r and d make jumps of rounding
    check_methods_agree(XLA, close, **network, optimizer="adamw", lr=0.002, **arm)


@pytest.mark.slow
@pytest.mark.parametrize("word", ["lstm8", "gru8"])
def test_xla_changes_nothing_for_a_recurrent_network(word):
    check_methods_agree(XLA, model=word, norm="layer")


@pytest.mark.slow
def test_xla_changes_nothing_for_a_residual_network():
    check_methods_agree(XLA, model="conv8:same { conv8:s2:same dropout0.2 conv8:same } avgpool flatten", norm="batch")


def test_runs_side_by_side_train_as_in_a_stack():
    check_methods_agree(SIDE_BY_SIDE, model="conv8 pool dropout0.2 flatten", norm="batch")


@pytest.mark.slow
def test_a_program_for_one_run_trains_as_a_stack_does():
    check_methods_agree(ALONE, model="lstm8 dropout0.2", norm="batch")


VECTORIZED = [
    "conv8 pool dropout0.2 conv8 flatten dense8",
    "conv8:k2:s2:same { conv8:s2:same dropout0.2 conv8:same } avgpool gap",
    "lstm8",
    "gru8",
]


@pytest.mark.parametrize("model", [pytest.param(VECTORIZED[0], marks=pytest.mark.slow), *VECTORIZED[1:]])
def test_no_operation_falls_back_to_a_loop_over_runs(model, monkeypatch):
    """TensorFlow silently loops over what it can't vectorize, which is many times slower."""
    strict = functools.partial(tf.vectorized_map, fallback_to_while_loop=False)
    monkeypatch.setattr(tf, "vectorized_map", strict)
    (result, _) = train_by(PLAIN, seeded(tiny(model=model, norm="batch", epochs=1)))
    assert result.state == "complete"


@pytest.mark.parametrize("dataset", ["circles", "digits"])
def test_a_diverged_network_scores_the_trivial_score_whatever_the_order_of_the_labels(dataset):
    config = exploding(dataset=dataset, lr=1e6, model="dense4")
    diverged, _ = train_by(XLA, [config, config.replace(lr=0.1)])
    data = datasets.load(config)
    assert diverged.error == "The loss was not finite in epoch 1."
    assert diverged.metrics["val_accuracy"] == pytest.approx(trivial_scores(data.task, data.y_val)["accuracy"])
    assert diverged.metrics["train_accuracy"] == pytest.approx(trivial_scores(data.task, data.y_train)["accuracy"])
    assert diverged.metrics["accuracy"] == diverged.metrics["train_accuracy"]
    assert {name: values[-1] for name, values in diverged.history.items()} == {
        name: diverged.metrics[name] for name in history_metrics(data.score)
    }
    assert [diverged.metrics[name] for name in ("loss", "val_loss", "train_loss")] == [None] * 3
    assert diverged.metrics["population_val_accuracy"] == diverged.metrics["val_accuracy"]
    assert diverged.metrics["val_brier"] is None


def test_initial_values_are_drawn_once_per_seed_and_forgotten_beyond_two_full_stacks():
    runs = [circles(lr=lr).replace(seed=seed) for lr in (0.1, 0.2) for seed in range(2)]
    program = Program(runs, datasets.load(runs[0]), PLAIN)
    for stack in (runs[:2], runs[2:]):
        program.run(stack)
    drawn = program._drawn.cache_info()
    assert (drawn.misses, drawn.hits, drawn.maxsize) == (2, 4, LANES * MAX_STACK)


def trained_models(configs):
    """Train in a stack; return the results and the models, in order."""
    found = []
    results = train(stacked, configs, on_model=lambda config, model: found.append((config, model)))
    assert [config for config, _ in found] == configs
    return results, [model for _, model in found]


@pytest.mark.parametrize(
    "model",
    [
        "conv8 pool dropout0.2 flatten dense8",
        pytest.param("conv8:same { conv8:s2:same dropout0.2 conv8:same } avgpool gap", marks=pytest.mark.slow),
        pytest.param("lstm8", marks=pytest.mark.slow),
    ],
)
def test_trained_models_are_keras_models_that_score_what_the_record_says(model):
    configs = seeded(tiny(model=model, norm="batch", lr=0.02))
    results, found = trained_models(configs)
    data = datasets.load(configs[0])
    for result, network in zip(results, found, strict=True):
        loss, accuracy = network.evaluate(data.x_val, data.y_val, verbose=0)
        _, train_accuracy = network.evaluate(data.x_train, data.y_train, verbose=0)
        assert {type(layer).__module__.split(".")[0] for layer in network.layers} == {"keras"}
        assert loss == pytest.approx(result.metrics["val_loss"], rel=CLOSE)
        assert accuracy == pytest.approx(result.metrics["val_accuracy"])
        assert train_accuracy == pytest.approx(result.metrics["train_accuracy"])


@pytest.mark.slow
def test_a_trained_model_can_be_saved_loaded_and_trained_further(tmp_path):
    config = circles(model="dense8 dropout0.2 dense8", norm="batch", placement="after")
    _, (network, _) = trained_models(seeded(config))
    network.save(tmp_path / "run.keras")
    data = datasets.load(config)
    loaded = keras.models.load_model(tmp_path / "run.keras")
    assert np.array_equal(loaded.predict(data.x_val, verbose=0), network.predict(data.x_val, verbose=0))
    fitted = loaded.fit(data.x_train, data.y_train, epochs=1, verbose=0)
    assert math.isfinite(fitted.history["loss"][0])
