"""How much of the variance of a score or a difference lies between draws of the data, and how much between seeds.

A study with the axis `data_seed` trains every seed on every draw: two crossed random effects and a rest, with one value
for each pair. Their variances are estimated by analysis of variance (method of moments). The share of the draws is the
intraclass correlation ICC(2,1) of Shrout and Fleiss (1979), Psychological Bulletin 86, 420-428, with draws as targets
and seeds as judges. Where the data follows the seed (`vary_data`), the two can't be told apart.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from bncli.analysis.grid import Cell, distinct_cells
from bncli.analysis.pairs import final_values
from bncli.analysis.tables import Conditions, Results
from bncli.study.study import Condition

if TYPE_CHECKING:
    import numpy as np


AXIS = "data_seed"
"""The axis whose values are draws of the data."""

MIN_DRAWS, MIN_SEEDS = 3, 2


class Share(NamedTuple):
    """The share of the variance that lies between draws of the data.

    Attributes:
        value: The share, from 0 to 1.
        low: The lower end of its 95 % interval.
        high: The upper end.
        n_draws: The number of draws.
        n_seeds: The number of seeds on each of them.
    """

    value: float
    low: float
    high: float
    n_draws: int
    n_seeds: int


def draw_share(values: np.ndarray) -> Share | None:
    """Estimate which share of the variance of single values lies between draws of the data.

    The interval is that of McGraw and Wong (1996), Psychological Methods 1, 30-46, for ICC(A,1).

    Args:
        values: Shape (draws, seeds), without nan.

    Returns:
        The share; None below `MIN_DRAWS` draws or `MIN_SEEDS` seeds, or if all values are equal.

    >>> import numpy as np
    >>> share = draw_share(np.array([[0.1, 0.2], [0.5, 0.6], [0.9, 1.0]]))
    >>> round(share.value, 3)
    0.97
    """
    import numpy as np

    n, k = values.shape
    if n < MIN_DRAWS or k < MIN_SEEDS or np.ptp(values) == 0:
        return None
    by_draw, by_seed, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    of_draws = k * by_draw.var(ddof=1)
    of_seeds = n * by_seed.var(ddof=1)
    rest = float(((values - by_draw[:, None] - by_seed + mean) ** 2).sum() / ((n - 1) * (k - 1)))
    components = [max(0.0, component) for component in ((of_draws - rest) / k, (of_seeds - rest) / n, rest)]
    share = float(components[0] / sum(components))
    return Share(share, *_interval(share, of_draws, of_seeds, rest, n, k), n, k)


def _interval(share: float, of_draws: float, of_seeds: float, rest: float, n: int, k: int) -> tuple[float, float]:
    """The 95 % interval of a share, from the mean squares of draws, seeds and rest."""
    from scipy.special import fdtri

    if rest == 0:  # values that are sums of a number for the draw and one for the seed: they tell no spread
        return 0.0, 1.0
    a = k * share / (n * (1 - share))
    b = 1 + k * share * (n - 1) / (n * (1 - share))
    freedom = (a * of_seeds + b * rest) ** 2 / ((a * of_seeds) ** 2 / (k - 1) + (b * rest) ** 2 / ((n - 1) * (k - 1)))
    others = k * of_seeds + (k * n - k - n) * rest
    upper, lower = fdtri(n - 1, freedom, 0.975), fdtri(freedom, n - 1, 0.975)
    low = n * (of_draws - upper * rest) / (upper * others + n * of_draws)
    high = n * (lower * of_draws - rest) / (others + n * lower * of_draws)
    return (min(max(float(low), 0.0), share), max(min(float(high), 1.0), share))


def difference_shares(
    results: Results, conditions: Conditions, metric: str, baseline: str | None = None
) -> dict[Condition, Share]:
    """Return the share of the variance of paired differences that lies between draws of the data.

    There is one for every arm and point of the other axes, over the seeds that have a value on every draw.

    Args:
        results: The runs of a study with the axis `data_seed`.
        conditions: The condition of each.
        metric: What is compared.
        baseline: The label of the baseline; the first arm if None.
    """
    import numpy as np

    draws: dict[Condition, list[dict[int, float]]] = {}
    for cell in distinct_cells(results, conditions, baseline):
        if not cell.is_baseline:
            others = tuple(pair for pair in cell.condition.values if pair[0] != AXIS)
            draws.setdefault(Condition(cell.condition.arm, others), []).append(_differences(cell, metric))
    shares: dict[Condition, Share] = {}
    for condition, by_draw in draws.items():
        seeds = [seed for seed in by_draw[0] if all(seed in found for found in by_draw)]
        share = draw_share(np.array([[found[seed] for seed in seeds] for found in by_draw]))
        shares |= {condition: share} if share else {}
    return shares


def _differences(cell: Cell, metric: str) -> dict[int, float]:
    """An arm's final values minus the baseline's by seed, where both are known."""
    values, others = final_values(cell.runs, metric), final_values(cell.baseline_runs, metric)
    found = {seed: value - others[seed] for seed, value in values.items() if seed in others}
    return {seed: value for seed, value in found.items() if not math.isnan(value)}
