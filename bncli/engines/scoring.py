"""The metrics of trained runs, which both engines measure in inference mode after the last epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from bncli.tasks.scores import Tally
from bncli.values import finite

Scores = dict[str, np.ndarray]
"""Metric to one value per run, shape (runs,)."""


def scores_of_parts(
    parts: Iterable[str], score: Callable[[str, Tally | None], tuple[np.ndarray, np.ndarray]]
) -> Scores:
    """Return the metrics of every part of the data.

    Args:
        parts: Names of parts, see `Dataset.parts`.
        score: A function of a part and a tally, which gets the predicted probabilities, that returns mean loss and
            accuracy, shape (runs,) each. Of the training part there are no other metrics, and the tally is None.
    """
    found: Scores = {}
    for part in parts:
        tally = None if part == "train" else Tally()
        loss, accuracy = score(part, tally)
        found |= {f"{part}_loss": loss, f"{part}_accuracy": accuracy}
        found |= {f"{part}_{name}": values for name, values in (tally.scores() if tally else {}).items()}
    return found


def of_run(scores: Mapping[str, np.ndarray], index: int) -> dict[str, float | None]:
    """Return the metrics of one run; None for a value that is not finite."""
    return {name: finite(float(values[index])) for name, values in scores.items()}
