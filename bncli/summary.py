"""Records into tables of numbers: runs, epochs, conditions, and arms against the baseline. No text, no drawing.

A run that failed has no numbers and enters no statistic. A run that diverged is a result: it counts with the accuracy
of the constant answer that it ended in, and it has no loss. Arms are compared in pairs of runs of the same seed, at
every point of the axes (see `points`) at which both stand.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from bncli import stats
from bncli.config import FIELDS, RunConfig, Value
from bncli.registry import check_name
from bncli.results import HISTORY_METRICS, TOLERANCE, RunResult, best_epoch, hit_epoch, lower_is_better
from bncli.study import Condition

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

METRICS = ("val_accuracy", "train_accuracy", "accuracy", "val_loss", "loss")
"""The order of metrics in tables; the first is the one that ranks arms."""

PROPORTIONS = ("val_accuracy", "train_accuracy", "accuracy")
"""Metrics that lie between 0 and 1; the intervals of their means end there."""

LEARNED = 0.1
"""Share of the way from a constant answer to a perfect one that a run must go to count as having learned."""

TOLERATED = 0.9
"""Share of the seeds that must learn at a learning rate that an arm tolerates."""

Results = Sequence[RunResult]
Conditions = Mapping[RunConfig, Condition]
Runs = Mapping[int, RunResult]
"""The runs of one condition by seed, failed ones left out."""


def runs_table(results: Results, conditions: Conditions) -> pd.DataFrame:
    """One row a run.

    Columns: `run_id`, `arm`, `param_<axis>`, `seed`, `state`, the final metrics, `best_val_accuracy` and its
    `best_epoch`, `params`, `seconds`, and `condition` (its place in the study, from 0).
    """
    import pandas as pd

    places = {condition: place for place, condition in enumerate(dict.fromkeys(conditions.values()))}
    rows = [_run_row(result, conditions[result.config], places) for result in results]
    return _typed(pd.DataFrame(rows))


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Keep whole numbers whole and metrics floats in columns where some, or all, values are missing."""
    whole = [f"param_{name}" for name, info in FIELDS.items() if info.kind == "whole"]
    kinds = dict.fromkeys([*whole, "best_epoch", "params", "n_chance"], "Int64")
    kinds |= dict.fromkeys([*METRICS, "best_val_accuracy"], "float64")
    return table.astype({name: kind for name, kind in kinds.items() if name in table.columns})


def _run_row(result: RunResult, condition: Condition, places: Mapping[Condition, int]) -> dict[str, Any]:
    best = _best(result, METRICS[0])
    return {
        **_run_columns(result, condition, places),
        "state": result.state,
        **{metric: result.metrics.get(metric) for metric in METRICS},
        "best_val_accuracy": best.get("value"),
        "best_epoch": best.get("epoch"),
        "params": result.params.get("total"),
        "seconds": result.seconds,
    }


def _run_columns(result: RunResult, condition: Condition, places: Mapping[Condition, int]) -> dict[str, Any]:
    """The columns that tell runs apart."""
    return {
        "run_id": result.config.run_id,
        "condition": places[condition],
        **condition_columns(condition),
        "seed": result.config.seed,
    }


def condition_columns(condition: Condition) -> dict[str, Any]:
    """The columns that tell conditions apart, as scikit-learn names them: `arm`, `param_lr`, ..."""
    return {"arm": condition.arm} | {f"param_{name}": value for name, value in condition.values}


def _best(result: RunResult, metric: str) -> Mapping[str, float | int]:
    return best_epoch(metric, result.history.get(metric, [])) or {}


def _seconds_per_epoch(result: RunResult) -> float:
    n_epochs = len(result.history.get("loss", []))
    return result.seconds / n_epochs if n_epochs else math.nan


