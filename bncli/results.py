"""What a run leaves behind: a frozen `RunResult`, and what its metrics mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

from bncli.config import RunConfig, format_1_id
from bncli.errors import InvalidConfig
from bncli.registry import check_name
from bncli.tasks.metrics import best_epoch, reaches

State = Literal["complete", "diverged", "failed"]

Epochs = dict[str, list[float | None]]


class OldIds(NamedTuple):
    """The ids that format 1 gave to a run and to its condition."""

    run: str
    condition: str

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> OldIds:
        """Return the ids of a run whose record holds these fields."""
        return cls(format_1_id(fields), format_1_id({**fields, "seed": 0}))


@dataclass(frozen=True)
class RunResult:
    """The outcome of one run.

    Attributes:
        config: The run.
        state: `complete`; `diverged` (its loss became infinite or not a number, which stopped it); `failed`.
        params: Numbers of `total` and `trainable` parameters.
        metrics: Final values, `train_accuracy` among them. A diverged network still classifies (everything
            alike), so its accuracies are measured; its losses are None.
        history: Values per epoch, up to the last or the diverged one; None where not finite.
        seconds: Wall time of training and evaluation, to the microsecond; of runs that train together, a share.
        engine: What trained it.
        error: Type, message and the end of the traceback of a failed run, or what diverged.
        old_ids: Its ids in the form of format 1, if it was recorded in that format.
    """

    config: RunConfig
    state: State
    params: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    history: Epochs = field(default_factory=dict)
    seconds: float = 0.0
    engine: str = "keras"
    error: str | None = None
    old_ids: OldIds | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seconds", round(self.seconds, 6))

    @property
    def run_id(self) -> str:
        """The id under which the run is recorded: of a record of format 1, the one that it has there."""
        return self.old_ids.run if self.old_ids else self.config.run_id

    @property
    def best(self) -> dict[str, dict[str, float | int]]:
        """The best value of every metric in the history and its epoch (from 1)."""
        found = {name: best_epoch(name, values) for name, values in self.history.items()}
        return {name: value for name, value in found.items() if value}

    def to_record(self) -> dict[str, Any]:
        """Return the result as a line of `runs.jsonl`: JSON types only, all fields of the run."""
        return {
            "run_id": self.run_id,
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
        """Rebuild a result from a line of `runs.jsonl`.

        Raises:
            BncliError: Its state is unknown, or its `run_id` or a field of its run is wrong.
        """
        config, given = RunConfig.from_record(record["config"]), record["run_id"]
        parts = {name: record[name] for name in ("state", "params", "metrics", "history", "seconds", "engine", "error")}
        old_ids = None if given == config.run_id else OldIds.of(record["config"])
        if old_ids and given != old_ids.run:
            raise InvalidConfig(f"run_id must be {config.run_id} for this config. Received: {given!r}.")
        result = cls(config=config, **parts, old_ids=old_ids)
        check_name("state", result.state, get_args(State))
        return result


def hit_epoch(result: RunResult, metric: str, threshold: float) -> float:
    """The first epoch (from 1) at which a metric of the history is at or past the threshold; inf if it never is."""
    values = result.history.get(metric, [])
    return next((epoch for epoch, value in enumerate(values, 1) if reaches(metric, value, threshold)), math.inf)
