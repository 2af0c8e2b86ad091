"""Studies and results made by hand: nothing here trains, and nothing needs TensorFlow."""

import math

import numpy as np

from bncli.analysis.evidence import Evidence
from bncli.config import RunConfig
from bncli.results import Inside, RunResult, Series
from bncli.study.arms import parse_arms
from bncli.study.opening import open_folder
from bncli.study.study import Study
from bncli.tasks.probes import PROBES

TWO_AXES = (("activation", ("sigmoid", "relu")), ("lr", (0.01, 0.1)))
IGNORED_AXIS = (("norm_momentum", (0.9, 0.99)), ("lr", (0.01, 0.1)))
"""The first axis has no effect on the arm `none`."""

TRIVIAL = 0.65
"""Of the 20 validation rows of the data set of `make_study`, 13 are of one class."""

SCORES = {
    ("none", 0): 0.5,
    ("none", 1): 0.75,
    ("none", 2): 0.25,
    ("batch", 0): 0.5,
    ("batch", 1): 1.0,
    ("batch", 2): 0.9,
}
"""The final validation accuracies of `scored` by normalization and seed."""


def make_study(arms="none,batch:before", axes=(), seeds=(0, 1), name="fake", **fields):
    small = {"dataset": "circles", "n_samples": 40, "model": "dense4", "epochs": 3}
    return Study(name, RunConfig(**small | fields), parse_arms(arms), axes, seeds)


def complete(config, accuracies=(0.5, 0.6, 0.7), *, train_accuracy=0.8, params=12, seconds=1.0):
    """A run with these validation accuracies, one per epoch; its other numbers follow from them."""
    history = {
        "loss": [1.0 - value for value in accuracies],
        "accuracy": [0.9 * value for value in accuracies],
        "val_loss": [2.0 - value for value in accuracies],
        "val_accuracy": list(accuracies),
    }
    metrics = {name: values[-1] for name, values in history.items()} | {"train_accuracy": train_accuracy}
    return RunResult(config, "complete", {"total": params, "trainable": params}, metrics, history, seconds)


def diverged(config, accuracies=(0.5, 0.1)):
    """A run whose loss was not finite in its last epoch."""
    done = complete(config, accuracies)
    history = done.history | {name: [*done.history[name][:-1], None] for name in ("loss", "val_loss")}
    metrics = done.metrics | {"loss": None, "val_loss": None}
    error = f"The loss was not finite in epoch {len(accuracies)}."
    return RunResult(config, "diverged", done.params, metrics, history, done.seconds, error=error)


def failed(config):
    return RunResult(config, "failed", error="MemoryError: no room\nTraceback ...")


def scored(config):
    return complete(config, (0.1, SCORES[config.norm, config.seed]), params=10 + config.seed, seconds=config.seed)


def gaining(gains):
    """Runs in which the arm ends above the baseline by these gains, by seed; both pass 0.4 in the first epoch."""
    return lambda config: complete(config, (0.4, 0.5 + (gains[config.seed] if config.norm != "none" else 0.0)))


def learned(config):
    """A plausible complete run: accuracy rises by epoch, and depends on seed, learning rate and normalization."""
    reach = 0.7 + 0.2 * (config.norm != "none") + 0.01 * (config.seed % 5) - 0.03 * abs(math.log10(config.lr) + 2)
    speed = 0.3 + 0.4 * (config.placement == "after") + 0.2 * (config.activation == "relu")
    accuracies = [reach * (1 - math.exp(-speed * epoch)) for epoch in range(1, config.epochs + 1)]
    return complete(config, tuple(accuracies), train_accuracy=min(1.0, reach + 0.05), params=100 + config.seed)


def evidence(study, make=learned, chance=0.5, **choice):
    """The study with one result per run, made by `make`; None if it is missing. `choice`: metric, threshold."""
    plan = study.plan()
    results = [result for result in (make(config) for config, _ in plan.runs) if result]
    return Evidence(study, results, dict(plan.runs), len(plan.runs), chance, **choice)


def make_table(function, study, make=scored, **arguments):
    """The table that a function of `bncli.analysis` makes of the study's results."""
    shown = evidence(study, make)
    return function(shown.results, shown.conditions, **arguments)


def column(table, name):
    return table[name].tolist()


def record(folder, shown, order=1):
    """Write a study and its results into a folder as `execute` does, or in another order; return the store."""
    store = open_folder(folder, shown.study, shown.study.plan()).store
    for result in shown.results[::order]:
        store.append(result)
    return store


def bytes_of(folder):
    """The content of every file below a folder, by relative path."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


LAYERS = ("one", "two", "three", "four", "five", "six")


def seen(config):
    """Probes of six activations; averages and gamma only of arms with batch normalization."""
    has_norm = config.norm == "batch"
    names = [name for name in PROBES if has_norm or name not in ("mean_lag", "gamma")]
    series = [Series(name, layer, number) for name in names for number, layer in enumerate(LAYERS, 1)]
    values = 0.1 + np.arange(4 * len(series), dtype="float32").reshape(4, -1) % 7 + config.seed
    object.__setattr__(result := learned(config), "inside", Inside(tuple(series), values))
    return result