def learned(result: RunResult, chance: float) -> bool:
    """Whether a run learned: its final `val_accuracy` went a tenth of the way from a constant answer to a perfect one.

    That is past 0.19 on ten equal classes and 0.55 on two: four standard errors of a guess among ten over 200
    validation rows, and two of a guess between two over 500. A run that diverged or failed did not learn.

    Args:
        result: The run.
        chance: Accuracy of the best constant answer.
    """
    accuracy = result.metrics.get("val_accuracy")
    return result.state == "complete" and accuracy is not None and accuracy > _least(chance)


def _least(chance: float) -> float:
    """The accuracy past which a run has learned."""
    return chance + LEARNED * (1 - chance)


def conditions_table(results: Results, conditions: Conditions, chance: float | None = None) -> pd.DataFrame:
    """One row a condition, in the study's order.

    Columns: `arm`, `param_<axis>`, `n` (runs with a result), `n_diverged`, `n_failed`, `n_chance` (runs that did
    not learn, see `learned`, diverged ones among them; missing where `chance` is unknown), `params`; for every metric
    `mean_<metric>`, `std_<metric>` (sample standard deviation over seeds), `median_<metric>`, `low_<metric>` and
    `high_<metric>` (95 % interval of the mean, see `stats.bootstrap_interval`); `mean_best_val_accuracy` (the best
    over epochs), `median_best_epoch`, `mean_seconds`, `mean_seconds_per_epoch`, `best`.
    The losses of diverged runs are missing from their means. `best` marks, at each point of the axes, the arm with
    the best mean validation accuracy among several.
    """
    import pandas as pd

    groups: dict[Condition, list[RunResult]] = {condition: [] for condition in conditions.values()}
    for result in results:
        groups[conditions[result.config]].append(result)
    table = _typed(pd.DataFrame([_condition_row(condition, runs, chance) for condition, runs in groups.items()]))
    table["best"] = _best_arms(table)
    return table


def _condition_row(condition: Condition, runs: Results, chance: float | None) -> dict[str, Any]:
    counted = [result for result in runs if result.state != "failed"]
    best = [_best(result, METRICS[0]) for result in counted]
    statistics: dict[str, float] = {}
    for metric in METRICS:
        statistics |= _spread(metric, _numbers(result.metrics.get(metric) for result in counted))
    return {
        **condition_columns(condition),
        "n": len(counted),
        "n_diverged": sum(result.state == "diverged" for result in counted),
        "n_failed": len(runs) - len(counted),
        "n_chance": None if chance is None else sum(not learned(result, chance) for result in counted),
        "params": max((result.params["total"] for result in counted if result.params), default=None),
        **statistics,
        "mean_best_val_accuracy": _mean(_numbers(found.get("value") for found in best)),
        "median_best_epoch": _median(_numbers(found.get("epoch") for found in best)),
        "mean_seconds": _mean(_numbers(result.seconds for result in counted)),
        "mean_seconds_per_epoch": _mean(_numbers(map(_seconds_per_epoch, counted))),
    }


def _spread(metric: str, values: np.ndarray) -> dict[str, float]:
    """Mean, sample standard deviation, median and interval of the mean of one metric."""
    import numpy as np

    low, high = stats.bootstrap_interval(values)
    if metric in PROPORTIONS:
        low, high = (float(np.clip(end, 0, 1)) for end in (low, high))
    return {
        f"mean_{metric}": _mean(values),
        f"std_{metric}": float(np.std(values, ddof=1)) if len(values) > 1 else math.nan,
        f"median_{metric}": _median(values),
        f"low_{metric}": low,
        f"high_{metric}": high,
    }


def _numbers(values: Iterable[float | None]) -> np.ndarray:
    """The values that are there."""
    import numpy as np

    numbers = np.array(list(values), dtype="float64")
    there: np.ndarray = numbers[~np.isnan(numbers)]
    return there


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan


def _median(values: np.ndarray) -> float:
    import numpy as np

    return float(np.median(values)) if len(values) else math.nan


def _best_arms(table: pd.DataFrame) -> np.ndarray:
    """Mark the best arm of each point of the axes; a point where only one arm stands has no best."""
    metric = METRICS[0]
    found = []
    for places in points(table).values():
        means = table.loc[places, f"mean_{metric}"].dropna()
        if len(means) > 1:
            found.append(means.idxmin() if lower_is_better(metric) else means.idxmax())
    return table.index.isin(found)


