"""The probes of runs that train together, recorded epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bncli.backend import tf
from bncli.config import RunConfig
from bncli.engines.rates import Schedule, is_constant, steps_per_epoch
from bncli.engines.updates import Tensors
from bncli.probes.inside import Look, percentiles_of
from bncli.probes.landscape import N_MOMENTS
from bncli.results import Inside, RunResult, Series
from bncli.tasks.probes import PERCENTILES

Looking = Callable[[Tensors, Tensors], Any]
"""`Look.__call__` for the weights and other variables of all runs at once."""

Surveying = Callable[[Tensors, Tensors, Any], Any]
"""`Landscape.__call__` for all runs at once."""


class Recording:
    """What probes see in the runs of a stack.

    Args:
        look: The probes.
        looking: The compiled function of them.
        surveying: The compiled function of the loss around the weights.
        configs: The runs.
        n_rows: The number of training rows, which decides the steps of an epoch.
    """

    def __init__(
        self, look: Look, looking: Looking, surveying: Surveying, configs: Sequence[RunConfig], n_rows: int
    ) -> None:
        self._look, self._looking, self._surveying = look, looking, surveying
        self._configs, self._n_rows = configs, n_rows
        self._epochs: list[np.ndarray] = []
        self._surveys: dict[int, np.ndarray] = {}
        self._moments = {*np.linspace(0, configs[0].epochs, N_MOMENTS).round().astype(int).tolist()}

    def add(self, weights: Tensors, others: Tensors) -> None:
        """Record the state before training, or after an epoch."""
        epoch = len(self._epochs)
        numbers, samples = self._looking(weights, others)
        found = [percentiles_of(values.numpy()) for values in samples]
        percentiles = [values for values, equal in zip(found, self._look.sampled, strict=True) for _ in equal]
        self._epochs.append(np.concatenate([numbers.numpy(), *percentiles], axis=-1))
        if self._look.landscape and epoch in self._moments:
            rates = tf.constant([_rate(config, epoch, self._n_rows) for config in self._configs], tf.float32)
            self._surveys[epoch] = self._surveying(weights, others, rates).numpy()

    @property
    def series(self) -> tuple[Series, ...]:
        """What each number is, but for those of the landscape."""
        taps = [tap for equal in self._look.sampled for tap in equal]
        sampled = [Series(f"{kind}_p{q}", layer, number) for kind, layer, number in taps for q in PERCENTILES]
        return (*self._look.series, *sampled)

    def joined(self, results: Sequence[RunResult]) -> list[RunResult]:
        """Return the results of the runs with what was seen in each, up to its last epoch."""
        values, surveys = np.stack(self._epochs).astype("float32"), self._all_surveys()
        return [
            replace(result, inside=self._of_run(result.config, values[:n_epochs, run], surveys[:n_epochs, run]))
            for run, result in enumerate(results)
            for n_epochs in [len(result.history["loss"]) + 1]
        ]

    def _all_surveys(self) -> np.ndarray:
        """The landscape by epoch, shape (epochs, runs, series); NaN where it was not measured."""
        n_series = len(self._look.landscape.series) if self._look.landscape else 0
        found = np.full((len(self._epochs), len(self._configs), n_series), np.nan, "float32")
        for epoch, values in self._surveys.items():
            found[epoch] = values
        return found

    def _of_run(self, config: RunConfig, values: np.ndarray, surveys: np.ndarray) -> Inside:
        """The values of one run, shape (epochs, series), with the effective learning rates that follow from them."""
        norms = [place for place, each in enumerate(self.series) if each.probe == "weight_norm"]
        rates = np.array([_rate(config, epoch, self._n_rows) for epoch in range(len(values))], "float32")
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            effective = rates[:, None] / values[:, norms] ** 2
        names = tuple(self.series[place]._replace(probe="effective_lr") for place in norms)
        around = self._look.landscape.series if self._look.landscape else ()
        return Inside((*self.series, *names, *around), np.concatenate([values, effective, surveys], axis=1))


def _rate(config: RunConfig, n_epochs: int, n_rows: int) -> float:
    """The learning rate of the update that follows after some epochs."""
    if is_constant(config):
        return config.lr
    return float(Schedule(config, n_rows)(n_epochs * steps_per_epoch(config, n_rows)))
