"""Train what a study lacks and record it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.registry import check_name
from bncli.results import RunResult
from bncli.study.folder import Store, data_key, note_session
from bncli.study.shard import Shard
from bncli.study.study import Condition, Plan

if TYPE_CHECKING:
    from bncli.engines.base import OnEpoch, OnModel
    from bncli.study.cluster import Cluster


ENGINES = ("auto", "stacked", "keras")

OnResult = Callable[[RunResult, Condition], None]


def execute(
    plan: Plan,
    store: Store | None = None,
    *,
    engine: str = "auto",
    on_epoch: OnEpoch | None = None,
    on_result: OnResult | None = None,
    on_model: OnModel | None = None,
    retry_failed: bool = False,
    fail_fast: bool = False,
    shard: Shard | None = None,
    cluster: Cluster | None = None,
    done: Mapping[str, RunResult] | None = None,
) -> list[RunResult]:
    """Train what is missing, record each run as it ends, and return the results of the plan in its order.

    Args:
        plan: What to run.
        store: Where finished runs are found and recorded; None keeps them in memory only.
        engine: `auto`, `stacked` or `keras`.
        on_epoch: Called with the runs that train together and the epoch (from 1) after each epoch.
        on_result: Called with result and condition once a run has been recorded.
        on_model: Called with run and trained model; not together with `cluster`.
        retry_failed: Train runs again whose record says `failed`.
        fail_fast: Stop once a failed run has been recorded.
        shard: Train this share of the plan only.
        cluster: Workers to train on; None trains in this process.
        done: What `done_runs` returned; read from the store if None.
    """
    check_name("engine", engine, ENGINES)
    results = dict(done_runs(plan, store, retry_failed=retry_failed) if done is None else done)
    conditions = dict(plan.runs)
    pending = [config for config in share_of(plan, shard) if config.run_id not in results]
    if store and pending:
        note_session(store)
    with closing(_batches(pending, engine, on_epoch, on_model, cluster)) as batches:
        for batch in batches:
            if store:
                store.append(*batch)
            results |= {result.config.run_id: result for result in batch}
            if on_result:
                for result in batch:
                    on_result(result, conditions[result.config])
            if fail_fast and any(result.state == "failed" for result in batch):
                break
    return [results[config.run_id] for config in conditions if config.run_id in results]


def share_of(plan: Plan, shard: Shard | None) -> list[RunConfig]:
    """The runs of a plan, or of one share of it, done or not."""
    configs = [config for config, _ in plan.runs]
    return shard.of(configs) if shard else configs


def done_runs(plan: Plan, store: Store | None, *, retry_failed: bool = False) -> dict[str, RunResult]:
    """Return the plan's results that the store already holds, by `run_id`."""
    stored = store.read_runs() if store else {}
    ids = {config.run_id for config, _ in plan.runs}
    return {
        run_id: result
        for run_id, result in stored.items()
        if run_id in ids and not (retry_failed and result.state == "failed")
    }


def _batches(
    pending: list[RunConfig],
    engine: str,
    on_epoch: OnEpoch | None,
    on_model: OnModel | None,
    cluster: Cluster | None,
) -> Generator[list[RunResult], None, None]:
    """Results of the pending runs, those that trained together at once."""
    groups = _by_data(pending)
    if cluster:
        yield from cluster.train(groups, engine, on_epoch)
        return
    for group in groups:
        yield from _train(group, on_epoch, on_model, engine)


def _by_data(configs: Iterable[RunConfig]) -> Iterator[list[RunConfig]]:
    for _, group in itertools.groupby(configs, key=data_key):
        yield list(group)


def _train(
    configs: list[RunConfig], on_epoch: OnEpoch | None, on_model: OnModel | None, engine: str
) -> Iterator[list[RunResult]]:
    data = datasets.load(configs[0])
    if engine == "keras":
        from bncli.engines import keras

        return keras.train(configs, data, on_epoch, on_model)
    from bncli.engines import stacked

    return stacked.train(configs, data, on_epoch, on_model, always_stack=engine == "stacked")
