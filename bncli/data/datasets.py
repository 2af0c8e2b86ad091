"""`load` returns the data of a run: a registered data set or a user's file, its rows selected and scaled."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from bncli import process, timeline
from bncli.data import sources
from bncli.data.columns import AUTO, listed
from bncli.data.dataset import Dataset
from bncli.data.files import FILE_SUFFIXES, check_rows, is_data_path, read_file, task_of
from bncli.data.preparation import PREPARATION_FIELDS, prepare
from bncli.data.reading import quoted
from bncli.data.scaling import scale, scale_target
from bncli.data.selection import DataFields
from bncli.data.sequences import FILL, filled, is_sequence
from bncli.data.sets import REGISTRY
from bncli.data.sources import FORMS, read_source, source_of
from bncli.data.splits import LabelledRows, RawDataset, select_rows, split_stratified, with_test_part
from bncli.data.tables import is_table_path
from bncli.errors import DataError, InvalidConfig
from bncli.registry import nearest
from bncli.tasks.task import REGRESSION
from bncli.values import plain_text

if TYPE_CHECKING:
    import numpy as np


LOADER_FIELDS = ("label", "drop", *PREPARATION_FIELDS, "padding", "n_samples", "noise", "class_balance", "data_seed")
"""The data fields that some data sets use and others ignore."""


TABLE_DEFAULTS: dict[str, Any] = {"label": None, "drop": None, "encode": "onehot", "impute": "median"}
"""The data fields that tables use, with their defaults; `drop` of None leaves out nothing."""


def loader_defaults(name: str) -> dict[str, Any]:
    """Return the data fields that a data set uses, with its own defaults.

    Args:
        name: A registered name, one with a source such as `images:pets`, or the path of a data file.

    Raises:
        InvalidConfig: `name` is neither.

    >>> loader_defaults("circles")
    {'n_samples': 1000, 'noise': 0.1, 'data_seed': 1}
    """
    if name in REGISTRY:
        return dict(_registered_defaults(name))
    if source := source_of(name):
        return dict(_source_defaults(source))
    if is_data_path(name):
        return (dict(TABLE_DEFAULTS) if is_table_path(name) else {"padding": None}) | {"data_seed": 0}
    raise InvalidConfig(
        f"Unknown dataset {quoted(name)}. Allowed: {', '.join([*REGISTRY, *FORMS.values()])}, "
        f"or a path ending in {', '.join(FILE_SUFFIXES)}.{nearest(name, REGISTRY)}"
    )


@cache
def _source_defaults(source: str) -> dict[str, Any]:
    """The data fields of a source that are the same for all its data sets: tables are prepared, and rows are split."""
    used = {*inspect.signature(sources.REGISTRY[source]).parameters}
    return (dict(TABLE_DEFAULTS) if "drop" in used else {}) | {"data_seed": 0}


@cache
def _registered_defaults(name: str) -> dict[str, Any]:
    parameters = inspect.signature(REGISTRY[name]).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters}


def used_fields(fields: DataFields) -> dict[str, Any]:
    """Return the data fields that a run uses, with the data set's own defaults: any test part is drawn by a seed."""
    drawn = {"data_seed": 0} if fields.test_size or fields.vary_data else {}
    return drawn | loader_defaults(fields.dataset)


def drawn_with(fields: DataFields) -> int | None:
    """Return the seed that generates the data of a run or draws its split; None if nothing is drawn.

    With `vary_data` it is the sum of `data_seed` and the run's seed: the same for all arms of a seed.
    """
    default = used_fields(fields).get("data_seed")
    if default is None:
        return None
    seed = int(default if fields.data_seed is None else fields.data_seed)
    return seed + fields.seed if fields.vary_data else seed


def ignored_fields(fields: DataFields) -> list[str]:
    """Return the data fields that have a value although the data set does not use them."""
    used = used_fields(fields)
    return [name for name in LOADER_FIELDS if name not in used and getattr(fields, name) not in (None, AUTO)]


