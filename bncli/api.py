"""Functions for notebooks and scripts: train a run or a study, and look at its result.

Example:
    >>> import bncli
    >>> result = bncli.compare(dataset="circles", model="dense4", arms=["none", "batch"], seeds=2, epochs=2)
    >>> result
    <bncli.Result 'compare': 4 runs, 2 conditions x 2 seeds>
    >>> result.summary["arm"].tolist()
    ['none', 'batch']
"""

from __future__ import annotations

import dataclasses
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bncli.analysis.choice import Named, check_measured_by, choice_of, choose
from bncli.analysis.evidence import Evidence, make_evidence, read_evidence
from bncli.analysis.inside import with_probe
from bncli.analysis.tables import measured_metrics
from bncli.cli.notebook import notebook_tracker
from bncli.config import RunConfig
from bncli.engines.method import check_memory
from bncli.errors import InvalidConfig, shown
from bncli.registry import check_name
from bncli.report import figure as drawing
from bncli.report.answer import answer_of
from bncli.report.files import write_files
from bncli.report.notebook import draw_one, to_html
from bncli.results import RunResult
from bncli.study import lock, probed
from bncli.study.arms import DEFAULT_ARMS, arm_of, arms_of
from bncli.study.asked import Arms, Seeds, seed_list, study_of
from bncli.study.execution import ENGINES, execute, train_here, work_of
from bncli.study.jobs import connect
from bncli.study.journal import RUNS_FILE
from bncli.study.opening import Opened, as_begun, open_folder
from bncli.study.study import DEFAULT_SEEDS, Condition, Plan, Study
from bncli.tasks.metrics import default_of
from bncli.values import counted, plain_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.figure import Figure


RUN_ATTRIBUTES = (*(field.name for field in dataclasses.fields(RunResult)), "run_id", "best", "to_record")


class Result:
    """The result of a study. A notebook shows it as its answer, its table and its main figure.

    The result of a single run has the attributes of its `RunResult` too: `state`, `metrics`, `history` and so on.

    Args:
        evidence: The study with its runs.
        folder: Where it is stored; None if nowhere.
    """

    def __init__(self, evidence: Evidence, folder: Path | None = None) -> None:
        self.evidence = evidence
        self.folder = folder

    @property
    def study(self) -> Study:
        """What was asked."""
        return self.evidence.study

    @property
    def results(self) -> list[RunResult]:
        """The runs, each with its history by epoch."""
        return list(self.evidence.results)

    @property
    def runs(self) -> pd.DataFrame:
        """One row per run, see `analysis.runs.runs_table`."""
        return self.evidence.runs_table

    @property
    def epochs(self) -> pd.DataFrame:
        """One row per run and epoch, see `analysis.runs.history_table`."""
        return self.evidence.history_table

    @property
    def summary(self) -> pd.DataFrame:
        """One row per condition, as in `summary.csv`; see `analysis.evidence.Evidence.joined_table`."""
        return self.evidence.joined_table

    @property
    def differences(self) -> pd.DataFrame:
        """One row per comparison with the baseline, see `analysis.comparisons.differences_table`."""
        return self.evidence.family_table

    @property
    def interactions(self) -> pd.DataFrame:
        """One row per change of a difference along an axis, see `analysis.interactions.interactions_table`."""
        return self.evidence.interactions_table

    @property
    def inside(self) -> pd.DataFrame:
        """One row per run, epoch and probe of a layer, see `analysis.inside.inside_table`."""
        return self.evidence.inside_table

    def by(self, metric: Named = None, threshold: float | None = None, margin: float | None = None) -> Result:
        """Return the same runs compared by another metric.

        Args:
            metric: A metric, e.g. `val_loss`, or a list of several, which are tested together; None for the score that
                fits the data, on validation rows.
            threshold: The value of it that runs should reach; None for 95 % of the baseline's gain.
            margin: The smallest difference in it that matters; None if nothing is to be called equivalent.

        Raises:
            UnknownName: There is no such metric.
            InvalidConfig: The metric can't have this value, or no run has a value of it.
        """
        choice = choice_of(default_of(self.evidence.score) if metric is None else metric, threshold, margin)
        results = with_probe(self.evidence.results, self.folder, choice.metric, *choice.more)
        there = measured_metrics(results)
        for name in (choice.metric, *choice.more):
            if name not in there:
                raise InvalidConfig(f"No run has a value of {name}. There are values of: {', '.join(there)}.")
        chosen = dataclasses.replace(self.evidence, results=results, **choice._asdict())
        return Result(chosen, self.folder)

    def plot(self, name: str = "curves") -> Figure:
        """Draw a figure.

        Args:
            name: `curves`, `train_val`, `differences`, `lr`, `reached`, `heatmap` or `confusion`; of runs with probes
                `inside`, `stale`, `probes` or `landscape`.

        Raises:
            UnknownName: There is no such figure.
            InvalidConfig: The study has no data for it.
        """
        check_name("figure", name, drawing.REGISTRY)
        figure = draw_one(self.evidence, name)
        if figure is None:
            able = [each for each in drawing.REGISTRY if draw_one(self.evidence, each)]
            raise InvalidConfig(f"This study has no figure {shown(name)}. It has: {', '.join(able) or 'none'}.")
        return figure

    def __getattr__(self, name: str) -> Any:
        if name not in RUN_ATTRIBUTES:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if len(self.results) != 1:
            raise AttributeError(f"A result of {len(self.results)} runs has no {name!r} of its own. Try .results.")
        return getattr(self.results[0], name)

    def __str__(self) -> str:
        answer = answer_of(self.evidence)
        return "\n".join([*answer.sentences, *answer.notes])

    def __repr__(self) -> str:
        n_conditions, n_seeds = len(self.evidence.conditions_table), len(self.study.seeds)
        size = f"{counted(n_conditions, 'condition')} x {counted(n_seeds, 'seed')}"
        name, runs = plain_text(self.study.name), counted(len(self.results), "run")
        return f"<bncli.Result {name!r}: {runs}, {size}>"

    def _repr_html_(self) -> str:
        return to_html(self.evidence)


