"""`resolve`: a run with every value explicit, so that two configs that train the same way are equal."""

from __future__ import annotations

from bncli.config import ABSENT, DEFAULTS, FIELDS, RunConfig, depends_on_rule, identified_groups
from bncli.data import datasets
from bncli.data.dataset import Dataset
from bncli.data.preparation import PREPARATION_FIELDS
from bncli.errors import BncliError, InvalidConfig, shown
from bncli.networks.network import network_of
from bncli.networks.reference import reference_of
from bncli.tasks.task import REGRESSION, TASKS
from bncli.training.optimizers import OPTIMIZERS
from bncli.values import Value

OF_CLASSES = ("label_smoothing", "class_weight")
"""The fields of training that have no effect on quantities."""


def resolve(config: RunConfig) -> tuple[RunConfig, tuple[str, ...]]:
    """Fill in the fields that are None, and set fields without effect to the values that no `run_id` depends on.

    Two configs that train the same way resolve to the same config and hence the same `run_id`. The data is loaded,
    because only it knows its scaling.

    Returns:
        The resolved config, and the names of the fields whose values were ignored.

    Raises:
        DataError: The data can't be loaded.
        InvalidConfig: The network can't be built for the data, or has another dtype.

    >>> config, ignored = resolve(RunConfig(dataset="circles", n_samples=8, momentum=0.9))
    >>> config.noise, config.scaling, config.weight_decay, ignored
    (0.1, 'none', 0.0, ('momentum',))
    """
    given, unused = config.to_dict(), ignored_fields(config)
    ignored = {name for name in unused if getattr(config, name) not in (DEFAULTS[name], ABSENT[name])}
    config = config.replace(**{name: ABSENT[name] for name in unused if getattr(config, name) != ABSENT[name]})
    config = config.replace(**_implied(config))
    _check_dtype(config)
    data = datasets.load(config)
    config = _with_task(config, data)
    if data.preparation:
        explicit = {name: getattr(data.preparation, name) for name in ("drop", *PREPARATION_FIELDS)}
        ignored |= {name for name in PREPARATION_FIELDS if given[name] is not None and explicit[name] is None}
        config = config.replace(**{name: value for name, value in explicit.items() if getattr(config, name) != value})
    network_of(config.model).check(config, data.input_shape, data.n_classes)
    if data.task == REGRESSION:
        ignored |= {name for name in OF_CLASSES if getattr(config, name) != DEFAULTS[name]}
        config = config.replace(**{name: DEFAULTS[name] for name in OF_CLASSES})
    return config, tuple(name for name in FIELDS if name in ignored)


def _with_task(config: RunConfig, data: Dataset) -> RunConfig:
    """The run with what its data decides: task, scalings and the loss that fits."""
    losses = TASKS[data.task].losses
    if config.loss not in ("auto", *losses):
        raise InvalidConfig(
            f"loss must be {' or '.join(losses)} for {data.task}, the task of {shown(data.name)}. "
            f"Received: {shown(config.loss)}."
        )
    found = {"task": data.task, "scaling": data.scaling, "target_scaling": data.target_scaling}
    found |= {"loss": losses[0]} if config.loss == "auto" else {}
    changes = {name: value for name, value in found.items() if getattr(config, name) != value}
    return config.replace(**changes)


def _check_dtype(config: RunConfig) -> None:
    """Refuse a dtype for a file, whose layers have their own."""
    reference = reference_of(config.model)
    if config.dtype != DEFAULTS["dtype"] and reference and reference.is_file:
        raise InvalidConfig(
            f"dtype must be {DEFAULTS['dtype']} for the model {shown(config.model)}, whose layers have types of their "
            f"own. Received: {shown(config.dtype)}. Try a function that builds the model."
        )


def has_value(config: RunConfig, name: str, wanted: Value) -> bool:
    """Return whether a resolved run has a value of a field; None and `auto` stand for what they resolve to.

    >>> run, _ = resolve(RunConfig(dataset="circles"))
    >>> run.scaling, has_value(run, "scaling", "auto"), has_value(run, "scaling", "unit")
    ('none', True, False)
    """
    value = getattr(config, name)
    if value == wanted or wanted not in (None, "auto"):
        return bool(value == wanted)
    try:
        return bool(getattr(resolve(config.replace(**{name: wanted}))[0], name) == value)
    except BncliError:  # the data is not on this machine, where stored results are read
        return False


def ignored_fields(config: RunConfig) -> set[str]:
    """Return the fields that have no effect on this run, whatever their value.

    >>> sorted(ignored_fields(RunConfig(norm="batch", optimizer="sgd", momentum=0.9)))
    ['decay', 'groups']
    """
    unused = network_of(config.model).unused_fields(config)
    whole = {"ghost"} if config.ghost and config.ghost >= config.batch_size else set()
    return {*datasets.ignored_fields(config), *unused, *_ignored_by_optimizer(config), *whole}


def decided_by(config: RunConfig, name: str) -> str:
    """Return the field whose value leaves another one without effect; `norm` for those of networks and arms.

    >>> decided_by(RunConfig(), "noise"), decided_by(RunConfig(optimizer="sgd"), "nesterov")
    ('dataset', 'momentum')
    """
    if name in (*datasets.LOADER_FIELDS, *OF_CLASSES):
        return "dataset"
    if name in ("momentum", "nesterov"):
        return "momentum" if name in OPTIMIZERS[config.optimizer].fields else "optimizer"
    return {"decay": "weight_decay", "ghost": "batch_size" if config.ghost else "norm"}.get(name, "norm")


def _ignored_by_optimizer(config: RunConfig) -> set[str]:
    ignored = {"momentum", "nesterov"} - {*OPTIMIZERS[config.optimizer].fields}
    ignored |= {"nesterov"} if config.momentum == 0 else set()
    return ignored | (set() if _weight_decay(config) else {"decay"})


def _weight_decay(config: RunConfig) -> float:
    return OPTIMIZERS[config.optimizer].weight_decay if config.weight_decay is None else config.weight_decay


def _implied(config: RunConfig) -> dict[str, Value]:
    """Explicit values for the fields that are left to the data set or the optimizer."""
    defaults = datasets.used_fields(config)
    implied = {name: value for name, value in defaults.items() if getattr(config, name) is None}
    implied |= {} if "drop" in defaults else {"drop": ABSENT["drop"]}
    implied |= {"model_digest": network_of(config.model).digest, "groups": identified_groups(config)}
    if config.use_bias == "unshifted" and not depends_on_rule(config):
        implied["use_bias"] = "auto"
    return implied | {"weight_decay": _weight_decay(config)}
