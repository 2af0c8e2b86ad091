"""A study with its results and their tables: the one object that figures, page, tables and answer read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bncli.analysis.choice import Choice, default_metric, measured, remembered
from bncli.analysis.classes import classes_table
from bncli.analysis.comparisons import differences_table
from bncli.analysis.conditions import conditions_table
from bncli.analysis.facts import common_fact, fields_of_data, own_chances
from bncli.analysis.gap import Gap, find_gap
from bncli.analysis.grid import Point, grid_points
from bncli.analysis.hits import hits_table, reached_table
from bncli.analysis.inside import inside_table, with_probe
from bncli.analysis.interactions import interactions_table
from bncli.analysis.lag import Lag, find_lag
from bncli.analysis.rates import lr_table
from bncli.analysis.runs import Trivial, history_table, runs_table
from bncli.analysis.tables import measured_metrics, score_of, task_of
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.data.facts import dataset_facts
from bncli.errors import StoreError
from bncli.results import RunResult
from bncli.study.folder import Store
from bncli.study.journal import RUNS_FILE
from bncli.study.opening import data_label, stored_study
from bncli.study.study import Condition, Plan, Study, data_key
from bncli.tasks import metrics
from bncli.tasks.task import TASKS
from bncli.values import plain_text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Evidence:
    """A study with the results that it has so far.

    Attributes:
        study: The study as last asked for.
        results: Its results, in the study's order.
        conditions: The condition of every planned run; texts among its values become `plain_text`.
        n_planned: How many runs the study has in all.
        trivial: What the best constant answer scores, as accuracy or R²; None if the study's data sets differ in it.
        metric: What arms are compared by.
        threshold: The value of the metric that runs should reach; None for 95 % of the baseline's gain.
        margin: The smallest difference in the metric that matters; None if nothing is to be called equivalent.
        training_rows: How many rows a run trains on; None if the study's data sets differ in it, or if it isn't known.
        test_trivial: As `trivial`, of the test rows.
        trivial_scores: What the best constant answer gets by every score; None if that isn't known or not the same.
        test_trivial_scores: The same of the test rows.
        more: Other metrics by which arms are compared; p-values are corrected for all of them together.
        class_names: The names of the classes; empty if that isn't known, or where they are many.
        own_trivial: The same for each run, on its own data; None if it isn't known, or if all have `trivial`.
        sites: See `study.Plan`.
        folder: The study's folder, which has what probes saw; None if no folder has its runs.
    """

    study: Study
    results: Sequence[RunResult]
    conditions: Mapping[RunConfig, Condition]
    n_planned: int
    trivial: float | None = None
    metric: str = metrics.DEFAULT
    threshold: float | None = None
    margin: float | None = None
    training_rows: int | None = None
    test_trivial: float | None = None
    own_trivial: Mapping[RunConfig, float] | None = None
    sites: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    folder: Path | None = None
    trivial_scores: Mapping[str, float] | None = None
    test_trivial_scores: Mapping[str, float] | None = None
    class_names: Sequence[str] = ()
    more: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        plain = {condition: _plain(condition) for condition in self.conditions.values()}
        object.__setattr__(self, "conditions", {run: plain[at] for run, at in self.conditions.items()})

    @property
    def arms(self) -> tuple[str, ...]:
        """The labels of the arms in the study's order."""
        return tuple(arm.label for arm in self.study.arms)

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the axes, outermost first."""
        return tuple(name for name, _ in self.study.axes)

    @property
    def baseline(self) -> str:
        """The arm that the others are compared with: the first."""
        return self.arms[0]

    @property
    def n_missing(self) -> int:
        """How many planned runs have no result yet."""
        return self.n_planned - len(self.results)

    @property
    def curve_metric(self) -> str:
        """The metric of curves and hit epochs: others are measured after the last epoch only and have no history."""
        return self.metric if self.metric in metrics.history_metrics(self.score) else metrics.default_of(self.score)

    @property
    def task(self) -> str:
        """The task of all runs."""
        return task_of(self.conditions)

    @property
    def score(self) -> str:
        """The score by which arms are compared unless the user names a metric."""
        return score_of(self.results) if self.results else TASKS[self.task].score

    def trivial_score(self, metric: str) -> float | None:
        """Return what the best constant answer scores; None for a loss, or if it isn't known."""
        known = metrics.METRICS[metric]
        scores = self.test_trivial_scores if known.part == "test" else self.trivial_scores
        if known.score == self.score:
            return self.test_trivial if known.part == "test" else self.trivial
        return (scores or {}).get(known.score)

    @property
    def run_trivial(self) -> Trivial | None:
        """What tells which runs learned: `trivial`, or `own_trivial` where the data sets differ in it."""
        return self.own_trivial if self.trivial is None else self.trivial

    @cached_property
    def lag(self) -> Lag | None:
        """Where moving averages lag behind; see `analysis.lag.find_lag`."""
        return find_lag(self.conditions, self.training_rows)

    @cached_property
    def gap(self) -> Gap | None:
        """What scores lose to moving averages; see `analysis.gap.find_gap`."""
        return find_gap(self.results, self.conditions, self.metric, self.run_trivial)

    @cached_property
    def points(self) -> dict[Point, list[int]]:
        """The points of the axes, each with the rows of its conditions in `conditions_table` (see `grid_points`)."""
        return grid_points(list(dict.fromkeys(self.conditions.values())))

    @cached_property
    def conditions_table(self) -> pd.DataFrame:
        """One row per condition; see `analysis.conditions.conditions_table`."""
        runs = self.results, self.conditions
        return conditions_table(*runs, self.run_trivial, self.metric, self.differences_table)

    @cached_property
    def runs_table(self) -> pd.DataFrame:
        """One row per run; see `analysis.runs.runs_table`."""
        return runs_table(self.results, self.conditions)

    @cached_property
    def history_table(self) -> pd.DataFrame:
        """One row per run and epoch; see `analysis.runs.history_table`."""
        return history_table(self.results, self.conditions)

    @cached_property
    def inside_table(self) -> pd.DataFrame:
        """One row per run, epoch and probe of a layer; see `analysis.inside.inside_table`."""
        return inside_table(self.results, self.conditions, self.folder)

    @cached_property
    def family_table(self) -> pd.DataFrame:
        """One row per metric, arm and point, against the baseline; see `analysis.comparisons.differences_table`."""
        runs = self.results, self.conditions
        return differences_table(*runs, self.metric, self.baseline, self.run_trivial, self.margin, self.more)

    @cached_property
    def differences_table(self) -> pd.DataFrame:
        """The rows of `family_table` of the metric that arms are compared by."""
        table = self.family_table
        return table[table["metric"] == self.metric].reset_index(drop=True) if self.more else table

    @cached_property
    def interactions_table(self) -> pd.DataFrame:
        """One row per contrast along an axis; see `analysis.interactions.interactions_table`."""
        return interactions_table(self.results, self.conditions, self.metric, self.baseline, self.run_trivial)

    @cached_property
    def hits_table(self) -> pd.DataFrame:
        """One row per arm and point, with hit epochs; see `analysis.hits.hits_table`."""
        return hits_table(self.results, self.conditions, self.curve_metric, self.threshold, self.baseline, self.trivial)

    @cached_property
    def reached_table(self) -> pd.DataFrame:
        """The share of seeds past the threshold by epoch; see `analysis.hits.reached_table`."""
        return reached_table(
            self.results, self.conditions, self.curve_metric, self.threshold, self.baseline, self.trivial
        )

    @cached_property
    def classes_table(self) -> pd.DataFrame:
        """One row per class, arm and point of the axes, see `analysis.classes.classes_table`."""
        return classes_table(self.results, self.conditions, self.baseline, self.class_names)

    @cached_property
    def lr_table(self) -> pd.DataFrame | None:
        """One row per arm and point of the other axes, see `analysis.rates.lr_table`; None if `lr` is not an axis.

        None too by a metric of which no value is better, and so no learning rate is best.
        """
        if "lr" not in self.axes or not metrics.METRICS[self.metric].has_direction:
            return None
        return lr_table(self.results, self.conditions, self.metric, self.run_trivial, self.baseline)

    @cached_property
    def joined_table(self) -> pd.DataFrame:
        """`conditions_table` with what `differences_table` and `hits_table` say about each condition.

        An arm on which an axis has no effect is compared at every value of that axis. If these comparisons differ,
        their columns are missing here; `differences_table` and `hits_table` have all of them.
        """
        differences = _one_per_condition(self.differences_table, _DIFFERENCE_COLUMNS)
        hits = _one_per_condition(self.hits_table, _HIT_COLUMNS)
        return self.conditions_table.assign(metric=self.metric).join(differences).join(hits)


