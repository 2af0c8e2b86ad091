"""The data that runs train on: registered loaders and a user's own files, split and scaled one way.

A loader is a function whose keyword parameters are the data fields that it obeys (`n_samples`, `noise`,
`data_seed`), with the set's own defaults, and whose result is a `Pool`. `load` slices and scales.
"""

from __future__ import annotations

import hashlib
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from bncli import readers, startup
from bncli.errors import DataError, InvalidConfig
from bncli.readers import Labelled
from bncli.registry import Registry, nearest

if TYPE_CHECKING:
    import numpy as np

SCALINGS = ("auto", "unit", "standard", "none")
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
class Pool:
    """What a loader returns: all rows, split but not scaled.

    Attributes:
        x_train: Training rows, shape (rows, features) or (rows, height, width, channels).
        y_train: Class numbers from 0, shape (rows,).
        x_val: Validation rows.
        y_val: Their class numbers.
        class_names: One name a class.
        scaling: The set's own scaling, used where a run asks for `auto`.
        pixel_max: The value of a white pixel for images; None for other data.
        feature_names: One name a feature; empty for images.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    class_names: tuple[str, ...]
    scaling: str
    pixel_max: float | None = None
    feature_names: tuple[str, ...] = ()


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


REGISTRY: Registry[Callable[..., Pool]] = Registry("dataset")
register = REGISTRY.register


@register("digits")
def digits(*, data_seed: int = 0) -> Pool:
    """Handwritten digits, 8x8 grey pixels, 10 classes, 1797 images; ships with scikit-learn."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    rows = Labelled(bunch.images[..., None], bunch.target)
    return _stratified(rows, data_seed, scaling="unit", pixel_max=16.0)


@register("circles")
def circles(*, n_samples: int = 1000, noise: float = 0.1, data_seed: int = 1) -> Pool:
    """Two noisy concentric circles in the plane: class 0 outside, class 1 inside (make_circles)."""
    from sklearn.datasets import make_circles

    return _halves(make_circles(n_samples=n_samples, noise=noise, random_state=data_seed))


@register("moons")
def moons(*, n_samples: int = 1000, noise: float = 0.1, data_seed: int = 1) -> Pool:
    """Two noisy interleaved half-moons in the plane (make_moons)."""
    from sklearn.datasets import make_moons

    return _halves(make_moons(n_samples=n_samples, noise=noise, random_state=data_seed))


@register("breast_cancer")
def breast_cancer(*, data_seed: int = 0) -> Pool:
    """Tumour measurements, 30 features, 2 classes, 569 rows; ships with scikit-learn."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    rows = Labelled(bunch.data, bunch.target_names[bunch.target], tuple(str(n) for n in bunch.feature_names))
    return _stratified(rows, data_seed, scaling="standard")


@register("mnist")
def mnist() -> Pool:
    """Handwritten digits, 28x28 grey pixels, 10 classes, 60000 + 10000 images; found or downloaded."""
    return _mnist_family("mnist", tuple("0123456789"))


@register("fashion_mnist")
def fashion_mnist() -> Pool:
    """Clothes, 28x28 grey pixels, 10 classes, 60000 + 10000 images; found or downloaded."""
    names = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat")
    return _mnist_family("fashion_mnist", (*names, "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"))


def _halves(xy: tuple[np.ndarray, np.ndarray]) -> Pool:
    """First half train, second half validation, unscaled: the circles tutorial's split."""
    x, y = xy
    half = len(x) // 2
    names = tuple(str(label) for label in sorted(set(y.tolist())))
    return Pool(x[:half], y[:half], x[half:], y[half:], names, "none", feature_names=("x1", "x2"))


