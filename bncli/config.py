"""What one run is: a frozen, flat `RunConfig` with every number explicit, validated here and nowhere else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bncli.data import datasets
from bncli.data.scaling import SCALINGS
from bncli.data.splits import parse_rows
from bncli.errors import InvalidConfig
from bncli.networks import norms
from bncli.networks.layout import ACTIVATIONS, INITIALIZERS, PLACEMENTS, USE_BIAS, lay_out
from bncli.networks.spec import MAX_UNITS, WEIGHTED, parse_spec, places_norms
from bncli.registry import check_name
from bncli.values import Field, Value, checked

OPTIMIZERS = ("sgd", "rmsprop", "adam", "adamw")

ADAMW_WEIGHT_DECAY = 0.004
"""Keras' own default for AdamW (Loshchilov and Hutter 2019); the other optimizers decay nothing."""


def _text(default: Any, about: str, help: str, **limits: Any) -> Any:
    return dataclasses.field(default=default, metadata={"info": Field(about, "text", help, **limits)})


def _whole(default: Any, about: str, help: str, **limits: Any) -> Any:
    return dataclasses.field(default=default, metadata={"info": Field(about, "whole", help, **limits)})


def _number(default: Any, about: str, help: str, **limits: Any) -> Any:
    return dataclasses.field(default=default, metadata={"info": Field(about, "number", help, **limits)})


def _flag(default: bool, about: str, help: str) -> Any:
    return dataclasses.field(default=default, metadata={"info": Field(about, "flag", help)})


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
        choices=SCALINGS,
    )
    model: str = _text("mlp", "network", "registered model, or a spec such as 'conv32 pool flatten dense64'")
    activation: str = _text("relu", "network", "activation of the hidden layers", choices=ACTIVATIONS)
    kernel_initializer: str = _text(
        "glorot_uniform", "network", "initial weights of the hidden layers", choices=INITIALIZERS
    )
    init_scale: float = _number(
        1.0, "network", "factor on the initial kernels of the hidden layers", low=0, high=1e6, open_low=True
    )
    use_bias: str = _text(
        "auto", "network", "auto: no bias where a norm with center directly follows", choices=USE_BIAS
    )
    norm: str = _text("none", "normalization", "the normalization", choices=tuple(norms.names()))
    placement: str = _text(
        "before", "normalization", "before or after the activation, or the input only", choices=PLACEMENTS
    )
    norm_input: bool = _flag(False, "normalization", "normalize the input too")
    norm_output: bool = _flag(False, "normalization", "normalize the output layer too, before its activation")
    norm_momentum: float = _number(
        0.99, "normalization", "momentum of the moving averages", low=0, high=1, open_high=True
    )
    norm_epsilon: float = _number(0.001, "normalization", "added to the variance", low=0, high=1)
    center: bool = _flag(True, "normalization", "learn a shift (beta)")
    scale: bool = _flag(True, "normalization", "learn a factor (gamma)")
    groups: int = _whole(2, "normalization", "channel groups of norm 'group'", low=1, high=MAX_UNITS)
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
            object.__setattr__(self, name, checked(name, info, getattr(self, name)))
        datasets.loader_defaults(self.dataset)
        parse_rows("train_rows", self.train_rows)
        parse_rows("val_rows", self.val_rows)
        parse_spec(self.model)

    @property
    def run_id(self) -> str:
        """Twelve hexadecimal digits that depend on every field: equal id, equal run."""
        return _digest({name: value for name, value in self.to_dict().items() if value != ABSENT[name]})

    @property
    def condition_id(self) -> str:
        """The `run_id` that this run has at seed 0: equal for all runs of a condition."""
        return self.replace(seed=0).run_id

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

    @classmethod
    def from_record(cls, values: Mapping[str, Any]) -> RunConfig:
        """Build a config from a record of any version: a field that it lacks had its value in `ABSENT`.

        Raises:
            UnknownName: A key that is not a field.
            InvalidConfig: A value out of range.
        """
        return cls.from_dict({**ABSENT, **values})

    def replace(self, **changes: Any) -> RunConfig:
        """Return a copy with some fields changed and checked again."""
        return self.from_dict(self.to_dict() | changes)

    def tiny(self) -> RunConfig:
        """Return this run shrunk for tests: at most 64 rows, 2 epochs, layers of 8 units."""
        small = " ".join(f"{word.kind}8" if word.kind in WEIGHTED else str(word) for word in parse_spec(self.model))
        sizes = {"n_samples": 64} if "n_samples" in datasets.loader_defaults(self.dataset) else {}
        rows = {"train_rows": ":64", "val_rows": ":32"}
        return self.replace(model=small, epochs=2, batch_size=24, **sizes, **({} if sizes else rows))


def _digest(fields: Mapping[str, Any]) -> str:
    text = json.dumps(fields, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def format_1_id(fields: Mapping[str, Any]) -> str:
    """Return the `run_id` that format 1 gave to a run: it depends on all fields of the record, defaults too."""
    return _digest(fields)


FIELDS: dict[str, Field] = {field.name: field.metadata["info"] for field in dataclasses.fields(RunConfig)}

DEFAULTS: dict[str, Value] = {name: getattr(RunConfig, name) for name in FIELDS}

ABSENT: dict[str, Value] = dict(DEFAULTS)
"""What a run had whose record lacks a field: the default of the time when the field was new.

A `run_id` depends on the values that differ from these, so that a new field changes no id. Whoever changes a default
later writes the former one here.
"""
NORM_FIELDS = tuple(name for name, info in FIELDS.items() if info.about == "normalization")

DATA_FIELDS = tuple(name for name, info in FIELDS.items() if info.about == "data")


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
    void = {name for name in ignored_fields(config) if getattr(config, name) != DEFAULTS[name]}
    config = config.replace(**{name: DEFAULTS[name] for name in void})
    config = config.replace(**_implied(config))
    data = datasets.load(config)
    config = config.replace(scaling=data.scaling)
    lay_out(config, data.input_shape, data.n_classes)
    return config, tuple(name for name in FIELDS if name in void)


def ignored_fields(config: RunConfig) -> set[str]:
    """The fields that change nothing in this run, whatever their value."""
    void = set(datasets.ignored_fields(config))
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
    hidden = any(word.kind in ("dense", "conv") for word in parse_spec(config.model))
    return (hidden or config.placement == "input") and not places_norms(config.model)


def _implied(config: RunConfig) -> dict[str, Value]:
    """Explicit values for the fields that were left to the data set or the optimizer."""
    given = {
        name: value for name, value in datasets.loader_defaults(config.dataset).items() if getattr(config, name) is None
    }
    if config.weight_decay is None:
        given["weight_decay"] = ADAMW_WEIGHT_DECAY if config.optimizer == "adamw" else 0.0
    return given
