"""How far the moving averages of batch normalization lag behind after a short training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bncli.analysis.tables import Conditions
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.networks import norms
from bncli.networks.network import network_of
from bncli.study.study import Plan, data_key

MOMENTUM = "norm_momentum"

MAX_LEFT = 0.05
"""The share of the initial values in the moving averages from which on validation suffers."""


Momenta = Mapping[RunConfig, float]
"""The momentum of the moving averages of each run that has some."""


@dataclass(frozen=True)
class Lag:
    """What is left of the initial values (mean 0, variance 1) in the moving averages at the end of training.

    Attributes:
        arms: The labels of the arms whose moving averages lag, in the study's order.
        momentum: The momentum of the run that lags most.
        n_steps: Its training steps.
        share: What is left: the momentum to the power of the steps.
        is_worst: Whether other runs lag less.
    """

    arms: tuple[str, ...]
    momentum: float
    n_steps: int
    share: float
    is_worst: bool = False


def find_lag(conditions: Conditions, training_rows: int | None, momenta: Momenta | None = None) -> Lag | None:
    """Return where moving averages lag by more than `MAX_LEFT`; None if they don't, or if the rows aren't known.

    Args:
        conditions: The condition of every run.
        training_rows: How many rows a run trains on.
        momenta: The momentum of every run that has moving averages; by default as the fields of the runs say.
    """
    if training_rows is None:
        return None
    if momenta is None:
        momenta = {config: config.norm_momentum for config in conditions if MOMENTUM in norms.fields(config.norm)}
    left = {config: momentum ** n_steps(config, training_rows) for config, momentum in momenta.items()}
    lagging = [config for config, share in left.items() if share > MAX_LEFT]
    if not lagging:
        return None
    worst = max(lagging, key=left.__getitem__)
    arms = tuple(dict.fromkeys(conditions[config].arm for config in conditions if left.get(config, 0) > MAX_LEFT))
    is_worst = any(share < left[worst] for share in left.values())
    return Lag(arms, momenta[worst], n_steps(worst, training_rows), left[worst], is_worst)


def planned_lag(plan: Plan) -> Lag | None:
    """Return where the moving averages of a plan's runs will lag; None also if its data sets differ in size."""
    one_per_data = {data_key(config): config for config, _ in plan.runs}.values()
    sizes = {len(datasets.load(config).y_train) for config in one_per_data}
    return find_lag(dict(plan.runs), sizes.pop() if len(sizes) == 1 else None, _momenta(plan))


def n_steps(config: RunConfig, training_rows: int) -> int:
    """Return how many training steps a run has."""
    return config.epochs * math.ceil(training_rows / config.batch_size)


def _momenta(plan: Plan) -> dict[RunConfig, float]:
    """The momentum of every run with moving averages; a user's model as it is has a momentum of its own."""
    found: dict[RunConfig, float] = {}
    for config, _ in plan.runs:
        momentum = config.norm_momentum if MOMENTUM in norms.fields(config.norm) else None
        if config.norm == norms.AS_IS and not config.keep_weights:  # else they begin with statistics
            data = datasets.load(config)
            momentum = network_of(config.model).momentum(config, data.input_shape, data.n_classes)
        found |= {} if momentum is None else {config: momentum}
    return found
