"""What the layers of a network receive, and how it is distributed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from bncli.probes.gradients import Tensors

if TYPE_CHECKING:
    import keras
    import numpy as np


PERCENTILES = (15, 50, 85)
"""Those of the BN paper's figure 1b and 1c."""


def layer_inputs(
    model: keras.Model, layers: Sequence[keras.Layer], weights: Tensors, others: Tensors, x: np.ndarray
) -> Tensors:
    """What each of `layers` receives for the rows `x` in training mode, each of shape (rows, ...)."""
    import keras

    tapped = keras.Model(model.inputs[0], [*(layer.input for layer in layers), *model.outputs])
    values, _ = tapped.stateless_call(weights, others, x, training=True)
    found: Tensors = values[: len(layers)]
    return found


class Shape(NamedTuple):
    """How a distribution looks; 0 all over for a Gaussian."""

    skew: float
    kurtosis: float
    zeros: float


def shape_of(values: np.ndarray) -> Shape:
    """Mean over units of absolute skew, absolute excess kurtosis and share of exact zeros.

    Units that never vary have neither skew nor kurtosis and count for their zeros alone.

    Args:
        values: Shape (rows, units).
    """
    import numpy as np
    from scipy.stats import kurtosis, skew

    varied = values[:, np.ptp(values, axis=0) > 0].astype("float64")
    return Shape(
        float(np.abs(skew(varied)).mean()), float(np.abs(kurtosis(varied)).mean()), float((values == 0).mean())
    )


def saturated_share(values: np.ndarray, limit: float = 3.0) -> float:
    """Share of `values` farther than `limit` from 0: there a sigmoid's slope is below a fifth of its largest."""
    import numpy as np

    return float((np.abs(values) > limit).mean())


def percentile_path(values: Sequence[np.ndarray]) -> float:
    """How far the 15th, 50th and 85th percentile of a unit travel from each moment to the next, summed.

    Args:
        values: One array of shape (rows, units) a moment.

    Returns:
        The mean over percentiles and units, in the units of `values`.
    """
    import numpy as np

    moments = np.stack([np.percentile(moment, PERCENTILES, axis=0) for moment in values])
    return float(np.abs(np.diff(moments, axis=0)).sum(axis=0).mean())
