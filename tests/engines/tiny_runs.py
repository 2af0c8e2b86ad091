"""Small runs for the tests of engines, and what it means that two results are the same.

Two float32 programs that add the same numbers in another order differ by about 1e-7. Over the few steps of a tiny run
most losses stay that close; Adam and RMSprop, which divide by the gradient's size, amplify the rounding of small
gradients to some 1e-5. `CLOSE` allows for that and for other processors. An accuracy may differ by one row, which
rounding can move across a tie.
"""

import itertools

import numpy as np

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines import keras as oracle
from bncli.engines import stacked
from bncli.engines.method import Method
from bncli.networks import norms
from bncli.resolution import resolve
from bncli.tasks.metrics import METRICS

CLOSE = 1e-4
SMOOTH = ("loss", "nll", "brier", "mae", "mse", "rmse")
"""Scores that a little rounding changes a little."""

ANYWHERE = [name for name in norms.REGISTRY if not norms.why_not(RunConfig(norm=name), (8,))]
"""The normalizations that may stand behind a dense layer, too."""

ARMS = [
    {"norm": "none"},
    {"norm": "batch", "placement": "input"},  # batch accepts every input, even a single channel
    *({"norm": n, "placement": p} for n, p in itertools.product(ANYWHERE, ("before", "after"))),
]

PLAIN = Method(2, stacked=True, matrix_conv=True)
XLA = Method(2, stacked=True, matrix_conv=True, xla=True, xla_evaluation=True, xla_population=True)


def tiny(**fields):
    """A resolved run of `tiny()` size, except for the sizes that are given."""
    sizes = {name: fields.pop(name) for name in ("batch_size", "epochs", "warmup") if name in fields}
    return resolve(RunConfig(**fields).tiny().replace(**sizes))[0]


def circles(**fields):
    return tiny(**{"dataset": "circles", "model": "dense8"} | fields)


def exploding(**fields):
    """A run that learns at a small rate; from 1.7 on it overflows, in an epoch that doesn't depend on rounding."""
    start = {"activation": "exponential", "optimizer": "sgd", "weight_decay": 0.9, "lr": 0.1}
    return circles(**start | {"batch_size": 4, "epochs": 5} | fields)


def seeded(config, seeds=(0, 1)):
    return [config.replace(seed=seed) for seed in seeds]


def train(engine, configs, **more):
    return [result for stack in engine.train(configs, datasets.load(configs[0]), **more) for result in stack]


def numbers(result, name):
    """The history of a metric, or its single value, as floats; NaN for None."""
    return np.array(result.history.get(name, [result.metrics[name]]), float)


def check_same(found, expected, close=CLOSE):
    """Equal except for rounding, seconds and engine; None, for a loss that is not finite, equals only None."""
    assert (found.config, found.state, found.error) == (expected.config, expected.state, expected.error)
    assert found.params == expected.params
    assert found.metrics.keys() == expected.metrics.keys()
    data = datasets.load(expected.config)
    one_row = 1.01 / min(len(data.y_train), len(data.y_val))
    for name in expected.metrics:
        ours, theirs, score = numbers(found, name), numbers(expected, name), METRICS[name].score
        if score in SMOOTH:
            np.testing.assert_allclose(ours, theirs, rtol=close, err_msg=name)
        elif score == "accuracy":
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=one_row, err_msg=name)
        elif score == "r2":
            np.testing.assert_allclose(1 - ours, 1 - theirs, rtol=close, err_msg=name)


def check_all_same(found, expected, close=CLOSE):
    assert len(found) == len(expected) > 0
    for ours, theirs in zip(found, expected, strict=True):
        check_same(ours, theirs, close)


def check_engines_agree(configs, close=CLOSE):
    theirs = train(oracle, configs)
    assert [result.state for result in theirs] == ["complete"] * len(configs)
    check_all_same(train(stacked, configs), theirs, close)


def name_of(fields):
    """The id of a parametrized test."""
    return fields if isinstance(fields, str) else "-".join(str(value) for value in fields.values())
