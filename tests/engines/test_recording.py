"""Probes: equal in both engines, equal to what a loop of plain Keras records, and without effect on the runs."""

import keras
import numpy as np
import pytest
from engines.tiny_runs import XLA, circles, exploding, seeded, tiny, train

from bncli.data import datasets
from bncli.engines import keras as oracle
from bncli.engines import stacked
from bncli.engines.criterion import Criterion
from bncli.engines.starting import built
from bncli.networks.seeds import batch_order
from bncli.probes.inside import N_ROWS
from bncli.tasks.probes import PROBES

RUNS = {
    "batch": {"norm": "batch", "epochs": 3},
    "layer": {"norm": "layer", "activation": "tanh", "epochs": 2},
    "none": {"norm": "none", "activation": "sigmoid"},
    "dropout": {"model": "dense8 dropout0.5 dense8", "norm": "batch", "placement": "after"},
    "schedule": {"norm": "batch", "schedule": "cosine", "epochs": 2},
}


SLOW = ("layer", "none", "dropout", "schedule")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in RUNS]
)
def test_both_engines_see_the_same(name):
    configs = seeded(circles(**RUNS[name]))
    found = train(stacked, configs, always_stack=True, probe="light")
    expected = train(oracle, configs, probe="light")
    for one, other in zip(found, expected, strict=True):
        assert one.inside.series == other.inside.series
        assert {series.probe for series in one.inside.series} <= {*PROBES}
        assert one.inside.values.shape == (configs[0].epochs + 1, len(one.inside.series))
        np.testing.assert_allclose(one.inside.values, other.inside.values, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        pytest.param("batch", {"engine": oracle}, marks=pytest.mark.slow),
        ("dropout", {"engine": stacked}),
        pytest.param("dropout", {"engine": oracle}, marks=pytest.mark.slow),
        pytest.param("batch", {"engine": stacked}, marks=pytest.mark.slow),
        pytest.param("batch", {"engine": stacked, "method": XLA}, marks=pytest.mark.slow),
        pytest.param("dropout", {"engine": stacked, "method": XLA}, marks=pytest.mark.slow),
    ],
)
def test_a_run_does_not_depend_on_what_is_recorded(name, how):
    configs = seeded(circles(**RUNS[name]))
    plain, probed = (train(configs=configs, **how, probe=probe) for probe in (None, "light"))
    for one, other in zip(plain, probed, strict=True):
        assert one.inside is None
        assert other.inside is not None
        assert other.to_record() | {"seconds": 0} == one.to_record() | {"seconds": 0}


def test_the_percentiles_are_those_that_a_loop_of_plain_keras_records():
    config = tiny(dataset="digits", model="dense16 dense8", norm="batch", activation="tanh", epochs=2)
    data = datasets.load(config)
    x, y = data.x_train, data.y_train
    model = built(config, data)
    oracle.compile_model(model, config, Criterion(data.task), len(y))
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    tapped = keras.Model(model.inputs[0], [*(norm.input for norm in norms), *(norm.output for norm in norms)])

    def seen():
        averages = [norm.get_weights() for norm in norms]
        values = [np.asarray(each) for each in tapped(x[:N_ROWS], training=True)]
        for norm, before in zip(norms, averages, strict=True):
            norm.set_weights(before)
        return [np.percentile(each, (15, 50, 85)) for each in values]

    recorded = [seen()]
    for epoch in range(config.epochs):
        order = batch_order(config.seed, epoch, len(y))
        model.fit(x[order], y[order], batch_size=config.batch_size, shuffle=False, verbose=0)
        recorded.append(seen())
    inside = train(stacked, [config], probe="light")[0].inside
    places = {(series.probe, series.number): place for place, series in enumerate(inside.series)}
    kinds = [("input", 1), ("input", 2), ("output", 1), ("output", 2)]
    for tap, (kind, number) in enumerate(kinds):
        columns = [places[f"{kind}_p{q}", number] for q in (15, 50, 85)]
        expected = [epoch[tap] for epoch in recorded]
        np.testing.assert_allclose(inside.values[:, columns], expected, rtol=1e-4, atol=1e-5)


def test_a_diverged_run_has_the_epochs_that_it_trained():
    found = train(stacked, [exploding(lr=0.1), exploding(lr=3.0)], always_stack=True, probe="light")
    assert [result.state for result in found] == ["complete", "diverged"]
    for result in found:
        assert len(result.inside.values) == len(result.history["loss"]) + 1


def test_the_effective_learning_rate_follows_the_schedule():
    result = train(stacked, [circles(**RUNS["schedule"], lr=0.1)], probe="light")[0]
    series, values = result.inside.series, result.inside.values
    norm, rate = ([each.probe for each in series].index(name) for name in ("weight_norm", "effective_lr"))
    np.testing.assert_allclose(values[:, rate] * values[:, norm] ** 2, [0.1, 0.05, 0.0], atol=1e-6)