def load(fields: DataFields) -> Dataset:
    """Return the data that the fields of a run select. Equal fields get the same object, which is loaded once.

    Raises:
        DataError: The data is missing, can't be read, or can't be used for classification.
        InvalidConfig: A slice selects no rows or only one class, or the scaling does not fit the data.

    >>> from bncli.config import RunConfig
    >>> data = load(RunConfig(dataset="circles", n_samples=8))
    >>> data.input_shape, data.n_classes, len(data.y_train), len(data.y_val)
    ((2,), 2, 4, 4)
    """
    return _load(*_key(fields))


@contextmanager
def loading(fields: DataFields) -> Iterator[None]:
    """Load data in a forked process while the block imports TensorFlow; after the block, `load` returns it at once.

    This saves 0.65 s of the 2.56 s that `bncli train -d digits -e 2` takes on two cores (medians of five, in turns).
    Where a process can't be forked, the block runs alone and `load` reads the data later.

    Raises:
        BncliError: As `load`, at the end of the block.
    """
    key = _key(fields)
    with process.beside(lambda: _read(*key)) as result:
        yield
        with timeline.span("wait for the data"):
            data = result()
        if data:
            _preloaded[key] = _preloaded[_explicit(key, data)] = _read_only(data)


def forget() -> None:
    """Forget all data, so that the next `load` reads files again: for files that have changed since."""
    _preloaded.clear()
    _load.cache_clear()
    _load_raw.cache_clear()
    _rows_of.cache_clear()


_Options = tuple[tuple[str, Any], ...]


class _Draw(NamedTuple):
    """How rows are drawn after the data has been read."""

    test_size: float
    seed: int
    varies: bool


_Key = tuple[str, _Options, _Draw, str, str, str, str, str]

_preloaded: dict[_Key, Dataset] = {}
"""Data from `loading` that `load` has not returned yet."""


def _key(fields: DataFields) -> _Key:
    seed = drawn_with(fields)
    given = ((name, getattr(fields, name), default) for name, default in loader_defaults(fields.dataset).items())
    options = tuple(
        (name, seed if name == "data_seed" else default if value is None else value) for name, value, default in given
    )
    draw = _Draw(fields.test_size, seed if fields.test_size and seed else 0, fields.vary_data)
    rows, scalings = (fields.train_rows, fields.val_rows), (fields.scaling, fields.target_scaling)
    return fields.dataset, options, draw, *rows, fields.task, *scalings


@lru_cache(maxsize=8)
def _load(*key: Any) -> Dataset:
    data = _preloaded.pop(key, None) or _read(*key)
    explicit = _explicit(key, data)
    if explicit == key:
        return data
    _preloaded[explicit] = data
    data = _load(*explicit)  # the same object as with the values that were left to the data
    _preloaded.pop(explicit, None)
    return data


def _explicit(key: _Key, data: Dataset) -> _Key:
    """The key of the same data with its task, its scalings and the columns that it leaves out."""
    name, options, draw, train_rows, val_rows, *_ = key
    drop = data.preparation.drop if data.preparation else None
    options = tuple((field, drop if field == "drop" else value) for field, value in options)
    return name, options, draw, train_rows, val_rows, data.task, data.scaling, data.target_scaling


@timeline.span("load the data")
def _read(
    name: str,
    options: _Options,
    draw: _Draw,
    train_rows: str,
    val_rows: str,
    task: str,
    scaling: str,
    target_scaling: str,
) -> Dataset:
    raw = _load_raw(name, tuple(option for option in options if option[0] not in PREPARATION_FIELDS), task)
    raw = _drawn(name, raw, draw)
    scaling = raw.scaling if scaling == "auto" else scaling
    if target_scaling == "auto":
        target_scaling = "standard" if raw.task == REGRESSION else "none"
    parts = _selected(name, raw, train_rows, val_rows)
    raw = replace(raw, notices=(*raw.notices, *_on_spelling(name, raw), *_on_balance(name, raw)))
    given = TABLE_DEFAULTS | dict(options)
    prepared = prepare(name, raw, given["encode"], given["impute"], [x for x, _ in parts.values()])
    found: dict[str, Any] = {name: getattr(raw, name) for name in ("class_names", "task", "is_imbalanced")}
    found |= {"feature_names": prepared.names, "preparation": prepared.preparation}
    found |= {"notices": (*raw.notices, *prepared.notices)}
    features, scaler = scale(scaling, raw, *prepared.parts, unscaled=prepared.is_indicator)
    if is_sequence(raw.x_train.shape[1:]):
        found["padding"] = FILL if given["padding"] is None else given["padding"]
        features = filled(name, prepared.parts, features, found["padding"])
    labels, target_scaler = scale_target(target_scaling, raw, *(y for _, y in parts.values()))
    if raw.task == REGRESSION:
        found["quantities"] = {part: y for part, (_, y) in parts.items()}
    for part, x, y in zip(parts, features, labels, strict=True):
        found |= {f"x_{part}": x.astype("float32"), f"y_{part}": y}
    return _read_only(Dataset(name, scaling=scaling, scaler=scaler, target_scaler=target_scaler, **found))


