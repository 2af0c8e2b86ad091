"""Re-estimate the statistics of a saved model's batch normalizations on the training rows of data.

Moving averages lag behind the weights, and follow dropout that inference doesn't have (Li et al. 2018, "Understanding
the disharmony between dropout and batch normalization by variance shift", arXiv 1801.05134). Population statistics
under the final weights do neither (Wu and Johnson 2021, arXiv 2105.07576).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bncli.backend import keras
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.data.dataset import Dataset
from bncli.diagnosis.layers import Statistics, statistics_by_layer
from bncli.diagnosis.readings import thawed, whole_batches
from bncli.engines.criterion import Criterion
from bncli.engines.inference import Inference
from bncli.errors import InvalidConfig, shown
from bncli.networks.archive import Change, changes
from bncli.networks.file import FileNetwork
from bncli.networks.outputs import with_probabilities
from bncli.networks.own import batch_norms
from bncli.tasks.task import CLASSIFICATION, REGRESSION, TASKS

if TYPE_CHECKING:
    from bncli.engines.updates import Tensors

STEP = 10**0.5
"""By which factor the numbers of rows grow from point to point: 32, 100, 320, 1,000, ..."""


@dataclass(frozen=True)
class Score:
    """How a network answers the rows of a part of the data: accuracy, or R², and mean loss."""

    score: float
    loss: float


@dataclass(frozen=True)
class Point:
    """How validation rows are answered with the statistics of the first `n_rows` shuffled training rows."""

    n_rows: int
    score: Score


@dataclass(frozen=True)
class Recalibration:
    """New statistics of the batch normalizations of a network, and what they change.

    Attributes:
        statistics: Mean and variance of each, by its `id`.
        before: How the network answers each part of the data with its own statistics.
        after: The same with the new ones.
        curve: How it answers validation rows with the statistics of fewer rows; all of them at the end.
        n_val: The number of validation rows.
        score_name: What scores are, a key of `tasks.scores.SCORES`.
    """

    statistics: dict[int, Statistics]
    before: dict[str, Score]
    after: dict[str, Score]
    curve: list[Point]
    n_val: int
    score_name: str = TASKS[CLASSIFICATION].score

    @property
    def n_rows(self) -> int:
        """The training rows that the statistics are of: those in whole batches."""
        return self.curve[-1].n_rows

    @property
    def error(self) -> float:
        """The standard error of the validation score with all rows.

        That of an accuracy is taken as if two more rows were right and two wrong, which keep it above 0 where all are
        right (Agresti and Coull 1998). That of R² is the one of large samples (Olkin and Finn 1995).
        """
        score = self.after["val"].score
        if self.score_name == TASKS[REGRESSION].score:
            return float(2 * (1 - score) * (max(score, 0.0) / self.n_val) ** 0.5)
        share = (score * self.n_val + 2) / (self.n_val + 4)
        return float((share * (1 - share) / (self.n_val + 4)) ** 0.5)

    @property
    def n_enough(self) -> int:
        """The fewest rows from which on the validation score is within one standard error of that with all rows."""
        last, n_enough = self.after["val"].score, self.n_rows
        for point in reversed(self.curve):
            if abs(point.score.score - last) > self.error:
                break
            n_enough = point.n_rows
        return n_enough


def saved_model(network: FileNetwork, config: RunConfig) -> keras.Model:
    """Return the model in a file as it is, if it fits the data of a run and has a batch normalization.

    Raises:
        BncliError: The model or the data can't be loaded, they don't fit each other, or there is none.
    """
    data = datasets.load(config)
    network.build(config, data.input_shape, data.n_classes, config.seed)
    model = network.original()
    if not batch_norms(model):
        raise InvalidConfig(
            f"model {shown(config.model)} has no batch normalization, and so no statistics that could be estimated."
        )
    return model


def recalibrate_file(network: FileNetwork, config: RunConfig) -> tuple[Recalibration, list[Change]]:
    """Estimate new statistics for the saved model of a run on the training rows of its data.

    Args:
        network: The network of the file.
        config: The run; its `batch_size` is that of the estimation.

    Returns:
        The statistics, and what they change in the file.

    Raises:
        BncliError: See `saved_model` and `recalibrate`.
    """
    model, data = saved_model(network, config), datasets.load(config)
    answering = model if data.task == REGRESSION else with_probabilities(model, data.input_shape)
    found = recalibrate(answering, data, config.batch_size)
    return found, changes(model, found.statistics)


def recalibrate(model: keras.Model, dataset: Dataset, batch_size: int) -> Recalibration:
    """Estimate population statistics of all batch normalizations, frozen ones too, over whole shuffled batches.

    Only they are in training mode: dropout, noise and augmentation are off.

    Args:
        model: A model with batch normalizations, whose outputs are probabilities; left as it is.
        dataset: The data, scaled as the model needs it.
        batch_size: Samples per batch; all training rows if there are fewer.

    Raises:
        InvalidConfig: Statistics are not finite.
    """
    batches = whole_batches(len(dataset.y_train), batch_size)
    size = batches.shape[-1]
    with thawed(model):
        inference = Inference(model, dataset, Criterion(dataset.task))
        estimate = inference.estimator(batches, quiet=True)
        before = _scores(inference, inference.others, dataset)
        curve = [_point(inference, estimate, count, size, dataset) for count in _counts(len(batches), size)]
        others = estimate(len(batches))
        after = _scores(inference, others, dataset)
        statistics = statistics_by_layer(model, others)
    _check_finite(model, statistics)
    curve.append(Point(len(batches) * size, after["val"]))
    return Recalibration(statistics, before, after, curve, len(dataset.y_val), TASKS[dataset.task].score)


def _counts(n_batches: int, size: int) -> list[int]:
    """The numbers of batches, fewer than all, that the curve has points at.

    >>> [count * 32 for count in _counts(44, 32)]
    [32, 96, 320, 1024]
    """
    counts, n_rows = [], 32.0
    while (count := max(1, round(n_rows / size))) < n_batches:
        counts.append(count)
        n_rows *= STEP
    return sorted(set(counts))


def _scores(inference: Inference, others: Tensors, dataset: Dataset, parts: Sequence[str] = ()) -> dict[str, Score]:
    """How parts of the data are answered; all parts if none is named."""
    chosen = {part: rows for part, rows in dataset.parts.items() if part in (parts or dataset.parts)}
    found = inference.score(others, chosen)
    return {part: Score(float(scored.score[0]), float(scored.loss[0])) for part, scored in found.items()}


def _point(inference: Inference, estimate: Callable[[int], Tensors], count: int, size: int, dataset: Dataset) -> Point:
    return Point(count * size, _scores(inference, estimate(count), dataset, ["val"])["val"])


def _check_finite(model: keras.Model, statistics: Mapping[int, Statistics]) -> None:
    """Raise an error for statistics that are not finite."""
    import numpy as np

    for layer in batch_norms(model):
        if not np.isfinite(statistics[id(layer)]).all():
            raise InvalidConfig(
                f"The statistics of layer {layer.name!r} are not finite for these rows. bncli diagnose FILE.keras says "
                "which weights are not finite; else check how the rows are scaled."
            )
