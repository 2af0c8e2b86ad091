"""For every finding a sick model and a healthy counterpart, which differs from it in nothing but the fault.

Models are called `sick()` and `healthy()`; both return a `Case`. Where numbers are measured, moving averages are set to
the statistics of the rows instead of being trained, unless the score matters.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from fakes import complete, diverged

from bncli.backend import keras
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.diagnosis.case import Case, Training
from bncli.diagnosis.readings import take_readings
from bncli.networks.naming import fresh_names

layers = keras.layers


@dataclass(frozen=True)
class Patient:
    """A sick model, its healthy counterpart, and what is to be found.

    Attributes:
        sick: Makes the sick model.
        healthy: Makes the healthy one.
        where: The layers of the finding.
        number: Its number; a pair for the range of one that is measured.
        severity: Its severity.
        also: Other findings that the fault brings about.
    """

    sick: Callable[[], Case]
    healthy: Callable[[], Case]
    where: tuple[str, ...]
    number: float | tuple[float, float]
    severity: str = "problem"
    also: tuple[str, ...] = ()


def model(*inner, shape=(4,), n_outputs=3, last="softmax"):
    """A sequential model that ends with an output layer."""
    return keras.Sequential([keras.Input(shape), *inner, layers.Dense(n_outputs, activation=last, name="output")])


def block(name, units=8, **norm):
    return [
        layers.Dense(units, use_bias=False, name=name),
        layers.BatchNormalization(name=f"{name}_norm", **norm),
        layers.ReLU(name=f"{name}_relu"),
    ]


@cache
def data():
    """200 training rows of two features, two classes."""
    return datasets.load(RunConfig(dataset="moons", n_samples=300))


def on_data(*inner, **more):
    keras.utils.set_random_seed(0)
    return model(*inner, shape=(2,), n_outputs=2, **more)


def settled(net, *, momentum=0.0):
    """The model with moving averages that are the statistics of the training rows."""
    norms = [layer for layer in net._flatten_layers() if isinstance(layer, layers.BatchNormalization)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = momentum
    for _ in norms:  # each norm follows those before it
        net(data().x_train, training=True)
    for norm, value in zip(norms, before, strict=True):
        norm.momentum = value
    return net


def read(net, *, is_trained=True, **training):
    return Case(net, Training(**training), is_trained, take_readings(net, data(), training.get("batch_size", 32)))


def untrained(net, **training):
    return Case(net, Training(**training), is_trained=False)


def with_values(net, layer, **values):
    """The model with the variables of a layer set to constants."""
    for name, value in values.items():
        variable = getattr(net.get_layer(layer), name)
        variable.assign(np.full(variable.shape, value))
    return net


def moved(net):
    """A model whose averages were updated, so that it is no new one."""
    for layer in net._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(np.full(layer.moving_mean.shape, 0.25))
    return net


@cache
def fitted_weights():
    net = on_data(*block("a", 16, momentum=0.9), *block("b", 16, momentum=0.9))
    net.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    net.fit(data().x_train, data().y_train, epochs=20, verbose=0)
    return net.get_weights()


def fitted(**changes):
    """A trained model."""
    net = on_data(*block("a", 16, momentum=0.9), *block("b", 16, momentum=0.9))
    net.set_weights(fitted_weights())
    return read(with_values(net, "b_norm", **changes))


@cache
def weights_without_normalizing():
    net = on_data(*block("a", 16))
    net.get_layer("a_norm").moving_variance.assign(np.full(16, 1.001))  # else it would be a new layer
    net.get_layer("a_norm").trainable = False
    net.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    net.fit(data().x_train, data().y_train, epochs=20, verbose=0)
    net.get_layer("a_norm").trainable = True
    return net.get_weights()


def trained_unnormalized():
    """A model that was trained with the averages of a new layer: population statistics would spoil it."""
    net = on_data(*block("a", 16))
    net.set_weights(weights_without_normalizing())
    return net


class FromNeighbours(layers.Layer):
    def call(self, x):
        return x - keras.ops.mean(x, axis=0, keepdims=True)


def frozen(net, *names):
    for name in names:
        net.get_layer(name).trainable = False
    return net


def functional(**arguments):
    inputs = keras.Input((4,))
    x = layers.Dense(8, use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x, **arguments))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def conv(axis):
    inner = [layers.Conv1D(6, 3, use_bias=False), layers.BatchNormalization(axis=axis, name="norm"), layers.ReLU()]
    return model(*inner, layers.Flatten(), shape=(8, 2))


def recurrent(axis, *between):
    inner = [layers.LSTM(6, return_sequences=True), *between, layers.BatchNormalization(axis=axis, name="norm")]
    return model(*inner, layers.GlobalAveragePooling1D(), shape=(8, 2))


def mixed(scale):
    """A mixed_float16 model whose second layer overflows, or does not."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        net = on_data(layers.Dense(64, use_bias=False, name="wide"), layers.Dense(8, use_bias=False, name="loud"))
    finally:
        keras.config.set_dtype_policy(before)
    return with_values(net, "loud", kernel=scale)


