"""What is measured of a network on rows of data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bncli.backend import keras, tf
from bncli.data.dataset import Dataset
from bncli.diagnosis.layers import LayerReading, NormReading, read_layers, read_norms, statistics_by_layer
from bncli.diagnosis.statistics import BATCH, MOVING, POPULATION
from bncli.engines.criterion import Criterion
from bncli.engines.inference import Inference
from bncli.networks.own import batch_norms
from bncli.networks.seeds import batch_order
from bncli.probes.recording import without_noise
from bncli.tasks.task import CLASSIFICATION, TASKS

if TYPE_CHECKING:
    from bncli.engines.updates import Tensors

MAX_ROWS = 5_000
"""The most rows of a part that are scored: the standard error of an accuracy is then 0.007 at most."""

STILL = 0.999
"""The largest momentum from whose steps a batch's statistics can be told in float32; 1 leaves no trace of them."""

BATCH_SIZE = 32
"""Samples per batch where nobody says how many: Keras' default."""


@dataclass(frozen=True)
class Score:
    """How a network answers rows.

    Attributes:
        points: What each row is worth, shape (rows,), so that the mean is the score: 0 for a wrong class, and for a
            right one 1, or, where classes are rare, more for a rarer class; for a quantity 1 less the squared error by
            its variance.
        losses: The loss of each row.
    """

    points: np.ndarray
    losses: np.ndarray

    @property
    def loss(self) -> float:
        """Mean loss."""
        return float(self.losses.mean())

    @property
    def score(self) -> float:
        """The accuracy, or the score that `Readings.score_name` says."""
        return float(self.points.mean())


@dataclass(frozen=True)
class Readings:
    """What is measured on rows of data. Dropout and other noise are off, unless said otherwise.

    Attributes:
        scores: By part (`train`, `val`) and what batch normalizations normalized with, one of `STATISTICS`.
        norms: The statistics of each batch normalization.
        layers: What each layer got and returned in inference mode.
        n_changed: How many rows get another class when they are alone than among others.
        n_alone: How many rows were asked alone.
        n_rows: Training rows of the data.
        score_name: What scores are, a key of `tasks.scores.SCORES`.
    """

    scores: dict[str, dict[str, Score]]
    norms: list[NormReading]
    layers: list[LayerReading]
    n_changed: int
    n_alone: int
    n_rows: int
    score_name: str = TASKS[CLASSIFICATION].score

    @property
    def is_finite(self) -> bool:
        """Whether all that was measured is finite. Else scores are those of a broken model, whatever its averages."""
        return all(reading.is_sound for reading in self.layers)

    @property
    def sound_layers(self) -> list[LayerReading]:
        """The layers before the first value that is not finite: what others return follows from it."""
        return [reading for reading in self.layers if reading.is_sound]

    @property
    def sound_norms(self) -> list[NormReading]:
        """The batch normalizations before the first value that is not finite."""
        behind = {reading.name for reading in self.layers if not reading.is_sound}
        return [norm for norm in self.norms if norm.name not in behind]

    @property
    def is_better_with_population(self) -> bool:
        """Whether the model answers training rows better with population statistics than with its moving averages.

        Better is a smaller loss: with few rows, or many classes, accuracies may be the same.
        """
        scores = self.scores["train"]
        return scores[POPULATION].loss < scores[MOVING].loss


def take_readings(model: keras.Model, dataset: Dataset, batch_size: int | None = None) -> Readings:
    """Measure a network on the training and validation rows of a data set.

    Args:
        model: It, with its weights; left as it is.
        dataset: The data, scaled as the model needs it.
        batch_size: Samples per batch, for batch statistics. Those of the population are taken of 32 at least: the
            variance of so few values is too small by one part in as many as they are.
    """
    size = min(batch_size or BATCH_SIZE, len(dataset.y_train))
    with thawed(model), without_noise(model):
        criterion = Criterion(dataset.task)
        inference = Inference(model, dataset, criterion)
        parts = {name: _sampled(*dataset.parts[name]) for name in ("train", "val")}
        batches = whole_batches(len(dataset.y_train), max(size, BATCH_SIZE), MAX_ROWS)
        population = inference.estimator(batches, quiet=True)(len(batches)) if inference.averages else inference.others
        scores = {
            name: {
                BATCH: _batch_score(model, criterion, *rows, size),
                MOVING: _score(inference, criterion, inference.others, *rows),
                POPULATION: _score(inference, criterion, population, *rows),
            }
            for name, rows in parts.items()
        }
        if dataset.is_imbalanced:
            scores = {name: _balanced(scores[name], rows[1]) for name, rows in parts.items()}
        n_changed, n_alone = _lonely(inference, *parts["val"])
        moved, estimated = (statistics_by_layer(model, others) for others in (inference.others, population))
    x = parts["train"][0]
    norms = read_norms(model, moved, estimated, x)
    return Readings(scores, norms, read_layers(model, x), n_changed, n_alone, len(dataset.y_train), dataset.score)


