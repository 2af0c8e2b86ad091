"""Two arms that are equal at their best learning rates, and ranges of rates at which runs learn.

Run it by itself with `python -m benchmarks.calibration.rates` in the root of the repository (half a minute).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.calibration.studies import study_of_rates, table_of_values
from bncli.analysis.rates import TOLERATED, lr_table
from bncli.analysis.statistics import bootstrap_interval

if TYPE_CHECKING:
    import numpy as np

RATES = tuple(10.0**-power for power in range(7, -1, -1))
N_STUDIES = 300
SD = 0.01

Found = tuple[float, float, float]
"""A difference with both ends of its interval."""


def at_the_best_of_all_seeds(values: np.ndarray) -> Found:
    """The former difference: each arm at the rate with the best mean over the same seeds.

    Args:
        values: Final values by arm (baseline first), rate and seed.
    """
    baseline, arm = (side[side.mean(axis=1).argmax()] for side in values)
    return float((arm - baseline).mean()), *bootstrap_interval(arm - baseline)


def cross_fitted(values: np.ndarray) -> Found:
    """The difference of `lr_table`."""
    plan = study_of_rates("none,batch:before", RATES, values.shape[2])
    value = lambda config: values[int(config.norm != "none"), RATES.index(config.lr), config.seed]  # noqa: E731
    return tuple(table_of_values(lr_table, plan, value).iloc[1][["difference", "low", "high"]])


def _bias_and_size(n_seeds: int, level: float, function) -> str:
    import numpy as np

    rng = np.random.default_rng(n_seeds)
    found = []
    for _ in range(N_STUDIES):
        values = 0.8 + rng.normal(0, SD, (2, len(RATES), n_seeds))
        values[0, 1:] -= level
        found.append(function(values))
    mean, low, high = np.array(found).T
    return f"{mean.mean():+.4f}, {np.mean(low > 0):.1%}, {np.mean(high < 0):.1%}"


def _tolerated(n_seeds: int, share: float) -> float:
    """The probability that a rate is tolerated at which 95 % of all seeds learn."""
    import numpy as np
    from scipy.special import bdtrc

    least = int(np.floor(n_seeds * TOLERATED)) if share == TOLERATED else int(np.ceil(n_seeds * share)) - 1
    return float(bdtrc(least, n_seeds, 0.95))


def rows() -> list[dict[str, str]]:
    """Return the table: case, what is wanted, before and now."""
    best = [
        {
            "case": f"8 equal rates against {against}, n = {n}: bias, intervals above 0, below 0",
            "wanted": "0, at most 2.5% each",
            "before": _bias_and_size(n, level, at_the_best_of_all_seeds),
            "now": _bias_and_size(n, level, cross_fitted),
        }
        for against, level in (("1 good one", 0.2), ("8 equal rates", 0.0))
        for n in (3, 5, 10, 30)
    ]
    tolerated = [
        {
            "case": f"95% of all seeds learn at a rate, n = {n}: it is tolerated",
            "wanted": "the same for every n",
            "before": f"{_tolerated(n, 0.9):.1%}",
            "now": f"{_tolerated(n, TOLERATED):.1%}",
        }
        for n in (3, 5, 9, 10, 30)
    ]
    return best + tolerated


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row.values()))
