"""What one run is: a frozen, flat `RunConfig` with every number explicit, validated here and nowhere else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bncli import datasets, models, norms
from bncli.errors import InvalidConfig
from bncli.registry import check_name

OPTIMIZERS = ("sgd", "rmsprop", "adam", "adamw")
ADAMW_WEIGHT_DECAY = 0.004
"""Keras' own default for AdamW (Loshchilov and Hutter 2019); the other optimizers decay nothing."""

Kind = Literal["text", "whole", "number", "flag"]
Value = str | int | float | bool | None


@dataclass(frozen=True)
class FieldInfo:
    """What a field of a run may hold; help, parsing and validation all read it.

    Attributes:
        about: `data`, `network`, `normalization` or `training`.
        kind: `text`, `whole`, `number` or `flag`.
        help: One line.
        low: Smallest value.
        high: Largest value.
        open_low: Whether `low` itself is excluded.
        open_high: Whether `high` itself is excluded.
        choices: The only texts allowed; empty for any.
        optional: Whether None is allowed: the data set or optimizer then decides.
    """

    about: str
    kind: Kind
    help: str
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    choices: tuple[str, ...] = ()
    optional: bool = False

    def allowed(self) -> str:
        """Describe the allowed values, as errors and the README print them."""
        if self.choices:
            return ", ".join(self.choices)
        if self.kind == "flag":
            return "true, false"
        if self.kind == "text":
            return "text"
        noun = "a whole number" if self.kind == "whole" else "a number"
        low = f"{'above' if self.open_low else 'from'} {self.low:g}" if self.low > -math.inf else ""
        high = f"{'below' if self.open_high else 'to'} {self.high:g}" if self.high < math.inf else ""
        return " ".join(part for part in (noun, low, high) if part)


def _text(default: Any, about: str, help: str, **limits: Any) -> Any:
    return dataclasses.field(default=default, metadata={"info": FieldInfo(about, "text", help, **limits)})


def _whole(default: Any, about: str, help: str, **limits: Any) -> Any:
    return dataclasses.field(default=default, metadata={"info": FieldInfo(about, "whole", help, **limits)})


def _number(default: Any, about: str, help: str, **limits: Any) -> Any:
    return dataclasses.field(default=default, metadata={"info": FieldInfo(about, "number", help, **limits)})


def _flag(default: bool, about: str, help: str) -> Any:
    return dataclasses.field(default=default, metadata={"info": FieldInfo(about, "flag", help)})


