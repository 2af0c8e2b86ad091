"""How features are scaled, with numbers taken from the training rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.data.splits import Pool
from bncli.errors import InvalidConfig

if TYPE_CHECKING:
    import numpy as np


SCALINGS = ("auto", "unit", "standard", "none")


def scaled(scaling: str, pool: Pool, x_train: np.ndarray, x_val: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale both parts with numbers taken from the training rows only."""
    if scaling == "none":
        return x_train, x_val
    if scaling == "unit":
        if pool.pixel_max is None:
            raise InvalidConfig(
                "scaling='unit' divides pixels by white; this data has no pixels. Try standard or none."
            )
        return x_train.astype("float32") / pool.pixel_max, x_val.astype("float32") / pool.pixel_max
    from sklearn.preprocessing import StandardScaler

    flat_train, flat_val = x_train.reshape(len(x_train), -1), x_val.reshape(len(x_val), -1)
    scaler = StandardScaler().fit(flat_train)
    return scaler.transform(flat_train).reshape(x_train.shape), scaler.transform(flat_val).reshape(x_val.shape)