def train(
    config: RunConfig | None = None,
    *,
    arm: str | None = None,
    seeds: Seeds | None = None,
    out: str | Path | None = None,
    engine: str = "auto",
    probe: str | None = None,
    **fields: Any,
) -> Result:
    """Train one configuration, for one or many seeds.

    Args:
        config: The run to start from; the default run if None.
        arm: The normalization, e.g. `batch:after`; by default that of the fields `norm` and `placement`.
        seeds: How many seeds, or which; by default the field `seed` alone.
        out: A folder for the runs and the report; what is there is continued.
        engine: `auto`, `stacked` or `keras`.
        probe: What to record inside the networks, `light` or `full`, for `Result.inside`; it needs `out`.
        **fields: Fields of the run, e.g. `dataset="moons"`, `lr=0.01`.

    Returns:
        The result. That of a single run has its attributes, e.g. `metrics`.

    Raises:
        BncliError: The run can't be trained; nothing was started.

    Example:
        >>> train(dataset="circles", model="dense4", epochs=1, norm="batch").state
        'complete'
    """
    base = (config or RunConfig()).replace(**fields)
    chosen = arms_of([arm])[0] if arm else arm_of(base)
    numbers = (base.seed,) if seeds is None else seed_list(seeds)
    return run(Study("train", base.replace(seed=0), (chosen,), seeds=numbers), out=out, engine=engine, probe=probe)


def compare(
    *,
    arms: Arms = DEFAULT_ARMS,
    seeds: Seeds = DEFAULT_SEEDS,
    out: str | Path | None = None,
    engine: str = "auto",
    jobs: int = 1,
    metric: Named = None,
    margin: float | None = None,
    probe: str | None = None,
    **fields: Any,
) -> Result:
    """Train arms side by side, all else fixed, paired by seed.

    Args:
        arms: Labels of the arms, the baseline first.
        seeds: How many seeds, or which.
        out: A folder for the runs and the report; what is there is continued.
        engine: `auto`, `stacked` or `keras`.
        jobs: Worker processes; 1 trains in this one. A script needs `if __name__ == "__main__":` for more.
        metric: What arms are compared by, and the margin, as `Result.by` takes them; None for those that the folder
            remembers, or else for the score that fits the data.
        margin: See `metric`.
        probe: What to record inside the networks, `light` or `full`, for `Result.inside`; it needs `out`.
        **fields: What all runs share, e.g. `dataset="circles"`, `lr=0.01`.

    Raises:
        BncliError: Something in the arguments is wrong, or the folder can't be used; nothing was started.

    Example:
        >>> compare(dataset="circles", model="dense4", arms="none,batch", seeds=1, epochs=1).runs["state"].tolist()
        ['complete', 'complete']
    """
    study = study_of("compare", arms, seeds, fields)
    if study.axes:
        name = study.axes[0][0]
        raise InvalidConfig(f"compare holds all but the arms fixed, and {name} has several values. Try bncli.sweep.")
    return run(study, out=out, engine=engine, jobs=jobs, metric=metric, margin=margin, probe=probe)


