"""The inputs of a network's layers, and how they are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from bncli.probes.gradients import Tensors
from bncli.tasks.probes import PERCENTILES, SATURATED

if TYPE_CHECKING:
    import keras
    import numpy as np


def layer_inputs(
    model: keras.Model, layers: Sequence[keras.Layer], weights: Tensors, others: Tensors, x: np.ndarray
) -> Tensors:
    """Return what each layer gets as its input for some rows, in training mode.

    Args:
        model: The network; its own values take no part.
        layers: Layers of it.
        weights: Trainable values, in the model's order.
        others: The values of its other variables.
        x: Rows.

    Returns:
        One tensor for each layer, shape (rows, ...).
    """
    import keras

    tapped = keras.Model(model.inputs[0], [*(layer.input for layer in layers), *model.outputs])
    values, _ = tapped.stateless_call(weights, others, x, training=True)
    found: Tensors = values[: len(layers)]
    return found


class Shape(NamedTuple):
    """The shape of a distribution; all three are 0 for a Gaussian.

    Attributes:
        skew: Absolute skewness, the third standardized moment.
        kurtosis: Absolute excess kurtosis, the fourth standardized moment less 3.
        zeros: Share of values that are exactly 0.
    """

    skew: float
    kurtosis: float
    zeros: float


def shape_of(values: np.ndarray) -> Shape:
    """Return the shape of each unit's distribution over the rows, averaged over units.

    A unit with the same value in all rows has no skewness and no kurtosis; it counts in the share of zeros only.

    >>> import numpy as np
    >>> shape_of(np.array([[0.0], [0.0], [0.0], [4.0]])).zeros
    0.75

    Args:
        values: Activations, shape (rows, units).
    """
    import numpy as np
    from scipy.stats import kurtosis, skew

    varied = values[:, np.ptp(values, axis=0) > 0].astype("float64")
    return Shape(
        float(np.abs(skew(varied)).mean()), float(np.abs(kurtosis(varied)).mean()), float((values == 0).mean())
    )


def saturated_share(values: np.ndarray, limit: float = SATURATED) -> float:
    """Return the share of a sigmoid's inputs that are larger than `limit` in absolute value.

    >>> import numpy as np
    >>> saturated_share(np.array([-3.5, 0.0, 3.0, 4.0]))
    0.5
    """
    import numpy as np

    return float((np.abs(values) > limit).mean())


def percentile_path(values: Sequence[np.ndarray]) -> float:
    """Return how far the 15th, 50th and 85th percentile of a unit move in total, from each epoch to the next.

    >>> import numpy as np
    >>> rows = np.array([[1.0], [2.0], [3.0]])
    >>> percentile_path([rows, rows + 1, rows])
    2.0

    Args:
        values: Activations, one array of shape (rows, units) per epoch.

    Returns:
        The mean over percentiles and units, in the units of `values`.
    """
    import numpy as np

    percentiles = np.stack([np.percentile(epoch, PERCENTILES, axis=0) for epoch in values])
    return float(np.abs(np.diff(percentiles, axis=0)).sum(axis=0).mean())
