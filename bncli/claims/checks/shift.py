"""Checks on the inside of trained networks: saturation, shape of distributions, internal covariate shift."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from bncli.claims.check import Measured, register
from bncli.config import RunConfig, resolve
from bncli.data import datasets

if TYPE_CHECKING:
    import numpy as np


SEEDS = 30
"""Networks of each kind behind a statistical check."""

MOMENTS = (0, 1, 2, 5, 10, 20, 30)
"""Epochs after which these networks are measured."""


@dataclass(frozen=True)
class _Networks:
    """What was measured on the paper's MLP over `SEEDS` seeds.

    Attributes:
        saturated: Share of the last sigmoid's inputs beyond 3 after the last epoch, shape (seeds,).
        path: Distance that the percentiles of those inputs travelled, shape (seeds,).
        shapes: Skew, kurtosis and zeros (last axis) of u and Wu+b (axis before), mean of hidden layers 2 and 3.
        shift: Distance and cosine (last axis) of G and G', shape (moments, seeds, layers, 2).
    """

    saturated: np.ndarray
    path: np.ndarray
    shapes: np.ndarray
    shift: np.ndarray


@cache
def _networks(activation: str, norm: str) -> _Networks:
    """Train and measure the BN paper's 3x100 MLP on digits: batches of 60 as there, Adam at Keras' defaults."""
    import numpy as np

    from bncli.claims.recording import record
    from bncli.probes.activations import layer_inputs, percentile_path, saturated_share, shape_of
    from bncli.probes.gradients import covariate_shift

    base = RunConfig(
        dataset="digits", model="paper-mlp", activation=activation, norm=norm, batch_size=60, epochs=MOMENTS[-1]
    )
    configs = [resolve(base.replace(seed=seed))[0] for seed in range(SEEDS)]
    data = datasets.load(configs[0])
    taken = record(configs, data, MOMENTS)
    model = taken.model
    layers = model.layers
    linear = [layer for layer in layers if layer.name.startswith("dense")][1:3]
    behind = [layers[layers.index(layer) + 1] for layer in linear]
    last = next(layer for layer in layers[layers.index(linear[1]) :] if layer.name.startswith("activation"))
    shift = taken.over_runs(lambda w, o, new: covariate_shift(model, w, new, o, taken.x, taken.y))
    *pairs, inputs = taken.over_runs(lambda w, o, _: layer_inputs(model, [*linear, *behind, last], w, o, data.x_val))
    runs = range(SEEDS)
    shapes = [[[shape_of(v[-1, run]) for v in group] for group in (pairs[:2], pairs[2:])] for run in runs]
    return _Networks(
        saturated=np.array([saturated_share(inputs[-1, run]) for run in runs]),
        path=np.array([percentile_path(inputs[:, run]) for run in runs]),
        shapes=np.array(shapes).mean(axis=2),
        shift=shift,
    )


def _paired(without: np.ndarray, normed: np.ndarray, what: str) -> Measured:
    """One difference a seed, with batch normalization minus without."""
    text = f"{what}: {without.mean():.4g} without batch normalization, {normed.mean():.4g} with; digits, {SEEDS} seeds"
    return Measured(text, values=tuple((normed - without).tolist()))


@register("saturated-share")
def saturated_share() -> Measured:
    """Share of the last hidden sigmoid layer's inputs beyond 3 in size, with batch normalization minus without."""
    without, normed = (_networks("sigmoid", norm).saturated for norm in ("none", "batch"))
    return _paired(without, normed, f"share of inputs beyond 3 after {MOMENTS[-1]} epochs")


@register("percentile-path")
def percentile_path() -> Measured:
    """Distance the 15th, 50th, 85th percentile of the last sigmoid's inputs travel in training, with minus without."""
    without, normed = (_networks("sigmoid", norm).path for norm in ("none", "batch"))
    return _paired(without, normed, f"distance travelled by the percentiles in {MOMENTS[-1]} epochs")


