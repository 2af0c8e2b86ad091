"""Adding seeds until an interval excludes 0, where the true difference is 0.

Run it by itself with `python -m benchmarks.calibration.seeds` in the root of the repository (half a minute).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bncli.analysis.seeds import always_valid_interval
from bncli.analysis.statistics import bootstrap_interval
from bncli.claims.power import seeds_for

if TYPE_CHECKING:
    import numpy as np

N_STUDIES = 600


def ever_excluded(differences: np.ndarray, looks: Iterable[int], interval_of) -> float:
    """Return the share of studies whose interval excludes 0 at any look.

    Args:
        differences: One row per study, one column per seed.
        looks: The numbers of seeds at which someone looks.
        interval_of: The interval of some differences.
    """
    ends = ((interval_of(row[:n]) for n in looks) for row in differences)
    return sum(any(low > 0 or high < 0 for low, high in found) for found in ends) / len(differences)


def rows() -> list[dict[str, str]]:
    """Return the table: case, what is wanted, before and now."""
    import numpy as np

    rng = np.random.default_rng(0)
    size = (N_STUDIES, 40)
    samples = {
        "normal": rng.normal(size=size),
        "heavy-tailed (t, 3 degrees of freedom)": rng.standard_t(3, size=size),
        "two-valued": rng.choice([-1.0, 1.0], size=size),
        "exponential": rng.exponential(size=size) - 1,
    }
    looks = {"every 5 seeds up to 30": range(5, 31, 5), "every 2 seeds from 6 to 40": range(6, 41, 2)}
    found = [
        {
            "case": f"{name} differences without effect, a look {when}: 0 is excluded at least once",
            "wanted": "at most 5%",
            "before": f"{ever_excluded(sample, numbers, bootstrap_interval):.1%}",
            "now": f"{ever_excluded(sample, numbers, always_valid_interval):.1%}",
        }
        for name, sample in samples.items()
        for when, numbers in looks.items()
    ]
    return [*found, *_power()]


def _power() -> list[dict[str, str]]:
    """How often a new study of the number of seeds that `bncli verify` advises shows the effect that it is about."""
    import numpy as np

    found = []
    for effect in (0.5, 1.0):
        rng = np.random.default_rng(1)
        needed = seeds_for(effect, rng.normal(size=100_000))
        shown = ever_excluded(rng.normal(effect, 1, (N_STUDIES, needed)), [needed], bootstrap_interval)
        case = f"an effect of {effect:g} standard deviations in a new study of the advised {needed} seeds: it is shown"
        found.append({"case": case, "wanted": "80%", "before": "none", "now": f"{shown:.1%}"})
    return found


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row.values()))
