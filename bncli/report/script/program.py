"""`script_of`: a run as a program of plain Keras, which trains it and prints its numbers beside the recorded ones."""

from __future__ import annotations

import importlib

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.networks.seeds import derive
from bncli.report.script.code import Writer
from bncli.report.script.data import data_code
from bncli.report.script.network import layers_of, network_code
from bncli.report.script.training import training_lines
from bncli.results import RunResult
from bncli.study.arms import arm_of

MAX_SEEDED = 2_000
"""The most layers whose seeds are written as what they are derived from."""

_DERIVE = '''\
def derive(*purpose):
    """Return the seed for one purpose: arms of a seed start from the same weights and see the same batches."""
    text = "/".join(map(str, (SEED, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF
'''

_FLAT = '''\
def flat(model):
    """Return the layers of a model, those of nested models too."""
    return [part for layer in model.layers for part in (flat(layer) if hasattr(layer, "layers") else [layer])]
'''


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
    writer = Writer(_seed_texts(config), config.dtype)
    data = data_code(config)
    model, network = network_code(config, dataset, writer)
    training = training_lines(result, model, len(dataset.y_train), layers_of(model, "model"), writer)
    policy = [] if config.dtype == "float32" else [f'keras.config.set_dtype_policy("{config.dtype}")']
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
        "\n".join(["# The network", *policy, *network.lines]) + "\n",
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
