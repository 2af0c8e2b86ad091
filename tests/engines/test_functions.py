"""Networks that a user's function builds, in both engines."""

import functools
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines import keras as oracle
from bncli.engines import method, stacked
from bncli.resolution import resolve

NETS = """
import keras
from keras import layers

def residual(input_shape, n_outputs, norm, use_bias):
    inputs = keras.Input(input_shape)
    x = layers.Activation("relu")(norm()(layers.Conv2D(4, 3, strides=2, padding="same", use_bias=use_bias)(inputs)))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=use_bias)(x)
    x = layers.ReLU()(layers.Add()([x, norm()(y)]))
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    limit = keras.constraints.MaxNorm(0.5)
    return keras.Model(inputs, layers.Dense(n_outputs, kernel_constraint=limit)(x))

class Subclass(keras.Model):
    def __init__(self, n_outputs, norm):
        super().__init__()
        self.flat, self.hidden, self.norm = layers.Flatten(), layers.Dense(8, "tanh"), norm()
        self.out = layers.Dense(n_outputs, activation="softmax", kernel_regularizer="l2", kernel_constraint="max_norm")

    def call(self, inputs, training=False):
        return self.out(self.norm(self.hidden(self.flat(inputs)), training=training))
"""


NETS_IN = ("residual", "Subclass")


@pytest.fixture(autouse=True)
def nets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS)


def runs_of(function, norm):
    fields = {"model": f"nets.py:{function}", "norm": norm, "train_rows": ":90", "val_rows": ":40", "epochs": 2}
    config, _ = resolve(RunConfig(**fields, lr=0.01))
    return [config.with_seed(seed) for seed in (0, 1)]


def train(engine, configs):
    return [result for batch in engine.train(configs, datasets.load(configs[0])) for result in batch]


@functools.cache
def trained_by_oracle(function, norm):
    """Results of the oracle, with which several tests compare others."""
    return train(oracle, runs_of(function, norm))


@pytest.mark.parametrize(
    ("function", "norm"),
    [
        ("residual", "batch"),
        pytest.param("Subclass", "batch", marks=pytest.mark.slow),
        *(pytest.param(function, norm, marks=pytest.mark.slow) for function in NETS_IN for norm in ("none", "group")),
    ],
)
def test_engines_agree(function, norm):
    """Kernels, dropout masks, regularizers and all metrics: equal to round-off."""
    configs = runs_of(function, norm)
    for ours, theirs in zip(train(stacked, configs), trained_by_oracle(function, norm), strict=True):
        assert (ours.state, ours.params) == (theirs.state, theirs.params) == ("complete", theirs.params)
        for name, values in theirs.history.items():
            np.testing.assert_allclose(ours.history[name], values, rtol=2e-4, atol=2e-5, err_msg=name)
        for name, value in theirs.metrics.items():
            np.testing.assert_allclose(ours.metrics[name], value, rtol=2e-3, atol=2e-4, err_msg=name)


@pytest.mark.slow
def test_a_residual_network_stacks_without_a_loop_over_runs(monkeypatch):
    strict = functools.partial(tf.vectorized_map, fallback_to_while_loop=False)
    monkeypatch.setattr(tf, "vectorized_map", strict)
    configs = runs_of("residual", "batch")
    data = datasets.load(configs[0])
    assert method.choose(configs[0], data, 2, has_gpu=False).stacked
    assert [result.state for result in train(stacked, configs)] == ["complete", "complete"]
    (other,) = runs_of("Subclass", "batch")[:1]
    assert not method.choose(other, data, 2, has_gpu=False).stacked


@pytest.mark.slow
def test_seeds_differ_and_a_run_repeats():
    first, second = trained_by_oracle("residual", "batch"), train(oracle, runs_of("residual", "batch"))
    assert [run.history for run in first] == [run.history for run in second]
    assert first[0].history != first[1].history


@pytest.mark.slow
def test_a_trained_model_scores_what_its_record_says():
    configs = runs_of("residual", "batch")
    data, models = datasets.load(configs[0]), {}
    batches = stacked.train(configs, data, on_model=lambda config, model: models.update({config.seed: model}))
    for result in [result for batch in batches for result in batch]:
        loss, accuracy = models[result.config.seed].evaluate(data.x_val, data.y_val, verbose=0)
        assert (loss, accuracy) == pytest.approx(
            (result.metrics["val_loss"], result.metrics["val_accuracy"]), rel=1e-4, abs=1e-5
        )
