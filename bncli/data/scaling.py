"""How features are scaled, with numbers from the training rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.data.splits import RawDataset
from bncli.errors import InvalidConfig

if TYPE_CHECKING:
    import numpy as np


SCALINGS = ("auto", "unit", "standard", "none")


def scale(scaling: str, raw: RawDataset, x_train: np.ndarray, x_val: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale training and validation features.

    Args:
        scaling: `unit` (pixels to [0, 1]), `standard` (mean 0 and standard deviation 1 over the training rows) or
            `none`.
        raw: The data set that the rows come from.
        x_train: The selected training rows.
        x_val: The selected validation rows.

    Raises:
        InvalidConfig: The scaling is `unit` but the data has no pixels.
    """
    if scaling == "none":
        return x_train, x_val
    if scaling == "unit":
        if raw.pixel_max is None:
            raise InvalidConfig(
                "scaling='unit' scales pixels to [0, 1], but this data has no pixels. Try standard or none."
            )
        return x_train.astype("float32") / raw.pixel_max, x_val.astype("float32") / raw.pixel_max
    from sklearn.preprocessing import StandardScaler

    flat_train, flat_val = x_train.reshape(len(x_train), -1), x_val.reshape(len(x_val), -1)
    scaler = StandardScaler().fit(flat_train)
    return scaler.transform(flat_train).reshape(x_train.shape), scaler.transform(flat_val).reshape(x_val.shape)