def _selected(name: str, raw: RawDataset, train_rows: str, val_rows: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The rows of every part that slices select."""
    parts = {
        "train": select_rows("train_rows", train_rows, raw.x_train, raw.y_train),
        "val": select_rows("val_rows", val_rows, raw.x_val, raw.y_val),
    }
    if raw.x_test is not None and raw.y_test is not None:
        parts["test"] = raw.x_test, raw.y_test
    if len(set(parts["train"][1].tolist())) < 2:
        what = "different quantities" if raw.task == REGRESSION else "classes"
        raise InvalidConfig(
            f"train_rows={quoted(train_rows)} of {quoted(name)} selects fewer than two {what}. Select more rows."
        )
    return parts


def _on_spelling(name: str, raw: RawDataset) -> list[str]:
    groups: dict[str, list[str]] = {}
    for class_name in raw.class_names:
        groups.setdefault(class_name.casefold(), []).append(plain_text(class_name))
    alike = ["/".join(group) for group in groups.values() if len(group) > 1]
    if not alike:
        return []
    return [f"Classes of {quoted(name)} differ in capital letters alone: {listed(alike)}. Correct those that are one."]


def _on_balance(name: str, raw: RawDataset) -> list[str]:
    if not raw.is_imbalanced:
        return []
    return [
        f"The classes of {quoted(name)} are imbalanced: arms are compared by the balanced accuracy, the mean of the "
        "shares of each class that are right, unless --metric names another score, or other data of the study is "
        "balanced. class_weight=balanced lets classes count alike in training."
    ]


def _drawn(name: str, raw: RawDataset, draw: _Draw) -> RawDataset:
    """The data with its test part, if one is to be drawn."""
    if draw.test_size:
        raw = with_test_part(name, raw, draw.test_size, draw.seed)
    if draw.varies and raw.given:
        hint = "test_size=0.2 draws one from the training rows" if raw.given == "published" else "leave vary_data out"
        raise InvalidConfig(
            f"vary_data=true draws another split for every seed, but the validation rows of {quoted(name)} are given. "
            f"Try: {hint}."
        )
    return raw


def _read_only(data: Dataset) -> Dataset:
    for array in data.arrays:
        array.setflags(write=False)
    return data


@lru_cache(maxsize=4)
def _load_raw(name: str, options: _Options, task: str) -> RawDataset:
    fields = dict(options)
    if name in REGISTRY:
        raw = REGISTRY[name](**fields)
        if task not in ("auto", raw.task):
            raise InvalidConfig(f"task must be {raw.task} for the data set {name}. Received: {quoted(task)}.")
        return raw
    seed = fields.pop("data_seed")
    rows = _rows_of(name, tuple(fields.items()))
    try:
        task, told = task_of(name, rows, task)
        check_rows(name, rows, task)
    except DataError:
        _rows_of.cache_clear()  # the user may correct the file and load it again
        raise
    has_pixels = rows.x.ndim == 4 and rows.x.dtype == "uint8"
    scaling, pixel_max = ("unit", 255.0) if has_pixels else ("standard", None)
    rows = replace(rows, notices=(*rows.notices, *told))
    return split_stratified(rows, seed, scaling=scaling, pixel_max=pixel_max, task=task)


@lru_cache(maxsize=2)
def _rows_of(name: str, options: _Options) -> LabelledRows:
    fields = dict(options)
    return read_source(name, fields) if source_of(name) else read_file(name, **fields)