Point = tuple[Value, ...]


def points(table: pd.DataFrame) -> dict[Point, list[int]]:
    """The points of the axes in a table of conditions, each with the places of the conditions that stand there.

    A condition on which an axis is void stands at every point that differs from it in that axis alone. Where no
    arm feels an axis (the momentum of an optimizer that has none), the point itself has None there.
    """
    axes = [name for name in table.columns if name.startswith("param_")]
    plain = table[axes].astype(object).where(table[axes].notna(), None)
    stands = list(plain.itertuples(index=False, name=None)) if axes else [()] * len(table)
    distinct = dict.fromkeys(stands)
    found: dict[Point, list[int]] = {
        point: []
        for point in distinct
        if None not in point or not any(other != point and _covers(other, point) for other in distinct)
    }
    for place, values in enumerate(stands):
        for point in [values] if values in found else [point for point in found if _covers(point, values)]:
            found[point].append(place)
    return found


def _covers(point: Point, values: Point) -> bool:
    return all(value is None or value == other for value, other in zip(values, point, strict=True))


def history_table(results: Results, conditions: Conditions) -> pd.DataFrame:
    """One row a run and epoch: `run_id`, `condition`, `arm`, `param_<axis>`, `seed`, `epoch`, then the metrics."""
    import numpy as np
    import pandas as pd

    order = list(dict.fromkeys(conditions.values()))
    places = {condition: place for place, condition in enumerate(order)}
    known = [_run_columns(result, conditions[result.config], places) for result in results]
    columns = ["run_id", "condition", *(condition_columns(order[0]) if order else ["arm"]), "seed"]
    lengths = [len(result.history.get("loss", [])) for result in results]
    table = pd.DataFrame(known, columns=columns).loc[np.repeat(np.arange(len(known)), lengths)].reset_index(drop=True)
    table["epoch"] = np.concatenate([np.arange(1, length + 1) for length in lengths] or [np.arange(0)])
    for metric in HISTORY_METRICS:
        values = [
            result.history.get(metric) or [None] * length for result, length in zip(results, lengths, strict=True)
        ]
        table[metric] = np.array(list(itertools.chain.from_iterable(values)), dtype="float64")
    return _typed(table)


def seed_curves(history: pd.DataFrame, metric: str) -> pd.DataFrame:
    """A metric by epoch (rows) and run (columns); a run that stopped early stays at its last value.

    Args:
        history: Rows of `history_table`, of one condition.
        metric: One of its metrics.
    """
    return history.pivot(index="epoch", columns="run_id", values=metric).ffill()


class _Cell(NamedTuple):
    """One arm at one point of the axes, with the baseline there (None where it doesn't stand there)."""

    columns: dict[str, Any]
    condition: Condition
    runs: Runs
    baseline: Condition | None
    against: Runs

    @property
    def is_baseline(self) -> bool:
        return self.condition == self.baseline


def _cells(results: Results, conditions: Conditions, baseline: str | None) -> Iterator[_Cell]:
    """Every arm at every point of the axes; the baseline is the first arm where none is named."""
    import pandas as pd

    groups: dict[Condition, dict[int, RunResult]] = {condition: {} for condition in conditions.values()}
    for result in results:
        if result.state != "failed":
            groups[conditions[result.config]][result.config.seed] = result
    order = list(groups)
    table = _typed(pd.DataFrame([condition_columns(condition) for condition in order]))
    names = list(table.columns)[1:]
    label = baseline or (order[0].arm if order else None)
    for point, places in points(table).items():
        first = next((order[place] for place in places if order[place].arm == label), None)
        against = groups[first] if first else {}
        for place in places:
            at = {
                "condition": place,
                "arm": order[place].arm,
                "baseline": label,
                **dict(zip(names, point, strict=True)),
            }
            yield _Cell(at, order[place], groups[order[place]], first, against)


