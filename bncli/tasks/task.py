"""The tasks: what a network is trained to tell, by which loss, and how well it does."""

from __future__ import annotations

from dataclasses import dataclass

CLASSIFICATION, REGRESSION = "classification", "regression"


@dataclass(frozen=True)
class Task:
    """What a network is trained to tell about a row.

    Attributes:
        about: One line that says what it is.
        score: The score that is known after every epoch, beside the loss; arms are compared by it.
        losses: The losses that fit, under Keras' names; the first one is that of a run that does not say.
    """

    about: str
    score: str
    losses: tuple[str, ...]


TASKS = {
    CLASSIFICATION: Task("The class of a row.", "accuracy", ("crossentropy", "focal_crossentropy")),
    REGRESSION: Task("A quantity.", "r2", ("mse", "mae", "huber", "log_cosh")),
}
"""The tasks by name."""

BALANCED = "balanced_accuracy"
"""The score in place of the accuracy where some classes are rare."""

LOSSES = tuple(loss for task in TASKS.values() for loss in task.losses)

LOSS_ALIASES = {
    "categorical_crossentropy": "crossentropy",
    "sparse_categorical_crossentropy": "crossentropy",
    "binary_crossentropy": "crossentropy",
    "categorical_focal_crossentropy": "focal_crossentropy",
    "binary_focal_crossentropy": "focal_crossentropy",
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
    "logcosh": "log_cosh",
}
"""Keras' longer names of losses; which cross-entropy it is, the number of outputs tells."""

ONE_QUANTITY = 1
"""What stands for the number of classes in regression, whose networks have one output; classes are at least two."""
