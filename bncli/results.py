"""`RunResult`: the outcome of one run, as engines return it and `runs.jsonl` stores it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from bncli.config import RunConfig, run_id_of
from bncli.errors import InvalidConfig
from bncli.registry import check_name
from bncli.tasks.metrics import best_epoch, reaches

State = Literal["complete", "diverged", "failed"]

Epochs = dict[str, list[float | None]]


@dataclass(frozen=True)
class RunResult:
    """The outcome of one run.

    Attributes:
        config: The run.
        state: `complete`; `diverged` if the loss became infinite or not a number, which stopped the run; `failed` if
            an exception was raised.
        params: Numbers of `total` and `trainable` parameters.
        metrics: Final values by metric. Of a diverged run the accuracies are measured as usual; the losses are None.
        history: Values per epoch by metric, up to the last epoch; None for values that are not finite.
        seconds: Wall time of training and evaluation, rounded to microseconds. Runs that are trained by one program get
            equal shares of its time.
        engine: The engine that trained the run.
        error: Type, message and end of the traceback for a failed run; what diverged for a diverged one.
    """

    config: RunConfig
    state: State
    params: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    history: Epochs = field(default_factory=dict)
    seconds: float = 0.0
    engine: str = "keras"
    error: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "seconds", round(self.seconds, 6))

    @property
    def best(self) -> dict[str, dict[str, float | int]]:
        """The best value of every metric in the history, and its epoch counted from 1."""
        found = {name: best_epoch(name, values) for name, values in self.history.items()}
        return {name: value for name, value in found.items() if value}

    def to_record(self) -> dict[str, Any]:
        """Return the result as a line of `runs.jsonl` stores it: JSON types only, with all fields of the run."""
        return {
            "run_id": self.config.run_id,
            "state": self.state,
            "config": self.config.to_dict(),
            "params": self.params,
            "metrics": self.metrics,
            "best": self.best,
            "history": self.history,
            "seconds": self.seconds,
            "engine": self.engine,
            "error": self.error,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> RunResult:
        """Make a result from a line of `runs.jsonl`.

        Raises:
            KeyError: An entry is missing.
            BncliError: The state is unknown, a field of the run is invalid, or the `run_id` does not fit the fields.
        """
        parts = {name: record[name] for name in ("state", "params", "metrics", "history", "seconds", "engine", "error")}
        result = cls(config=RunConfig.from_dict(record["config"]), **parts)
        check_name("state", result.state, get_args(State))
        expected = run_id_of(record["config"])
        if record["run_id"] != expected:
            raise InvalidConfig(f"run_id must be {expected} for this config. Received: {record['run_id']!r}.")
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
