"""Fine-tuning of a file's weights: both engines alike, and what is frozen or recalibrated is what it says."""

import keras
import numpy as np
import pytest
from keras import layers

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines import keras as oracle
from bncli.engines import stacked
from bncli.engines.starting import built
from bncli.networks.own import batch_norms
from bncli.resolution import resolve

FIELDS = {"dataset": "circles", "n_samples": 64, "batch_size": 16, "epochs": 2, "lr": 0.05, "keep_weights": True}


@pytest.fixture(autouse=True)
def file(folder):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(6, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.2),
            layers.Dense(2, activation="softmax"),
        ]
    )
    norm = model.layers[1]
    norm.moving_mean.assign(np.linspace(-1, 1, 6))
    norm.gamma.assign(np.linspace(0.5, 2, 6))
    model.save(folder / "net.keras")


def configs(norm, n_seeds=2, **fields):
    config, _ = resolve(RunConfig(model="net.keras", norm=norm, **{**FIELDS, **fields}))
    return [config.with_seed(seed) for seed in range(n_seeds)]


def trained(engine, runs):
    models, data = {}, datasets.load(runs[0])
    batches = engine.train(runs, data, on_model=lambda config, model: models.update({config.seed: weights(model)}))
    return [result for batch in batches for result in batch], models


def weights(model):
    return [value.numpy() for value in model.weights]


@pytest.mark.parametrize(
    "norm",
    [*(pytest.param(norm, marks=pytest.mark.slow) for norm in ("as-is", "frozen", "none", "layer")), "recalibrated"],
)
def test_the_engines_agree(norm):
    runs = configs(norm)
    (stack, ours), (single, theirs) = trained(stacked, runs), trained(oracle, runs)
    for one, other in zip(stack, single, strict=True):
        assert (one.state, one.engine, other.engine) == ("complete", "stacked", "keras")
        assert one.metrics == pytest.approx(other.metrics, rel=1e-3, abs=1e-4)
    for seed in ours:
        for one, other in zip(ours[seed], theirs[seed], strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("norm", ["frozen", "recalibrated"])
def test_what_is_frozen_stays_and_the_rest_trains(norm):
    (run,) = configs(norm, 1)
    start = built(run, datasets.load(run))
    _, models = trained(stacked, [run])
    after = dict(zip([value.name for value in start.weights], models[0], strict=True))
    before = {value.name: value.numpy() for value in start.weights}
    for name in ("gamma", "beta", "moving_mean", "moving_variance"):
        np.testing.assert_array_equal(after[name], before[name])
    assert not np.allclose(after["kernel"], before["kernel"])


def test_recalibrated_statistics_are_those_of_the_training_rows_and_the_same_for_every_seed():
    runs = configs("recalibrated")
    data = datasets.load(runs[0])
    first, second = (built(run, data) for run in runs)
    (norm,), (other,) = batch_norms(first), batch_norms(second)
    hidden = data.x_train @ keras.models.load_model("net.keras").layers[0].kernel.numpy()
    np.testing.assert_allclose(norm.moving_mean, hidden.mean(axis=0), atol=1e-5)  # 32 rows are two whole batches
    of_batches = norm.moving_variance.numpy() / hidden.var(axis=0)
    assert of_batches.max() <= 1 + 1e-5  # means of the variances within batches
    assert of_batches.min() > 0.7
    np.testing.assert_array_equal(norm.moving_variance, other.moving_variance)
    assert not norm.trainable
    (as_is,) = batch_norms(built(configs("as-is")[0], data))
    np.testing.assert_allclose(as_is.moving_mean, np.linspace(-1, 1, 6), atol=1e-6)
