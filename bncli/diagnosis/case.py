"""What a diagnosis knows of a network: the model, how it was trained, and what is measured on rows of data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bncli.diagnosis.names import layer_names, layers_within
from bncli.networks.calls import Graph, is_graph, read_graph

if TYPE_CHECKING:
    from collections.abc import Iterable

    import keras

    from bncli.diagnosis.readings import Readings
    from bncli.results import RunResult


@dataclass(frozen=True)
class Training:
    """How a network was, or will be, trained; None where that isn't known.

    Attributes:
        n_steps: Its training steps.
        batch_size: Samples per batch.
        n_rows: Training rows.
        decays_norms: Whether the optimizer's weight decay takes gamma and beta too.
        is_decay_sure: Whether that is known: a `.keras` file does not hold what its optimizer leaves out of the decay.
    """

    n_steps: int | None = None
    batch_size: int | None = None
    n_rows: int | None = None
    decays_norms: bool = False
    is_decay_sure: bool = True


@dataclass(frozen=True, eq=False)
class Case:
    """A network to be diagnosed.

    Attributes:
        model: It, with its weights; its outputs are probabilities. None for recorded runs whose network can't be built.
        training: What is known of its training.
        is_trained: Whether its weights were trained.
        readings: What is measured on rows of data; None without data.
        runs: The recorded runs of a condition, whose network `model` is before training; empty for any other network.
        trivial: What the best constant answer scores to their validation rows, if it is known.
    """

    model: keras.Model | None
    training: Training = Training()
    is_trained: bool = True
    readings: Readings | None = None
    runs: tuple[RunResult, ...] = ()
    trivial: float | None = None

    @cached_property
    def layers(self) -> list[Any]:
        """All its layers, those within others too, from input to output as far as the model lists them so."""
        return [] if self.model is None else layers_within(self.model)

    @cached_property
    def batch_norms(self) -> list[Any]:
        """Its batch normalizations, from input to output."""
        import keras

        return [layer for layer in self.layers if isinstance(layer, keras.layers.BatchNormalization)]

    @cached_property
    def live_norms(self) -> list[Any]:
        """Those of them that follow their batches in training: they are not frozen."""
        return [layer for layer in self.batch_norms if layer.trainable]

    def names(self, layers: Iterable[Any]) -> tuple[str, ...]:
        """Return the names of layers, of which no two are the same."""
        return tuple(self._names[id(layer)] for layer in layers)

    @cached_property
    def _names(self) -> dict[int, str]:
        return layer_names(self.model)

    @cached_property
    def graph(self) -> Graph | None:
        """Its calls; None for a model with a subclassed part, whose calls can't be read."""
        if self.model is None:
            return None
        parts = [self.model, *(layer for layer in self.layers if _is_model(layer))]
        return read_graph(self.model) if all(map(is_graph, parts)) else None


def _is_model(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.Model)


def looks_trained(model: keras.Model) -> bool:
    """Return whether a model's weights were changed since they were drawn.

    A bias, a gamma or a beta whose values differ, and are not all 0 or 1, tells so, and so does a moving average: their
    initializers set constants.
    """
    import numpy as np

    names = ("bias", "gamma", "beta", "moving_mean", "moving_variance")
    values = [np.asarray(variable, "float64") for variable in model.variables if variable.name in names]
    return any(np.ptp(value) > 0 and not np.isin(value, (0, 1)).all() for value in values)
