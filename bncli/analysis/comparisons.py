"""Arms against the baseline, paired by seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from bncli.analysis.conditions import mean, numbers, points
from bncli.analysis.runs import Conditions, Results, Runs, condition_columns, typed
from bncli.analysis.statistics import bootstrap_interval, effect_size, holm, sign_flip_test
from bncli.results import RunResult
from bncli.study.study import Condition
from bncli.tasks.metrics import DEFAULT, TOLERANCE, lower_is_better

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class Cell(NamedTuple):
    """One arm at one point of the axes, with the baseline there (None where it doesn't stand there)."""

    columns: dict[str, Any]
    condition: Condition
    runs: Runs
    baseline: Condition | None
    against: Runs

    @property
    def is_baseline(self) -> bool:
        return self.condition == self.baseline


def cells(results: Results, conditions: Conditions, baseline: str | None) -> Iterator[Cell]:
    """Every arm at every point of the axes; the baseline is the first arm where none is named."""
    import pandas as pd

    groups: dict[Condition, dict[int, RunResult]] = {condition: {} for condition in conditions.values()}
    for result in results:
        if result.state != "failed":
            groups[conditions[result.config]][result.config.seed] = result
    order = list(groups)
    table = typed(pd.DataFrame([condition_columns(condition) for condition in order]))
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
            yield Cell(at, order[place], groups[order[place]], first, against)


def comparisons(results: Results, conditions: Conditions, baseline: str | None) -> Iterator[Cell]:
    """The cells without repeats: where an axis is void for both sides, they are compared once, with None there."""
    seen = set()
    for cell in cells(results, conditions, baseline):
        if (cell.condition, cell.baseline) in seen:
            continue
        seen.add((cell.condition, cell.baseline))
        felt = dict((cell.baseline or cell.condition).values)
        felt |= {name: value for name, value in cell.condition.values if value is not None}
        yield cell._replace(columns=cell.columns | {f"param_{name}": value for name, value in felt.items()})


def table_of(rows: Sequence[Mapping[str, Any]], conditions: Conditions, columns: str) -> pd.DataFrame:
    """Rows into a table with these columns; `params` stands for the columns of the axes."""
    import pandas as pd

    axes = [f"param_{name}" for name, _ in next(iter(conditions.values())).values] if conditions else []
    names = [name for part in columns.split() for name in (axes if part == "params" else [part])]
    return typed(pd.DataFrame(rows, columns=names))


def finals(runs: Runs, metric: str) -> dict[int, float]:
    """The final values by seed; nan where there is none."""
    found = {seed: result.metrics.get(metric) for seed, result in runs.items()}
    return {seed: math.nan if value is None else value for seed, value in found.items()}


def paired(values: Mapping[int, float], others: Mapping[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """The values of the seeds that both have."""
    import numpy as np

    seeds = [seed for seed in values if seed in others]
    return np.array([values[seed] for seed in seeds]), np.array([others[seed] for seed in seeds])


def differences(runs: Runs, against: Runs, metric: str) -> np.ndarray:
    """Final values minus the baseline's, of the pairs in which both are known."""
    values, others = paired(finals(runs, metric), finals(against, metric))
    return numbers(values - others)


def differences_table(
    results: Results, conditions: Conditions, metric: str = DEFAULT, baseline: str | None = None
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
    cells = [cell for cell in comparisons(results, conditions, baseline) if not cell.is_baseline and cell.against]
    rows = [cell.columns | {"metric": metric} | _difference_row(cell, metric) for cell in cells if cell.runs]
    names = "condition arm baseline params metric n mean_difference low high p_value p_holm wins ties losses"
    table = table_of(rows, conditions, f"{names} effect_size")
    p_values = holm([None if math.isnan(p) else p for p in table["p_value"]])
    table["p_holm"] = [math.nan if p is None else p for p in p_values]
    return table


def _difference_row(cell: Cell, metric: str) -> dict[str, Any]:
    values, others = paired(finals(cell.runs, metric), finals(cell.against, metric))
    differences = numbers(values - others)
    p_value = sign_flip_test(differences)
    return {
        **effect(differences),
        "p_value": math.nan if p_value is None else p_value,
        **_score(values, others, metric),
        "effect_size": effect_size(differences),
    }


def effect(differences: np.ndarray) -> dict[str, float]:
    low, high = bootstrap_interval(differences)
    return {"n": len(differences), "mean_difference": mean(differences), "low": low, "high": high}


def _score(values: np.ndarray, others: np.ndarray, metric: str) -> dict[str, int]:
    """Pairs won, tied and lost; a missing value is the worst of all."""
    import numpy as np

    sign = -1 if lower_is_better(metric) else 1
    ours, theirs = (np.where(np.isnan(side), -np.inf, sign * side) for side in (values, others))
    equal = np.isclose(ours, theirs, rtol=TOLERANCE, atol=0)
    wins, ties = int(np.sum((ours > theirs) & ~equal)), int(np.sum(equal))
    return {"wins": wins, "ties": ties, "losses": len(values) - wins - ties}
