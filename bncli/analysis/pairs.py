"""Values of two arms, paired by seed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bncli.analysis.statistics import known_values
from bncli.analysis.tables import Runs

if TYPE_CHECKING:
    import numpy as np


def final_values(runs: Runs, metric: str) -> dict[int, float]:
    """Return the final value of a metric by seed; nan if a run has none (a loss after it diverged)."""
    found = {seed: result.metrics.get(metric) for seed, result in runs.items()}
    return {seed: math.nan if value is None else value for seed, value in found.items()}


def paired_values(values: Mapping[int, float], others: Mapping[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of the seeds that both sides have, in the same order."""
    import numpy as np

    seeds = [seed for seed in values if seed in others]
    return np.array([values[seed] for seed in seeds]), np.array([others[seed] for seed in seeds])


def paired_differences(runs: Runs, baseline_runs: Runs, metric: str) -> np.ndarray:
    """Return final values minus the baseline's, for the seeds for which both are known."""
    values, others = paired_values(final_values(runs, metric), final_values(baseline_runs, metric))
    return known_values(values - others)
