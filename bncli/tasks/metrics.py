"""The metrics: which values are better, what counts as reaching a level, and as having learned.

A metric is a score, or the loss, of one part of the data, under the name that Keras would give it: `val_accuracy`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bncli.registry import check_name
from bncli.tasks.probes import PROBES
from bncli.tasks.scores import SCORES
from bncli.tasks.task import BALANCED, CLASSIFICATION, TASKS


@dataclass(frozen=True)
class Metric:
    """What a run is scored by.

    Attributes:
        label: The metric's name in figures and sentences.
        score: The score, a key of `scores.SCORES`; or `loss`, or `probe`.
        part: The part of the data: `val`, `test`, `train`, or `fit` for the training rows as `fit` reports them; empty
            for a probe.
        lower_is_better: Whether smaller values are better.
        lowest: The smallest value that it can have.
        highest: The largest one.
        is_main: Whether tables of single runs have a column for it.
        has_direction: Whether one of two values is better. Of what probes see, none is.
    """

    label: str
    score: str
    part: str
    lower_is_better: bool = False
    lowest: float = 0.0
    highest: float = math.inf
    is_main: bool = False
    has_direction: bool = True

    @property
    def perfect(self) -> float:
        """The best value that it can have."""
        return self.lowest if self.lower_is_better else self.highest

    @property
    def is_share(self) -> bool:
        """Whether it is a share of the way to a perfect 1: then differences in it mean the same on all data."""
        return self.highest == 1


POPULATION = "population_"
"""Begins the names of metrics that are measured with population statistics in place of moving ones."""

_PARTS = {
    "val": "validation {}",
    "test": "test {}",
    "train": "training {} (inference mode)",
    "fit": "training {} (as fit reports it)",
}

_TASK_SCORES = tuple(task.score for task in TASKS.values())
"""The scores that are known of every part, and after every epoch."""


def _metric(score: str, part: str) -> Metric:
    if score == "loss":
        return Metric(_PARTS[part].format("loss"), score, part, lower_is_better=True, is_main=part != "train")
    known = SCORES[score]
    limits = {name: getattr(known, name) for name in ("lower_is_better", "lowest", "highest")}
    return Metric(_PARTS[part].format(known.label), score, part, **limits, is_main=score in (*_TASK_SCORES, BALANCED))


def _named(scores: tuple[str, ...], parts: tuple[str, ...]) -> dict[str, Metric]:
    """The metrics of some scores of some parts, by Keras' names."""
    return {score if part == "fit" else f"{part}_{score}": _metric(score, part) for score in scores for part in parts}


_OTHER_SCORES = tuple(name for name in SCORES if name not in _TASK_SCORES)

_MOVING = {
    **_named((*_TASK_SCORES, "loss"), tuple(_PARTS)),
    **_named(_OTHER_SCORES, ("val", "test")),
}

_POPULATION = {
    f"{POPULATION}{name}": replace(metric, label=f"{metric.label} with population statistics", is_main=False)
    for name, metric in _MOVING.items()
    if metric.part != "fit"
}

PROBE = "probe_"
"""Begins the names of metrics that probes measure: the mean over layers at the end of the training."""

_PROBED = {
    f"{PROBE}{name}": Metric(f"{probe.label} (mean over layers)", "probe", "", lowest=-math.inf, has_direction=False)
    for name, probe in PROBES.items()
}

METRICS = _MOVING | _POPULATION | _PROBED
"""All metrics under Keras' names, in the order of tables. All but those of part `fit` are measured in inference mode:
after the last epoch, and those of `HISTORY_METRICS` after every epoch. Labels are smoothed in `loss` only. A run
without a test part has no test metrics, and a run has the metrics of its own task."""


def population_of(metric: str) -> str | None:
    """Return the metric that measures the same with population statistics; None if there is none.

    >>> population_of("val_accuracy"), population_of("loss")
    ('population_val_accuracy', None)
    """
    name = f"{POPULATION}{metric}"
    return name if name in METRICS else None


def default_of(score: str, part: str = "val") -> str:
    """Return the metric that ranks arms by a score unless the user names another.

    >>> default_of("accuracy"), default_of("r2", "test")
    ('val_accuracy', 'test_r2')
    """
    return f"{part}_{score}"


DEFAULT = default_of(TASKS[CLASSIFICATION].score)
"""The metric that ranks arms of classifiers unless the user names another, or classes are rare."""


def history_metrics(score: str) -> tuple[str, ...]:
    """Return the metrics that are known after every epoch, in the order of a record.

    Args:
        score: The score by which arms are compared.

    >>> history_metrics("accuracy")
    ('loss', 'accuracy', 'val_loss', 'val_accuracy')
    >>> history_metrics("balanced_accuracy")[-2:]
    ('val_accuracy', 'val_balanced_accuracy')
    """
    of_task = TASKS[SCORES[score].task].score
    more = () if score == of_task else (f"val_{score}",)
    return ("loss", of_task, "val_loss", f"val_{of_task}", *more)


COMPARED_SCORES = (*(task.score for task in TASKS.values()), BALANCED)
"""The scores by which arms are compared unless the user names a metric."""

HISTORY_METRICS = tuple(dict.fromkeys(name for score in COMPARED_SCORES for name in history_metrics(score)))
"""The metrics that are known after every epoch, of all tasks."""

TOLERANCE = 1e-6
"""Relative difference up to which two values of a metric count as equal: they are computed in float32."""


def lower_is_better(metric: str) -> bool:
    """Return whether smaller values of a metric are better.

    Raises:
        UnknownName: There is no such metric.

    >>> lower_is_better("val_loss")
    True
    """
    check_name("metric", metric, METRICS)
    return METRICS[metric].lower_is_better


def best_epoch(metric: str, values: list[float | None]) -> dict[str, float | int] | None:
    """Find the best value in a history and the first epoch that has it.

    Args:
        metric: The metric, which decides whether small or large values are better.
        values: One value per epoch; None where it was not finite.

    Returns:
        The `value` and its `epoch`, counted from 1; None if no value is finite.

    >>> best_epoch("val_accuracy", [0.5, 0.9, None, 0.9])
    {'value': 0.9, 'epoch': 2}
    """
    sign = 1 if lower_is_better(metric) else -1
    ranked = [(sign * value, epoch, value) for epoch, value in enumerate(values, 1) if value is not None]
    if not ranked:
        return None
    _, epoch, value = min(ranked)
    return {"value": value, "epoch": epoch}


def reaches(metric: str, value: float | None, threshold: float) -> bool:
    """Return whether a value is as good as the threshold or better, up to rounding; None never is.

    >>> reaches("val_accuracy", 0.9, 0.9), reaches("val_loss", 0.9, 0.5)
    (True, False)
    """
    if value is None:
        return False
    lead = threshold - value if lower_is_better(metric) else value - threshold
    return lead >= -TOLERANCE * abs(threshold)


def least_learned(trivial: float, metric: str = DEFAULT) -> float:
    """Return the value that a run must exceed to count as having learned; for a loss, stay below.

    Args:
        trivial: What the best constant answer scores.
        metric: The metric.

    >>> least_learned(0.5), least_learned(0.0, "val_r2")
    (0.6, 0.05)
    """
    known = METRICS[metric]
    return trivial + SCORES[known.score].learned * (known.perfect - trivial)