def _comparisons(results: Results, conditions: Conditions, baseline: str | None) -> Iterator[_Cell]:
    """The cells without repeats: where an axis is void for both sides, they are compared once, with None there."""
    seen = set()
    for cell in _cells(results, conditions, baseline):
        if (cell.condition, cell.baseline) in seen:
            continue
        seen.add((cell.condition, cell.baseline))
        felt = dict((cell.baseline or cell.condition).values)
        felt |= {name: value for name, value in cell.condition.values if value is not None}
        yield cell._replace(columns=cell.columns | {f"param_{name}": value for name, value in felt.items()})


def _table(rows: Sequence[Mapping[str, Any]], conditions: Conditions, columns: str) -> pd.DataFrame:
    """Rows into a table with these columns; `params` stands for the columns of the axes."""
    import pandas as pd

    axes = [f"param_{name}" for name, _ in next(iter(conditions.values())).values] if conditions else []
    names = [name for part in columns.split() for name in (axes if part == "params" else [part])]
    return _typed(pd.DataFrame(rows, columns=names))


def _finals(runs: Runs, metric: str) -> dict[int, float]:
    """The final values by seed; nan where there is none."""
    found = {seed: result.metrics.get(metric) for seed, result in runs.items()}
    return {seed: math.nan if value is None else value for seed, value in found.items()}


