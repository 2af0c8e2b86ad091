"""The scaling of rows that a saved model was trained with: most files don't say it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from bncli.backend import keras, tf
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.diagnosis.layers import Statistics, statistics_by_layer
from bncli.diagnosis.names import layers_within
from bncli.diagnosis.readings import thawed
from bncli.engines.inference import Inference
from bncli.networks.file import FileNetwork
from bncli.networks.network import network_of
from bncli.networks.saved import takes_raw_rows
from bncli.networks.seeds import batch_order

SCALINGS, TABLE_SCALINGS = ("none", "unit", "standard"), ("none", "standard")
"""The scalings that the rows of a saved model may have had: of images, and of tables."""

TIE, SLACK = 1.1, 0.05
"""Losses, and distances, count as equal up to this factor or this difference: batch normalization near the input
undoes any scaling, or nearly; without it, larger rows make a network that has learned surer, and so its loss less."""

MAX_ROWS = 1_000
"""The most training rows that are looked at."""

BATCH_SIZE = 32
"""Rows per batch, for population statistics."""

LEAST_VARIANCE = 1e-6
"""What is added to variances that distances are divided by."""


class Fit(NamedTuple):
    """How well rows fit a model, the less the better.

    Attributes:
        distance: How far the moving means are from those of the rows, in standard deviations: the mean of all layers.
        loss: Mean loss with statistics of the rows themselves, so that stale averages don't decide.
    """

    distance: float
    loss: float


def likely_scaling(config: RunConfig) -> str:
    """Return the scaling of rows that fits the weights of a saved model best: the one with the least loss.

    Of scalings that are equally good, as a normalization near the input makes them, the moving means decide. Those of a
    short training are still closer to 0, where they began, than those of the rows, but rarely by a factor of 16. Of
    those that are equally good then, it is the scaling of the data; for a model that scales its rows itself, none.

    Raises:
        BncliError: The data or the file can't be loaded, or they don't fit each other.
    """
    data, network = datasets.load(config), network_of(config.model)
    if isinstance(network, FileNetwork) and takes_raw_rows(network.path):
        return "none"
    is_scaled_inside = scales_rows(network.build(config, data.input_shape, data.n_classes, config.seed))
    usual = "none" if is_scaled_inside else data.scaling
    fits = {name: _fit(config.replace(scaling=name)) for name in (SCALINGS if data.is_image else TABLE_SCALINGS)}
    if not any(math.isfinite(fit.loss) for fit in fits.values()):
        return data.scaling
    close = _near_least({name: fit.loss for name, fit in fits.items()})
    close = _near_least({name: fits[name].distance for name in close})
    return usual if usual in close else close[0]


def _near_least(values: Mapping[str, float]) -> list[str]:
    """The names with almost the least value, that with the least first."""
    least = min(values.values())
    most = max(least * TIE, least + SLACK)
    return sorted((name for name, value in values.items() if value <= most), key=values.__getitem__)


def scales_rows(model: keras.Model) -> bool:
    """Return whether the first layer of a model scales its rows."""
    first = next((layer for layer in layers_within(model) if not isinstance(layer, keras.layers.InputLayer)), None)
    return isinstance(first, keras.layers.Rescaling | keras.layers.Normalization)


def _fit(config: RunConfig) -> Fit:
    data = datasets.load(config)
    model = network_of(config.model).build(config, data.input_shape, data.n_classes, config.seed)
    rows = batch_order(0, 0, len(data.y_train))[:MAX_ROWS]
    size = min(BATCH_SIZE, len(rows))
    batches = tf.constant(rows[: len(rows) // size * size].reshape(-1, 1, size))
    with thawed(model):
        inference = Inference(model, data)
        others = inference.estimator(batches, quiet=True)(len(batches)) if inference.averages else inference.others
        moving, population = (statistics_by_layer(model, values) for values in (inference.others, others))
        loss = float(inference.score(others, {"train": (data.x_train[rows], data.y_train[rows])})["train"].loss[0])
    return Fit(_distance(moving, population), loss if math.isfinite(loss) else math.inf)


def _distance(moving: Mapping[int, Statistics], population: Mapping[int, Statistics]) -> float:
    """How far the moving means are from those of the population, in its standard deviations; 0 without any."""
    far = [
        float((abs(moving[layer][0] - mean) / (variance + LEAST_VARIANCE) ** 0.5).mean())
        for layer, (mean, variance) in population.items()
    ]
    return sum(far) / max(1, len(far))
