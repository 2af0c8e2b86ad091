"""Functions for notebooks and scripts: train a run or a study, and read the runs of a folder."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from bncli.analysis.evidence import read_evidence
from bncli.config import RunConfig, resolve
from bncli.data import datasets
from bncli.results import RunResult
from bncli.study import lock
from bncli.study.execution import execute, train_here, work_of
from bncli.study.jobs import connect
from bncli.study.journal import RUNS_FILE
from bncli.study.opening import open_folder
from bncli.study.study import Study

if TYPE_CHECKING:
    import pandas as pd


def train(config: RunConfig) -> RunResult:
    """Train one run.

    Args:
        config: The run. Fields that are None are filled in, and fields without effect are set to their defaults.

    Returns:
        The result, whose state is `failed` if an exception was raised during the training.

    Raises:
        BncliError: The data can't be loaded, or the network can't be built for it.
    """
    from bncli.engines import stacked

    resolved, _ = resolve(config)
    ((result,),) = stacked.train([resolved], datasets.load(resolved))
    return result


def run_study(study: Study, out: str | Path | None = None, *, jobs: int = 1) -> list[RunResult]:
    """Train the runs of a study that have no result yet.

    Args:
        study: The study.
        out: Its folder, whose results are reused and to which new ones are added; None stores nothing.
        jobs: Number of worker processes; 1 trains in this process. With more, a script has to call this function under
            `if __name__ == "__main__":`.

    Returns:
        The results of all runs, in the order of `study.plan()`.

    Raises:
        BncliError: A run can't be trained, or the folder can't be used.
    """
    plan = study.plan()
    with (
        lock.hold(Path(out) / RUNS_FILE) if out else nullcontext(),
        connect(jobs) if jobs > 1 else nullcontext() as workers,
    ):
        store = open_folder(Path(out), study, plan).store if out else None
        work = work_of(plan, store)
        return execute(work, (workers.train if workers else train_here)(work.pending), store)


def load_runs(folder: str | Path) -> pd.DataFrame:
    """Return the recorded runs of a study's folder as a table.

    Returns:
        One row per run, with the columns that `analysis.runs.runs_table` describes.

    Raises:
        StoreError: The folder holds no study, or a file in it can't be read.
    """
    return read_evidence(Path(folder)).runs_table
