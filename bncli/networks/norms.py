"""The normalization layers that bncli compares.

To add one, register a function that returns a new Keras layer; its keyword parameters are the fields of a run that it
uses. In the formulas, mean and var are taken over the named axes; gamma is there with `scale`, beta with `center`.
`layout` decides where in a network the layers go.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from bncli.registry import Registry

if TYPE_CHECKING:
    import keras


REGISTRY: Registry[Callable[..., keras.Layer]] = Registry("norm")

register = REGISTRY.register

ALIASES = (
    ("bn", "batch"), ("batchnorm", "batch"), ("batch_norm", "batch"), ("batchnormalization", "batch"),
    ("ln", "layer"), ("layernorm", "layer"), ("layer_norm", "layer"), ("layernormalization", "layer"),
    ("gn", "group"), ("groupnorm", "group"), ("rmsnorm", "rms"), ("identity", "none"), ("no", "none"),
)  # fmt: skip
"""Other names for the normalizations, in lower case."""

NONE = "none"
"""The value of the field `norm` for a network without normalization."""

AS_IS = "as-is"
"""The value of the field `norm` for a model of the user's with the normalizations that it has."""

OVER_ONE_VALUE = {"layer": "always outputs 0", "group": "always outputs 0", "rms": "outputs only its sign"}
"""The normalizations with statistics within one sample, and what is left of a value that is normalized by itself."""


def names() -> list[str]:
    """Return all values that the field `norm` may have.

    >>> names()
    ['none', 'batch', 'layer', 'group', 'rms']
    """
    return [NONE, *REGISTRY]


def description(name: str) -> str:
    """Return one line that says what the normalization `name` computes."""
    return "No normalization." if name == NONE else REGISTRY.description(name)


@cache
def fields(name: str) -> tuple[str, ...]:
    """Return the fields of a run that the normalization `name` uses.

    >>> fields("layer")
    ('norm_epsilon', 'center', 'scale')
    """
    return () if name in (NONE, AS_IS) else tuple(inspect.signature(REGISTRY[name]).parameters)


def learns_shift(name: str, *, center: bool) -> bool:
    """Return whether the normalization `name` learns a shift (beta), given the field `center`.

    >>> learns_shift("layer", center=True), learns_shift("rms", center=True)
    (True, False)
    """
    return center and "center" in fields(name)


def make(settings: object) -> keras.Layer:
    """Return a new layer of the normalization `settings.norm`, with its numbers from the fields of `settings`.

    Args:
        settings: A `RunConfig`, or any object with the same attributes.

    Raises:
        UnknownName: There is no such normalization.
    """
    name: str = settings.norm  # type: ignore[attr-defined]
    return REGISTRY[name](**{field: getattr(settings, field) for field in fields(name)})


@register("batch")
def batch(*, norm_momentum: float, norm_epsilon: float, center: bool, scale: bool) -> keras.Layer:
    """Gamma * (x - mean) / sqrt(var + epsilon) + beta, per channel over the batch (and space).

    In training, mean and var are those of the batch. In inference they are moving averages, which start at 0 and 1 and
    which every training step sets to `momentum * moving + (1 - momentum) * batch` (Ioffe and Szegedy 2015,
    arXiv 1502.03167; as in Keras, the averages are of the biased variance). After s steps, `momentum ** s` of the
    initial values is left: with 0.99, 1 % is left after 459 steps.
    """
    import keras

    return keras.layers.BatchNormalization(momentum=norm_momentum, epsilon=norm_epsilon, center=center, scale=scale)


@register("layer")
def layer(*, norm_epsilon: float, center: bool, scale: bool) -> keras.Layer:
    """Gamma * (x - mean) / sqrt(var + epsilon) + beta, per sample over the last axis.

    The same in training and inference (Ba et al. 2016, arXiv 1607.06450). As in Keras, an image is normalized over its
    channels at each position.
    """
    import keras

    return keras.layers.LayerNormalization(epsilon=norm_epsilon, center=center, scale=scale)


@register("group")
def group(*, groups: int, norm_epsilon: float, center: bool, scale: bool) -> keras.Layer:
    """Gamma * (x - mean) / sqrt(var + epsilon) + beta, per sample over each of `groups` channel groups.

    The same in training and inference (Wu and He 2018, arXiv 1803.08494). `groups` must divide the number of channels.
    """
    import keras

    return keras.layers.GroupNormalization(groups=groups, epsilon=norm_epsilon, center=center, scale=scale)


@register("rms")
def rms(*, norm_epsilon: float) -> keras.Layer:
    """Gamma * x / sqrt(mean(x**2) + epsilon), per sample over the last axis; no mean is subtracted.

    The same in training and inference (Zhang and Sennrich 2019, arXiv 1910.07467). Keras' layer always has gamma and
    never beta, so `center` and `scale` have no effect.
    """
    import keras

    return keras.layers.RMSNormalization(epsilon=norm_epsilon)
