"""What the layers of a network get and return for rows of data, summed up by channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bncli.backend import keras
from bncli.networks.own import batch_norms
from bncli.probes.recording import NOISE, record, without_noise

MAX_ROWS = 1_024
"""The most rows that layers are read on."""

CHUNK = 128
"""Samples per call: what all layers return for them is in memory at once."""

EDGES = {"sigmoid": (0.0474, 0.9526), "tanh": (-0.995, 0.995), "hard_sigmoid": (0.0, 1.0)}
"""Between which outputs an activation is not saturated: inputs of -3 and 3, as in `probes.activations.SATURATED`."""

RECTIFIERS = ("relu", "relu6")
"""Activations that return 0 for all that is below 0."""


@dataclass
class LayerReading:
    """What a layer got and returned, summed up over rows.

    Attributes:
        name: Its name.
        activation: The name of its activation; an empty text if it has none.
        n_rows: The rows.
        is_first_bad: Whether it returned a value that is not finite for finite inputs.
        zeros: How many rows each channel returned nothing but 0 for, shape (channels,).
        saturated: How many values were beyond the `EDGES` of the activation.
        n_values: How many there were.
    """

    name: str
    activation: str
    n_rows: int = 0
    is_first_bad: bool = False
    zeros: Any = 0
    saturated: int = 0
    n_values: int = 0

    def add(self, given: np.ndarray, made: np.ndarray) -> None:
        """Count the rows of one call."""
        self.n_rows += len(made)
        self.is_first_bad |= bool(np.isfinite(given).all() and not np.isfinite(made).all())
        within = tuple(range(1, made.ndim - 1))
        self.zeros = self.zeros + (made == 0).all(axis=within).sum(axis=0)
        if self.activation in EDGES:
            low, high = EDGES[self.activation]
            self.saturated += int(((made <= low) | (made >= high)).sum())
            self.n_values += made.size


@dataclass
class NormReading:
    """The statistics of a batch normalization; arrays have the shape (channels,).

    Attributes:
        layer: It.
        moving: Mean and variance that it has.
        population: Mean and variance over the training rows, under the weights that the model has.
        noisy: Mean variance of its input in training mode, with dropout and other noise; None without noise.
        quiet: The same without noise.
    """

    layer: Any
    moving: tuple[np.ndarray, np.ndarray]
    population: tuple[np.ndarray, np.ndarray]
    noisy: np.ndarray | None = None
    quiet: np.ndarray | None = None

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    @property
    def distance(self) -> np.ndarray:
        """How far the moving mean is from the population's, in standard deviations of the population."""
        (moved, _), (mean, variance) = self.moving, self.population
        found: np.ndarray = np.abs(moved - mean) / np.sqrt(variance + float(self.layer.epsilon))
        return found

    @property
    def ratio(self) -> np.ndarray:
        """The moving variance over the population's, both with epsilon."""
        epsilon = float(self.layer.epsilon)
        return (self.moving[1] + epsilon) / (self.population[1] + epsilon)


def read_layers(model: keras.Model, x: np.ndarray) -> list[LayerReading]:
    """Read what every layer gets and returns in inference mode, from input to output."""
    found: dict[int, LayerReading] = {}

    def see(layer: Any, given: Any, made: Any) -> None:
        reading = found.setdefault(id(layer), LayerReading(layer.name, activation_of(layer)))
        reading.add(np.asarray(given), np.asarray(made))

    for start in range(0, min(len(x), MAX_ROWS), CHUNK):
        record(model, x[start : min(start + CHUNK, MAX_ROWS)], see)
    return list(found.values())


Statistics = tuple[np.ndarray, np.ndarray]
"""Mean and variance of each channel."""


def statistics_by_layer(model: keras.Model, others: Sequence[Any]) -> dict[int, Statistics]:
    """Return the statistics of every batch normalization, by its `id`.

    Args:
        model: The model.
        others: The values of its non-trainable variables.
    """
    values = {id(variable): value for variable, value in zip(model.non_trainable_variables, others, strict=True)}
    return {
        id(layer): (_array(values[id(layer.moving_mean)]), _array(values[id(layer.moving_variance)]))
        for layer in batch_norms(model)
    }


def _array(values: Any) -> np.ndarray:
    return np.asarray(values, "float64")


def read_norms(
    model: keras.Model, moving: Mapping[int, Statistics], population: Mapping[int, Statistics], x: np.ndarray
) -> list[NormReading]:
    """Read the statistics of every batch normalization, and what noise does to the variance of what it gets.

    Args:
        model: The model.
        moving: What its batch normalizations have.
        population: What they would have after training without end under the same weights.
        x: Training rows.
    """
    noisy, quiet = _input_variances(model, x)
    return [
        NormReading(layer, moving[id(layer)], population[id(layer)], noisy.get(id(layer)), quiet.get(id(layer)))
        for layer in batch_norms(model)
    ]


def _makes_noise(layer: Any) -> bool:
    return any(isinstance(getattr(layer, name, None), float) and getattr(layer, name) > 0 for name in NOISE)


Variances = dict[int, np.ndarray]
"""The variance of each channel that a batch normalization gets, by its `id`."""


def _input_variances(model: keras.Model, x: np.ndarray) -> tuple[Variances, Variances]:
    """What batch normalizations get in training mode, with noise and without; nothing for a model without noise."""
    if not any(map(_makes_noise, model._flatten_layers(include_self=False))):
        return {}, {}
    before = model.get_weights()  # training mode moves averages and random states
    try:
        noisy = _variances(model, x)
        with without_noise(model):
            return noisy, _variances(model, x)
    finally:
        model.set_weights(before)


def _variances(model: keras.Model, x: np.ndarray) -> Variances:
    moments: dict[int, list[np.ndarray]] = {}

    def see(layer: Any, given: Any, _: Any) -> None:
        if isinstance(layer, keras.layers.BatchNormalization):
            rows = np.asarray(given, "float64").reshape(-1, given.shape[-1])
            moments.setdefault(id(layer), []).append(np.stack([rows.mean(axis=0), (rows**2).mean(axis=0)]))

    for start in range(0, min(len(x), MAX_ROWS), CHUNK):
        record(model, x[start : start + CHUNK], see, training=True)
    means = {layer: np.mean(found, axis=0) for layer, found in moments.items()}
    return {layer: square - mean**2 for layer, (mean, square) in means.items()}


def activation_of(layer: Any) -> str:
    """Return the name of a layer's activation; an empty text for a layer without one."""
    if isinstance(layer, keras.layers.ReLU):
        return "relu" if not layer.negative_slope and not layer.threshold else "leaky_relu"
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return "" if name == "linear" else name
