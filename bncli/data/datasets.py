"""The data that runs train on: registered loaders and a user's own files, split and scaled one way.

A loader is a function whose keyword parameters are the data fields that it obeys (`n_samples`, `noise`,
`data_seed`), with the set's own defaults, and whose result is a `Pool`. `load` slices and scales.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from bncli import process
from bncli.data.files import FILE_SUFFIXES, check_rows, is_data_path, read_file
from bncli.data.scaling import scaled
from bncli.data.sets import REGISTRY
from bncli.data.splits import Pool, chosen_rows, stratified
from bncli.data.tables import is_table_path
from bncli.errors import InvalidConfig
from bncli.registry import nearest

if TYPE_CHECKING:
    import numpy as np


LOADER_FIELDS = ("label", "n_samples", "noise", "data_seed")


class DataFields(Protocol):
    """The fields of a run that choose its data; `RunConfig` has them."""

    @property
    def dataset(self) -> str: ...
    @property
    def label(self) -> str | None: ...
    @property
    def n_samples(self) -> int | None: ...
    @property
    def noise(self) -> float | None: ...
    @property
    def data_seed(self) -> int | None: ...
    @property
    def train_rows(self) -> str: ...
    @property
    def val_rows(self) -> str: ...
    @property
    def scaling(self) -> str: ...


@dataclass(frozen=True)
class Dataset:
    """Data ready for training: float32 features, int32 class numbers, read-only.

    Attributes:
        name: The registered name or the path.
        x_train: Shape (rows, *input_shape).
        y_train: Shape (rows,), class numbers from 0.
        x_val: Shape (rows, *input_shape).
        y_val: Shape (rows,).
        class_names: One name a class.
        feature_names: One name a feature; empty for images.
        scaling: The scaling that was applied: `unit`, `standard` or `none`.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    scaling: str

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one row: (features,) or (height, width, channels)."""
        return tuple(self.x_train.shape[1:])

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def is_image(self) -> bool:
        """Whether a row is an image."""
        return len(self.input_shape) == 3

    def fingerprint(self) -> str:
        """SHA-256 over the arrays and their shapes: equal data, equal fingerprint."""
        digest = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_val, self.y_val):
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


def loader_defaults(name: str) -> dict[str, Any]:
    """The data fields that the set `name` obeys, with its own defaults.

    Raises:
        InvalidConfig: `name` is neither registered nor the path of a data file.
    """
    if name in REGISTRY:
        parameters = inspect.signature(REGISTRY[name]).parameters.values()
        return {parameter.name: parameter.default for parameter in parameters}
    if is_data_path(name):
        return ({"label": None} if is_table_path(name) else {}) | {"data_seed": 0}
    raise InvalidConfig(
        f"Unknown dataset {name!r}. Allowed: {', '.join(REGISTRY)}, "
        f"or a path ending in {', '.join(FILE_SUFFIXES)}.{nearest(name, REGISTRY)}"
    )


def ignored_fields(fields: DataFields) -> list[str]:
    """The data fields that were given a value which the set does not obey."""
    obeyed = loader_defaults(fields.dataset)
    return [name for name in LOADER_FIELDS if name not in obeyed and getattr(fields, name) is not None]


def load(fields: DataFields) -> Dataset:
    """Return the data that `fields` describe; loaded once, however many runs ask for it.

    Raises:
        DataError: The data is missing, unreadable or unfit.
        InvalidConfig: A slice leaves no rows or one class, or the scaling does not fit the data.
    """
    return _load(*_key(fields))


@contextmanager
def loading(fields: DataFields) -> Iterator[None]:
    """Load data in a process beside this one while the block runs, if there can be one; `load` has it then.

    Raises:
        BncliError: As `load`, at the end of the block.
    """
    key = _key(fields)
    with process.beside(lambda: _read(*key)) as result:
        yield
        if data := result():
            _loaded[key] = _loaded[*key[:-1], data.scaling] = _read_only(data)


def forget() -> None:
    """Have the next `load` read files again."""
    _load.cache_clear()
    _pool.cache_clear()


_Key = tuple[str, tuple[tuple[str, Any], ...], str, str, str]

_loaded: dict[_Key, Dataset] = {}
"""What `loading` has brought and nobody has asked for yet."""


def _key(fields: DataFields) -> _Key:
    given = ((name, getattr(fields, name), default) for name, default in loader_defaults(fields.dataset).items())
    options = tuple((name, default if value is None else value) for name, value, default in given)
    return fields.dataset, options, fields.train_rows, fields.val_rows, fields.scaling


@lru_cache(maxsize=8)
def _load(*key: Any) -> Dataset:
    return _loaded.pop(key, None) or _read(*key)


def _read(name: str, options: tuple[tuple[str, Any], ...], train_rows: str, val_rows: str, scaling: str) -> Dataset:
    pool = _pool(name, options)
    if scaling == "auto":
        return _load(name, options, train_rows, val_rows, pool.scaling)
    x_train, y_train = chosen_rows("train_rows", train_rows, pool.x_train, pool.y_train)
    x_val, y_val = chosen_rows("val_rows", val_rows, pool.x_val, pool.y_val)
    if len(set(y_train.tolist())) < 2:
        raise InvalidConfig(f"train_rows={train_rows!r} of {name!r} leaves fewer than two classes. Take more rows.")
    x_train, x_val = scaled(scaling, pool, x_train, x_val)
    arrays = (
        x_train.astype("float32"),
        y_train.astype("int32"),
        x_val.astype("float32"),
        y_val.astype("int32"),
    )
    return _read_only(Dataset(name, *arrays, pool.class_names, pool.feature_names, scaling))


def _read_only(data: Dataset) -> Dataset:
    for array in (data.x_train, data.y_train, data.x_val, data.y_val):
        array.setflags(write=False)
    return data


@lru_cache(maxsize=4)
def _pool(name: str, options: tuple[tuple[str, Any], ...]) -> Pool:
    if name in REGISTRY:
        return REGISTRY[name](**dict(options))
    chosen = dict(options)
    rows = read_file(name, chosen.get("label"))
    check_rows(name, rows)
    is_pixels = rows.x.ndim == 4 and rows.x.dtype == "uint8"
    return stratified(
        rows,
        chosen.get("data_seed", 0),
        scaling="unit" if is_pixels else "standard",
        pixel_max=255.0 if is_pixels else None,
    )