def sweep(
    *,
    arms: Arms = DEFAULT_ARMS,
    seeds: Seeds = DEFAULT_SEEDS,
    out: str | Path | None = None,
    engine: str = "auto",
    jobs: int = 1,
    metric: Named = None,
    margin: float | None = None,
    probe: str | None = None,
    **fields: Any,
) -> Result:
    """Train axes x arms x seeds: a field with a list of values is an axis.

    Args:
        arms: Labels of the arms, the baseline first.
        seeds: How many seeds, or which.
        out: A folder for the runs and the report; what is there is continued.
        engine: `auto`, `stacked` or `keras`.
        jobs: Worker processes; 1 trains in this one. A script needs `if __name__ == "__main__":` for more.
        metric: What arms are compared by, and the margin, as `Result.by` takes them; None for those that the folder
            remembers, or else for the score that fits the data.
        margin: See `metric`.
        probe: What to record inside the networks, `light` or `full`, for `Result.inside`; it needs `out`.
        **fields: What all runs share, and the axes, outermost first: `lr=[0.001, 0.01]` or `lr="log:1e-4:1:9"`.

    Raises:
        BncliError: Something in the arguments is wrong, or the folder can't be used; nothing was started.

    Example:
        >>> sweep(lr=[0.01, 0.1], dataset="circles", model="dense4", arms="none,batch", seeds=1, epochs=1)
        <bncli.Result 'sweep': 4 runs, 4 conditions x 1 seed>
    """
    study = study_of("sweep", arms, seeds, fields)
    if not study.axes:
        raise InvalidConfig("sweep needs a field with several values, e.g. lr=[0.001, 0.01]. Try bncli.compare.")
    return run(study, out=out, engine=engine, jobs=jobs, metric=metric, margin=margin, probe=probe)


def run(
    study: Study,
    *,
    out: str | Path | None = None,
    engine: str = "auto",
    jobs: int = 1,
    metric: Named = None,
    margin: float | None = None,
    probe: str | None = None,
) -> Result:
    """Train what a study lacks, and return its result.

    Args:
        study: What to train, e.g. `bncli.load_study("lr-activation")`.
        out: Its folder, which gets tables, figures and the page too; what is there is continued.
        engine: `auto`, `stacked` or `keras`.
        jobs: Worker processes; 1 trains in this one. A script needs `if __name__ == "__main__":` for more.
        metric: What arms are compared by, and the margin, as `Result.by` takes them; None for those that the folder
            remembers, or else for the score that fits the data.
        margin: See `metric`.
        probe: What to record inside the networks, `light` or `full`, for `Result.inside`; it needs `out`.

    Raises:
        BncliError: A run can't be trained, or the folder can't be used; nothing was started.
    """
    check_name("engine", engine, ENGINES)
    probed.check_level(probe, out, "probe", 'out="DIR"')
    choice = choice_of(metric, None, margin)
    study.check_size()
    folder = Path(out) if out else None
    study = as_begun(study, folder) if folder else study
    plan = study.plan()
    check_measured_by(plan, metric, probe)
    for notice in plan.notices:
        warnings.warn(notice, stacklevel=3)
    with lock.hold(folder / RUNS_FILE) if folder else nullcontext():
        opened = open_folder(folder, study, plan) if folder else None
        choice = choose(opened.store, metric, margin=margin) if opened else choice
        results = _train(plan, opened, engine, jobs, probe)
        evidence = make_evidence(study, plan, results, *choice, opened.store.folder if opened else None)
        if opened:
            write_files(read_evidence(opened.store.folder) if opened.is_part else evidence, opened.store)
    return Result(evidence, folder)


def load(folder: str | Path) -> Result:
    """Return the result that a study's folder holds so far; this needs neither the data nor TensorFlow.

    Args:
        folder: The `out` of a call, or the `--out` of a command.

    Raises:
        StoreError: The folder holds no study or no run, or is damaged.
    """
    return Result(read_evidence(Path(folder)), Path(folder))


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
    study.check_size()
    plan = study.plan()
    with lock.hold(Path(out) / RUNS_FILE) if out else nullcontext():
        return _train(plan, open_folder(Path(out), study, plan) if out else None, "auto", jobs, None)


def load_runs(folder: str | Path) -> pd.DataFrame:
    """Return the recorded runs of a study's folder as a table.

    Returns:
        One row per run, with the columns that `analysis.runs.runs_table` describes.

    Raises:
        StoreError: The folder holds no study, or a file in it can't be read.
    """
    return read_evidence(Path(folder)).runs_table


def _train(plan: Plan, opened: Opened | None, engine: str, jobs: int, probe: str | None) -> list[RunResult]:
    """Train what is missing of a plan; return all its results in order."""
    store = opened.store if opened else None
    work = work_of(plan, store)
    check_memory(work.pending)
    tracker = notebook_tracker(work.pending)

    def on_epoch(configs: Sequence[RunConfig], epoch: int) -> None:
        if tracker:
            tracker.epoch(str(work.conditions[configs[0]]), len(configs))

    def on_result(result: RunResult, condition: Condition) -> None:
        if tracker:
            tracker.run(str(condition), result.config.epochs - len(result.history.get("loss", [])))

    with connect(jobs) if jobs > 1 else nullcontext() as workers:
        train_runs = workers.train if workers else train_here
        batches = train_runs(work.pending, engine, on_epoch if tracker else None, probe=probe)
        return execute(work, batches, store, on_result=on_result)
