"""Checks of the inside of trained networks: saturation, shape of distributions, internal covariate shift."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from bncli.claims.check import Measured, register
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.resolution import resolve

if TYPE_CHECKING:
    import keras
    import numpy as np


SEEDS = 30
"""Seeds with which each network is trained."""

EPOCHS = (0, 1, 2, 5, 10, 20, 30)
"""Epochs after which each network is measured."""


@dataclass(frozen=True)
class Networks:
    """What was measured in the BN paper's network for `SEEDS` seeds.

    Attributes:
        saturated: Share of the last sigmoid's inputs beyond ±3 after the last epoch, shape (seeds,).
        path: How far the percentiles of these inputs moved during training, shape (seeds,).
        shapes: Skew, kurtosis and share of zeros of u and Wu+b, averaged over hidden layers 2 and 3, shape
            (seeds, 2, 3).
        shift: Norm of G - G' and cosine between G and G', shape (epochs, seeds, layers, 2).
    """

    saturated: np.ndarray
    path: np.ndarray
    shapes: np.ndarray
    shift: np.ndarray


@cache
def trained_networks(activation: str, norm: str) -> Networks:
    """Train the BN paper's network on digits (3 layers of 100, batches of 60, Adam as in Keras) and measure it.

    Args:
        activation: Activation of the hidden layers.
        norm: `none` or `batch`, before the activation.
    """
    import numpy as np

    from bncli.claims.recording import record
    from bncli.probes.activations import layer_inputs, percentile_path, saturated_share, shape_of
    from bncli.probes.gradients import covariate_shift

    base = RunConfig(
        dataset="digits", model="paper-mlp", activation=activation, norm=norm, batch_size=60, epochs=EPOCHS[-1]
    )
    configs = [resolve(base.replace(seed=seed))[0] for seed in range(SEEDS)]
    data = datasets.load(configs[0])
    recording = record(configs, data, EPOCHS)
    model = recording.model
    shift = recording.over_runs(lambda w, o, new: covariate_shift(model, w, new, o, recording.x, recording.y))
    taps = _tapped_layers(model)
    *u, wu_2, wu_3, inputs = recording.over_runs(lambda w, o, _: layer_inputs(model, taps, w, o, data.x_val))
    runs = range(SEEDS)
    shapes = [[[shape_of(values[-1, run]) for values in pair] for pair in (u, (wu_2, wu_3))] for run in runs]
    return Networks(
        saturated=np.array([saturated_share(inputs[-1, run]) for run in runs]),
        path=np.array([percentile_path(inputs[:, run]) for run in runs]),
        shapes=np.array(shapes).mean(axis=2),
        shift=shift,
    )


def _tapped_layers(model: keras.Model) -> list[keras.Layer]:
    """Hidden linear layers 2 and 3 (their input is u), the layers behind them (Wu+b), and the last activation."""
    layers = model.layers
    linear = [layer for layer in layers if layer.name.startswith("dense")][1:3]
    following = [layers[layers.index(layer) + 1] for layer in linear]
    last = next(layer for layer in layers[layers.index(linear[1]) :] if layer.name.startswith("activation"))
    return [*linear, *following, last]


def paired(without: np.ndarray, normed: np.ndarray, what: str) -> Measured:
    """Return one difference per seed: with batch normalization minus without.

    Args:
        without: One value per seed, without normalization.
        normed: The same with batch normalization.
        what: What was measured, for the text.
    """
    text = f"{what}: {without.mean():.4g} without batch normalization, {normed.mean():.4g} with; digits, {SEEDS} seeds"
    return Measured(text, values=tuple((normed - without).tolist()))


@register("saturated-share")
def saturated_share() -> Measured:
    """Share of the last hidden sigmoid's inputs beyond ±3, with batch normalization minus without."""
    without, normed = (trained_networks("sigmoid", norm).saturated for norm in ("none", "batch"))
    return paired(without, normed, f"share of inputs beyond 3 after {EPOCHS[-1]} epochs")


@register("percentile-path")
def percentile_path() -> Measured:
    """Distance that percentiles (15, 50, 85) of the last sigmoid's inputs move in training, with BN minus without."""
    without, normed = (trained_networks("sigmoid", norm).path for norm in ("none", "batch"))
    return paired(without, normed, f"distance travelled by the percentiles in {EPOCHS[-1]} epochs")


