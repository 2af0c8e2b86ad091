"""`RunConfig`: everything that decides one run, as one frozen value that is checked when it is made."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bncli.data import datasets
from bncli.data.columns import AUTO
from bncli.data.preparation import ENCODE, IMPUTE
from bncli.data.scaling import SCALINGS, TARGET_SCALINGS
from bncli.data.splits import parse_rows
from bncli.errors import InvalidConfig
from bncli.networks import norms
from bncli.networks.layout import ACTIVATIONS, INITIALIZERS, PLACEMENTS, USE_BIAS
from bncli.networks.network import check_model_name
from bncli.networks.reference import reference_of
from bncli.networks.spec import has_direct_norm, has_placement, tiny_spec
from bncli.networks.words import MAX_UNITS
from bncli.registry import check_name
from bncli.tasks.task import CLASSIFICATION, LOSS_ALIASES, LOSSES, TASKS
from bncli.training import schedules
from bncli.training.optimizers import DECAYS, OPTIMIZERS
from bncli.values import Field, Value, flag_field, number_field, show, text_field, whole_field

DTYPES = ("float32", "mixed_float16")
"""Keras' dtype policies that a run can have."""


ACTIVATION_ALIASES = (("swish", "silu"), ("hard_swish", "hard_silu"), ("leakyrelu", "leaky_relu"), ("none", "linear"))


