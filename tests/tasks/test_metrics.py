"""Metrics: their directions, the best epoch, thresholds, and what counts as learned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncli.errors import UnknownName
from bncli.tasks.metrics import (
    DEFAULT,
    HISTORY_METRICS,
    METRICS,
    best_epoch,
    default_of,
    history_metrics,
    least_learned,
    lower_is_better,
    population_of,
    reaches,
)
from bncli.tasks.scores import SCORES
from bncli.tasks.task import TASKS


@pytest.mark.parametrize("metric", [name for name, metric in METRICS.items() if metric.has_direction])
def test_losses_and_errors_are_better_when_low_and_other_scores_when_high(metric):
    assert lower_is_better(metric) == (not metric.endswith(("accuracy", "f1", "auc", "top5", "r2")))
    limits = METRICS[metric].lowest, METRICS[metric].highest
    assert (limits == (0, 1)) == metric.endswith(("accuracy", "f1", "auc", "top5", "calibration_error"))
    assert METRICS[metric].perfect == (0 if lower_is_better(metric) else 1)
    assert METRICS[metric].label


def test_the_default_metric_and_those_of_a_history_are_metrics():
    assert {DEFAULT, *HISTORY_METRICS} <= set(METRICS)


def test_an_unknown_metric_gets_a_suggestion():
    with pytest.raises(UnknownName) as caught:
        lower_is_better("val_acuracy")
    assert str(caught.value) == (
        f"Unknown metric 'val_acuracy'. Allowed: {', '.join(METRICS)}. Did you mean 'val_accuracy'?"
    )


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("val_accuracy", [0.5, 0.9, 0.7], {"value": 0.9, "epoch": 2}),
        ("val_accuracy", [0.5, 0.9, 0.9], {"value": 0.9, "epoch": 2}),
        ("val_loss", [0.5, 0.2, 0.2, 0.3], {"value": 0.2, "epoch": 2}),
        ("loss", [None, 3.0, None], {"value": 3.0, "epoch": 2}),
        ("val_accuracy", [0.0], {"value": 0.0, "epoch": 1}),
        ("loss", [None, None], None),
        ("loss", [], None),
    ],
)
def test_the_best_epoch_is_the_first_with_the_best_value(metric, values, expected):
    assert best_epoch(metric, values) == expected


@given(st.lists(st.floats(0, 1), min_size=1))
def test_no_value_of_a_history_is_better_than_its_best(values):
    best = best_epoch("val_accuracy", values)
    assert best["value"] == max(values)
    assert best["epoch"] == values.index(max(values)) + 1


@pytest.mark.parametrize(
    ("metric", "value", "threshold", "expected"),
    [
        ("val_accuracy", 0.9, 0.9, True),
        ("val_accuracy", 0.95, 0.9, True),
        ("val_accuracy", 0.89, 0.9, False),
        ("val_accuracy", None, 0.0, False),
        ("val_loss", 0.5, 0.5, True),
        ("val_loss", 0.4, 0.5, True),
        ("val_loss", 0.51, 0.5, False),
        ("val_loss", None, 9.0, False),
    ],
)
def test_a_value_reaches_a_threshold_if_it_is_as_good_or_better(metric, value, threshold, expected):
    assert reaches(metric, value, threshold) is expected


def test_a_value_reaches_a_threshold_that_differs_by_float32_rounding():
    assert reaches("val_accuracy", float(np.float32(0.9)), 0.9)
    assert reaches("val_loss", 0.9, float(np.float32(0.9)))
    assert not reaches("val_accuracy", 0.9 * (1 - 1e-5), 0.9)


@pytest.mark.parametrize(("trivial", "least"), [(0.0, 0.2), (0.1, 0.28), (0.5, 0.6), (1.0, 1.0)])
def test_learning_takes_a_fifth_of_the_distance_to_a_perfect_score(trivial, least):
    assert least_learned(trivial) == pytest.approx(least)


def test_of_an_error_learning_takes_a_fifth_of_it_away():
    assert least_learned(50.0, "val_mae") == pytest.approx(40.0)
    assert least_learned(0.0, "val_r2") == pytest.approx(0.05)


@pytest.mark.parametrize("task", TASKS)
def test_every_score_and_the_loss_of_a_task_are_metrics_of_validation_and_test_rows(task):
    scores = [name for name, score in SCORES.items() if score.task == task]
    for name in (*scores, "loss"):
        for part in ("val", "test"):
            metric = METRICS[f"{part}_{name}"]
            assert (metric.score, metric.part) == (name, part)
            assert METRICS[population_of(f"{part}_{name}")].lower_is_better == metric.lower_is_better
    assert set(history_metrics(TASKS[task].score)) <= set(METRICS)
    assert default_of(TASKS[task].score) in history_metrics(TASKS[task].score)
    assert METRICS[default_of(TASKS[task].score)].is_main