def biased(net, layer, factor):
    """The model with the kernel of a layer multiplied."""
    kernel = net.get_layer(layer).kernel
    kernel.assign(kernel * factor)
    return net


def bare(activation, *, bias=0.0, factor=1.0):
    net = on_data(layers.Dense(16, name="hidden"), layers.Activation(activation, name="act"))
    return with_values(biased(net, "hidden", factor), "hidden", bias=bias)


def by_function(function, *, bias=0.0):
    """A functional model that activates with a function of `keras.ops`, which is no layer."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((2,))
    with fresh_names():
        x = function(layers.Dense(16, bias_initializer=keras.initializers.Constant(bias))(inputs))
    return keras.Model(inputs, layers.Dense(2, activation="softmax", name="output")(x))


def dropped(*order):
    parts = {"dropout": layers.Dropout(0.7), "norm": layers.BatchNormalization(name="norm")}
    inner = [layers.Dense(32, use_bias=False), layers.ReLU(), *(parts[name] for name in order)]
    return settled(on_data(*inner))


def dropout_before(*order):
    parts = {"dropout": layers.Dropout(0.5), "norm": layers.BatchNormalization(name="norm")}
    return model(layers.Dense(8, use_bias=False), layers.ReLU(), *(parts[name] for name in order))


def regularized(**regularizers):
    return model(layers.Dense(8, use_bias=False, kernel_regularizer="l2"), layers.BatchNormalization(**regularizers))


def grouped(groups):
    return model(layers.Dense(8), layers.GroupNormalization(groups, name="norm"), layers.ReLU())


def logits(*, norm):
    inner = [layers.BatchNormalization(name="norm")] if norm else []
    dense = [layers.Dense(4, use_bias=False), layers.ReLU(), layers.Dense(3, use_bias=not norm)]
    return keras.Sequential([keras.Input((4,)), *dense, *inner, layers.Softmax()])


def recorded(*states):
    """The runs of a condition that ended in these states."""
    make = {"complete": complete, "diverged": diverged}
    runs = tuple(make[state](RunConfig(seed=seed)) for seed, state in enumerate(states))
    return Case(model(*block("a")), is_trained=False, runs=runs)


def recorded_costs(*costs):
    """The runs of a condition whose moving averages cost these accuracies."""
    plain = [complete(RunConfig(seed=seed), (0.5, 0.9 - cost)) for seed, cost in enumerate(costs)]
    runs = [replace(run, metrics=run.metrics | {"population_val_accuracy": 0.9}) for run in plain]
    return Case(model(*block("a")), is_trained=False, runs=tuple(runs), trivial=0.5)


PATIENTS = {
    "diverged": [
        Patient(lambda: recorded("diverged", "complete", "diverged"), lambda: recorded("complete", "complete"), (), 2),
    ],
    "averages-not-updated": [
        Patient(
            lambda: Case(model(*block("a"), *block("b"))),
            lambda: Case(moved(model(*block("a")))),
            ("a_norm", "b_norm"),
            2,
        ),
        Patient(
            lambda: untrained(model(*block("a", momentum=1.0), *block("b"))),
            lambda: untrained(model(*block("a"))),
            ("a_norm",),
            1,
        ),
    ],
    "not-finite": [
        Patient(
            lambda: Case(with_values(moved(model(*block("a"))), "a_norm", moving_variance=np.inf)),
            lambda: Case(moved(model(*block("a")))),
            ("a_norm",),
            8,
        ),
    ],
    "small-batches": [
        Patient(
            lambda: untrained(model(*block("a")), batch_size=3),
            lambda: untrained(model(*block("a")), batch_size=8),
            ("a_norm",),
            3,
        ),
        Patient(
            lambda: untrained(model(*block("a")), batch_size=1),
            lambda: untrained(model(*block("a")), batch_size=8),
            ("a_norm",),
            1,
        ),
        Patient(
            lambda: untrained(conv(-1), batch_size=4), lambda: untrained(conv(-1), batch_size=32), ("norm",), 4, "note"
        ),
    ],
    "last-batch": [
        Patient(
            lambda: untrained(model(*block("a")), batch_size=32, n_rows=129),
            lambda: untrained(model(*block("a")), batch_size=32, n_rows=128),
            ("a_norm",),
            1,
        ),
        Patient(
            lambda: untrained(model(*block("a")), batch_size=32, n_rows=3201),
            lambda: untrained(model(*block("a")), batch_size=32, n_rows=3217),
            ("a_norm",),
            1,
            "note",
        ),
        Patient(
            lambda: untrained(model(*block("a", momentum=0.7)), batch_size=32, n_rows=3203),
            lambda: untrained(model(*block("a")), batch_size=32, n_rows=3203),
            ("a_norm",),
            3,
            "note",
        ),
    ],
    "redundant-bias": [
        Patient(
            lambda: untrained(model(layers.Dense(8, name="one"), *block("a")[1:])),
            lambda: untrained(model(*block("a"))),
            ("one",),
            8,
            "note",
        ),
    ],
    "wrong-axis": [
        Patient(lambda: untrained(conv(1)), lambda: untrained(conv(2)), ("norm",), 1),
        Patient(lambda: untrained(recurrent(1)), lambda: untrained(recurrent(2)), ("norm",), 1),
        Patient(
            lambda: untrained(recurrent(1, layers.ReLU(), layers.Dropout(0.1))),
            lambda: untrained(recurrent(-1, layers.ReLU(), layers.Dropout(0.1))),
            ("norm",),
            1,
        ),
    ],
    "decayed-scale": [
        Patient(
            lambda: untrained(model(*block("a")), decays_norms=True),
            lambda: untrained(model(*block("a"))),
            ("a_norm",),
            1,
            "note",
        ),
        Patient(
            lambda: untrained(regularized(gamma_regularizer="l2", name="norm")),
            lambda: untrained(regularized()),
            ("norm",),
            1,
            "note",
        ),
    ],
    "frozen": [
        Patient(
            lambda: Case(frozen(moved(model(*block("a"), *block("b"))), "a_norm")),
            lambda: Case(frozen(moved(model(*block("a"), *block("b"))), "a_norm", "a")),
            ("a_norm",),
            1,
            "note",
        ),
    ],
    "training-argument": [
        Patient(lambda: untrained(functional(training=True)), lambda: untrained(functional()), ("norm",), 1, "note"),
        Patient(lambda: untrained(functional(training=False)), lambda: untrained(functional()), ("norm",), 1, "note"),
    ],
    "statistics-gap": [
        Patient(lambda: recorded_costs(0.09, 0.1, 0.11), lambda: recorded_costs(0.0, 0.01), ("a_norm",), 0.1),
        Patient(
            lambda: fitted(moving_mean=3.0),
            fitted,
            ("a_norm", "b_norm"),
            (0.2, 0.6),
            also=("dead-units", "stale-averages"),
        ),
    ],
    "stale-averages": [
        Patient(lambda: fitted(moving_variance=50.0), fitted, ("b_norm",), (5, 500), also=("statistics-gap",)),
        Patient(
            lambda: read(trained_unnormalized()),
            lambda: read(settled(trained_unnormalized())),
            ("a_norm",),
            (0.3, 50),
            "note",
        ),
        Patient(
            lambda: read(
                frozen(with_values(settled(on_data(*block("a"))), "a_norm", moving_variance=50.0), "a_norm", "a")
            ),
            lambda: read(frozen(settled(on_data(*block("a"))), "a_norm", "a")),
            ("a_norm",),
            (5, 500),
            "note",
        ),
    ],
    "small-groups": [
        Patient(lambda: untrained(grouped(4)), lambda: untrained(grouped(2)), ("norm",), 2),
        Patient(lambda: untrained(grouped(8)), lambda: untrained(grouped(1)), ("norm",), 1),
    ],
    "slow-averages": [
        Patient(
            lambda: Case(moved(model(*block("a"), *block("b", momentum=0.9))), Training(n_steps=100)),
            lambda: Case(moved(model(*block("a"), *block("b", momentum=0.9))), Training(n_steps=500)),
            ("a_norm",),
            0.99**100,
        ),
    ],
    "fast-averages": [
        Patient(
            lambda: untrained(model(*block("a", momentum=0.2))),
            lambda: untrained(model(*block("a", momentum=0.9))),
            ("a_norm",),
            0.2,
            "note",
        ),
    ],
    "pytorch-momentum": [
        Patient(
            lambda: untrained(model(*block("a", momentum=0.1))),
            lambda: untrained(model(*block("a", momentum=0.9))),
            ("a_norm",),
            0.1,
        ),
    ],
    "depends-on-batch": [
        Patient(
            lambda: read(on_data(layers.Dense(8), FromNeighbours())),
            lambda: read(on_data(layers.Dense(8))),
            (),
            (0.5, 1),
        ),
    ],
    "variance-shift": [
        Patient(
            lambda: read(dropped("dropout", "norm")),
            lambda: read(dropped("norm", "dropout")),
            ("norm",),
            (2.5, 5),
            "note",
        ),
    ],
    "norm-before-output": [
        Patient(lambda: untrained(logits(norm=True)), lambda: untrained(logits(norm=False)), ("norm",), 1, "note"),
    ],
    "dropout-before-norm": [
        Patient(
            lambda: untrained(dropout_before("dropout", "norm")),
            lambda: untrained(dropout_before("norm", "dropout")),
            ("norm",),
            1,
            "note",
        ),
    ],
    "dead-units": [
        Patient(lambda: read(bare("relu", bias=-100.0)), lambda: read(bare("relu")), ("act",), 1.0),
        Patient(
            lambda: read(by_function(keras.ops.relu, bias=-100.0)),
            lambda: read(by_function(keras.ops.relu)),
            ("relu",),
            1.0,
        ),
        Patient(
            lambda: read(by_function(keras.activations.relu, bias=-100.0)),
            lambda: read(by_function(keras.activations.leaky_relu, bias=-100.0)),
            ("re_lu",),
            1.0,
        ),
    ],
    "saturated-units": [
        Patient(lambda: read(bare("tanh", factor=100.0)), lambda: read(bare("tanh")), ("act",), (0.8, 1), "note"),
    ],
    "flat-channels": [
        Patient(
            lambda: read(settled(biased(on_data(*block("a")), "a", 1e-3))),
            lambda: read(settled(on_data(*block("a")))),
            ("a_norm",),
            8,
            "note",
        ),
    ],
    "first-non-finite": [
        Patient(lambda: read(mixed(30_000.0)), lambda: read(mixed(1.0)), ("loud",), 1),
    ],
}