@dataclass(frozen=True)
class RunConfig:
    """One run: data, network, normalization, optimizer and seed. Every field has a default.

    A field of None is left to the data set or the optimizer; `resolve` fills it in. Every field's kind, allowed
    values and help text are in `FIELDS`.

    Raises:
        InvalidConfig: A value has the wrong type or is out of range, or the spec or a slice can't be read.
        UnknownName: A value is not one of the choices.

    >>> config = RunConfig(dataset="circles", norm="batch", seed=3)
    >>> config.lr, config.placement
    (0.001, 'before')
    >>> config.replace(lr=-1)
    Traceback (most recent call last):
    bncli.errors.InvalidConfig: lr must be a number above 0 and up to 1000000. Received: -1.
    """

    dataset: str = text_field(
        "digits",
        "data",
        "name of a data set, openml:NAME@VERSION, images:FOLDER, or path of a .csv, .tsv, .parquet or .npz file",
    )
    label: str | None = text_field(
        None, "data", "column with the class names or quantities (tables only)", optional=True
    )
    task: str = text_field(
        "auto",
        "data",
        "what the label is: classes, or a quantity; auto: as the data set says, and for files as their labels are",
        choices=("auto", *TASKS),
    )
    drop: str | None = text_field(
        AUTO,
        "data",
        "columns to leave out, such as id,name (tables only); auto: without a name and numbering the rows; none: none",
        optional=True,
    )
    encode: str | None = text_field(
        None,
        "data",
        "what becomes of text (tables only): a feature of 0 and 1 per category, or one feature of their numbers",
        choices=ENCODE,
        optional=True,
    )
    impute: str | None = text_field(
        None,
        "data",
        "what missing numbers become (tables only); categories become the most frequent one",
        choices=IMPUTE,
        optional=True,
    )
    padding: float | None = number_field(
        None, "data", "value of the padded steps of sequences (.npz only)", low=-1e9, high=1e9, optional=True
    )
    n_samples: int | None = whole_field(
        None, "data", "number of rows to generate (generated data sets only)", low=8, high=10_000_000, optional=True
    )
    noise: float | None = number_field(
        None, "data", "standard deviation of the noise (generated data sets only)", low=0, high=100, optional=True
    )
    class_balance: float | None = number_field(
        None, "data", "share of the rows in the common class (imbalanced only)", low=0.5, high=0.999, optional=True
    )
    data_seed: int | None = whole_field(
        None, "data", "seed that generates the data or draws the split", low=0, high=2**31 - 1, optional=True
    )
    train_rows: str = text_field(":", "data", "training rows to use, as a Python slice such as 1:8001")
    val_rows: str = text_field(":", "data", "validation rows to use, as a Python slice such as :500")
    scaling: str = text_field(
        "auto",
        "data",
        "unit: pixels scaled to [0, 1]; standard: mean 0, sd 1 over the training rows; auto: as the data set says",
        choices=SCALINGS,
    )
    target_scaling: str = text_field(
        "auto",
        "data",
        "how the quantities of regression are scaled; standard, or auto: mean 0, sd 1 over the training rows, with "
        "errors in the label's own units; none: not at all",
        choices=TARGET_SCALINGS,
    )
    test_size: float = number_field(
        0.0, "data", "share of the rows to keep for testing: reported, nothing is chosen on it", low=0, high=0.9
    )
    vary_data: bool = flag_field(False, "data", "every seed draws its own split, or generates its own data")
    model: str = text_field(
        "mlp",
        "network",
        "name of a model, a spec such as 'conv32 pool flatten dense64', a Python function as FILE.py:FUNCTION, or a "
        ".keras file",
    )
    model_digest: str | None = text_field(
        None, "network", "hash of the model's file; filled in, so that another file is another run", optional=True
    )
    activation: str = text_field(
        "relu", "network", "activation function of the hidden layers", choices=ACTIVATIONS, aliases=ACTIVATION_ALIASES
    )
    kernel_initializer: str = text_field(
        "glorot_uniform", "network", "initializer of the hidden layers' weights", choices=INITIALIZERS
    )
    init_scale: float = number_field(
        1.0, "network", "factor on the initial kernels of the hidden layers", low=0, high=1e6, open_low=True
    )
    keep_weights: bool = flag_field(
        False, "network", "start from the weights of a .keras file, for fine-tuning, instead of new ones"
    )
    use_bias: str = text_field(
        "auto",
        "network",
        "whether linear layers have a bias; auto: not directly before batch, instance or renorm that learns a shift, "
        "where it has no effect; unshifted: not directly before any normalization that does, as auto in bncli 0.1",
        choices=USE_BIAS,
    )
    norm: str = text_field(
        "none",
        "normalization",
        "normalization layer; as-is: those that a model of your own has",
        choices=(*norms.names(), *norms.OWN),
        aliases=norms.aliases(),
    )
    placement: str = text_field(
        "before",
        "normalization",
        "before or after each activation, or on the input only; in-place: where a model of your own has them",
        choices=PLACEMENTS,
    )
    norm_input: bool = flag_field(False, "normalization", "normalize the network's input too")
    norm_output: bool = flag_field(False, "normalization", "normalize the output layer too, before its activation")
    norm_momentum: float = number_field(
        0.99, "normalization", "momentum of the moving averages of mean and variance", low=0, high=1, open_high=True
    )
    norm_epsilon: float = number_field(0.001, "normalization", "small number added to the variance", low=0, high=1)
    center: bool = flag_field(True, "normalization", "learn a shift (beta)")
    scale: bool = flag_field(True, "normalization", "learn a scale factor (gamma)")
    groups: int | None = whole_field(
        None,
        "normalization",
        "number of channel groups (group normalization only); none: 32, or fewer of at least 4 channels",
        low=1,
        high=MAX_UNITS,
        optional=True,
    )
    ghost: int | None = whole_field(
        None,
        "normalization",
        "samples whose statistics batch normalization takes in training, as on many devices; none: all of the batch",
        low=2,
        high=1_000_000,
        optional=True,
    )
    optimizer: str = text_field("adam", "training", "optimizer", choices=tuple(OPTIMIZERS))
    lr: float = number_field(0.001, "training", "learning rate", low=0, high=1e6, open_low=True)
    schedule: str = text_field(
        "constant", "training", "how the learning rate falls after the warm-up", choices=tuple(schedules.REGISTRY)
    )
    warmup: float = number_field(
        0.0,
        "training",
        "epochs in which the learning rate rises from 0, by the same amount with every batch",
        low=0,
        high=100_000,
    )
    momentum: float = number_field(0.0, "training", "momentum of sgd", low=0, high=1, open_high=True)
    nesterov: bool = flag_field(False, "training", "use Nesterov momentum (sgd only)")
    weight_decay: float | None = number_field(
        None,
        "training",
        "decoupled weight decay, as Keras applies it with every optimizer",
        low=0,
        high=1,
        optional=True,
    )
    decay: str = text_field(
        "all",
        "training",
        "the weights that weight_decay applies to; kernels: not biases, nor the shifts and scale factors of "
        "normalizations",
        choices=DECAYS,
    )
    clipnorm: float = number_field(
        0.0, "training", "largest norm of the gradient of each weight tensor; 0: no limit", low=0, high=1e6
    )
    loss: str = text_field(
        "auto",
        "training",
        "loss, by Keras' name; auto: crossentropy for classes, mse for a quantity",
        choices=("auto", *LOSSES),
        aliases=LOSS_ALIASES,
    )
    class_weight: str = text_field(
        "none",
        "training",
        "weights of the classes in the training loss; balanced: each class counts alike, however many rows it has",
        choices=("none", "balanced"),
    )
    label_smoothing: float = number_field(
        0.0,
        "training",
        "share of each label that is spread evenly over all classes in training; no score has it but loss",
        low=0,
        high=1,
        open_high=True,
    )
    batch_size: int = whole_field(32, "training", "samples per batch", low=1, high=1_000_000)
    epochs: int = whole_field(10, "training", "number of passes over the training rows", low=1, high=100_000)
    patience: int = whole_field(
        0,
        "training",
        "epochs without a lower validation loss after which a run stops; 0: it never does",
        low=0,
        high=100_000,
    )
    shuffle: bool = flag_field(True, "training", "shuffle the training rows before every epoch")
    dtype: str = text_field(
        "float32",
        "training",
        "type of the numbers that layers compute with; mixed_float16: float16, with weights in float32 and a scaled "
        "loss, and by --engine keras only",
        choices=DTYPES,
        aliases={"float16": "mixed_float16", "fp16": "mixed_float16"},
    )
    seed: int = whole_field(0, "training", "seed of initial weights, batch order and dropout", low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        for name, info in FIELDS.items():
            object.__setattr__(self, name, info.check(name, getattr(self, name)))
        datasets.loader_defaults(self.dataset)
        parse_rows("train_rows", self.train_rows)
        parse_rows("val_rows", self.val_rows)
        check_model_name(self.model)
        if self.warmup >= self.epochs:
            raise InvalidConfig(
                f"warmup must be below epochs, which is {self.epochs}. Received: {show(self.warmup)}. "
                "Try a shorter warmup, or more epochs."
            )

    @property
    def run_id(self) -> str:
        """Twelve hexadecimal digits that depend on every field: equal id, equal run."""
        values = self.to_dict() | {"use_bias": _identified_bias(self), "groups": identified_groups(self)}
        values |= {name: value for name, value in SETTLED.items() if values[name] == AUTO}
        return _digest({name: value for name, value in values.items() if value != ABSENT[name]})

    @property
    def condition_id(self) -> str:
        """The `run_id` that this run has at seed 0: equal for all runs of a condition."""
        return self.with_seed(0).run_id

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
        """Return a copy with some fields changed; all fields are checked again.

        Raises:
            UnknownName: A keyword is not a field.
            InvalidConfig: A value is out of range.
        """
        return self.from_dict(self.to_dict() | changes) if changes else self

    def with_seed(self, seed: int) -> RunConfig:
        """Return a copy with another seed, as `replace` does, in a tenth of the time: only the seed is checked."""
        other = copy.copy(self)
        object.__setattr__(other, "seed", FIELDS["seed"].check("seed", seed))
        return other

    def tiny(self) -> RunConfig:
        """Return a small copy for tests: at most 64 training rows, 2 epochs, layers of 8 units."""
        is_generated = "n_samples" in datasets.loader_defaults(self.dataset)
        rows = {"n_samples": 64} if is_generated else {"train_rows": ":64", "val_rows": ":32"}
        sizes = {"epochs": 2, "warmup": min(self.warmup, 1.0), "batch_size": 24}
        return self.replace(model=tiny_spec(self.model), **sizes, **rows)


def as_in_format_1(config: RunConfig) -> RunConfig:
    """Return the run that the fields of a config meant in bncli 0.1, where `use_bias=auto` was today's `unshifted`."""
    is_other = config.use_bias == "auto" and depends_on_rule(config)
    return config.replace(use_bias="unshifted") if is_other else config


def depends_on_rule(config: RunConfig) -> bool:
    """Whether `auto` and `unshifted` differ: a normalization other than batch comes directly after a linear layer."""
    is_shifted = norms.learns_shift(config.norm, center=config.center) and not norms.facts(config.norm).cancels_bias
    if not is_shifted or reference_of(config.model):
        return False
    is_placed = has_placement(config.model, config.placement)
    is_before = (config.placement == "before" and is_placed) or has_direct_norm(config.model)
    return config.norm_output or is_before


def _identified_bias(config: RunConfig) -> Value:
    """What a `run_id` holds as `use_bias`: ids of bncli 0.1 stay those of the runs that they named."""
    if config.use_bias == "unshifted":
        return "auto"
    return "redundant" if config.use_bias == "auto" and depends_on_rule(config) else config.use_bias


def identified_groups(config: RunConfig) -> Value:
    """Return what a `run_id` holds as `groups`: ids from before None was its default stay those of the same runs."""
    is_unused = config.groups is None and "groups" not in norms.fields(config.norm)
    return ABSENT["groups"] if is_unused else config.groups


def _digest(fields: Mapping[str, Any]) -> str:
    text = json.dumps(fields, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def format_1_id(fields: Mapping[str, Any]) -> str:
    """Return the `run_id` that format 1 gave to a run: it depends on all fields of the record, defaults too."""
    return _digest(fields)


FIELDS: dict[str, Field] = {field.name: field.metadata["info"] for field in dataclasses.fields(RunConfig)}
"""What every field may be, in the documented order."""

DEFAULTS: dict[str, Value] = {name: getattr(RunConfig, name) for name in FIELDS}

SETTLED: dict[str, Value] = {
    "task": CLASSIFICATION,
    "target_scaling": "none",
    "loss": TASKS[CLASSIFICATION].losses[0],
    "drop": None,
}
"""What `auto` stood for in these fields before there were others: a `run_id` takes `auto` for it."""

ABSENT: dict[str, Value] = DEFAULTS | {"groups": 2} | SETTLED
"""The value of a field in a run whose record lacks it: the field's default when it was introduced.

A `run_id` depends on the values that differ from these, so that a new field changes no id. To change a default later,
keep the former one here.
"""

NORM_FIELDS = tuple(name for name, info in FIELDS.items() if info.about == "normalization")

DATA_FIELDS = tuple(name for name, info in FIELDS.items() if info.about == "data")
