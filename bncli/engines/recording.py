"""The probes of runs that train together, recorded epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bncli.config import RunConfig
from bncli.engines.rates import Schedule, is_constant, steps_per_epoch
from bncli.engines.updates import Tensors
from bncli.probes.activations import PERCENTILES
from bncli.probes.inside import Look, percentiles_of
from bncli.results import Inside, RunResult, Series

Looking = Callable[[Tensors, Tensors], Any]
"""`Look.__call__` for the weights and other variables of all runs at once."""


@dataclass
class Recording:
    """What probes see in the runs of a stack.

    Attributes:
        look: The probes.
        looking: The compiled function of them.
        n_rows: The number of training rows, which decides the steps of an epoch.
    """

    look: Look
    looking: Looking
    n_rows: int
    _epochs: list[np.ndarray] = field(default_factory=list)

    def add(self, weights: Tensors, others: Tensors) -> None:
        """Record the state before training, or after an epoch."""
        numbers, samples = self.looking(weights, others)
        found = [percentiles_of(values.numpy()) for values in samples]
        percentiles = [values for values, equal in zip(found, self.look.sampled, strict=True) for _ in equal]
        self._epochs.append(np.concatenate([numbers.numpy(), *percentiles], axis=-1))

    @property
    def series(self) -> tuple[Series, ...]:
        """What each number is."""
        taps = [tap for equal in self.look.sampled for tap in equal]
        sampled = [Series(f"{kind}_p{q}", layer, number) for kind, layer, number in taps for q in PERCENTILES]
        return (*self.look.series, *sampled)

    def joined(self, results: Sequence[RunResult]) -> list[RunResult]:
        """Return the results of the runs with what was seen in each, up to its last epoch."""
        values = np.stack(self._epochs).astype("float32")
        return [
            replace(result, inside=self._of_run(result, values[: len(result.history["loss"]) + 1, run]))
            for run, result in enumerate(results)
        ]

    def _of_run(self, result: RunResult, values: np.ndarray) -> Inside:
        """The values of one run, shape (epochs, series), with the effective learning rates that follow from them."""
        series = self.series
        norms = [place for place, each in enumerate(series) if each.probe == "weight_norm"]
        rates = np.array([self._rate(result.config, epoch) for epoch in range(len(values))], "float32")
        with np.errstate(divide="ignore", over="ignore"):
            effective = rates[:, None] / values[:, norms] ** 2
        names = tuple(series[place]._replace(probe="effective_lr") for place in norms)
        return Inside((*series, *names), np.concatenate([values, effective], axis=1))

    def _rate(self, config: RunConfig, n_epochs: int) -> float:
        """The learning rate of the update that follows after some epochs."""
        if is_constant(config):
            return config.lr
        return float(Schedule(config, self.n_rows)(n_epochs * steps_per_epoch(config, self.n_rows)))
