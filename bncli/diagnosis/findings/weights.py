"""Weights and statistics that are no numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import Finding, register
from bncli.diagnosis.wording import agreed
from bncli.values import counted


@register("not-finite")
def not_finite(case: Case) -> Iterator[Finding]:
    """Weights or moving averages are infinite or NaN."""
    import numpy as np

    def count(variable: Any) -> int:
        return int((~np.isfinite(np.asarray(variable, "float64"))).sum())

    variables = [] if case.model is None else case.model.variables
    bad = [(variable, n) for variable in variables if "float" in variable.dtype and (n := count(variable))]
    if bad:
        first, n_first = bad[0]
        ids = {id(variable) for variable, _ in bad}
        layers = [layer for layer in case.layers if ids & {id(variable) for variable in _own_variables(layer)}]
        yield Finding(
            f"{counted(len(bad), 'variable')} {agreed(len(bad), 'holds', 'hold')} values that are not finite: "
            f"{n_first:,} of {int(np.prod(first.shape)):,} in {first.path}{', the first' if len(bad) > 1 else ''}.",
            sum(n for _, n in bad),
            case.names(layers),
            "Go back to a checkpoint from before; then a lower learning rate, clipnorm, or float32 where float16 "
            "overflowed.",
        )


def _own_variables(layer: Any) -> list[Any]:
    """The variables of a layer without those of layers within it."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]  # Keras has no public way to them