_DIFFERENCE_COLUMNS = {
    "n": "n_pairs",
    "mean_difference": "mean_difference",
    "low": "low_difference",
    "high": "high_difference",
    **{name: name for name in ("std_difference", "p_value", "p_holm", "wins", "ties", "losses")},
    **{name: name for name in ("effect_size", "low_effect_size", "high_effect_size")},
    **{name: name for name in ("n_both_learned", "both_learned_difference", "low_both_learned", "high_both_learned")},
    "verdict": "verdict",
}

_HIT_COLUMNS = {
    name: name
    for name in (
        "threshold",
        "n_never",
        "n_fallen",
        *(f"{part}_hit_epoch" for part in ("median", "low", "high")),
        *(f"{part}{what}_ratio" for what in ("epochs", "seconds") for part in ("", "low_", "high_")),
    )
}


def _one_per_condition(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """The columns by condition, renamed; a condition with several different rows is left out."""
    rows = table[["condition", *columns]].drop_duplicates()
    return rows.drop_duplicates("condition", keep=False).set_index("condition").rename(columns=columns)


def read_evidence(
    folder: Path,
    metric: str | None = None,
    threshold: float | None = None,
    margin: float | None = None,
    more: tuple[str, ...] = (),
) -> Evidence:
    """Read a study and its results from its folder; this needs neither the data nor TensorFlow.

    Args:
        folder: The study's folder.
        metric: What arms are compared by; None for what the folder remembers, threshold and margin included (see
            `choose`).
        threshold: The value of the metric that runs should reach; None for 95 % of the baseline's gain.
        margin: The smallest difference in the metric that matters; None if nothing is to be called equivalent.
        more: Other metrics that are tested together with it.

    Raises:
        StoreError: There is no study or no result yet, or the files are damaged.
        InvalidConfig: No run has a value of the metric.
    """
    store = Store(folder)
    content = store.need_study()
    choice = remembered(content, store) if metric is None else Choice(metric, threshold, margin, more)
    study, conditions = stored_study(folder, content), [_condition(entry) for entry in content["conditions"]]
    found = [(_condition(entry), result) for entry, result in store.listed_runs(content)]
    if not found:
        raise StoreError(f"{str(folder)!r} holds no finished run of its study (nothing in {RUNS_FILE}).")
    places = {condition: place for place, condition in enumerate(conditions)}
    data = list(content["datasets"].values())
    turns = {seed: turn for turn, seed in enumerate(study.seeds)}
    found.sort(key=lambda pair: (places[pair[0]], turns[pair[1].config.seed]))
    results = with_probe([result for _, result in found], folder, choice.metric, *choice.more)
    return Evidence(
        study,
        results,
        {result.config: condition for condition, result in found},
        len(conditions) * len(study.seeds),
        metric=measured(choice.metric or default_metric(data), results, f" in {str(folder)!r}"),
        threshold=choice.threshold,
        margin=choice.margin,
        more=choice.more,
        training_rows=common_fact(data, "training_rows"),
        own_trivial=own_chances(content["datasets"], results),
        sites=_sites(content),
        folder=folder,
        **fields_of_data(study, data),
    )


def _sites(content: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """The sites of all networks of a study; folders before bncli 0.2 have none."""
    networks = content.get("networks", {}).values()
    return {arm: (changed, n_sites) for facts in networks for arm, (changed, n_sites) in facts.get("sites", {}).items()}


def _plain(condition: Condition) -> Condition:
    """The condition with texts that tables can hold: pandas fails on names of files that are not UTF-8."""
    values = ((name, plain_text(value, None) if isinstance(value, str) else value) for name, value in condition.values)
    return Condition(condition.arm, tuple(values))


def _condition(entry: Mapping[str, Any]) -> Condition:
    return Condition(entry["arm"], tuple(entry["values"].items()))


def make_evidence(
    study: Study,
    plan: Plan,
    results: Sequence[RunResult],
    metric: str | None = None,
    threshold: float | None = None,
    margin: float | None = None,
    more: tuple[str, ...] = (),
    folder: Path | None = None,
) -> Evidence:
    """Return the evidence on a study whose runs have just been trained, or found; its data is at hand.

    Args:
        study: The study.
        plan: Its runs.
        results: Their results so far, in the order of the plan.
        metric: What arms are compared by; None for the metric that fits the data, see `choice.default_metric`.
        threshold: The value of the metric that runs should reach; None for 95 % of the baseline's gain.
        margin: The smallest difference in the metric that matters; None if nothing is to be called equivalent.
        more: Other metrics that are tested together with it.
        folder: The study's folder, if it has one.

    Raises:
        InvalidConfig: No run has a value of the metric.
    """
    results = with_probe(results, folder, metric, *more)
    one_per_data = {data_key(config): config for config, _ in plan.runs}.values()
    by_label = {data_label(config): dataset_facts(datasets.load(config)) for config in one_per_data}
    data = list(by_label.values())
    default = default_metric(data)
    if default not in measured_metrics(results):  # as in records of bncli 0.1
        default = metrics.default_of(TASKS[task_of(dict(plan.runs))].score)
    return Evidence(
        study,
        results,
        dict(plan.runs),
        len(plan.runs),
        metric=measured(metric or default, results),
        threshold=threshold,
        margin=margin,
        more=tuple(measured(name, results) for name in more),
        training_rows=common_fact(data, "training_rows"),
        own_trivial=own_chances(by_label, results),
        sites=plan.sites,
        folder=folder,
        **fields_of_data(study, data),
    )
