"""The range in which one more run is expected, with which a published single run is compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

TAIL = 0.01
"""One more run lies below the range with this probability, and above it with this probability."""

RESOLVED = 99
"""From this number of seeds on, the seeds themselves have quantiles as far out as `TAIL`: TAIL * (n + 1) >= 1."""

ROUNDING = 1e-9
"""Rounding error that the difference of two decimal numbers may have."""


def prediction_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the range in which one more run lies with a probability of 98 %, whatever the number of seeds.

    With `RESOLVED` seeds or more, its ends are the k-th smallest and the k-th largest value, k = 0.01 (n + 1), with
    linear interpolation; this assumes no distribution (Wilks 1941). Fewer seeds have no such values, so Student's
    prediction interval is taken, mean ± t s sqrt(1 + 1/n) with the standard deviation s and n - 1 degrees of freedom,
    widened where one of the seeds lies outside, as a run that did not learn does.

    In simulations one more run is inside with .98 for normal values at n = 3, 10 and 30 (.985 at 98); with .97 for
    accuracies that are skewed towards 1; and, where one run in ten does not learn, with .91 at n = 3, .96 at 10 and
    .99 from 20 on. If a value is infinite, the range of fewer seeds is that of the seeds: (n - 1) / (n + 1).

    >>> low, high = prediction_interval([0.83, 0.84, 0.85])
    >>> round(low, 2), round(high, 2)
    (0.76, 0.92)

    Args:
        values: One value per seed.
    """
    import numpy as np
    from scipy.special import stdtrit

    n, sample = len(values), np.asarray(values, dtype="float64")
    if n >= RESOLVED:
        return _outer_quantiles(sample)
    low, high = float(sample.min()), float(sample.max())
    if n < 2 or not np.isfinite(sample).all():
        return low, high
    reach = float(stdtrit(n - 1, 1 - TAIL)) * float(np.std(sample, ddof=1)) * math.sqrt(1 + 1 / n)
    return min(low, float(sample.mean()) - reach), max(high, float(sample.mean()) + reach)


def _outer_quantiles(sample: np.ndarray) -> tuple[float, float]:
    """The quantiles at `TAIL` and 1 - `TAIL` of n + 1 equal parts; infinite where they lie beside an infinite value."""
    import numpy as np

    tails = (TAIL, 1 - TAIL)
    if np.isfinite(sample).all():
        low, high = np.quantile(sample, tails, method="weibull").tolist()
    else:
        low, high = np.quantile(sample, tails, method="inverted_cdf").tolist()
    return low, high


def overlaps(values: Sequence[float], low: float, high: float) -> bool:
    """Return whether the prediction interval of the seeds has a value in common with a published range.

    Args:
        values: One value per seed.
        low: Lower end of the published range; for a published number this is the number.
        high: Upper end.
    """
    least, most = prediction_interval(values)
    return least - ROUNDING <= high and low <= most + ROUNDING
