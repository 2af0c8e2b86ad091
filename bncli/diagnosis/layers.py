"""What the layers of a network get and return for rows of data, summed up by channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bncli.backend import keras
from bncli.diagnosis.finite import n_not_finite
from bncli.diagnosis.names import layer_names, layers_within
from bncli.networks.own import batch_norms
from bncli.networks.sites import activation_name
from bncli.probes.recording import noise_of, record, without_noise

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
    """What a layer got and returned in its calls, or in one of several calls, summed up over rows.

    Attributes:
        name: Its name; for further calls of a shared layer with their number.
        activation: The name of its activation; an empty text if it has none.
        dtype: The type that it computes with.
        n_rows: The rows.
        is_sound: Whether all is finite up to it: what it gets and returns, its weights, and those of all calls before.
            What others return may be finite all the same: a value less an infinite mean is rectified to 0.
        is_first_bad: Whether it returned a value that is not finite for finite inputs.
        largest: The largest absolute value that it got where it did so.
        zeros: How many rows each channel returned nothing but 0 for, shape (channels,).
        saturated: How many values were beyond the `EDGES` of the activation.
        n_values: How many there were.
    """

    name: str
    activation: str
    dtype: str
    n_rows: int = 0
    is_sound: bool = True
    is_first_bad: bool = False
    largest: float = 0.0
    zeros: Any = 0
    saturated: int = 0
    n_values: int = 0

    def add(self, given: np.ndarray, made: np.ndarray) -> None:
        """Count the rows of one call."""
        self.n_rows += len(made)
        self.is_sound &= bool(np.isfinite(given).all() and np.isfinite(made).all())
        if np.isfinite(given).all() and not np.isfinite(made).all():
            self.is_first_bad, self.largest = True, max(self.largest, float(np.abs(given).max()))
        if self.is_rectified:
            self.zeros = self.zeros + (made == 0).all(axis=tuple(range(1, made.ndim - 1))).sum(axis=0)
        if self.activation in EDGES:
            low, high = EDGES[self.activation]
            self.saturated += int(((made <= low) | (made >= high)).sum())
            self.n_values += made.size

    @property
    def is_rectified(self) -> bool:
        """Whether its activation returns 0 for all that is below 0."""
        return self.activation in RECTIFIERS

    @property
    def n_dead(self) -> int:
        """How many of its channels returned 0 for every row; 0 for a layer that doesn't rectify."""
        return int((self.zeros == self.n_rows).sum()) if self.is_rectified else 0

    @property
    def dead_share(self) -> float:
        """The share of its channels that returned 0 for every row; 0 for a layer that doesn't rectify."""
        return float((self.zeros == self.n_rows).mean()) if self.is_rectified else 0.0

    @property
    def saturated_share(self) -> float:
        """The share of its values beyond the `EDGES`; 0 for an activation without edges."""
        return self.saturated / self.n_values if self.n_values else 0.0


@dataclass
class NormReading:
    """The statistics of a batch normalization; arrays have the shape (channels,).

    Attributes:
        layer: It.
        name: Its name.
        moving: Mean and variance that it has.
        population: Mean and variance over the training rows, under the weights that the model has.
        noisy: Mean variance of its input in training mode, with dropout and other noise; None without noise.
        quiet: The same without noise.
    """

    layer: Any
    name: str
    moving: tuple[np.ndarray, np.ndarray]
    population: tuple[np.ndarray, np.ndarray]
    noisy: np.ndarray | None = None
    quiet: np.ndarray | None = None

    @property
    def distance(self) -> float:
        """How far the moving mean is from the population's, in its standard deviations, in the median channel."""
        (moved, _), (mean, variance) = self.moving, self.population
        return float(np.median(np.abs(moved - mean) / np.sqrt(variance + self._epsilon)))

    @property
    def factor(self) -> float:
        """By which factor the moving variance is off the population's, both with epsilon, in the median channel.

        What noise adds to the variance in training belongs to the average, and counts as `shift` alone.
        """
        expected = self.population[1]
        if self.noisy is not None and self.quiet is not None:
            expected = expected * self._ratio(self.noisy, self.quiet)
        return float(np.exp(np.median(np.abs(np.log(self._ratio(self.moving[1], expected))))))

    @property
    def shift(self) -> float:
        """How much larger noise makes the variance in training: a factor, the geometric mean over channels."""
        if self.noisy is None or self.quiet is None:
            return 1.0
        return float(np.exp(np.mean(np.log(self._ratio(self.noisy, self.quiet)))))

    @property
    def flat(self) -> np.ndarray:
        """Whether each channel varies by less than epsilon over the training rows."""
        return self.population[1] < self._epsilon

    def _ratio(self, variance: np.ndarray, other: np.ndarray) -> np.ndarray:
        ratio: np.ndarray = (variance + self._epsilon) / (other + self._epsilon)
        return ratio

    @property
    def _epsilon(self) -> float:
        return max(float(self.layer.epsilon), 1e-12)


