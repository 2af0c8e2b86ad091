"""Which runs learned, alone and in pairs: where some do and some don't, a mean over all of them says little."""

from __future__ import annotations

from typing import NamedTuple

from bncli.analysis.pairs import Differences, paired_differences
from bncli.analysis.runs import Trivial, has_learned
from bncli.analysis.tables import Runs


class LearnedPairs(NamedTuple):
    """In how many pairs of an arm and the baseline which side learned.

    Attributes:
        n: How many pairs there are.
        arm: In how many the arm learned.
        baseline: In how many the baseline learned.
        both: In how many both did.
        differences: The differences of the metric in these, arm minus baseline.
    """

    n: int
    arm: int
    baseline: int
    both: int
    differences: Differences

    @property
    def is_mixed(self) -> bool:
        """Whether the arm or the baseline learned in some pairs and not in others."""
        return 0 < self.arm < self.n or 0 < self.baseline < self.n


def learned_pairs(runs: Runs, baseline_runs: Runs, metric: str, trivial: Trivial) -> LearnedPairs:
    """Count the pairs in which an arm and the baseline learned, see `has_learned`.

    Args:
        runs: The runs of the arm.
        baseline_runs: Those of the baseline.
        metric: What is compared.
        trivial: What the best constant answer scores.
    """
    seeds = [seed for seed in runs if seed in baseline_runs]
    arm, baseline = (
        {seed for seed in seeds if has_learned(side[seed], trivial, metric)} for side in (runs, baseline_runs)
    )
    both = {seed: runs[seed] for seed in seeds if seed in arm & baseline}
    differences = paired_differences(both, baseline_runs, metric)
    return LearnedPairs(len(seeds), len(arm), len(baseline), len(both), differences)
