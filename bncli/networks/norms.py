"""The normalizations under study: explicit numbers in, a fresh Keras layer out.

A normalization is a function whose keyword parameters are the fields of a run that it obeys.

In every formula, mean and var are taken per feature over the axes named, gamma is present with `scale`,
beta with `center`. Placement, and whether input and output are normalized too, is the model factory's affair.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

from bncli.registry import Registry

if TYPE_CHECKING:
    import keras


REGISTRY: Registry[Callable[..., keras.Layer]] = Registry("norm")

register = REGISTRY.register

NONE = "none"
"""The arm without normalization: a name among the others, but no layer."""

PER_SAMPLE = ("layer", "group", "rms")
"""Normalizations whose statistics are taken inside one sample: over a single value they wipe it out."""


def names() -> list[str]:
    """All values that the field `norm` may take."""
    return [NONE, *REGISTRY]


def description(name: str) -> str:
    """Return one line on what `name` computes."""
    return "No normalization." if name == NONE else REGISTRY.description(name)


def fields(name: str) -> tuple[str, ...]:
    """Return the fields of a run that the normalization `name` obeys; none for `none`."""
    return () if name == NONE else tuple(inspect.signature(REGISTRY[name]).parameters)


def make(settings: object) -> keras.Layer:
    """Return a fresh layer of the normalization that `settings.norm` names, with its numbers from `settings`."""
    name: str = settings.norm  # type: ignore[attr-defined]
    return REGISTRY[name](**{field: getattr(settings, field) for field in fields(name)})


@register("batch")
def batch(*, norm_momentum: float, norm_epsilon: float, center: bool, scale: bool) -> keras.Layer:
    """Gamma * (x - mean) / sqrt(var + epsilon) + beta, per channel over the batch (and space).

    In training mean and var come from the batch; in inference from moving averages, which each training
    step updates to `momentum * moving + (1 - momentum) * batch` from 0 and 1 (Ioffe and Szegedy 2015,
    arXiv 1502.03167; the averages are Keras', of the biased variance). After s steps `momentum ** s` of the
    initial values remain: 0.99 needs 459 steps to forget 99 %.
    """
    import keras

    return keras.layers.BatchNormalization(momentum=norm_momentum, epsilon=norm_epsilon, center=center, scale=scale)


@register("layer")
def layer(*, norm_epsilon: float, center: bool, scale: bool) -> keras.Layer:
    """Gamma * (x - mean) / sqrt(var + epsilon) + beta, per sample over the last axis.

    The same in training and inference (Ba et al. 2016, arXiv 1607.06450). As in Keras, an image is
    normalized over its channels at each position.
    """
    import keras

    return keras.layers.LayerNormalization(epsilon=norm_epsilon, center=center, scale=scale)


@register("group")
def group(*, groups: int, norm_epsilon: float, center: bool, scale: bool) -> keras.Layer:
    """Gamma * (x - mean) / sqrt(var + epsilon) + beta, per sample over each of `groups` channel groups.

    The same in training and inference (Wu and He 2018, arXiv 1803.08494). `groups` must divide the number
    of channels.
    """
    import keras

    return keras.layers.GroupNormalization(groups=groups, epsilon=norm_epsilon, center=center, scale=scale)


@register("rms")
def rms(*, norm_epsilon: float) -> keras.Layer:
    """Gamma * x / sqrt(mean(x**2) + epsilon), per sample over the last axis; no mean is subtracted.

    The same in training and inference (Zhang and Sennrich 2019, arXiv 1910.07467). Keras' layer always has
    gamma and never a shift, so `center` and `scale` have no effect.
    """
    import keras

    return keras.layers.RMSNormalization(epsilon=norm_epsilon)
