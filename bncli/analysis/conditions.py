"""The table of conditions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from bncli.analysis.comparisons import differences_table
from bncli.analysis.effects import wilson_interval
from bncli.analysis.grid import grid_points
from bncli.analysis.pairs import final_values, mean_interval
from bncli.analysis.runs import Trivial, best_of, condition_columns, has_learned, seconds_per_epoch
from bncli.analysis.statistics import holm, known_values, mean, median
from bncli.analysis.tables import Conditions, Results, Runs, measured_metrics, results_by_condition, score_of, typed
from bncli.analysis.verdicts import BETTER, SIGNIFICANT, WORSE, finding_between
from bncli.study.study import Condition
from bncli.tasks.metrics import DEFAULT, METRICS, default_of, lower_is_better

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


LEARNED_COLUMNS = (
    *("n_learned", "p_learn", "low_p_learn", "high_p_learn"),
    *("median_if_learned", "q25_if_learned", "q75_if_learned"),
)


def conditions_table(
    results: Results,
    conditions: Conditions,
    trivial: Trivial | None = None,
    metric: str = DEFAULT,
    differences: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return one row per condition, in the study's order.

    Columns:
        - `arm`, `param_<axis>`
        - `n` (runs with a result), `n_diverged`, `n_failed`, `n_chance` (runs that did not learn, diverged ones
          included, see `has_learned`; missing if `trivial` is None), `params` (number of parameters)
        - `n_learned`, `p_learn` with `low_p_learn` and `high_p_learn` (the share of runs that learned, and Wilson's
          95 % interval of the probability), `median_if_learned`, `q25_if_learned`, `q75_if_learned` (median and
          quartiles of the metric over the runs that learned); missing if `trivial` is None
        - for every metric that a run has, over seeds: `mean_<metric>`, `std_<metric>` (sample standard deviation),
          `median_<metric>`, `low_<metric>` and `high_<metric>` (95 % interval of the mean, see `bootstrap_interval`;
          ends that would be impossible, such as an accuracy above 1, are clipped). The losses of diverged runs are
          missing from these.
        - `mean_best_val_accuracy`, or that of the score that fits the data (the best over epochs), `median_best_epoch`
        - `mean_seconds`, `mean_seconds_per_epoch`
        - `best`: whether this arm is the clear winner in `metric`, see `clear_winner`, at its point of the axes (at all
          of its points, if an axis has no effect on it), and no verdict says less

    Args:
        results: The runs.
        conditions: The condition of each.
        trivial: What the best constant answer scores, if it is known.
        metric: The metric of `best`, of `median_if_learned` and of the quartiles.
        differences: The verdicts by the metric, see `differences_table`; None for those of the metric alone.
    """
    import pandas as pd

    groups = results_by_condition(results, conditions)
    metrics = measured_metrics(results)
    if differences is None:
        differences = differences_table(results, conditions, metric, trivial=trivial)
    won = _points_won(groups, dict(differences.groupby("condition")["verdict"].agg(set)), trivial, metric)
    rows = [
        _condition_row(condition, runs, trivial, metric, metrics, default_of(score_of(results)))
        | _learned_columns(runs, trivial, metric)
        | {"best": bool(won[place]) and all(won[place])}
        for place, (condition, runs) in enumerate(groups.items())
    ]
    return typed(pd.DataFrame(rows).copy())


def _condition_row(
    condition: Condition, runs: Results, trivial: Trivial | None, metric: str, metrics: list[str], default: str
) -> dict[str, Any]:
    counted = [result for result in runs if result.state != "failed"]
    best = [best_of(result, default) for result in counted]
    spreads: dict[str, float] = {}
    for name in metrics:
        spreads |= _spread(name, known_values(result.metrics.get(name) for result in counted))
    return {
        **condition_columns(condition),
        "n": len(counted),
        "n_diverged": sum(result.state == "diverged" for result in counted),
        "n_failed": len(runs) - len(counted),
        "n_chance": None if trivial is None else sum(not has_learned(result, trivial, metric) for result in counted),
        "params": max((result.params["total"] for result in counted if "total" in result.params), default=None),
        **spreads,
        f"mean_best_{default}": mean(known_values(found.get("value") for found in best)),
        "median_best_epoch": median(known_values(found.get("epoch") for found in best)),
        "mean_seconds": mean(known_values(result.seconds for result in counted)),
        "mean_seconds_per_epoch": mean(known_values(map(seconds_per_epoch, counted))),
    }


