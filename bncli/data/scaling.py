"""How features are scaled, with numbers from the training rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bncli.data.splits import RawDataset
from bncli.errors import InvalidConfig

if TYPE_CHECKING:
    import numpy as np


SCALINGS = ("auto", "unit", "standard", "none")


class Scaler(NamedTuple):
    """What was done to raw features: `(x - shift) / divisor`.

    Attributes:
        shift: One number, or a number for each value of a row.
        divisor: Likewise.
    """

    shift: Any = 0.0
    divisor: Any = 1.0


def scale(
    scaling: str, raw: RawDataset, x_train: np.ndarray, x_val: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Scaler | None]:
    """Scale training and validation features.

    Args:
        scaling: `unit` (pixels to [0, 1]), `standard` (mean 0 and standard deviation 1 over the training rows) or
            `none`.
        raw: The data set that the rows come from.
        x_train: The selected training rows.
        x_val: The selected validation rows.

    Returns:
        Both, scaled, and how; None for `none`.

    Raises:
        InvalidConfig: The scaling is `unit` but the data has no pixels.
    """
    if scaling == "none":
        return x_train, x_val, None
    if scaling == "unit":
        if raw.pixel_max is None:
            raise InvalidConfig(
                "scaling='unit' scales pixels to [0, 1], but this data has no pixels. Try standard or none."
            )
        unit = Scaler(divisor=raw.pixel_max)
        return x_train.astype("float32") / raw.pixel_max, x_val.astype("float32") / raw.pixel_max, unit
    from sklearn.preprocessing import StandardScaler

    flat_train, flat_val = x_train.reshape(len(x_train), -1), x_val.reshape(len(x_val), -1)
    fitted = StandardScaler().fit(flat_train)
    scaler = Scaler(*(values.reshape(x_train.shape[1:]) for values in (fitted.mean_, fitted.scale_)))
    return fitted.transform(flat_train).reshape(x_train.shape), fitted.transform(flat_val).reshape(x_val.shape), scaler
