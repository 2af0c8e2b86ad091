"""The library face, for notebooks: what the commands do, without the command line."""

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
    """Train one run and return its result.

    Raises:
        BncliError: The run can't be trained; nothing was started.
    """
    from bncli.engines import stacked

    resolved, _ = resolve(config)
    ((result,),) = stacked.train([resolved], datasets.load(resolved))
    return result


def run_study(study: Study, out: str | Path | None = None, *, jobs: int = 1) -> list[RunResult]:
    """Train what a study lacks, record it in the folder `out` if given, and return all its results in order.

    Args:
        study: What to train.
        out: Its folder; what is there is continued.
        jobs: Worker processes; 1 trains in this one. A script needs `if __name__ == "__main__":` for more.

    Raises:
        BncliError: A run can't be trained, or the folder can't be used; nothing was started.
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
    """Return the recorded runs of a study's folder, one row a run, as `analysis.runs.runs_table` describes.

    Raises:
        StoreError: The folder holds no study or is damaged.
    """
    return read_evidence(Path(folder)).runs_table