def read_layers(model: keras.Model, x: np.ndarray) -> list[LayerReading]:
    """Read what every layer gets and returns in inference mode, in the order of the calls.

    Calls of a shared layer are read apart: a `ReLU` may be used all over a network. Functions of a functional model,
    such as `keras.ops.relu`, are read like layers.
    """
    names, found = layer_names(model), dict[tuple[int, int], LayerReading]()
    sick = {id(layer) for layer in layers_within(model) if any(map(n_not_finite, layer.variables))}
    calls: Counter[int] = Counter()

    def see(layer: Any, given: Any, made: Any) -> None:
        calls[id(layer)] += 1
        number = calls[id(layer)]
        name = names.get(id(layer), layer.name) + (f" (call {number})" if number > 1 else "")
        dtype = str(getattr(layer, "compute_dtype", made.dtype.name))
        new = LayerReading(name, activation_name(layer), dtype, is_sound=id(layer) not in sick)
        found.setdefault((id(layer), number), new).add(np.asarray(given), np.atleast_1d(made))

    for start in range(0, min(len(x), MAX_ROWS), CHUNK):
        calls.clear()
        record(model, x[start : min(start + CHUNK, MAX_ROWS)], see)
    sound = True
    for reading in found.values():
        sound = reading.is_sound = sound and reading.is_sound
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
    names, (noisy, quiet) = layer_names(model), _input_variances(model, x)
    return [
        NormReading(layer, names[key], moving[key], population[key], noisy.get(key), quiet.get(key))
        for layer in layers_within(model)
        if (key := id(layer)) in moving
    ]


Variances = dict[int, np.ndarray]
"""The variance of each channel that a batch normalization gets, by its `id`."""


def _input_variances(model: keras.Model, x: np.ndarray) -> tuple[Variances, Variances]:
    """What batch normalizations get in training mode, with noise and without; nothing for a model without noise."""
    if not any(map(noise_of, layers_within(model))):
        return {}, {}
    before = [variable.numpy() for variable in model.variables]  # training mode moves averages and random states
    try:
        noisy = _variances(model, x)
        with without_noise(model):
            return noisy, _variances(model, x)
    finally:
        for variable, value in zip(model.variables, before, strict=True):
            variable.assign(value)


def _variances(model: keras.Model, x: np.ndarray) -> Variances:
    moments: dict[int, list[np.ndarray]] = {}

    def see(layer: Any, given: Any, _: Any) -> None:
        if isinstance(layer, keras.layers.BatchNormalization):
            rows = np.moveaxis(np.asarray(given, "float64"), layer.axis, -1).reshape(-1, given.shape[layer.axis])
            moments.setdefault(id(layer), []).append(np.stack([rows.mean(axis=0), (rows**2).mean(axis=0)]))

    for start in range(0, min(len(x), MAX_ROWS), CHUNK):
        record(model, x[start : start + CHUNK], see, training=True)
    means = {layer: np.mean(found, axis=0) for layer, found in moments.items()}
    return {layer: square - mean**2 for layer, (mean, square) in means.items()}