def _paired(values: Mapping[int, float], others: Mapping[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """The values of the seeds that both have."""
    import numpy as np

    seeds = [seed for seed in values if seed in others]
    return np.array([values[seed] for seed in seeds]), np.array([others[seed] for seed in seeds])


def _differences(runs: Runs, against: Runs, metric: str) -> np.ndarray:
    """Final values minus the baseline's, of the pairs in which both are known."""
    values, others = _paired(_finals(runs, metric), _finals(against, metric))
    return _numbers(values - others)


def differences_table(
    results: Results, conditions: Conditions, metric: str = METRICS[0], baseline: str | None = None
) -> pd.DataFrame:
    """Every arm against the baseline, paired by seed: one row an arm and point of the axes at which both stand.

    Where an axis is void for both arms, they are one pair of conditions and one row, with None in its column.

    Columns: `condition` (the arm's place in `conditions_table`), `arm`, `baseline`, `param_<axis>`, `metric`, `n`
    (pairs), `mean_difference` (arm minus baseline, of final values), `low` and `high` (its 95 % interval),
    `p_value` (exact sign-flip test; nan below `stats.MIN_PAIRS` pairs), `p_holm` (corrected over all rows),
    `wins`, `ties`, `losses` (pairs in which the arm is better, equal, worse), `effect_size` (see `stats`).
    A pair in which a diverged run has no loss can't enter the mean, the test or `n`; it is still won by the other
    side, or a tie where both diverged. So wins, ties and losses may sum to more than `n`.

    Raises:
        UnknownName: No such metric.
    """
    lower_is_better(metric)
    cells = [cell for cell in _comparisons(results, conditions, baseline) if not cell.is_baseline and cell.against]
    rows = [cell.columns | {"metric": metric} | _difference_row(cell, metric) for cell in cells if cell.runs]
    names = "condition arm baseline params metric n mean_difference low high p_value p_holm wins ties losses"
    table = _table(rows, conditions, f"{names} effect_size")
    p_values = stats.holm([None if math.isnan(p) else p for p in table["p_value"]])
    table["p_holm"] = [math.nan if p is None else p for p in p_values]
    return table


def _difference_row(cell: _Cell, metric: str) -> dict[str, Any]:
    values, others = _paired(_finals(cell.runs, metric), _finals(cell.against, metric))
    differences = _numbers(values - others)
    p_value = stats.sign_flip_test(differences)
    return {
        **_effect(differences),
        "p_value": math.nan if p_value is None else p_value,
        **_score(values, others, metric),
        "effect_size": stats.effect_size(differences),
    }


def _effect(differences: np.ndarray) -> dict[str, float]:
    low, high = stats.bootstrap_interval(differences)
    return {"n": len(differences), "mean_difference": _mean(differences), "low": low, "high": high}


def _score(values: np.ndarray, others: np.ndarray, metric: str) -> dict[str, int]:
    """Pairs won, tied and lost; a missing value is the worst of all."""
    import numpy as np

    sign = -1 if lower_is_better(metric) else 1
    ours, theirs = (np.where(np.isnan(side), -np.inf, sign * side) for side in (values, others))
    equal = np.isclose(ours, theirs, rtol=TOLERANCE, atol=0)
    wins, ties = int(np.sum((ours > theirs) & ~equal)), int(np.sum(equal))
    return {"wins": wins, "ties": ties, "losses": len(values) - wins - ties}


class _Timed(NamedTuple):
    """A cell with a threshold and the hit epochs of its runs and of the baseline's, by seed."""

    cell: _Cell
    threshold: float
    hits: dict[int, float]
    against: dict[int, float]


def _timed(
    results: Results,
    conditions: Conditions,
    metric: str,
    threshold: float | None,
    baseline: str | None,
    chance: float | None,
) -> Iterator[_Timed]:
    """Every cell that has runs, and the threshold of its point; a cell without a threshold is left out."""
    check_name("metric of a history", metric, HISTORY_METRICS)
    least = -math.inf if chance is None or metric not in PROPORTIONS else _least(chance)
    for cell in _comparisons(results, conditions, baseline):
        level = max(_baselines_best(cell, metric), least) if threshold is None else threshold
        if cell.runs and not math.isnan(level):
            sides = (
                {seed: hit_epoch(run, metric, level) for seed, run in runs.items()}
                for runs in (cell.runs, cell.against)
            )
            yield _Timed(cell, level, *sides)


def _baselines_best(cell: _Cell, metric: str) -> float:
    """The best value of the baseline's mean curve; a run that stopped early stays at its last value."""
    import pandas as pd

    curves = pd.DataFrame({seed: pd.Series(run.history.get(metric), dtype=float) for seed, run in cell.against.items()})
    mean = curves.ffill().mean(axis=1)
    return float(mean.min() if lower_is_better(metric) else mean.max())


def hits_table(
    results: Results,
    conditions: Conditions,
    metric: str = METRICS[0],
    threshold: float | None = None,
    baseline: str | None = None,
    chance: float | None = None,
) -> pd.DataFrame:
    """When runs reach a threshold: one row an arm and point of the axes, the baseline's too, as in `differences_table`.

    Columns: `condition`, `arm`, `baseline`, `param_<axis>`, `metric`, `threshold`, `n`, `n_never` (runs that never
    reach it), `median_hit_epoch` with its 95 % interval `low_hit_epoch`, `high_hit_epoch`, and of the pairs with
    the baseline `n_pairs`, `epochs_ratio` and `seconds_ratio`, each with `low_` and `high_`: the median over pairs
    of the baseline's epochs, or seconds, by the arm's. Above 1 the arm is the faster one.
    A run that never hits is kept as an infinite epoch, so a median is inf where half of the runs never do, and a
    ratio 0 or inf where one side never does. A pair in which neither hits has no ratio and isn't in `n_pairs`.
    Seconds are hit epoch x seconds per epoch of the run.

    Args:
        results: The runs.
        conditions: The condition of each.
        metric: A metric of the history.
        threshold: A value of the metric; None for the best value of the baseline's mean curve over seeds at
            each point (points without the baseline then have no row).
        baseline: The arm to compare with; the first where None.
        chance: Accuracy of the best constant answer: a baseline that did not learn (see `learned`) then sets no
            threshold below what counts as learned.

    Raises:
        UnknownName: No such metric in the history.
    """
    rows = [
        timed.cell.columns | {"metric": metric, "threshold": timed.threshold} | _hits_row(timed)
        for timed in _timed(results, conditions, metric, threshold, baseline, chance)
    ]
    hits = "condition arm baseline params metric threshold n n_never median_hit_epoch low_hit_epoch high_hit_epoch"
    ratios = (
        "n_pairs epochs_ratio low_epochs_ratio high_epochs_ratio seconds_ratio low_seconds_ratio high_seconds_ratio"
    )
    return _table(rows, conditions, f"{hits} {ratios}")


def _hits_row(timed: _Timed) -> dict[str, Any]:
    hits = _numbers(timed.hits.values())
    low, high = stats.bootstrap_interval(hits, "median")
    known = {
        "n": len(hits),
        "n_never": sum(map(math.isinf, hits)),
        "median_hit_epoch": _median(hits),
        "low_hit_epoch": low,
        "high_hit_epoch": high,
    }
    if timed.cell.is_baseline:
        return known | {"n_pairs": 0}
    epochs = _ratios(timed.hits, timed.against)
    seconds = _ratios(_until(timed.hits, timed.cell.runs), _until(timed.against, timed.cell.against))
    return known | {"n_pairs": len(epochs)} | _ratio_columns("epochs", epochs) | _ratio_columns("seconds", seconds)


def _until(hits: Mapping[int, float], runs: Runs) -> dict[int, float]:
    """Seconds to the hit epoch, by seed."""
    return {seed: epoch * _seconds_per_epoch(runs[seed]) for seed, epoch in hits.items()}


def _ratios(ours: Mapping[int, float], theirs: Mapping[int, float]) -> np.ndarray:
    """Theirs by ours for every pair that has a ratio: not 0 / 0, and not never / never."""
    import numpy as np

    values, others = _paired(ours, theirs)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _numbers(others / values)


def _ratio_columns(what: str, ratios: np.ndarray) -> dict[str, float]:
    low, high = stats.bootstrap_interval(ratios, "median")
    return {f"{what}_ratio": _median(ratios), f"low_{what}_ratio": low, f"high_{what}_ratio": high}


def reached_table(
    results: Results,
    conditions: Conditions,
    metric: str = METRICS[0],
    threshold: float | None = None,
    baseline: str | None = None,
    chance: float | None = None,
) -> pd.DataFrame:
    """The share of seeds that have reached the threshold by each epoch: one row an arm, point of the axes and epoch.

    Columns: `condition`, `arm`, `param_<axis>`, `epoch`, `share`. Arguments and errors are those of `hits_table`; a
    run that stopped early stays what it was.
    """
    rows = []
    for timed in _timed(results, conditions, metric, threshold, baseline, chance):
        n_epochs = max(result.config.epochs for result in timed.cell.runs.values())
        shares = _shares(timed.hits.values(), n_epochs)
        rows += [timed.cell.columns | {"epoch": epoch, "share": share} for epoch, share in enumerate(shares, 1)]
    return _table(rows, conditions, "condition arm params epoch share")


def _shares(hits: Iterable[float], n_epochs: int) -> list[float]:
    import numpy as np

    ordered = np.sort(list(hits))
    shares: list[float] = (np.searchsorted(ordered, np.arange(1, n_epochs + 1), side="right") / len(ordered)).tolist()
    return shares


Rates = Mapping[float, Runs]
"""The runs of one arm by learning rate, ascending."""


def lr_table(
    results: Results,
    conditions: Conditions,
    metric: str = METRICS[0],
    chance: float | None = None,
    baseline: str | None = None,
) -> pd.DataFrame:
    """Tolerance of the learning rate, where `lr` is an axis: one row an arm and point of the other axes.

    Columns: `arm`, `baseline`, `param_<other axis>`, `metric`; `lr_low`, `lr_high`, `decades` (their ratio's log10):
    the widest range of neighbouring rates at each of which 90 % of the seeds learn, nan where there is none; a
    single rate spans 0 decades. `best_lr` and `mean_best`: the rate with the best mean of the final metric, and that
    mean. Then the paired difference to the baseline in two views, each arm at its own best rate: `n`, `difference`,
    `low`, `high`, and both at the baseline's best rate: `same_lr_n`, `same_lr_difference`, `same_lr_low`,
    `same_lr_high`. The rates are chosen on the runs that are then compared, which flatters both sides alike.
    A rate at which a run has no value (a loss, after it diverged) is never the best one.

    Args:
        results: The runs.
        conditions: The condition of each.
        metric: What the best rate and the differences are about.
        chance: Accuracy of the best constant answer, for `learned`; without it no range is told.
        baseline: The arm to compare with; the first where None.

    Raises:
        UnknownName: No such metric.
    """
    lower_is_better(metric)
    rows = []
    for point, arms in _by_rate(results, conditions, baseline).items():
        at = dict(point)
        for arm, rates in arms.items():
            against = {} if arm == at["baseline"] else arms.get(at["baseline"], {})
            rows.append(
                {"arm": arm, **at, "metric": metric} | _tolerance(rates, chance) | _views(rates, against, metric)
            )
    views = "n difference low high same_lr_n same_lr_difference same_lr_low same_lr_high"
    table = _table(rows, conditions, f"arm baseline params metric lr_low lr_high decades best_lr mean_best {views}")
    return table.drop(columns="param_lr", errors="ignore")


def _by_rate(
    results: Results, conditions: Conditions, baseline: str | None
) -> dict[tuple[tuple[str, Any], ...], dict[str, Rates]]:
    """By point of the axes other than `lr`, and by arm: the runs at every rate."""
    found: dict[tuple[tuple[str, Any], ...], dict[str, dict[float, Runs]]] = {}
    for cell in _cells(results, conditions, baseline):
        if "param_lr" in cell.columns and cell.runs:
            at = tuple(
                (name, cell.columns[name]) for name in cell.columns if name not in ("condition", "arm", "param_lr")
            )
            found.setdefault(at, {}).setdefault(cell.columns["arm"], {})[cell.columns["param_lr"]] = cell.runs
    return {at: {arm: dict(sorted(rates.items())) for arm, rates in arms.items()} for at, arms in found.items()}


def _tolerance(rates: Rates, chance: float | None) -> dict[str, float]:
    """The widest range of neighbouring rates at which enough seeds learn; of equally wide ones, the lowest."""
    ranges: list[list[float]] = [[]]
    for lr, runs in rates.items():
        n_learned = 0 if chance is None else sum(learned(result, chance) for result in runs.values())
        if n_learned >= TOLERATED * len(runs):
            ranges[-1].append(lr)
        else:
            ranges.append([])
    ends = [(found[0], found[-1]) for found in ranges if found]
    low, high = max(ends, key=lambda pair: pair[1] / pair[0], default=(math.nan, math.nan))
    return {"lr_low": low, "lr_high": high, "decades": math.log10(high / low)}


def _views(rates: Rates, against: Rates, metric: str) -> dict[str, float]:
    """The best rate, and the differences to the baseline: each at its own best rate, and both at the baseline's."""
    own, theirs = _best_rate(rates, metric), _best_rate(against, metric)
    isolated = _effect(_differences(rates.get(own, {}), against.get(theirs, {}), metric))
    same = _effect(_differences(rates.get(theirs, {}), against.get(theirs, {}), metric))
    return {
        "best_lr": own,
        "mean_best": _mean(_numbers(_finals(rates.get(own, {}), metric).values())),
        **{name.replace("mean_", ""): value for name, value in isolated.items()},
        **{f"same_lr_{name.replace('mean_', '')}": value for name, value in same.items()},
    }


def _best_rate(rates: Rates, metric: str) -> float:
    """The rate with the best mean over seeds, the lowest of equals; nan where every rate has a run without a value."""
    import numpy as np

    sign = -1 if lower_is_better(metric) else 1
    means = {lr: sign * float(np.mean(list(_finals(runs, metric).values()))) for lr, runs in rates.items()}
    known = {lr: mean for lr, mean in means.items() if not math.isnan(mean)}
    return max(known, key=known.__getitem__, default=math.nan)
