"""The scaling of rows that a saved model was trained with: most files don't say it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from bncli.backend import keras
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.diagnosis.layers import Statistics, statistics_by_layer
from bncli.diagnosis.names import layers_within
from bncli.diagnosis.readings import BATCH_SIZE, thawed, whole_batches
from bncli.engines.criterion import Criterion
from bncli.engines.inference import Inference
from bncli.networks.file import FileNetwork
from bncli.networks.network import network_of
from bncli.networks.own import batch_norms
from bncli.networks.saved import saved_training, takes_raw_rows
from bncli.tasks.task import REGRESSION

SCALINGS, TABLE_SCALINGS = ("none", "unit", "standard"), ("none", "standard")
"""The scalings that the rows of a saved model may have had: of images, and of tables."""

TIE, SLACK = 1.1, 0.05
"""Losses, and distances, count as equal up to this factor or this difference: batch normalization near the input
undoes any scaling, or nearly; without it, larger rows make a network that has learned surer, and so its loss less."""

NEAR = 0.8
"""Up to which distance the averages are those of the rows: in healthy networks means are at most 0.2 standard
deviations off and variances by a factor of 1.4 (see `findings.stale`), or of 2 where half of all values are dropped."""

MAX_ROWS = 1_000
"""The most training rows that are looked at."""

LEAST_VARIANCE = 1e-6
"""What is added to variances that distances are divided by."""


class Fit(NamedTuple):
    """How well rows fit a model, the less the better.

    Attributes:
        distance: How far the moving averages are from the statistics of the rows, see `_distance`.
        loss: Mean loss with statistics of the rows themselves, so that stale averages don't decide. Of a quantity it is
            the share of its variance that is left.
        target: The scaling of the quantity with which that is so; `none` for classes.
    """

    distance: float
    loss: float
    target: str


class Choice(NamedTuple):
    """The scaling that fits a model best.

    Attributes:
        scaling: It.
        others: Those under which the weights answer as well, if the moving averages tell none of them.
        target: The scaling of a quantity.
    """

    scaling: str
    others: tuple[str, ...] = ()
    target: str = "none"


def likely_scaling(config: RunConfig) -> Choice:
    """Return the scaling of rows that fits the weights of a saved model best: the one with the least loss.

    Of scalings that are equally good, as a normalization near the input makes them, the moving averages decide, without
    what a short training left of their initial values, if the file has its steps. Of those that are equally good then,
    it is the scaling of the data; for a model that scales its rows itself, none.

    Raises:
        BncliError: The data or the file can't be loaded, or they don't fit each other.
    """
    data, network = datasets.load(config), network_of(config.model)
    if isinstance(network, FileNetwork) and takes_raw_rows(network.path):
        return Choice("none", target=_best_target(config.replace(scaling="none")).target)
    is_scaled_inside = scales_rows(network.build(config, data.input_shape, data.n_classes, config.seed))
    usual = "none" if is_scaled_inside else data.scaling
    names = SCALINGS if data.is_image else TABLE_SCALINGS
    fits = {name: _best_target(config.replace(scaling=name)) for name in names}
    if not any(math.isfinite(fit.loss) for fit in fits.values()):
        return Choice(data.scaling)
    equal = _near_least({name: fit.loss for name, fit in fits.items()})
    close = _near_least({name: fits[name].distance for name in equal})
    chosen = usual if usual in close else close[0]
    others = () if fits[chosen].distance <= NEAR else tuple(name for name in equal if name != chosen)
    return Choice(chosen, others, fits[chosen].target)


def _best_target(config: RunConfig) -> Fit:
    """How well rows fit with the scaling of a quantity that fits best; a quantity in its own units goes first."""
    task = datasets.load(config).task
    targets = (
        ("none", "standard") if task == REGRESSION and config.target_scaling == "auto" else (config.target_scaling,)
    )
    return min((_fit(config.replace(target_scaling=target)) for target in targets), key=lambda fit: fit.loss)


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
    batches = whole_batches(len(data.y_train), BATCH_SIZE, MAX_ROWS)
    rows = batches.numpy().ravel()
    remain = _initial_shares(model, config)
    with thawed(model):
        inference = Inference(model, data, Criterion(data.task))
        others = inference.estimator(batches, quiet=True)(len(batches)) if inference.averages else inference.others
        moving, population = (statistics_by_layer(model, values) for values in (inference.others, others))
        scored = inference.score(others, {"train": (data.x_train[rows], data.y_train[rows])})["train"]
    loss = float(1 - scored.score[0] if data.task == REGRESSION else scored.loss[0])
    began = {layer: _without_start(values, remain[layer]) for layer, values in moving.items()}
    distance = min(_distance(moving, population), _distance(began, population))
    return Fit(distance, loss if math.isfinite(loss) else math.inf, data.target_scaling)


def _initial_shares(model: keras.Model, config: RunConfig) -> dict[int, float]:
    """The share of its initial mean, 0, that each batch normalization still has; 0 where that isn't known.

    It is so only if training began with a new layer, and not with the averages of another training.
    """
    network = network_of(config.model)
    steps = saved_training(network.path).n_steps if isinstance(network, FileNetwork) else None
    shares = {
        id(layer): float(layer.momentum) ** steps if steps and layer.trainable else 0.0 for layer in batch_norms(model)
    }
    return {layer: share if share < 1 else 0.0 for layer, share in shares.items()}


def _without_start(values: Statistics, share: float) -> Statistics:
    """Averages without the share that they have of their initial values 0 and 1."""
    import numpy as np

    mean, variance = values
    return mean / (1 - share), np.maximum(variance - share, 0) / (1 - share)


def _distance(moving: Mapping[int, Statistics], population: Mapping[int, Statistics]) -> float:
    """How far moving averages are from the statistics of the population; 0 without any, and the mean of all layers.

    Means count in standard deviations, the variance of the median channel by its logarithm: a mean that began at 0 is
    near that of any rows whose mean is 0, whatever their scale.
    """
    import numpy as np

    far = []
    for layer, (mean, variance) in population.items():
        moved, spread = moving[layer]
        of_means = (abs(moved - mean) / np.sqrt(variance + LEAST_VARIANCE)).mean()
        of_variances = np.median(abs(np.log((spread + LEAST_VARIANCE) / (variance + LEAST_VARIANCE))))
        far.append(float(of_means + of_variances))
    return sum(far) / max(1, len(far))