@contextmanager
def thawed(model: keras.Model) -> Iterator[None]:
    """Let all batch normalizations follow their batches in a block, so that their statistics can be estimated."""
    kept = [(layer, layer.trainable, layer.momentum) for layer in batch_norms(model)]
    for layer, _, momentum in kept:
        layer.trainable, layer.momentum = True, min(float(momentum), STILL)
    try:
        yield
    finally:
        for layer, trainable, momentum in kept:
            layer.trainable, layer.momentum = trainable, momentum


def _sampled(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `MAX_ROWS` rows, drawn without order: files are often sorted by class."""
    chosen = batch_order(0, 0, len(y))[:MAX_ROWS]
    return x[chosen], y[chosen]


def whole_batches(n_rows: int, size: int, most: int | None = None) -> tf.Tensor:
    """Return whole batches of shuffled rows, shape (batches, 1, rows).

    >>> whole_batches(100, 32).shape, whole_batches(100, 32, most=50).shape, whole_batches(10, 32).shape
    (TensorShape([3, 1, 32]), TensorShape([1, 1, 32]), TensorShape([1, 1, 10]))

    Args:
        n_rows: The number of rows of the data.
        size: Rows per batch; all of them if there are fewer.
        most: The most rows to take; None for all.
    """
    rows = batch_order(0, 0, n_rows)[:most]
    size = min(size, len(rows))
    return tf.constant(rows[: len(rows) // size * size].reshape(-1, 1, size))


def _score(inference: Inference, criterion: Criterion, others: Tensors, x: np.ndarray, y: np.ndarray) -> Score:
    found = list(inference.answers(others, x, y))
    losses, marks = (np.concatenate([part[place] for part in found]) for place in (1, 2))
    return Score(criterion.points(marks, y), losses)


def _batch_score(model: keras.Model, criterion: Criterion, x: np.ndarray, y: np.ndarray, size: int) -> Score:
    """Score rows in training mode, in whole batches, without a trace in the model."""
    weights, others = ([v.value for v in part] for part in (model.trainable_variables, model.non_trainable_variables))

    @tf.function(autograph=False)  # type: ignore[untyped-decorator,unused-ignore]
    def answer(x: tf.Tensor) -> Any:
        return tf.cast(model.stateless_call(weights, others, x, training=True)[0], tf.float32)

    marks, losses = [], []
    for start in range(0, max(1, len(y) - size + 1), size):
        rows = slice(start, start + size)
        outputs = answer(x[rows])
        marks.append(criterion.marks(y[rows], outputs).numpy())
        losses.append(criterion.losses(y[rows], outputs).numpy())
    return Score(criterion.points(np.concatenate(marks), y), np.concatenate(losses))


def _balanced(scores: dict[str, Score], y: np.ndarray) -> dict[str, Score]:
    """The scores with points whose mean is the balanced accuracy; of batches, the rows are the first ones of `y`."""
    found = {}
    for name, score in scores.items():
        classes = y[: len(score.points)]
        counts = np.bincount(classes)
        weights = len(classes) / (np.count_nonzero(counts) * counts[classes])
        found[name] = Score(score.points * weights, score.losses)
    return found


MAX_ALONE = 64
"""The most rows that are asked alone."""

TOLERANCE = 1e-3
"""How far a probability may move by rounding when a row is alone."""


def _lonely(inference: Inference, x: np.ndarray, y: np.ndarray) -> tuple[int, int]:
    """How many rows are answered otherwise when they are alone, and how many were asked."""
    x, y = x[:MAX_ALONE], y[:MAX_ALONE]
    together = np.concatenate([outputs for *_, outputs in inference.answers(inference.others, x, y)])
    singles = [
        outputs
        for row in range(len(y))
        for *_, outputs in inference.answers(inference.others, x[row : row + 1], y[row : row + 1])
    ]
    moved = np.abs(np.concatenate(singles) - together).max(axis=-1) > TOLERANCE
    return int(moved.sum()), len(y)
