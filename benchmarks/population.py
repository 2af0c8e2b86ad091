"""How much of a run's time population statistics take; run it with `python benchmarks/population.py`.

For each engine it trains the same runs twice, the first time to compile, and prints the time of the second training,
that of estimating population statistics and scoring with them, and their share.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines import keras as oracle
from bncli.engines import program, stacked
from bncli.resolution import resolve

CASES = (
    ("moons", "mlp", {"epochs": 10}, 10),
    ("circles", "circles-mlp", {"epochs": 100, "optimizer": "sgd", "lr": 0.01, "momentum": 0.9}, 30),
    ("digits", "mlp", {"epochs": 10}, 30),
    ("digits", "paper-mlp", {"epochs": 30, "batch_size": 60}, 10),
    ("digits", "cnn", {"epochs": 10}, 4),
    ("breast_cancer", "mlp", {"epochs": 20}, 10),
)
"""Data, model, other fields, and how many runs are stacked."""

seconds = {"run": 0.0, "population": 0.0}


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with its time added to `seconds`."""

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            seconds[name] += time.perf_counter() - started

    return call


def main() -> None:
    program.Program.run = timed("run", program.Program.run)  # type: ignore[method-assign]
    oracle.fit = timed("run", oracle.fit)
    program.Program.population_scores = timed(  # type: ignore[method-assign]
        "population", program.Program.population_scores
    )
    oracle.population_scores = timed("population", oracle.population_scores)
    print("| engine | data | model | epochs | runs | training, s | population, s | share |")
    print("|---|---|---|---|---|---|---|---|")
    for engine in (stacked, oracle):
        for dataset, model, fields, n_runs in CASES:
            count = n_runs if engine is stacked else 1
            base = RunConfig(dataset=dataset, model=model, norm="batch", **fields)
            configs = [resolve(base.with_seed(seed))[0] for seed in range(count)]
            for _ in range(2):
                seconds.update(run=0.0, population=0.0)
                list(engine.train(configs, datasets.load(configs[0])))
            training, extra = seconds["run"] - seconds["population"], seconds["population"]
            row = (engine.NAME, dataset, model, base.epochs, count, f"{training:.2f}", f"{extra:.3f}")
            print(f"| {' | '.join(map(str, row))} | {extra / training:.1%} |", flush=True)


if __name__ == "__main__":
    main()
