"""Copies of `.keras` files with other statistics of batch normalization; nothing else in them differs by a bit."""

from __future__ import annotations

import copy
import io
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bncli.errors import InvalidConfig, shown
from bncli.networks.own import batch_norms
from bncli.networks.saved import WEIGHTS

if TYPE_CHECKING:
    import keras
    import numpy as np

    Statistics = tuple[np.ndarray, np.ndarray]
    """Mean and variance of each channel."""


@dataclass(frozen=True)
class Change:
    """The values of a data set in the file of weights.

    Attributes:
        path: Where it is in the file.
        old: The values that it has, as bytes.
        new: Those that it is to have.
    """

    path: str
    old: bytes
    new: bytes


def changes(model: keras.Model, statistics: Mapping[int, Statistics]) -> list[Change]:
    """Return what differs in a model's weights when its batch normalizations have other statistics.

    Which data sets hold them is seen from what Keras writes before and after they are set: the layout of the file is
    its own affair.

    Args:
        model: The model, as it was loaded; left as it is.
        statistics: Mean and variance of each batch normalization, by its `id`.
    """
    new = [pair for layer in batch_norms(model) for pair in _values(layer, *statistics[id(layer)])]
    own = [(variable, variable.numpy()) for variable, _ in new]
    with tempfile.TemporaryDirectory() as folder:
        before, after = (Path(folder, f"{name}.weights.h5") for name in ("before", "after"))
        model.save_weights(before)
        _assign(new)
        try:
            model.save_weights(after)
        finally:
            _assign(own)
        return list(_differences(before, after))


def _values(layer: Any, mean: np.ndarray, variance: np.ndarray) -> list[tuple[Any, Any]]:
    """The variables of a batch normalization that statistics set, with their values.

    Batch renormalization makes its variance of an average standard deviation, at every step of a further training. What
    its training corrects batches with, `renorm_mean` and `renorm_stddev`, takes no part in inference, and stays.
    """
    import numpy as np

    found = [(layer.moving_mean, mean), (layer.moving_variance, variance)]
    if getattr(layer, "renorm", False) and not np.array_equal(variance, layer.moving_variance):
        found.append((layer.moving_stddev, np.sqrt(variance + layer.epsilon)))
    return found


def _assign(values: Sequence[tuple[Any, Any]]) -> None:
    for variable, value in values:
        variable.assign(value)


def _differences(before: Path, after: Path) -> Iterator[Change]:
    import h5py  # type: ignore[import-untyped]

    with h5py.File(before, "r") as old, h5py.File(after, "r") as new:
        paths: list[str] = []
        old.visititems(lambda name, item: paths.append(name) if isinstance(item, h5py.Dataset) else None)
        for path in paths:
            change = Change(path, old[path][()].tobytes(), new[path][()].tobytes())
            if change.old != change.new:
                yield change


def changed_weights(path: Path, changes: Sequence[Change]) -> bytes:
    """Return the weights of a `.keras` file with other values of some data sets, which are put in their places.

    Raises:
        InvalidConfig: They have no place there, or not the values that are to be changed.
    """
    import h5py

    with zipfile.ZipFile(path) as archive:
        weights = bytearray(archive.read(WEIGHTS))
    with h5py.File(io.BytesIO(weights), "r") as file:
        places = [_place(file.get(change.path)) for change in changes]
    for change, start in zip(changes, places, strict=True):
        if start is None or weights[start : start + len(change.old)] != change.old:
            raise InvalidConfig(
                f"{WEIGHTS} in {shown(str(path))} has no {change.path} as this version of Keras writes it. Try to load "
                "and save the model once: keras.models.load_model(FILE).save(FILE)."
            )
        weights[start : start + len(change.new)] = change.new
    return bytes(weights)


def _place(dataset: Any) -> int | None:
    """Where the values of a data set begin in its file; None if they are not there in one piece."""
    import h5py

    if not isinstance(dataset, h5py.Dataset):
        return None
    start: int | None = dataset.id.get_offset()
    return start


def copy_with_weights(path: Path, weights: bytes, target: Path) -> None:
    """Write a copy of a `.keras` file with other weights: the same members in the same order, else the same bytes."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as archive:
        archive.comment = source.comment
        for member in source.infolist():
            content = weights if member.filename == WEIGHTS else source.read(member)
            archive.writestr(copy.copy(member), content)