def _learned_columns(runs: Results, trivial: Trivial | None, metric: str) -> dict[str, Any]:
    """How many runs learned, and the middle of what they score."""
    import numpy as np

    if trivial is None:
        return dict.fromkeys(LEARNED_COLUMNS)
    counted = [result for result in runs if result.state != "failed"]
    learned = [result for result in counted if has_learned(result, trivial, metric)]
    scores = known_values(result.metrics.get(metric) for result in learned)
    quartiles = np.quantile(scores, (0.5, 0.25, 0.75)).tolist() if len(scores) else [math.nan] * 3
    share = len(learned) / len(counted) if counted else math.nan
    values = (len(learned), share, *wilson_interval(len(learned), len(counted)), *quartiles)
    return dict(zip(LEARNED_COLUMNS, values, strict=True))


def _spread(metric: str, values: np.ndarray) -> dict[str, float]:
    """Mean, sample standard deviation, median and interval of the mean of one metric."""
    import numpy as np

    low, high = mean_interval(values, metric)
    return {
        f"mean_{metric}": mean(values),
        f"std_{metric}": float(np.std(values, ddof=1)) if len(values) > 1 else math.nan,
        f"median_{metric}": median(values),
        f"low_{metric}": low,
        f"high_{metric}": high,
    }


def _points_won(
    groups: Mapping[Condition, Results], verdicts: Mapping[int, set[str]], trivial: Trivial | None, metric: str
) -> dict[int, list[bool]]:
    """Whether each condition, by its place, is the clear winner at each of the points that it belongs to.

    Verdicts are corrected for all points and metrics, so that a winner of one point may be undecided.
    """
    conditions = list(groups)
    runs = [_by_seed(group) for group in groups.values()]
    won: dict[int, list[bool]] = {place: [] for place in range(len(conditions))}
    for places in grid_points(conditions).values():
        winner = clear_winner({place: runs[place] for place in places}, trivial, metric)
        agrees = winner is not None and _agree(verdicts, winner, places)
        for place in places:
            won[place].append(agrees and place == winner)
    return won


def _agree(verdicts: Mapping[int, set[str]], winner: int, places: Iterable[int]) -> bool:
    """Whether the winner of a point is better by its verdict, or, if it is the baseline, all others are worse."""
    if winner in verdicts:
        return verdicts[winner] == {BETTER}
    return all(verdicts[place] == {WORSE} for place in places if place in verdicts)


def _by_seed(results: Results) -> Runs:
    return {result.config.seed: result for result in results if result.state != "failed"}


def clear_winner(arms: Mapping[int, Runs], trivial: Trivial | None = None, metric: str = DEFAULT) -> int | None:
    """Return the arm that is clearly better than all others; None if no arm is.

    Its mean is the best, more than half of its seeds learned (see `has_learned`), and it is better than every other arm
    by the rules of `differences_table`: its paired difference has a 95 % interval that excludes 0 and a p-value below
    0.05 after Holm's correction over the other arms.

    Args:
        arms: The runs of every arm at a point of the axes. Arms without runs don't compete.
        trivial: What the best constant answer scores; None if it isn't known.
        metric: What is compared.
    """
    competing = {place: runs for place, runs in arms.items() if runs}
    if len(competing) < 2 or not METRICS[metric].has_direction:
        return None
    best = min(competing, key=lambda place: _rank(competing[place], metric))
    runs = competing.pop(best)
    if trivial is not None and 2 * sum(has_learned(result, trivial, metric) for result in runs.values()) <= len(runs):
        return None
    found = [finding_between(runs, others, metric, trivial) for others in competing.values()]
    corrected = holm([finding.p_value for finding in found])
    is_clear = all(finding.side == BETTER for finding in found) and all(p < SIGNIFICANT for p in corrected)
    return best if is_clear else None


def _rank(runs: Runs, metric: str) -> float:
    """The mean of a metric, smaller for a better one; infinite without a value."""
    average = mean(known_values(final_values(runs, metric).values()))
    return math.inf if math.isnan(average) else average if lower_is_better(metric) else -average
