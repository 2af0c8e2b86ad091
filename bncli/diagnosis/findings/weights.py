"""Weights and statistics that are no numbers."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import Finding, register


@register("not-finite")
def not_finite(case: Case) -> Iterator[Finding]:
    """Weights or moving averages are infinite or NaN."""
    import numpy as np

    bad = [
        (variable, int((~np.isfinite(np.asarray(variable, "float64"))).sum()))
        for variable in case.model.variables
        if np.issubdtype(np.asarray(variable).dtype, np.floating)
    ]
    bad = [(variable, count) for variable, count in bad if count]
    if bad:
        first, count = bad[0]
        yield Finding(
            f"{len(bad)} variables hold values that are not finite, {first.path} first: {count:,} of "
            f"{first.shape.num_elements() if hasattr(first.shape, 'num_elements') else int(np.prod(first.shape)):,}.",
            sum(count for _, count in bad),
            tuple(dict.fromkeys(variable.path.rsplit("/", 2)[-2] for variable, _ in bad if "/" in variable.path)),
            "Go back to a checkpoint from before; then a lower learning rate, clipnorm, or float32 where float16 "
            "overflowed.",
        )
