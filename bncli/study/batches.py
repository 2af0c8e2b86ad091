"""Batches: the runs of a study, cut into tasks for Dask workers."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines.method import by_engine, choose, group
from bncli.study.execution import by_data


@dataclass(frozen=True)
class Batch:
    """Runs that one worker trains together.

    Attributes:
        runs: Runs on one data set and with one graph.
        fingerprint: The fingerprint of their data, with which a worker compares its own.
        engine: `auto`, `stacked` or `keras`.
        n_planned: The number of runs for which the method of training is chosen: all runs of the graph, so that the
            results do not depend on how the runs are cut into batches.
        probe: Which probes to record; None for none.
    """

    runs: tuple[RunConfig, ...]
    fingerprint: str
    engine: str
    n_planned: int
    probe: str | None = None

    def new_key(self) -> str:
        """Return a unique name for a task that trains the batch."""
        return f"bncli-{self.runs[0].run_id}-{len(self.runs)}-{uuid.uuid4().hex[:6]}"

    def halves(self) -> list[Batch]:
        """Return the batch in two halves, each planned for its own number of runs."""
        middle = len(self.runs) // 2
        parts = (self.runs[:middle], self.runs[middle:])
        return [replace(self, runs=runs, n_planned=len(runs)) for runs in parts]


def batches_of(configs: Sequence[RunConfig], wanted: str, n_workers: int, probe: str | None = None) -> Iterator[Batch]:
    """Cut runs into batches.

    Stacks are as large as in one process, whatever the number of workers, because a run's numbers are rounded
    differently in a stack of another size. Runs that train side by side or by `model.fit` do not affect each other, so
    they are divided among the workers.

    Args:
        configs: Resolved runs.
        wanted: The engine: `auto`, `stacked` or `keras`.
        n_workers: The number of workers.
        probe: Which probes to record; None for none.
    """
    share = math.ceil(len(configs) / n_workers)
    for on_one_set in by_data(configs):
        data = datasets.load(on_one_set[0])
        fingerprint = data.fingerprint()
        for runs in group(on_one_set):
            (engine,) = by_engine(runs[:1], wanted)
            n_planned, size = len(runs), 1
            if engine != "keras":
                method = choose(runs[0], data, n_planned, has_gpu=False, always_stack=engine == "stacked")
                if not method.stacked:
                    n_planned = min(n_planned, share)
                    method = choose(runs[0], data, n_planned, has_gpu=False)
                size = method.n_runs
            for start in range(0, len(runs), size):
                yield Batch(tuple(runs[start : start + size]), fingerprint, engine, n_planned, probe)
