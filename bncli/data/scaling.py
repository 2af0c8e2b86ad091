"""How features are scaled, with numbers from the training rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bncli.data.sequences import is_sequence
from bncli.data.splits import RawDataset
from bncli.errors import InvalidConfig
from bncli.tasks.task import CLASSIFICATION

if TYPE_CHECKING:
    import numpy as np


SCALINGS = ("auto", "unit", "standard", "none")

TARGET_SCALINGS = ("auto", "standard", "none")


class Scaler(NamedTuple):
    """What was done to raw features: `(x - shift) / divisor`.

    Attributes:
        shift: One number, or a number for each value of a row.
        divisor: Likewise.
    """

    shift: Any = 0.0
    divisor: Any = 1.0


UNSCALED = Scaler()


def scale(
    scaling: str, raw: RawDataset, x_train: np.ndarray, *others: np.ndarray, unscaled: np.ndarray | None = None
) -> tuple[list[np.ndarray], Scaler | None]:
    """Scale the features of all parts of a data set alike.

    Args:
        scaling: `unit` (pixels to [0, 1]), `standard` (mean 0 and standard deviation 1 over the training rows) or
            `none`.
        raw: The data set that the rows come from.
        x_train: The selected training rows.
        *others: The rows of the other parts.
        unscaled: Mask of the features that `standard` leaves as they are, 0 and 1 for categories; None for none.

    Returns:
        All parts, scaled, and how; None for `none`.

    Raises:
        InvalidConfig: The scaling is `unit` but the data has no pixels.
    """
    parts = [x_train, *others]
    if scaling == "none":
        return parts, None
    if scaling == "unit":
        if raw.pixel_max is None:
            raise InvalidConfig(
                "scaling='unit' scales pixels to [0, 1], but this data has no pixels. Try standard or none."
            )
        return [x.astype("float32") / raw.pixel_max for x in parts], Scaler(divisor=raw.pixel_max)
    from sklearn.preprocessing import StandardScaler

    if is_sequence(x_train.shape[1:]):  # every step alike; padded steps are NaN, which don't count
        fitted = StandardScaler().fit(x_train.reshape(-1, x_train.shape[-1]))
        return [(x - fitted.mean_) / fitted.scale_ for x in parts], Scaler(fitted.mean_, fitted.scale_)
    fitted = StandardScaler().fit(x_train.reshape(len(x_train), -1))
    if unscaled is not None:  # a rare category would become a very large number
        fitted.mean_[unscaled], fitted.scale_[unscaled] = 0, 1
    scaler = Scaler(*(values.reshape(x_train.shape[1:]) for values in (fitted.mean_, fitted.scale_)))
    return [fitted.transform(x.reshape(len(x), -1)).reshape(x.shape) for x in parts], scaler


def scale_target(
    scaling: str, raw: RawDataset, y_train: np.ndarray, *others: np.ndarray
) -> tuple[list[np.ndarray], Scaler]:
    """Scale the quantities of all parts alike; class numbers stay as they are.

    Args:
        scaling: `standard` (mean 0 and standard deviation 1 over the training rows) or `none`.
        raw: The data set that the rows come from.
        y_train: Those of the selected training rows.
        *others: Those of the other parts.

    Returns:
        All parts, as int32 or float32, and how they are scaled.

    Raises:
        InvalidConfig: There are classes, which have no scale.
    """
    parts = [y_train, *others]
    if raw.task == CLASSIFICATION:
        if scaling != "none":
            raise InvalidConfig("target_scaling='standard' scales quantities, but this data has classes. Leave it out.")
        return [y.astype("int32") for y in parts], UNSCALED
    scaler = Scaler(float(y_train.mean()), float(y_train.std())) if scaling == "standard" else UNSCALED
    return [((y - scaler.shift) / scaler.divisor).astype("float32") for y in parts], scaler
