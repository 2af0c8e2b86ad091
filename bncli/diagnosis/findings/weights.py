"""Weights and statistics that are no numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import Finding, register
from bncli.diagnosis.finite import n_not_finite
from bncli.diagnosis.wording import agreed
from bncli.values import counted

_AVERAGES = ("moving_mean", "moving_variance", "moving_stddev")
"""The variables that `bncli recalibrate` estimates again."""


@register("not-finite")
def not_finite(case: Case) -> Iterator[Finding]:
    """Weights or moving averages are infinite or NaN."""
    variables = [] if case.model is None else case.model.variables
    bad = [(variable, n) for variable in variables if (n := n_not_finite(variable))]
    if bad:
        first, n_first = bad[0]
        ids = {id(variable) for variable, _ in bad}
        layers = [layer for layer in case.layers if ids & {id(variable) for variable in _own_variables(layer)}]
        yield Finding(
            f"{counted(len(bad), 'variable')} {agreed(len(bad), 'holds', 'hold')} values that are not finite: "
            f"{n_first:,} of {math.prod(first.shape):,} in {first.path}{', the first' if len(bad) > 1 else ''}.",
            sum(n for _, n in bad),
            case.names(layers),
            _remedy([variable for variable, _ in bad]),
        )


def _remedy(variables: Sequence[Any]) -> str:
    if all(variable.name in _AVERAGES for variable in variables):
        return "The weights are finite: bncli recalibrate estimates the averages again."
    return (
        "Go back to a checkpoint from before; then a lower learning rate, clipnorm, or float32 where float16 "
        "overflowed."
    )


def _own_variables(layer: Any) -> list[Any]:
    """The variables of a layer without those of layers within it."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]  # Keras has no public way to them
