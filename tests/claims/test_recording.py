"""Recorded networks end where the engine ends, and their next step goes down the gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bncli.claims.recording import record
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines import stacked
from bncli.probes.gradients import gradients
from bncli.resolution import resolve


@pytest.fixture(scope="module")
def recorded():
    """Three seeds of a small network, untrained and after two epochs; plain gradient descent."""
    base = RunConfig(dataset="circles", model="dense8", optimizer="sgd", lr=0.1, epochs=2, n_samples=200, norm="batch")
    configs = [resolve(base.replace(seed=seed))[0] for seed in (0, 1, 2)]
    data = datasets.load(configs[0])
    return configs, data, record(configs, data, (0, 2))


def binary(y, predicted):
    return keras.losses.binary_crossentropy(tf.cast(y, tf.float32)[:, None], predicted)


def test_a_recording_ends_with_the_weights_of_the_engine(recorded):
    configs, data, recording = recorded
    trained = {}
    list(
        stacked.train(configs, data, on_model=lambda config, model: trained.update({config.seed: model.get_weights()}))
    )
    for run, config in enumerate(configs):
        model = recording.model
        found = dict(
            zip((v.path for v in model.trainable_variables), (w[1, run] for w in recording.weights), strict=True)
        )
        found |= zip(
            (v.path for v in model.non_trainable_variables), (o[1, run] for o in recording.others), strict=True
        )
        for variable, value in zip(model.weights, trained[config.seed], strict=True):
            assert np.allclose(found[variable.path], value, atol=1e-5), variable.path


def test_the_updated_weights_are_one_step_down_the_gradient(recorded):
    _, _, recording = recorded
    steps = recording.over_runs(
        lambda w, o, new: [
            tf.reduce_max(tf.abs(after - (before - 0.1 * gradient)))
            for before, after, gradient in zip(
                w, new, gradients(recording.model, w, o, recording.x, recording.y, binary), strict=True
            )
        ]
    )
    assert np.max(steps) < 1e-6
    assert np.shape(steps) == (len(recording.weights), 2, 3)
