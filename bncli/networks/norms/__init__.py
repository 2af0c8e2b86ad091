"""The normalization layers that bncli compares; each has a module in this package.

To add one, register a function that returns a new Keras layer; its keyword parameters are the fields of a run that it
uses. In the formulas, mean and var are taken over the named axes; gamma is there with `scale`, beta with `center`.
`layout` decides where in a network the layers go.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from bncli.errors import InvalidConfig
from bncli.registry import Registry

if TYPE_CHECKING:
    import keras


Make = Callable[..., "keras.Layer"]

REGISTRY: Registry[Make] = Registry("norm", "bncli.networks.norms")

NONE = "none"
"""The value of the field `norm` for a network without normalization."""

AS_IS = "as-is"
"""The value of the field `norm` for a model of the user's with the normalizations that it has."""

FROZEN = "frozen"
"""As `AS_IS`, but batch normalization is in inference mode while the rest trains (`trainable=False`)."""

RECALIBRATED = "recalibrated"
"""As `FROZEN`, with statistics that are re-estimated over the training rows before training (Li et al. 2016, arXiv
1603.04779)."""

OWN = {
    AS_IS: "The normalizations that a model of your own has.",
    FROZEN: "As as-is, but batch normalization keeps its statistics, gamma and beta while the rest trains.",
    RECALIBRATED: "As frozen, with statistics re-estimated over the training rows before training.",
}
"""The values of the field `norm` that keep the normalizations of a model of the user's, and what each means."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Facts:
    """What bncli knows of a normalization without making its layer.

    Attributes:
        aliases: Other names for it, in lower case.
        cancels_bias: Whether it cancels a bias directly before it: it subtracts each channel's own mean.
        alone: What is left of a value that is normalized by itself, for statistics within one sample; else empty.
        n_values: Over how many values of a sample they are, given the fields of a run and the shape of a sample. It
            raises a `ValueError`, whose text goes on after the normalization's name, if they fit no such sample.
        masked: What is wrong with it where steps of a sequence are masked, in a few words after its name; else empty.
        missing: Why this installation does not have it, in a few words after its name; empty if it does.
    """

    aliases: tuple[str, ...] = ()
    cancels_bias: bool = False
    alone: str = ""
    n_values: Callable[[Any, Shape], int] = lambda _, shape: shape[-1]
    masked: str = ""
    missing: Callable[[], str] = lambda: ""


_facts: dict[str, Facts] = {}


def register(name: str, **facts: Any) -> Callable[[Make], Make]:
    """Return a decorator that adds a normalization under `name`.

    Args:
        name: Its name, as a value of the field `norm`.
        facts: The attributes of its `Facts`.
    """
    _facts[name] = Facts(**facts)
    return REGISTRY.register(name)


def facts(name: str) -> Facts:
    """Return what is known of the normalization `name`; nothing of `none` and `as-is`.

    >>> facts("batch").cancels_bias, facts("rms").alone
    (True, 'outputs only its sign')
    """
    return Facts() if name not in REGISTRY else _facts[name]


def names() -> list[str]:
    """Return all values that the field `norm` may have.

    >>> names()
    ['none', 'batch', 'group', 'instance', 'layer', 'renorm', 'rms']
    """
    return [NONE, *REGISTRY]


def aliases() -> tuple[tuple[str, str], ...]:
    """Return other names for the normalizations, in lower case, with the names that they stand for."""
    return (("identity", NONE), ("no", NONE), *((alias, name) for name in REGISTRY for alias in facts(name).aliases))


def description(name: str) -> str:
    """Return one line that says what the normalization `name` computes."""
    return "No normalization." if name == NONE else REGISTRY.description(name)


@cache
def fields(name: str) -> tuple[str, ...]:
    """Return the fields of a run that the normalization `name` uses.

    >>> fields("layer")
    ('norm_epsilon', 'center', 'scale')
    """
    return () if name == NONE or name in OWN else tuple(inspect.signature(REGISTRY[name]).parameters)


def learns_shift(name: str, *, center: bool) -> bool:
    """Return whether the normalization `name` learns a shift (beta), given the field `center`.

    >>> learns_shift("layer", center=True), learns_shift("rms", center=True)
    (True, False)
    """
    return center and "center" in fields(name)


def why_not(settings: Any, shape: Shape, *, is_masked: bool = False) -> str:
    """Return why the normalization of a run can't be put on samples of a shape; an empty text if it can.

    >>> from bncli.config import RunConfig
    >>> why_not(RunConfig(norm="layer"), (8, 8, 1))
    "norm 'layer' over one value always outputs 0 (input shape (8, 8, 1)): use batch"

    Args:
        settings: A `RunConfig`, or any object with the same attributes.
        shape: The shape without the batch axis.
        is_masked: Whether they are sequences, some of whose steps are masked.
    """
    known = facts(settings.norm)
    reason = known.missing()
    try:
        if known.alone and known.n_values(settings, shape) < 2:
            reason = f"over one value {known.alone} (input shape {shape}): use batch"
    except ValueError as error:
        reason = str(error)
    if is_masked and known.masked and not reason:
        reason = f"{known.masked}: use batch or layer"
    return f"norm {settings.norm!r} {reason}" if reason else ""


def make(settings: Any) -> keras.Layer:
    """Return a new layer of the normalization `settings.norm`, with its numbers from the fields of `settings`.

    Args:
        settings: A `RunConfig`, or any object with the same attributes.

    Raises:
        UnknownName: There is no such normalization.
        InvalidConfig: This installation does not have it.
    """
    name: str = settings.norm
    layer, missing = REGISTRY[name], facts(name).missing()
    if missing:
        raise InvalidConfig(f"norm {name!r} {missing}.")
    return layer(**{field: getattr(settings, field) for field in fields(name)})
