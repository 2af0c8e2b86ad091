"""Every metric of every task, from real runs to tables, answer, page and figures; directions decide what is better."""

import pytest

import bncli
from bncli.report.answer import answer_of
from bncli.report.figure import REGISTRY
from bncli.report.page import render
from bncli.report.rows import detail_rows, difference_rows, rate_rows, result_rows, table_caption
from bncli.report.spelling import trivial_answer
from bncli.tasks.metrics import METRICS, POPULATION, history_metrics
from bncli.tasks.scores import SCORES
from bncli.tasks.task import TASKS

GOOD, BAD = 0.03, 1e-6
DATA = {"classification": "digits", "regression": "friedman1"}

NO_ORDER = ("calibration_error",)
"""Scores by which a network that has learned nothing may be better."""


def metrics_of(task):
    scores = {"loss", *(name for name, score in SCORES.items() if score.task == task)}
    return [name for name, metric in METRICS.items() if metric.score in scores]


CASES = [(task, metric) for task in TASKS for metric in metrics_of(task)]


@pytest.fixture(scope="module")
def results():
    """A study of each task, with a learning rate that learns, one that does not, and one between."""
    made = {"model": "dense16", "epochs": 4, "test_size": 0.2, "batch_size": 16, "norm_momentum": 0.8}
    rates = [BAD, 1e-3, GOOD]
    return {
        task: bncli.sweep(dataset=dataset, lr=rates, arms="none,batch", seeds=3, **made)
        for task, dataset in DATA.items()
    }


@pytest.fixture
def shown(results, request):
    task, metric = request.param
    return results[task].by(metric).evidence


each_metric = pytest.mark.parametrize("shown", CASES, ids="-".join, indirect=True)


@each_metric
def test_the_better_rate_wins_by_every_metric(shown):
    metric, rows = shown.metric, shown.conditions_table
    bad, good = (rows[rows["param_lr"] == rate][f"mean_{metric}"] for rate in (BAD, GOOD))
    if METRICS[metric].score in NO_ORDER:
        return
    assert (good.max() < bad.min()) if METRICS[metric].lower_is_better else (good.min() > bad.max())
    assert set(shown.lr_table["best_lr"]) <= {GOOD, 1e-3}


@each_metric
def test_no_interval_leaves_what_a_metric_can_be(shown):
    metric, known = shown.metric, METRICS[shown.metric]
    rows = shown.conditions_table
    assert (rows[f"low_{metric}"] >= known.lowest).all()
    assert (rows[f"high_{metric}"] <= known.highest).all()


@each_metric
def test_tables_answer_and_page_are_about_the_metric(shown):
    metric, label = shown.metric, METRICS[shown.metric].label
    assert all(row[metric] != "-" for row in result_rows(shown))
    assert all(f"mean {metric}" in row for row in detail_rows(shown))
    assert difference_rows(shown)
    assert rate_rows(shown)
    assert label in answer_of(shown).sentences[0]
    text = render(shown, [], {})
    assert f"in {metric}" in text
    assert label in text
    known = METRICS[metric]
    if known.part in ("val", "test") and known.score not in (*NO_ORDER, "loss"):
        assert f"always {trivial_answer(metric)} scores" in table_caption(shown)


@each_metric
def test_curves_and_hit_epochs_are_of_a_metric_that_has_a_history(shown):
    task = shown.task
    assert shown.curve_metric in history_metrics(TASKS[task].score)
    assert shown.curve_metric == shown.metric or shown.metric not in history_metrics(TASKS[task].score)
    assert set(shown.hits_table["metric"]) == {shown.curve_metric}


@pytest.mark.slow
@each_metric
def test_every_figure_can_be_drawn_by_every_metric(shown):
    drawn = [name for name in REGISTRY if REGISTRY[name](shown) is not None]
    assert {"curves", "differences", "lr", "reached"} <= set(drawn)


def test_all_scores_are_measured(results):
    for task, result in results.items():
        names = set(result.runs.columns)
        assert {name for name in metrics_of(task) if not name.startswith(POPULATION)} <= names