@dataclass(frozen=True)
class RunConfig:
    """One training: data, network, normalization, optimizer and seed. Keyword arguments only in spirit; all flat.

    Raises:
        InvalidConfig: A value out of range, with what is allowed.
        UnknownName: A name that does not exist, with the nearest one.
    """

    dataset: str = _text("digits", "data", "registered data set, or a .csv, .tsv, .parquet or .npz file")
    label: str | None = _text(None, "data", "column that holds the class (tables only)", optional=True)
    n_samples: int | None = _whole(
        None, "data", "rows to generate (generated sets only)", low=8, high=10_000_000, optional=True
    )
    noise: float | None = _number(
        None, "data", "standard deviation of the noise (generated sets only)", low=0, high=100, optional=True
    )
    data_seed: int | None = _whole(
        None, "data", "seed of the generator or of the split", low=0, high=2**31 - 1, optional=True
    )
    train_rows: str = _text(":", "data", "slice of the training rows, e.g. 1:8001")
    val_rows: str = _text(":", "data", "slice of the validation rows")
    scaling: str = _text(
        "auto",
        "data",
        "unit: pixels divided by white; standard: mean 0, sd 1 over the training rows",
        choices=datasets.SCALINGS,
    )
    model: str = _text("mlp", "network", "registered model, or a spec such as 'conv32 pool flatten dense64'")
    activation: str = _text("relu", "network", "activation of the hidden layers", choices=models.ACTIVATIONS)
    kernel_initializer: str = _text(
        "glorot_uniform", "network", "initial weights of the hidden layers", choices=models.INITIALIZERS
    )
    init_scale: float = _number(
        1.0, "network", "factor on the initial kernels of the hidden layers", low=0, high=1e6, open_low=True
    )
    use_bias: str = _text(
        "auto", "network", "auto: no bias where a norm with center directly follows", choices=models.USE_BIAS
    )
    norm: str = _text("none", "normalization", "the normalization", choices=tuple(norms.names()))
    placement: str = _text(
        "before", "normalization", "before or after the activation, or the input only", choices=models.PLACEMENTS
    )
    norm_input: bool = _flag(False, "normalization", "normalize the input too")
    norm_output: bool = _flag(False, "normalization", "normalize the output layer too, before its activation")
    norm_momentum: float = _number(
        0.99, "normalization", "momentum of the moving averages", low=0, high=1, open_high=True
    )
    norm_epsilon: float = _number(0.001, "normalization", "added to the variance", low=0, high=1)
    center: bool = _flag(True, "normalization", "learn a shift (beta)")
    scale: bool = _flag(True, "normalization", "learn a factor (gamma)")
    groups: int = _whole(2, "normalization", "channel groups of norm 'group'", low=1, high=models.MAX_UNITS)
    optimizer: str = _text("adam", "training", "optimizer", choices=OPTIMIZERS)
    lr: float = _number(0.001, "training", "learning rate", low=0, high=1e6, open_low=True)
    momentum: float = _number(0.0, "training", "momentum of sgd", low=0, high=1, open_high=True)
    nesterov: bool = _flag(False, "training", "Nesterov's form of sgd's momentum")
    weight_decay: float | None = _number(
        None, "training", "decoupled weight decay of all weights", low=0, high=1, optional=True
    )
    batch_size: int = _whole(32, "training", "rows a step", low=1, high=1_000_000)
    epochs: int = _whole(10, "training", "passes over the training rows", low=1, high=100_000)
    shuffle: bool = _flag(True, "training", "draw a new batch order every epoch")
    seed: int = _whole(0, "training", "seed of weights, batches and dropout", low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        for name, info in FIELDS.items():
            object.__setattr__(self, name, _checked(name, info, getattr(self, name)))
        datasets.loader_defaults(self.dataset)
        datasets.parse_rows("train_rows", self.train_rows)
        datasets.parse_rows("val_rows", self.val_rows)
        models.parse(self.model)

    @property
    def run_id(self) -> str:
        """Twelve hexadecimal digits that depend on every field: equal id, equal run."""
        return run_id_of(self.to_dict())

    def to_dict(self) -> dict[str, Value]:
        """Return every field, in the documented order."""
        return {name: getattr(self, name) for name in FIELDS}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunConfig:
        """Build a config from some fields; the others take their defaults.

        Raises:
            UnknownName: A key that is no field.
            InvalidConfig: A value out of range.
        """
        for name in values:
            check_name("field", name, FIELDS)
        return cls(**values)

    def replace(self, **changes: Any) -> RunConfig:
        """Return a copy with some fields changed and checked again."""
        return self.from_dict(self.to_dict() | changes)

    def tiny(self) -> RunConfig:
        """Return this run shrunk for tests: at most 64 rows, 2 epochs, layers of 8 units."""
        small = " ".join(
            f"{word.kind}8" if word.kind in models.WEIGHTED else str(word) for word in models.parse(self.model)
        )
        sizes = {"n_samples": 64} if "n_samples" in datasets.loader_defaults(self.dataset) else {}
        rows = {"train_rows": ":64", "val_rows": ":32"}
        return self.replace(model=small, epochs=2, batch_size=24, **sizes, **({} if sizes else rows))


def run_id_of(fields: Mapping[str, Any]) -> str:
    """Return the `run_id` of a run whose `to_dict`, by this version of bncli or another, is `fields`."""
    text = json.dumps(fields, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


FIELDS: dict[str, FieldInfo] = {field.name: field.metadata["info"] for field in dataclasses.fields(RunConfig)}
DEFAULTS: dict[str, Value] = {name: getattr(RunConfig, name) for name in FIELDS}
NORM_FIELDS = tuple(name for name, info in FIELDS.items() if info.about == "normalization")
DATA_FIELDS = tuple(name for name, info in FIELDS.items() if info.about == "data")


def _checked(name: str, info: FieldInfo, value: Any) -> Value:
    """Return `value` in the field's own type, or raise an error that says what is allowed."""
    if value is None and info.optional:
        return None
    if info.choices:
        value = str(value).lower() if isinstance(value, bool) else value
        check_name(name, value, info.choices)
        return str(value)
    kinds: dict[Kind, type | tuple[type, ...]] = {
        "text": str,
        "whole": int,
        "number": (int, float),
        "flag": bool,
    }
    is_mistyped = not isinstance(value, kinds[info.kind]) or (isinstance(value, bool) and info.kind != "flag")
    if is_mistyped or (info.kind in ("whole", "number") and not _in_range(info, value)):
        raise InvalidConfig(f"{name} must be {info.allowed()}. Received: {value!r}.")
    return float(value) if info.kind == "number" else value


def _in_range(info: FieldInfo, value: float) -> bool:
    above = value > info.low if info.open_low else value >= info.low
    below = value < info.high if info.open_high else value <= info.high
    return above and below and math.isfinite(value)


def parse_value(name: str, text: str) -> Value:
    """Turn what a user typed for the field `name` into its type; ranges are checked by `RunConfig`.

    Raises:
        UnknownName: No such field.
        InvalidConfig: The text is no number, or neither true nor false.
    """
    check_name("field", name, FIELDS)
    info = FIELDS[name]
    text = text.strip()
    if info.optional and text.lower() in ("", "none"):
        return None
    if info.kind == "text":
        return text
    try:
        if info.kind == "flag":
            return {"true": True, "false": False}[text.lower()]
        return int(text) if info.kind == "whole" else float(text)
    except (ValueError, KeyError):
        raise InvalidConfig(f"{name} must be {info.allowed()}. Received: {text!r}.") from None


def resolve(config: RunConfig) -> tuple[RunConfig, tuple[str, ...]]:
    """Make every number explicit and put fields without effect back to their defaults.

    Two configs that train the same way resolve to the same config, hence the same `run_id`. The data is loaded,
    because only it knows its own scaling.

    Returns:
        The resolved config, and the names of the fields whose given value has no effect.

    Raises:
        DataError: The data can't be loaded.
        InvalidConfig: The network can't take the data.
    """
    void = {name for name in without_effect(config) if getattr(config, name) != DEFAULTS[name]}
    config = config.replace(**{name: DEFAULTS[name] for name in void})
    config = config.replace(**_implied(config))
    data = datasets.load(config)
    config = config.replace(scaling=data.scaling)
    models.plan(config, data.input_shape, data.n_classes)
    return config, tuple(name for name in FIELDS if name in void)


def without_effect(config: RunConfig) -> set[str]:
    """The fields that change nothing in this run, whatever their value."""
    void = set(datasets.without_effect(config))
    own = {*norms.fields(config.norm), "norm"}
    if config.norm != norms.NONE:
        own |= {"norm_output"} | ({"placement"} if _is_placed(config) else set())
        own |= set() if "placement" in own and config.placement == "input" else {"norm_input"}
    void |= set(NORM_FIELDS) - own
    if config.optimizer != "sgd":
        void |= {"momentum", "nesterov"}
    elif config.momentum == 0:
        void |= {"nesterov"}
    return void


def _is_placed(config: RunConfig) -> bool:
    """Whether the field `placement` moves anything in this network: an LSTM has its norm after it or not at all."""
    hidden = any(word.kind in ("dense", "conv") for word in models.parse(config.model))
    return (hidden or config.placement == "input") and not models.places_norms(config.model)


def _implied(config: RunConfig) -> dict[str, Value]:
    """Explicit values for the fields that were left to the data set or the optimizer."""
    given = {
        name: value for name, value in datasets.loader_defaults(config.dataset).items() if getattr(config, name) is None
    }
    if config.weight_decay is None:
        given["weight_decay"] = ADAMW_WEIGHT_DECAY if config.optimizer == "adamw" else 0.0
    return given