def _shape_difference(activation: str, statistic: str) -> Measured:
    """One difference per seed, Wu+b minus u, in networks without normalization, which the claim is about."""
    place = ("skew", "kurtosis", "zeros").index(statistic)
    found = {norm: trained_networks(activation, norm).shapes[:, :, place] for norm in ("none", "batch")}
    u, wu = found["none"].mean(axis=0)
    normed_u, normed_wu = found["batch"].mean(axis=0)
    text = (
        f"u {u:.3g}, Wu+b {wu:.3g} (under batch normalization {normed_u:.3g}, {normed_wu:.3g}); "
        f"hidden layers 2 and 3, digits, {SEEDS} seeds"
    )
    return Measured(text, values=tuple((found["none"][:, 1] - found["none"][:, 0]).tolist()))


@register("skew-relu")
def skew_relu() -> Measured:
    """Absolute skew of Wu+b minus that of u, u from a ReLU layer: below 0 if Wu+b is more symmetric."""
    return _shape_difference("relu", "skew")


@register("skew-sigmoid")
def skew_sigmoid() -> Measured:
    """Absolute skew of Wu+b minus that of u, u from a sigmoid layer: below 0 if Wu+b is more symmetric."""
    return _shape_difference("sigmoid", "skew")


@register("kurtosis-relu")
def kurtosis_relu() -> Measured:
    """Absolute excess kurtosis of Wu+b minus that of u, u from a ReLU layer: below 0 if Wu+b is more Gaussian."""
    return _shape_difference("relu", "kurtosis")


@register("kurtosis-sigmoid")
def kurtosis_sigmoid() -> Measured:
    """Absolute excess kurtosis of Wu+b minus that of u, u from a sigmoid layer: below 0 if more Gaussian."""
    return _shape_difference("sigmoid", "kurtosis")


@register("zeros-relu")
def zeros_relu() -> Measured:
    """Share of exact zeros in Wu+b minus that in u, u from a ReLU layer: below 0 if Wu+b is less sparse."""
    return _shape_difference("relu", "zeros")


def _shift_distance(activation: str) -> Measured:
    """One value per seed: log10 of the ratio of distances, with to without, averaged over layers and the training."""
    import numpy as np

    without, normed = (trained_networks(activation, norm).shift[..., 0] for norm in ("none", "batch"))
    ratio = np.log10(normed / without)
    return Measured(
        f"distance with batch normalization / without: {_factors(ratio)}; digits, {SEEDS} seeds",
        values=tuple(over_training(ratio).mean(axis=1).tolist()),
    )


def over_training(values: np.ndarray) -> np.ndarray:
    """Return the mean over the training of what was measured after `EPOCHS`: straight lines lie between these.

    Args:
        values: Shape (epochs, ...).
    """
    import numpy as np

    mean: np.ndarray = np.trapezoid(values, EPOCHS, axis=0) / (EPOCHS[-1] - EPOCHS[0])
    return mean


def _factors(ratio: np.ndarray) -> str:
    """The geometric mean of ratios (log10, shape (epochs, seeds, layers)): over the training, then epoch by epoch."""
    by_epoch = ", ".join(f"{10**value:.3g}" for value in ratio.mean(axis=(1, 2)))
    return f"{10 ** over_training(ratio).mean():.3g} (after {', '.join(map(str, EPOCHS))} epochs: {by_epoch})"


def _shift_cosine(activation: str) -> Measured:
    """One value per seed: cosine with batch normalization minus without, averaged over layers and the training."""
    cosines = (trained_networks(activation, norm).shift[..., 1] for norm in ("none", "batch"))
    without, normed = (over_training(cosine).mean(axis=1) for cosine in cosines)
    return paired(without, normed, "cosine")


@register("shift-distance-sigmoid")
def shift_distance_sigmoid() -> Measured:
    """Internal covariate shift, log10 of the ratio of L2 distances with to without, sigmoid: below 0 if reduced."""
    return _shift_distance("sigmoid")


@register("shift-distance-relu")
def shift_distance_relu() -> Measured:
    """Internal covariate shift, log10 of the ratio of L2 distances with to without, ReLU: below 0 if reduced."""
    return _shift_distance("relu")


@register("shift-cosine-sigmoid")
def shift_cosine_sigmoid() -> Measured:
    """Internal covariate shift, cosine between gradients with minus without, sigmoid: above 0 if reduced."""
    return _shift_cosine("sigmoid")


@register("shift-cosine-relu")
def shift_cosine_relu() -> Measured:
    """Internal covariate shift, cosine between gradients with minus without, ReLU: above 0 if reduced."""
    return _shift_cosine("relu")