def _shape_difference(activation: str, statistic: str) -> Measured:
    """One difference a seed, Wu+b minus u, in networks without normalization: there the question arises."""
    place = ("skew", "kurtosis", "zeros").index(statistic)
    found = {norm: _networks(activation, norm).shapes[:, :, place] for norm in ("none", "batch")}
    u, wu = found["none"].mean(axis=0)
    normed_u, normed_wu = found["batch"].mean(axis=0)
    text = (
        f"u {u:.3g}, Wu+b {wu:.3g} (under batch normalization {normed_u:.3g}, {normed_wu:.3g}); "
        f"hidden layers 2 and 3, digits, {SEEDS} seeds"
    )
    return Measured(text, values=tuple((found["none"][:, 1] - found["none"][:, 0]).tolist()))


@register("skew-relu")
def skew_relu() -> Measured:
    """Absolute skew of Wu+b minus that of u, u from a ReLU layer: below 0 where Wu+b is the more symmetric."""
    return _shape_difference("relu", "skew")


@register("skew-sigmoid")
def skew_sigmoid() -> Measured:
    """Absolute skew of Wu+b minus that of u, u from a sigmoid layer: below 0 where Wu+b is the more symmetric."""
    return _shape_difference("sigmoid", "skew")


@register("kurtosis-relu")
def kurtosis_relu() -> Measured:
    """Absolute excess kurtosis of Wu+b minus that of u, u from a ReLU layer: below 0 where Wu+b is more Gaussian."""
    return _shape_difference("relu", "kurtosis")


@register("kurtosis-sigmoid")
def kurtosis_sigmoid() -> Measured:
    """Absolute excess kurtosis of Wu+b minus that of u, u from a sigmoid layer: below 0 where more Gaussian."""
    return _shape_difference("sigmoid", "kurtosis")


@register("zeros-relu")
def zeros_relu() -> Measured:
    """Share of exact zeros in Wu+b minus that in u, u from a ReLU layer: below 0 where Wu+b is less sparse."""
    return _shape_difference("relu", "zeros")


def _shift_distance(activation: str) -> Measured:
    """One value a seed: log10 of the ratio of distances, with to without, averaged over layers and moments."""
    import numpy as np

    without, normed = (_networks(activation, norm).shift[..., 0] for norm in ("none", "batch"))
    ratio = np.log10(normed / without)
    return Measured(
        f"distance with batch normalization / without: {_factors(ratio)}; digits, {SEEDS} seeds",
        values=tuple(ratio.mean(axis=(0, 2)).tolist()),
    )


def _factors(ratio: np.ndarray) -> str:
    """The geometric mean of ratios given as log10, shape (moments, seeds, layers), moment by moment and over all."""
    moments = ", ".join(f"{10**value:.3g}" for value in ratio.mean(axis=(1, 2)))
    return f"{10 ** ratio.mean():.3g} (after {', '.join(map(str, MOMENTS))} epochs: {moments})"


def _shift_cosine(activation: str) -> Measured:
    """One value a seed: cosine with batch normalization minus without, averaged over layers and moments."""
    without, normed = (_networks(activation, norm).shift[..., 1].mean(axis=(0, 2)) for norm in ("none", "batch"))
    return _paired(without, normed, "cosine")


@register("shift-distance-sigmoid")
def shift_distance_sigmoid() -> Measured:
    """Internal covariate shift, log10 of the ratio of L2 distances with to without, sigmoid: below 0 where reduced."""
    return _shift_distance("sigmoid")


@register("shift-distance-relu")
def shift_distance_relu() -> Measured:
    """Internal covariate shift, log10 of the ratio of L2 distances with to without, ReLU: below 0 where reduced."""
    return _shift_distance("relu")


@register("shift-cosine-sigmoid")
def shift_cosine_sigmoid() -> Measured:
    """Internal covariate shift, cosine between gradients with minus without, sigmoid: above 0 where reduced."""
    return _shift_cosine("sigmoid")


@register("shift-cosine-relu")
def shift_cosine_relu() -> Measured:
    """Internal covariate shift, cosine between gradients with minus without, ReLU: above 0 where reduced."""
    return _shift_cosine("relu")
