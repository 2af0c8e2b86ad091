"""`script_of`: a run as a program of plain Keras, which trains it and prints its numbers beside the recorded ones."""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.networks.seeds import derive
from bncli.probes.population import moving_averages, n_batches
from bncli.report.script.code import Writer
from bncli.report.script.data import data_code
from bncli.report.script.network import layers_of, network_code
from bncli.results import RunResult
from bncli.study.arms import arm_of
from bncli.tasks.metrics import HISTORY_METRICS, POPULATION

if TYPE_CHECKING:
    import keras

    from bncli.data.datasets import Dataset

MAX_SEEDED = 2_000
"""The most layers whose seeds are written as what they are derived from."""

_DERIVE = '''\
def derive(*purpose):
    """Return the seed for one purpose: arms of a seed start from the same weights and see the same batches."""
    text = "/".join(map(str, (SEED, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF
'''

_BATCHES = '''\
def batches():
    """Yield the batches of all epochs; every epoch has an order of its own."""
    for epoch in range({epochs}):
        order = {order}
        for start in range(0, len(order), {batch_size}):
            rows = order[start : start + {batch_size}]
            yield x_train[rows], y_train[rows]
'''

_SHUFFLED = 'np.random.default_rng(derive("order", epoch)).permutation(len(x_train))'

_STOPS = """\
stop = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", not np.isfinite(logs["loss"]))
)"""
"""What ends a run that diverges, after the epoch in which it does."""

_FLAT = '''\
def flat(model):
    """Return the layers of a model, those of nested models too."""
    return [part for layer in model.layers for part in (flat(layer) if hasattr(layer, "layers") else [layer])]
'''

_POPULATION = """\
# Population statistics: BatchNormalization gets the means over {count} batches in place of its moving averages
found = [layer for layer in {layers} if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable]
for norm in found:
    norm.momentum = 0.0  # so that its averages are the statistics of the last batch
averages, seen = [value for norm in found for value in (norm.moving_mean, norm.moving_variance)], []
order = np.random.default_rng(derive("order", {epochs})).permutation(len(x_train))
for rows in order[:{n_rows}].reshape({count}, -1):
    model(x_train[rows], training=True)
    seen.append([value.numpy() for value in averages])
for value, *of_batches in zip(averages, *seen):
    value.assign(np.mean(of_batches, axis=0))
history["population_val_loss"], history["population_val_accuracy"] = zip(model.evaluate(x_val, y_val, verbose=0))"""


def script_of(result: RunResult) -> str:
    """Return the program.

    Args:
        result: A run that is complete or has diverged.

    Raises:
        InvalidConfig: A layer or the optimizer is not plain Keras, or the user's file has changed.
        DataError: The data can't be loaded.
    """
    config = result.config
    dataset = datasets.load(config)
    importlib.import_module("bncli.backend")
    from bncli.engines.base import compile_model

    writer = Writer(_seed_texts(config))
    data = data_code(config)
    model, network = network_code(config, dataset, writer)
    compile_model(model, config)
    training = _training(result, dataset, model, writer)
    needs_flat = any("flat(" in line for line in [*network.lines, *training])
    modules = [f"from keras import {', '.join(sorted(writer.modules))}"] if writer.modules else []
    others = sorted({"import keras", "import numpy as np", *modules, *data.imports, *network.imports}, key=_rank)
    parts = [
        _head(result),
        "\n".join(["import hashlib", *(["import runpy"] if network.runs_file else []), *others]),
        f"SEED = {config.seed}\n",
        _DERIVE,
        *([_FLAT] if needs_flat else []),
        "\n".join(["# The data", *data.lines]),
        "\n".join(["# The network", *network.lines]) + "\n",
        "\n".join(training),
    ]
    return "\n\n".join(parts) + "\n"


def _rank(line: str) -> tuple[bool, str]:
    """Where an import line stands: `import` before `from`, in the order of the alphabet."""
    return line.startswith("from"), line


def _seed_texts(config: RunConfig) -> dict[int, str]:
    """The derived seeds that layers may have, each with the code that derives it."""
    return {
        derive(config.seed, purpose, number): f'derive("{purpose}", {number})'
        for purpose in ("kernel", "recurrent", "dropout")
        for number in range(MAX_SEEDED)
    }


def _head(result: RunResult) -> str:
    import keras

    config = result.config
    what = f"{config.dataset}, {config.model}, {arm_of(config).label}, seed {config.seed}"
    return f'"""Run {result.run_id} of bncli ({what}) in plain Keras {keras.__version__}."""'


def _training(result: RunResult, dataset: Dataset, model: keras.Model, writer: Writer) -> list[str]:
    """The lines that train, measure and print."""
    config, n_rows = result.config, len(dataset.y_train)
    diverges = result.state == "diverged"
    order = _SHUFFLED if config.shuffle else "np.arange(len(x_train))"
    steps = math.ceil(n_rows / config.batch_size)
    lines = [
        "# The training",
        _BATCHES.format(epochs=config.epochs, batch_size=config.batch_size, order=order),
        "",
        f"optimizer = {writer.write(model.optimizer)}",
        f'model.compile(optimizer, "{model.loss}", metrics=["accuracy"], jit_compile=False)',
        *([_STOPS] if diverges else []),
        "history = model.fit(",
        f"    batches(), steps_per_epoch={steps}, epochs={config.epochs}, shuffle=False,",
        f"    validation_data=(x_val, y_val), {'callbacks=[stop], ' if diverges else ''}verbose=2,",
        ").history",
    ]
    names = list(HISTORY_METRICS)
    if moving_averages(model) and not diverges:
        lines += ["", _population(config, n_rows, layers_of(model, "model"))]
        names += [f"{POPULATION}val_loss", f"{POPULATION}val_accuracy"]
    entries = [f'"{name}": {_rounded(result.metrics.get(name))}' for name in names]
    return [
        *lines,
        f"recorded = {{{', '.join(entries[:4])}}}",
        *([f"recorded |= {{{', '.join(entries[4:])}}}"] if entries[4:] else []),
        "for name, value in recorded.items():",
        '    print(f"{name:24} {history[name][-1]:.6f}, in bncli {value}")',
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _population(config: RunConfig, n_rows: int, layers: str) -> str:
    batch_size = min(config.batch_size, n_rows)
    count = n_batches(n_rows, batch_size, config.epochs)
    return _POPULATION.format(count=count, epochs=config.epochs, n_rows=count * batch_size, layers=layers)
