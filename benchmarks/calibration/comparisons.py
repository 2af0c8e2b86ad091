"""Comparisons of two arms whose truth is known: sizes of tests, coverage of intervals, bias of effect sizes.

Run it by itself with `python -m benchmarks.calibration.comparisons` in the root of the repository (half a minute).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bncli.analysis.comparisons import known_interval
from bncli.analysis.effects import hedges_g, wilson_interval
from bncli.analysis.learning import LearnedPairs
from bncli.analysis.pairs import Differences
from bncli.analysis.statistics import bootstrap_interval, holm, sign_flip_test
from bncli.analysis.verdicts import (
    SIGNIFICANT,
    UNDECIDED,
    finding_of,
    finding_where_some_learned,
    is_equivalent,
    verdict_of,
)

if TYPE_CHECKING:
    import numpy as np

METRIC = "val_accuracy"
N_STUDIES = 600
DEAD, ALIVE, SD = 0.1, 0.97, 0.005
"""Accuracy of a run that did not learn, and mean and standard deviation of that of the others."""

FLOOR = 1e-4
"""The smallest p-value that 9,999 random flips of signs can show, as they did beyond 16 pairs."""

Row = dict[str, str]


def rows() -> list[Row]:
    """Return the table: case, what is wanted, before and now."""
    return [
        *_sizes(),
        *_medium_effects(),
        *_unanimous_pairs(),
        *_effect_sizes(),
        *_dead_runs(),
        *_equivalence(),
        *_ties(),
    ]


def _row(case: str, wanted: str, before: str, now: str) -> Row:
    return {"case": case, "wanted": wanted, "before": before, "now": now}


def _differences(values: np.ndarray) -> Differences:
    return Differences(values, bootstrap_interval(values))


def _is_clear(values: np.ndarray) -> bool:
    """The former rule: the 95 % interval of the mean excludes 0."""
    low, high = bootstrap_interval(values)
    return low > 0 or high < 0


def _is_decided(values: np.ndarray) -> bool:
    """The present rule for a comparison that is alone in its study: better or worse."""
    finding = finding_of(_differences(values), METRIC)
    return verdict_of(finding, finding.p_value, equivalent=False) != UNDECIDED


def _sizes() -> Iterator[Row]:
    """No difference: how often it is called one."""
    import numpy as np

    for n in (3, 5, 6, 10, 17, 30):
        samples = np.random.default_rng(n).normal(0, 1, (N_STUDIES, n))
        before, now = (np.mean([rule(values) for values in samples]) for rule in (_is_clear, _is_decided))
        yield _row(f"no difference, n = {n}: called better or worse", "at most 5%", f"{before:.1%}", f"{now:.1%}")


def _medium_effects() -> Iterator[Row]:
    """A difference of 0.75 standard deviations: how often interval and test disagree in what decides."""
    import numpy as np

    for n in (5, 6, 10):
        samples = np.random.default_rng(n).normal(0.75, 1, (N_STUDIES, n))
        before = np.mean([_is_clear(values) and not sign_flip_test(values) < SIGNIFICANT for values in samples])
        now = np.mean([_is_decided(values) and not sign_flip_test(values) < SIGNIFICANT for values in samples])
        yield _row(f"0.75 sd, n = {n}: called better although p > 0.05", "0%", f"{before:.1%}", f"{now:.1%}")


def _unanimous_pairs() -> Iterator[Row]:
    """Thirty pairs that all agree, in studies with ever more comparisons: how many of these are significant."""
    import numpy as np

    p_value = sign_flip_test(np.random.default_rng(0).normal(20, 1, 30))
    for n_tests in (499, 500, 10_000):
        before, now = (sum(p < SIGNIFICANT for p in holm([p] * n_tests)) for p in (FLOOR, p_value))
        yield _row(f"30 unanimous pairs, {n_tests} comparisons: significant", f"{n_tests}", f"{before}", f"{now}")


def _effect_sizes() -> Iterator[Row]:
    """A difference of one standard deviation: Cohen's d (before) and Hedges' g, and the coverage of its interval."""
    import numpy as np

    for n in (3, 5, 10, 30):
        samples = np.random.default_rng(n).normal(1, 1, (2_000, n))
        d = np.mean(samples.mean(axis=1) / samples.std(axis=1, ddof=1))
        found = [hedges_g(values) for values in samples]
        g, covered = np.mean([size for size, _ in found]), np.mean([low <= 1 <= high for _, (low, high) in found])
        case = f"1 sd, n = {n}: mean effect size, coverage of its interval"
        yield _row(case, "1.00, 95%", f"{d:.2f}, none", f"{g:.2f}, {covered:.1%}")


def _accuracies(rng: np.random.Generator, share: float, n: int) -> np.ndarray:
    """Final accuracies of `n` runs of which a share did not learn."""
    import numpy as np

    return np.where(rng.random(n) < share, DEAD, rng.normal(ALIVE, SD, n))


def _decided_where_some_die(values: np.ndarray, others: np.ndarray) -> bool:
    """The present rule where both arms are alike but for the share of runs that learn."""
    learned, theirs = values > 0.5, others > 0.5
    both = learned & theirs
    among = _differences((values - others)[both])
    pairs = LearnedPairs(len(values), int(learned.sum()), int(theirs.sum()), int(both.sum()), among)
    if not pairs.is_mixed:
        return _is_decided(values - others)
    finding = finding_where_some_learned(pairs, METRIC)
    return verdict_of(finding, finding.p_value, equivalent=False) != UNDECIDED


def _dead_runs() -> Iterator[Row]:
    """A tenth of the runs at 0.10, the others at 0.97: coverage, and what equal arms are called."""
    import numpy as np

    mean = 0.1 * DEAD + 0.9 * ALIVE
    for n in (5, 6, 10, 30):
        rng = np.random.default_rng(n)
        samples = [_accuracies(rng, 0.1, n) for _ in range(N_STUDIES)]
        means = [bootstrap_interval(values) for values in samples]
        shares = [wilson_interval(int((values > 0.5).sum()), n) for values in samples]
        before = np.mean([low <= mean <= high for low, high in means])
        now = np.mean([low <= 0.9 <= high for low, high in shares])
        case = f"a tenth of the runs dies, n = {n}: coverage of the mean (before), of P(learn) (now)"
        yield _row(case, "95%", f"{before:.1%}", f"{now:.1%}")
        studies = [(_accuracies(rng, 0.1, n), _accuracies(rng, 0.1, n)) for _ in range(N_STUDIES)]
        before = np.mean([_is_clear(values - others) for values, others in studies])
        now = np.mean([_decided_where_some_die(values, others) for values, others in studies])
        case = f"a tenth of the runs of both arms dies, n = {n}: called better or worse"
        yield _row(case, "at most 5%", f"{before:.1%}", f"{now:.1%}")


def _equivalence() -> Iterator[Row]:
    """A margin of 0.01: how often equivalent if the difference is as large, and if there is none."""
    import numpy as np

    for n in (5, 10, 30):
        for mean, wanted in ((0.01, "at most 5%"), (0.0, "most")):
            samples = np.random.default_rng(n).normal(mean, 0.005, (N_STUDIES, n))
            now = np.mean([is_equivalent(values, 0.01) for values in samples])
            case = f"difference {mean:g}, sd 0.005, margin 0.01, n = {n}: equivalent"
            yield _row(case, wanted, "none", f"{now:.1%}")


def _ties() -> Iterator[Row]:
    """Differences of one row in a hundred, in a fifth of the seeds: how often their interval has no width."""
    import numpy as np

    for n in (5, 10):
        samples = np.random.default_rng(n).binomial(1, 0.2, (N_STUDIES, n)) / 100
        found = [_differences(values) for values in samples]
        before = np.mean([np.ptp(one.interval) == 0 for one in found])
        now = np.mean([np.ptp(known_interval(one)) == 0 for one in found])
        yield _row(
            f"four of five differences are 0, n = {n}: intervals of no width", "0%", f"{before:.1%}", f"{now:.1%}"
        )


if __name__ == "__main__":
    for row in rows():
        print(" | ".join(row.values()))
