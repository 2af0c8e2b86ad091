"""Train the runs of a study that have no result yet, and record them as they end."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bncli import signals
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines.method import by_engine
from bncli.registry import check_name
from bncli.results import RunResult
from bncli.study.folder import Store
from bncli.study.opening import note_session
from bncli.study.shard import Shard
from bncli.study.study import Condition, Plan, data_key
from bncli.values import Value

if TYPE_CHECKING:
    from bncli.engines.base import OnEpoch, OnModel

ENGINES = ("auto", "stacked", "keras")

OnResult = Callable[[RunResult, Condition], None]
Batches = Generator[list[RunResult], None, None]
"""Lists of results: those of runs that were trained together."""

Train = Callable[[Sequence[RunConfig], str, "OnEpoch | None", "OnModel | None", str | None], Batches]
"""A function that trains runs, with the parameters of `train_here`."""


@dataclass(frozen=True)
class Work:
    """The runs that a call asks for, and the results that exist already.

    Attributes:
        conditions: The condition of every run of the plan.
        share: The runs that the call asks for: those of the plan, or of a shard of it.
        done: Existing results, by the `run_id` of their configs.
    """

    conditions: Mapping[RunConfig, Condition]
    share: tuple[RunConfig, ...]
    done: Mapping[str, RunResult]

    @property
    def pending(self) -> list[RunConfig]:
        """The runs that need training, in order."""
        return [config for config in self.share if config.run_id not in self.done]


def work_of(plan: Plan, store: Store | None = None, shard: Shard | None = None, *, retry_failed: bool = False) -> Work:
    """Return the runs that a call asks for, with the results that the folder has.

    Args:
        plan: The runs of a study.
        store: The study's folder; None if results are not stored.
        shard: The share of the plan to train; None for all runs.
        retry_failed: Whether to train failed runs again.
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
    """Record the results of pending runs, and return all results in the order of the share.

    Args:
        work: The runs, and the results that exist already.
        batches: The results of the pending runs as they come in, e.g. from `train_here`.
        store: The folder that records them; None keeps them in memory only.
        on_result: Called with each result and its condition, after it has been recorded.
        fail_fast: Whether to stop after the first batch with a failed run.

    Returns:
        The results; runs that were not trained because of `fail_fast` are left out.
    """
    results, is_noted = dict(work.done), store is None
    with closing(batches):
        for batch in batches:
            if store:
                if not is_noted:
                    store.check_in_place()  # before a new folder is made in the place of one that was moved
                    note_session(store)
                    is_noted = True
                with signals.held():
                    store.append(*batch)
            results |= {result.config.run_id: result for result in batch}
            if on_result:
                for result in batch:
                    on_result(result, work.conditions[result.config])
            if fail_fast and any(result.state == "failed" for result in batch):
                break
    return [results[config.run_id] for config in work.share if config.run_id in results]


def train_here(
    configs: Sequence[RunConfig],
    engine: str = "auto",
    on_epoch: OnEpoch | None = None,
    on_model: OnModel | None = None,
    probe: str | None = None,
) -> Batches:
    """Train runs in this process.

    Args:
        configs: Resolved runs.
        engine: `auto`, `stacked` or `keras`.
        on_epoch: Called after each epoch with the runs that train together and the number of the epoch, from 1.
        on_model: Called with each run and its trained model.
        probe: Which probes to record, one of `probes.inside.LEVELS`; None for none.

    Yields:
        The results of runs that were trained together.

    Raises:
        UnknownName: There is no such engine.
    """
    check_name("engine", engine, ENGINES)
    if not configs:
        return
    from bncli import backend

    with backend.own_settings():
        for runs in by_data(configs):
            data = datasets.load(runs[0])
            for name, part in by_engine(runs, engine).items():
                if name == "keras":
                    from bncli.engines import keras

                    yield from keras.train(part, data, on_epoch, on_model, probe)
                else:
                    from bncli.engines import stacked

                    always = name == "stacked"
                    yield from stacked.train(part, data, on_epoch, on_model, always_stack=always, probe=probe)


def by_data(configs: Iterable[RunConfig]) -> list[list[RunConfig]]:
    """Return the runs in groups that train on the same data, in the order in which each data first appears.

    Runs of an axis inside of an axis of the data come together here, so that they can share a graph.
    """
    groups: dict[tuple[Value, ...], list[RunConfig]] = {}
    for config in configs:
        groups.setdefault(data_key(config), []).append(config)
    return list(groups.values())
