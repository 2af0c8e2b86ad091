"""Values that are no numbers: infinite or NaN."""

from __future__ import annotations

from typing import Any


def n_not_finite(variable: Any) -> int:
    """Return how many values of a variable are infinite or NaN; 0 for one of whole numbers.

    >>> import keras
    >>> n_not_finite(keras.Variable([1.0, float("nan"), float("inf")]))
    2
    """
    import numpy as np

    if "float" not in str(variable.dtype):
        return 0
    return int((~np.isfinite(np.asarray(variable, "float64"))).sum())
