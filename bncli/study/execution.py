"""Train what a study lacks and record it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.registry import check_name
from bncli.results import RunResult
from bncli.study.folder import Store
from bncli.study.opening import note_session
from bncli.study.shard import Shard
from bncli.study.study import Condition, Plan, data_key

if TYPE_CHECKING:
    from bncli.engines.base import OnEpoch, OnModel

ENGINES = ("auto", "stacked", "keras")

OnResult = Callable[[RunResult, Condition], None]
Batches = Generator[list[RunResult], None, None]
"""Results as they come, those of runs that trained together at once."""

Train = Callable[[Sequence[RunConfig], str, "OnEpoch | None", "OnModel | None"], Batches]
"""What trains runs: called with the runs, the engine's name and callbacks, as `train_here`."""


@dataclass(frozen=True)
class Work:
    """What a call has to do.

    Attributes:
        conditions: The condition of every run of the plan.
        share: The runs that are to have a result in the end: those of the plan, or of a shard of it.
        done: Results that are there already, by the `run_id` of their configs.
    """

    conditions: Mapping[RunConfig, Condition]
    share: tuple[RunConfig, ...]
    done: Mapping[str, RunResult]

    @property
    def pending(self) -> list[RunConfig]:
        """The runs that have to be trained."""
        return [config for config in self.share if config.run_id not in self.done]


def work_of(plan: Plan, store: Store | None = None, shard: Shard | None = None, *, retry_failed: bool = False) -> Work:
    """Find out what there is to do.

    Args:
        plan: The runs of a study.
        store: Where finished runs are recorded; None if nowhere.
        shard: The share of the plan that is wanted; None for all of it.
        retry_failed: Whether runs whose record says `failed` are trained again.
    """
    stored = store.read_runs() if store else {}
    done = {name: result for name, result in stored.items() if not (retry_failed and result.state == "failed")}
    configs = [config for config, _ in plan.runs]
    return Work(dict(plan.runs), tuple(shard.of(configs) if shard else configs), done)


def execute(
    work: Work,
    batches: Batches,
    store: Store | None = None,
    *,
    on_result: OnResult | None = None,
    fail_fast: bool = False,
) -> list[RunResult]:
    """Record each run as it ends, and return the results of the share in its order.

    Args:
        work: What there is to do.
        batches: The results of its pending runs as they come, e.g. of `train_here`.
        store: Where finished runs are recorded; None keeps them in memory only.
        on_result: Called with result and condition once a run has been recorded.
        fail_fast: Stop once a failed run has been recorded.
    """
    results, is_noted = dict(work.done), store is None
    with closing(batches):
        for batch in batches:
            if store:
                if not is_noted:
                    note_session(store)
                    is_noted = True
                store.append(*batch)
            results |= {result.config.run_id: result for result in batch}
            if on_result:
                for result in batch:
                    on_result(result, work.conditions[result.config])
            if fail_fast and any(result.state == "failed" for result in batch):
                break
    return [results[config.run_id] for config in work.share if config.run_id in results]


def train_here(
    configs: Sequence[RunConfig], engine: str = "auto", on_epoch: OnEpoch | None = None, on_model: OnModel | None = None
) -> Batches:
    """Train runs in this process.

    Args:
        configs: Resolved runs.
        engine: `auto`, `stacked` or `keras`.
        on_epoch: Called with the runs that train together and the epoch (from 1) after each epoch.
        on_model: Called with a run and its trained model.

    Raises:
        UnknownName: No such engine.
    """
    check_name("engine", engine, ENGINES)
    for runs in by_data(configs):
        data = datasets.load(runs[0])
        if engine == "keras":
            from bncli.engines import keras

            yield from keras.train(runs, data, on_epoch, on_model)
        else:
            from bncli.engines import stacked

            yield from stacked.train(runs, data, on_epoch, on_model, always_stack=engine == "stacked")


def by_data(configs: Iterable[RunConfig]) -> Iterator[list[RunConfig]]:
    """Yield neighbouring runs that train on the same data together."""
    for _, group in itertools.groupby(configs, key=data_key):
        yield list(group)
