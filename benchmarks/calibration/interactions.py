"""Interactions that are known: three arms at three rates, where one arm's lead changes along the axis or not.

Run it by itself with `python -m benchmarks.calibration.interactions` in the root of the repository (half a minute).
"""

from __future__ import annotations

from benchmarks.calibration.studies import study_of_rates, table_of_values
from bncli.analysis.interactions import interactions_table

ARMS, RATES = "none,batch:before,layer:before", (0.001, 0.01, 0.1)
N_STUDIES = 300
SD = 0.01
"""Standard deviation of the final value of a run; what all runs of a seed share has one of 0.03."""


def found_and_covered(change: float, n_seeds: int) -> tuple[float, float]:
    """Return how often any of the contrasts is significant, and how often the first one's interval covers the truth.

    Args:
        change: By how much the lead of the first arm changes from the first rate to the second.
        n_seeds: Seeds of each study.
    """
    import numpy as np

    plan, rng, n_found, n_covered = study_of_rates(ARMS, RATES, n_seeds), np.random.default_rng(n_seeds), 0, 0
    for _ in range(N_STUDIES):
        shared, noise = rng.normal(0, 0.03, n_seeds), rng.normal(0, SD, (3, 3, n_seeds))

        def value(config, shared=shared, noise=noise):
            arm, rate = ("none", "batch", "layer").index(config.norm), RATES.index(config.lr)
            lead = 0.05 * arm + change * (arm == 1 and rate > 0)
            return 0.6 + shared[config.seed] + noise[arm, rate, config.seed] + lead - 0.02 * rate

        table = table_of_values(interactions_table, plan, value)
        n_found += bool((table["p_holm"] < 0.05).any())
        n_covered += table.loc[0, "low"] <= change <= table.loc[0, "high"]
    return n_found / N_STUDIES, n_covered / N_STUDIES


def rows() -> list[dict[str, str]]:
    """Return the table: case, what is wanted, before and now."""
    cases = [(0.0, 6, "at most 5%"), (0.0, 10, "at most 5%"), (0.03, 10, "most")]
    return [
        {
            "case": f"change {change:g}, sd {SD:g}, n = {n}: studies with a significant contrast (of 6), coverage",
            "wanted": f"{wanted}, 95%",
            "before": "none",
            "now": "{:.1%}, {:.1%}".format(*found_and_covered(change, n)),
        }
        for change, n, wanted in cases
    ]


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row.values()))