def _stratified(rows: Labelled, seed: int, *, scaling: str, pixel_max: float | None = None) -> Pool:
    """Split by the file's own mask, or else 75/25 with every class in its share, drawn by `seed`."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    names, y = np.unique(rows.y, return_inverse=True)
    if rows.is_validation is None:
        train, val = train_test_split(np.arange(len(y)), test_size=0.25, stratify=y, random_state=seed)
    else:
        train, val = np.flatnonzero(~rows.is_validation), np.flatnonzero(rows.is_validation)
    class_names = tuple(str(name) for name in names)
    return Pool(rows.x[train], y[train], rows.x[val], y[val], class_names, scaling, pixel_max, rows.feature_names)


def _mnist_family(name: str, class_names: tuple[str, ...]) -> Pool:
    rows = readers.find_mnist_family(name)
    if rows is None:
        _keras_download(name)
        rows = readers.find_mnist_family(name)
    if rows is None:
        raise DataError(_mnist_help(name, "the download left no files"))
    if rows.is_validation is None or not set(rows.y.tolist()) <= set(range(len(class_names))):
        raise DataError(
            f"The files that were found for {name} must hold a training and a test part with the classes "
            f"0 to {len(class_names) - 1}. Replace or remove those in $BNCLI_DATA_DIR or in Keras' cache."
        )
    train, val = ~rows.is_validation, rows.is_validation
    return Pool(rows.x[train], rows.y[train], rows.x[val], rows.y[val], class_names, "unit", 255.0)


def _keras_download(name: str) -> None:
    """Let Keras download a set into its cache, in a process of its own so that this one stays light."""
    code = f"import keras; keras.datasets.{name}.load_data()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise DataError(_mnist_help(name, lines[-1] if lines else "no reason given"))


def _mnist_help(name: str, reason: str) -> str:
    return (
        f"{name} is not on this machine and Keras could not download it ({reason}). Three ways to get it: "
        f"put the four IDX files (.gz or not) into $BNCLI_DATA_DIR/{name}/, or {name}.npz into $BNCLI_DATA_DIR; "
        f"copy Keras' cache (~/.keras/datasets/) from another machine; or run this command once with a network."
    )


def loader_defaults(name: str) -> dict[str, Any]:
    """The data fields that the set `name` obeys, with its own defaults.

    Raises:
        InvalidConfig: `name` is neither registered nor the path of a data file.
    """
    if name in REGISTRY:
        parameters = inspect.signature(REGISTRY[name]).parameters.values()
        return {parameter.name: parameter.default for parameter in parameters}
    if readers.is_data_path(name):
        return ({"label": None} if readers.is_table_path(name) else {}) | {"data_seed": 0}
    raise InvalidConfig(
        f"Unknown dataset {name!r}. Allowed: {', '.join(REGISTRY)}, "
        f"or a path ending in {', '.join(readers.FILE_SUFFIXES)}.{nearest(name, REGISTRY)}"
    )


def without_effect(fields: DataFields) -> list[str]:
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
    with startup.beside(lambda: _read(*key)) as result:
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
    x_train, y_train = _rows("train_rows", train_rows, pool.x_train, pool.y_train)
    x_val, y_val = _rows("val_rows", val_rows, pool.x_val, pool.y_val)
    if len(set(y_train.tolist())) < 2:
        raise InvalidConfig(f"train_rows={train_rows!r} of {name!r} leaves fewer than two classes. Take more rows.")
    x_train, x_val = _scaled(scaling, pool, x_train, x_val)
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
    rows = readers.read_file(name, chosen.get("label"))
    _check_file_rows(name, rows)
    is_pixels = rows.x.ndim == 4 and rows.x.dtype == "uint8"
    return _stratified(
        rows,
        chosen.get("data_seed", 0),
        scaling="unit" if is_pixels else "standard",
        pixel_max=255.0 if is_pixels else None,
    )


def _check_file_rows(name: str, rows: Labelled) -> None:
    """Raise `DataError` for what would only surface as a useless training."""
    import numpy as np

    with np.errstate(over="ignore"):
        finite = np.isfinite(rows.x.astype("float32")).reshape(len(rows.x), -1).all(axis=1)
    if not finite.all():
        raise DataError(
            f"{name!r} has values that are not finite, or too large for float32, in {(~finite).sum()} of "
            f"{len(finite)} rows; row {finite.argmin()} is the first, counted from 0. Drop those rows or mend them."
        )
    if rows.y.dtype.kind == "f" and not np.isfinite(rows.y).all():
        raise DataError(f"{name!r} has labels that are not finite. Drop those rows or fill them in first.")
    classes, counts = np.unique(rows.y, return_counts=True)
    if len(classes) < 2:
        raise DataError(f"{name!r}: the label holds a single class. Received: {classes[0]!s} in every row.")
    if rows.is_validation is None and counts.min() < 2:
        lone = classes[counts.argmin()]
        raise DataError(
            f"{name!r}: every class needs at least 2 rows to be split into training and validation. "
            f"Received: class {lone!s} with 1 row, {len(classes)} classes in all. Is the label a quantity?"
        )
    if rows.is_validation is None and len(rows.y) // 4 < len(classes):
        raise DataError(f"{name!r}: {len(rows.y)} rows are too few to validate {len(classes)} classes on a quarter.")
    trained = rows.y if rows.is_validation is None else rows.y[~rows.is_validation]
    if len(np.unique(trained)) < 2:
        raise DataError(f"{name!r}: the training part holds a single class. Received: {trained[0]!s} in every row.")


def parse_rows(field: str, text: str) -> slice:
    """Turn `start:stop` or `start:stop:step` (parts may be empty, as in Python) into a slice.

    Raises:
        InvalidConfig: `text` is no slice, or its step is not positive.
    """
    parts = text.split(":")
    try:
        numbers = [int(part) if part.strip() else None for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or (len(numbers) == 3 and numbers[2] is not None and numbers[2] < 1):
        raise InvalidConfig(f"{field} must be a slice such as 1:8001, :500 or ::2. Received: {text!r}.")
    return slice(*numbers)


def _rows(field: str, text: str, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chosen = parse_rows(field, text)
    if not len(y[chosen]):
        raise InvalidConfig(f"{field}={text!r} leaves no rows. There are {len(y)}.")
    return x[chosen], y[chosen]


def _scaled(scaling: str, pool: Pool, x_train: np.ndarray, x_val: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
