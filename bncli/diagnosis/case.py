"""What a diagnosis knows of a network: the model, how it was trained, and what is measured on rows of data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bncli.networks.calls import Graph, is_graph, read_graph
from bncli.networks.own import batch_norms

if TYPE_CHECKING:
    import keras

    from bncli.diagnosis.readings import Readings


@dataclass(frozen=True)
class Training:
    """How a network was, or will be, trained; None where that isn't known.

    Attributes:
        n_steps: Its training steps.
        batch_size: Samples per batch.
        n_rows: Training rows.
        decays_norms: Whether the optimizer's weight decay takes gamma and beta too.
    """

    n_steps: int | None = None
    batch_size: int | None = None
    n_rows: int | None = None
    decays_norms: bool = False


@dataclass(frozen=True, eq=False)
class Case:
    """A network to be diagnosed.

    Attributes:
        model: It, with its weights; its outputs are probabilities.
        training: What is known of its training.
        is_trained: Whether its weights were trained.
        readings: What is measured on rows of data; None without data.
    """

    model: keras.Model
    training: Training = Training()
    is_trained: bool = True
    readings: Readings | None = None

    @cached_property
    def batch_norms(self) -> list[Any]:
        """Its batch normalizations, from input to output."""
        return batch_norms(self.model)

    @cached_property
    def graph(self) -> Graph | None:
        """Its calls; None for a subclassed model, whose calls can't be read."""
        parts = [layer for layer in self.model._flatten_layers() if hasattr(layer, "layers")]
        return read_graph(self.model) if all(is_graph(part) for part in parts if _is_model(part)) else None


def _is_model(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.Model)


def looks_trained(model: keras.Model) -> bool:
    """Return whether a model's weights were changed since they were drawn.

    A bias, a gamma or a beta that is not 0 or 1 throughout tells so, and so does a moving average.
    """
    import numpy as np

    names = ("bias", "gamma", "beta", "moving_mean", "moving_variance")
    values = [np.asarray(variable) for variable in model.variables if variable.name in names]
    return any(not np.isin(value, (0, 1)).all() for value in values)
