"""Hit epochs when both arms have the same mean curve and one is noisier: the speed-up should be 1.

Run it by itself with `python -m benchmarks.calibration.hits` in the root of the repository (half a minute).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from bncli.analysis.hits import gain_level, hit_epochs
from bncli.analysis.statistics import bootstrap_interval

if TYPE_CHECKING:
    import numpy as np

METRIC = "val_accuracy"
TRIVIAL = 0.1
N_STUDIES = 100
SEED_SPREAD = 0.003
"""Standard deviation of what a seed shifts in the curves of both arms."""

NOISE = {
    "0.002 and 0.002": (0.002, 0.002),
    "0.002 and 0.005": (0.002, 0.005),
    "0.002 and 0.010": (0.002, 0.01),
    "0.010 and 0.025": (0.01, 0.025),
}

Sides = tuple["np.ndarray", "np.ndarray"]
"""The curves of the baseline and of the arm, shape (seeds, epochs), or their hit epochs."""


def curves() -> dict[str, np.ndarray]:
    """Return mean curves by name: accuracy by epoch."""
    import numpy as np

    epochs = np.arange(1, 61)
    return {
        "plateau": 0.97 - 0.87 * np.exp(-epochs / 5),
        "slow plateau": 0.97 - 0.87 * np.exp(-epochs / 12),
        "still rising": 0.97 - 0.87 * np.exp(-epochs / 30),
        "jump in epoch 3": np.where(epochs < 3, 0.3, 0.97),
        "falls back": 0.97 - 0.87 * np.exp(-epochs / 4) - 0.4 * np.clip((epochs - 20) / 40, 0, 1),
        "three epochs": np.array([0.5, 0.9, 0.96]),
    }


def first_past_best(baseline: np.ndarray, arm: np.ndarray) -> Sides:
    """The former definition: the first epoch at or past the best of the baseline's mean curve."""
    import numpy as np

    level = baseline.mean(axis=0).max()
    hits = [
        np.where((runs >= level).any(axis=1), (runs >= level).argmax(axis=1) + 1.0, math.inf)
        for runs in (baseline, arm)
    ]
    return hits[0], hits[1]


def on_average(baseline: np.ndarray, arm: np.ndarray) -> Sides:
    """The present definition, see `bncli.analysis.hits`."""
    import numpy as np

    sides: list[Any] = [
        {seed: SimpleNamespace(history={METRIC: run.tolist()}) for seed, run in enumerate(runs)}
        for runs in (baseline, arm)
    ]
    level = gain_level(sides[0], METRIC, TRIVIAL)
    hits = [np.array(list(hit_epochs(runs, METRIC, level).values())) for runs in sides]
    return hits[0], hits[1]


def speed_ups(
    curve: np.ndarray, noises: tuple[float, float], n: int, hits_of: Callable[..., Sides]
) -> tuple[float, float, float]:
    """Return the median speed-up of studies, and the shares of intervals without 1 and of baselines that never hit."""
    import numpy as np

    rng = np.random.default_rng(n)
    ratios, n_excluded, n_never = [], 0, 0
    for _ in range(N_STUDIES):
        shift = rng.normal(0, SEED_SPREAD, (n, 1))
        baseline, arm = (curve + shift + rng.normal(0, noise, (n, len(curve))) for noise in noises)
        baseline_hits, hits = hits_of(baseline, arm)
        n_never += math.isinf(np.median(baseline_hits))
        known = np.isfinite(baseline_hits) | np.isfinite(hits)
        ratio = baseline_hits[known] / hits[known]
        low, high = bootstrap_interval(ratio, "median")
        n_excluded += low > 1 or high < 1
        ratios.append(np.median(ratio) if known.any() else math.nan)
    return float(np.nanmedian(ratios)), n_excluded / N_STUDIES, n_never / N_STUDIES


def rows() -> list[dict[str, str]]:
    """Return the table: case, what is wanted, before and now."""
    noises = [*((noise, 10) for noise in NOISE), ("0.002 and 0.010", 5), ("0.002 and 0.010", 30)]
    return [_row(name, noise, n) for name in curves() for noise, n in noises]


def _row(name: str, noise: str, n: int) -> dict[str, str]:
    found = [speed_ups(curves()[name], NOISE[noise], n, hits_of) for hits_of in (first_past_best, on_average)]
    before, now = (
        f"{ratio:.2f}, {excluded:.0%}" + (f", baseline never in {never:.0%}" if never else "")
        for ratio, excluded, never in found
    )
    return {
        "case": f"{name}, epoch noise of baseline and arm {noise}, n = {n}: speed-up, intervals that exclude 1",
        "wanted": "0.98 to 1.02, at most 5%",
        "before": before,
        "now": now,
    }


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row.values()))
