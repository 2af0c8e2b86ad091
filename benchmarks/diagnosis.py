"""What the thresholds of `bncli diagnose` are compared with, over healthy networks: `python benchmarks/diagnosis.py`.

For each network it trains ten seeds (`SEEDS=3` for another number), takes the readings of each, and prints the largest
value over layers: that of the median seed, and the largest of all. Everything here learns and has averages that had
time to follow; what it reaches should give no finding, but for the row with dropout of 0.8 before a normalization.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np  # noqa: TID253 - a script

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.diagnosis.case import Case, Training
from bncli.diagnosis.diagnose import diagnose
from bncli.diagnosis.layers import LayerReading, NormReading
from bncli.diagnosis.readings import take_readings
from bncli.engines import stacked
from bncli.networks.own import fresh_names
from bncli.resolution import resolve

SGD = {"optimizer": "sgd", "lr": 0.01, "momentum": 0.9}
CASES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("circles", "circles-mlp", {"epochs": 100, **SGD}),
    ("moons", "mlp", {"epochs": 30}),
    ("digits", "mlp", {"epochs": 10, "norm_momentum": 0.9}),
    ("digits", "mlp", {"epochs": 60}),
    ("digits", "mlp", {"epochs": 30, "placement": "after"}),
    ("digits", "mlp", {"epochs": 30, "lr": 0.01}),
    ("digits", "paper-mlp", {"epochs": 30, "activation": "sigmoid", "batch_size": 60}),
    ("digits", "tanh-dropout", {"epochs": 30, "activation": "tanh"}),
    ("digits", "mnist-cnn", {"epochs": 20, "norm_momentum": 0.9}),
    ("digits", "dense64 dropout0.5 norm dense64", {"epochs": 40, "norm_momentum": 0.9}),
    ("digits", "dense64 dropout0.8 norm dense64", {"epochs": 40, "norm_momentum": 0.9}),
    ("digits", "conv16 dropout0.5 norm conv32 gap", {"epochs": 30, "norm_momentum": 0.9}),
    ("digits", "cnn", {"epochs": 15}),
    ("digits", "resnet-small", {"epochs": 15}),
    ("digits", "lstm", {"epochs": 20, "norm_momentum": 0.9}),
    ("digits", "dense100*6", {"epochs": 30}),
    ("breast_cancer", "mlp", {"epochs": 60, "norm_momentum": 0.9}),
    ("breast_cancer", "mlp", {"epochs": 100, "train_rows": ":150", "norm_momentum": 0.9}),
    ("digits", "mlp", {"epochs": 30, "train_rows": ":200", "norm_momentum": 0.9}),
)
"""Data, model and other fields."""

N_SEEDS = int(os.environ.get("SEEDS", "10"))

Measure = Callable[[Any], float]
NORMS: dict[str, Callable[[NormReading], float]] = {
    "mean off": lambda norm: norm.distance,
    "variance off": lambda norm: norm.factor,
    "shift": lambda norm: max(norm.shift, 1 / norm.shift),
    "flat": lambda norm: float(norm.flat.mean()),
}
LAYERS: dict[str, Callable[[LayerReading], float]] = {
    "dead": lambda layer: layer.dead_share,
    "saturated": lambda layer: layer.saturated_share,
}


def values_of(fields: dict[str, Any]) -> tuple[list[dict[str, float]], Counter[str]]:
    """Return, for each seed, the largest value over layers of every measure, and what the averages cost.

    Also, in how many seeds each finding is found.
    """
    configs = [resolve(RunConfig(norm="batch", **fields).with_seed(seed))[0] for seed in range(N_SEEDS)]
    data, found, told = datasets.load(configs[0]), list[dict[str, float]](), Counter[str]()

    def read(config: RunConfig, model: Any) -> None:
        readings = take_readings(model, data, config.batch_size)
        scores = readings.scores["val"]
        values = {name: max(map(measure, readings.norms)) for name, measure in NORMS.items()}
        values |= {name: max(map(measure, readings.layers[:-1])) for name, measure in LAYERS.items()}
        values["cost"] = scores["population"].score - scores["moving"].score
        values["accuracy"] = scores["moving"].score
        steps = config.epochs * math.ceil(len(data.y_train) / config.batch_size)
        case = Case(model, Training(steps, config.batch_size, len(data.y_train)), readings=readings)
        told.update(name for name, _ in diagnose(case))
        found.append(values)

    with fresh_names():
        list(stacked.train(configs, data, on_model=read))
    return found, told


def main() -> None:
    names = (*NORMS, *LAYERS, "cost", "accuracy")
    print(f"| data | model | fields | {' | '.join(names)} | found in seeds |\n|---|---|---|{'---|' * (len(names) + 1)}")
    for dataset, model, more in CASES:
        values, told = values_of({"dataset": dataset, "model": model, **more})
        cells = [
            f"{np.median([each[name] for each in values]):.2g} to {max(each[name] for each in values):.2g}"
            for name in names
        ]
        findings = ", ".join(f"{name} {count}" for name, count in told.items()) or "-"
        fields = " ".join(f"{name}={value}" for name, value in more.items())
        print(f"| {dataset} | {model} | {fields} | {' | '.join(cells)} | {findings} |", flush=True)


if __name__ == "__main__":
    main()
