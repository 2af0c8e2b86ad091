"""`RunResult`: the outcome of one run, as engines return it and `runs.jsonl` stores it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from bncli.config import RunConfig, as_in_format_1, format_1_id
from bncli.errors import InvalidConfig, shown
from bncli.registry import check_name
from bncli.tasks.metrics import best_epoch, reaches

if TYPE_CHECKING:
    import numpy as np

State = Literal["complete", "diverged", "failed"]

Epochs = dict[str, list[float | None]]


class OldIds(NamedTuple):
    """The ids that format 1 gave to a run and to its condition."""

    run: str
    condition: str

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> OldIds:
        """Return the ids of a run whose record has these fields."""
        return cls(format_1_id(fields), format_1_id({**fields, "seed": 0}))


class Series(NamedTuple):
    """A probe of a layer.

    Attributes:
        probe: Its name, a key of `tasks.probes.PROBES`.
        layer: The layer's name.
        number: The layer's place among those that the probe looks at, from 1: equal in arms that differ in their norms.
    """

    probe: str
    layer: str
    number: int


@dataclass(frozen=True, eq=False)
class Inside:
    """What probes saw inside a network.

    Attributes:
        series: The probes.
        values: Their values before training and after each epoch, shape (epochs + 1, series).
    """

    series: tuple[Series, ...]
    values: np.ndarray


@dataclass(frozen=True)
class RunResult:
    """The outcome of one run.

    Attributes:
        config: The run.
        state: `complete`; `diverged` if the loss became infinite or not a number, which stopped the run; `failed` if
            an exception was raised.
        params: Numbers of `total` and `trainable` parameters.
        metrics: Final values by metric. Of a diverged run the accuracies are trivial scores, and the losses are None.
        history: Values per epoch by metric, up to the last epoch; None for values that are not finite.
        seconds: Wall time of training and evaluation, rounded to microseconds. Runs that are trained by one program get
            equal shares of its time.
        engine: The engine that trained the run.
        error: Type, message and end of the traceback for a failed run; what diverged for a diverged one.
        confusion: How many validation rows of each class (rows) were answered by each class (columns); None for
            quantities, for many classes, and in records of bncli 0.1.
        old_ids: The ids of format 1, if the result was read from a record of that format.
        inside: What probes saw, if the run was trained with some; stored beside the record, not in it.
    """

    config: RunConfig
    state: State
    params: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    history: Epochs = field(default_factory=dict)
    seconds: float = 0.0
    engine: str = "keras"
    error: str | None = None
    confusion: list[list[int]] | None = None
    old_ids: OldIds | None = field(default=None, compare=False, repr=False)
    inside: Inside | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seconds", round(self.seconds, 6))

    @property
    def run_id(self) -> str:
        """The id under which the run is recorded; for a record of format 1, the id that it has there."""
        return self.old_ids.run if self.old_ids else self.config.run_id

    @property
    def best(self) -> dict[str, dict[str, float | int]]:
        """The best value of every metric in the history, and its epoch counted from 1."""
        found = {name: best_epoch(name, values) for name, values in self.history.items()}
        return {name: value for name, value in found.items() if value}

    @property
    def stopped_epoch(self) -> int | None:
        """The last epoch, from 1, of a run that its `patience` ended before its planned epochs; None for any other."""
        n_epochs = len(self.history.get("loss", []))
        is_stopped = self.state == "complete" and self.config.patience > 0 and n_epochs < self.config.epochs
        return n_epochs if is_stopped else None

    def to_record(self) -> dict[str, Any]:
        """Return the result as a line of `runs.jsonl` stores it: JSON types only, with all fields of the run."""
        return {
            "run_id": self.run_id,
            "state": self.state,
            "config": self.config.to_dict(),
            "params": self.params,
            "metrics": self.metrics,
            "best": self.best,
            "history": self.history,
            "stopped_epoch": self.stopped_epoch,
            "seconds": self.seconds,
            "engine": self.engine,
            "error": self.error,
        } | ({"confusion": self.confusion} if self.confusion else {})

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> RunResult:
        """Make a result from a line of `runs.jsonl`.

        Raises:
            KeyError: An entry is missing.
            BncliError: The state is unknown, a field of the run is invalid, or the `run_id` does not fit the fields.
        """
        config, given = RunConfig.from_record(record["config"]), record["run_id"]
        if given != config.run_id:
            config = as_in_format_1(config)
        parts = {name: record[name] for name in ("state", "params", "metrics", "history", "seconds", "engine", "error")}
        old_ids = None if given == config.run_id else OldIds.of(record["config"])
        if old_ids and given != old_ids.run:
            raise InvalidConfig(f"run_id must be {config.run_id} for this config. Received: {shown(given)}.")
        result = cls(config=config, **parts, confusion=record.get("confusion"), old_ids=old_ids)
        check_name("state", result.state, get_args(State))
        return result


def hit_epoch(result: RunResult, metric: str, threshold: float) -> float:
    """Return the first epoch, counted from 1, in which a metric is as good as a threshold or better.

    Args:
        result: The run.
        metric: A metric of the history.
        threshold: The level to reach.

    Returns:
        The epoch; infinity if the metric never reaches the threshold.
    """
    values = result.history.get(metric, [])
    return next((epoch for epoch, value in enumerate(values, 1) if reaches(metric, value, threshold)), math.inf)
