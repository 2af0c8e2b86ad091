"""The metrics of trained runs, which both engines measure in inference mode after the last epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bncli.data.dataset import Dataset
from bncli.tasks.metrics import POPULATION
from bncli.tasks.scores import confusion_of, scores_of
from bncli.tasks.task import REGRESSION, TASKS
from bncli.values import finite

MAX_TRAINING_ROWS = 512
"""The most training rows that are scored with population statistics, so that it takes little time; the standard error
of an accuracy is then 0.022 at most."""

Scores = dict[str, np.ndarray]
"""Metric to one value per run, shape (runs,)."""


MAX_CONFUSED = 20
"""The most classes whose confusion is counted: a record has a number for each pair of them."""


class Ending(NamedTuple):
    """What is known of a run, or of several, after the last epoch.

    Attributes:
        metrics: Metric to its value: of shape (runs,), or a number of one run.
        confusion: How many validation rows of each class were answered by each class, shape (runs, classes, classes),
            or lists of one run; None for quantities and for more than `MAX_CONFUSED` classes.
    """

    metrics: Mapping[str, Any]
    confusion: Any


class Scored(NamedTuple):
    """How runs answer the rows of one part of the data.

    Attributes:
        loss: Mean loss of each run, shape (runs,).
        score: The score of the task, accuracy or R², of each run, shape (runs,).
        answers: Labels, shape (rows,), with outputs, shape (runs, rows, outputs), by chunk.
    """

    loss: np.ndarray
    score: np.ndarray
    answers: Sequence[tuple[np.ndarray, Any]]

    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all labels, and all outputs, shape (runs, rows, outputs)."""
        y = np.concatenate([labels for labels, _ in self.answers])
        outputs = [np.asarray(outputs)[:, : len(labels)] for labels, outputs in self.answers]
        return y, np.concatenate(outputs, axis=1)


def balanced_accuracy(marks: Sequence[np.ndarray], y: np.ndarray) -> np.ndarray:
    """Return the mean over classes of the share of right answers, shape (runs,).

    Args:
        marks: How many rows of each class are right, shape (runs,) each.
        y: The classes of the rows.
    """
    counts = np.bincount(y, minlength=len(marks))
    found: np.ndarray = np.mean([right / count for right, count in zip(marks, counts, strict=True) if count], axis=0)
    return found


def population_parts(dataset: Dataset) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the parts of the data that are scored with population statistics.

    Of the training part these are every second, third, ... row if it has more than `MAX_TRAINING_ROWS`.
    """
    (x, y), step = dataset.parts["train"], math.ceil(len(dataset.y_train) / MAX_TRAINING_ROWS)
    return dataset.parts | {"train": (x[::step], y[::step])}


def ending_of(dataset: Dataset, moving: Mapping[str, Scored], population: Mapping[str, Scored]) -> Ending:
    """Return what is measured after the last epoch.

    Args:
        dataset: The data.
        moving: The parts of the data, scored with moving averages, by their name in metrics.
        population: The same with population statistics; for a network without averages, `moving` itself.
    """
    return Ending(final_metrics(dataset, moving, population), _confusion(dataset, moving["val"]))


def _confusion(dataset: Dataset, scored: Scored) -> np.ndarray | None:
    if dataset.task == REGRESSION or dataset.n_classes > MAX_CONFUSED:
        return None
    y, answers = scored.joined()
    return confusion_of(y, answers, dataset.n_classes)


def final_metrics(dataset: Dataset, moving: Mapping[str, Scored], population: Mapping[str, Scored]) -> Scores:
    """Return the metrics that are measured after the last epoch.

    Args:
        dataset: The data.
        moving: The parts of the data, scored with moving averages, by their name in metrics.
        population: The same with population statistics; for a network without averages, `moving` itself.
    """
    found: Scores = {}
    for part, scored in moving.items():
        found |= _metrics_of(dataset, part, scored)
    if population is moving:
        return found | {f"{POPULATION}{name}": values for name, values in found.items()}
    for part, scored in population.items():
        found |= {f"{POPULATION}{name}": values for name, values in _metrics_of(dataset, part, scored).items()}
    return found


def _metrics_of(dataset: Dataset, part: str, scored: Scored) -> Scores:
    """The metrics of one part; the training part has the loss and the score of the task alone."""
    found = {"loss": scored.loss, TASKS[dataset.task].score: scored.score}
    if part != "train":
        found = _other_scores(dataset, scored) | found
    return {f"{part}_{name}": values for name, values in found.items()}


def _other_scores(dataset: Dataset, scored: Scored) -> Scores:
    """All scores of a task; errors of quantities are in their own units."""
    shift, divisor = dataset.target_scaler
    y, answers = scored.joined()
    if dataset.task == REGRESSION:  # in float64: float32 has no fractions beside a mean of a billion
        y, answers = (values.astype("float64") * divisor + shift for values in (y, answers))
    return scores_of(dataset.task, y, answers)


def of_run(ending: Ending, index: int) -> Ending:
    """Return what is known of one run; None for a metric that is not finite."""
    metrics = {name: finite(float(values[index])) for name, values in ending.metrics.items()}
    return Ending(metrics, None if ending.confusion is None else ending.confusion[index].tolist())
