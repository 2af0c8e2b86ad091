"""The table of interactions: how an arm's difference from the baseline changes along an axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bncli.analysis.grid import Cell, distinct_cells
from bncli.analysis.learning import learned_pairs
from bncli.analysis.pairs import Differences, final_values, paired_differences
from bncli.analysis.runs import Trivial
from bncli.analysis.statistics import TOLERANCE, Interval, bootstrap_interval, holm, mean, sign_flip_test
from bncli.analysis.tables import AXES, Conditions, Results, table_of
from bncli.tasks.metrics import DEFAULT, lower_is_better
from bncli.values import Value

if TYPE_CHECKING:
    import pandas as pd


COLUMNS = (
    *("arm", "baseline", "axis", "from", "to", AXES, "metric", "n", "from_difference", "to_difference"),
    *("mean_difference", "low", "high", "p_value", "p_holm"),
)


def interactions_table(
    results: Results,
    conditions: Conditions,
    metric: str = DEFAULT,
    baseline: str | None = None,
    trivial: Trivial | None = None,
) -> pd.DataFrame:
    """Return one row per contrast: an arm's difference from the baseline at one value of an axis minus that at another.

    Along an axis of numbers, neighbouring values are contrasted, and the lowest with the highest. Along any other axis
    each value is contrasted with the first. Values of the other axes are the same on both sides. An axis without effect
    on an arm and on the baseline has no contrasts there.

    Columns:
        - `arm`, `baseline`, `axis` with its values `from` and `to`, `param_<other axis>` (that of `axis` is empty),
          `metric`
        - `n` (seeds for which all four runs have a value), `from_difference` and `to_difference` (the mean differences
          from the baseline at both values, over these seeds)
        - `mean_difference` (`to_difference` minus `from_difference`), `low` and `high` (its 95 % interval)
        - `p_value` (see `sign_flip_test`), `p_holm` (corrected for the number of rows that have one)

    Where one of the four arms learned in some seeds and not in others (see `has_learned`), a mean says little, as in
    `differences_table`: `mean_difference` and all that follow are missing.

    Args:
        results: The runs.
        conditions: The condition of each.
        metric: What is compared.
        baseline: The label of the baseline; the first arm if None.
        trivial: What the best constant answer scores; None if it isn't known, and all runs count alike.

    Raises:
        UnknownName: No such metric.
    """
    lower_is_better(metric)
    rows = []
    for axis, line in _lines(results, conditions, baseline):
        for start, end in _contrasted(list(line)):
            columns = line[end].columns | {"axis": axis, "from": start, "to": end, f"param_{axis}": None}
            rows.append(columns | {"metric": metric} | _contrast_row(line[start], line[end], metric, trivial))
    table = table_of(rows, conditions, COLUMNS)
    table["p_holm"] = holm(table["p_value"].tolist())
    return table


DRAW = "param_data_seed"
"""The column of an axis along which nothing is contrasted; the share of variance between draws is what it tells."""

Line = dict[Value, Cell]
"""The cells of one arm along an axis by value, in the study's order; all else is the same."""


def _lines(results: Results, conditions: Conditions, baseline: str | None) -> Iterator[tuple[str, Line]]:
    """Every axis with the cells along it, for every arm but the baseline and every point of the other axes."""
    found: dict[tuple[str, Any], Line] = {}
    for cell in distinct_cells(results, conditions, baseline):
        if cell.is_baseline or not (cell.runs and cell.baseline_runs):
            continue
        values = {name: value for name, value in cell.columns.items() if name.startswith("param_")}
        for name, value in values.items():
            if value is not None and name != DRAW:  # draws of the data have no order
                others = tuple((other, each) for other, each in values.items() if other != name)
                found.setdefault((name, (cell.condition.arm, others)), {})[value] = cell
    for (name, _), line in found.items():
        yield name.removeprefix("param_"), line


def _is_ordered(values: Sequence[Value]) -> bool:
    """Whether the values of an axis are numbers, and so have an order."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _contrasted(values: Sequence[Value]) -> list[tuple[Value, Value]]:
    """The pairs of values of an axis that are contrasted.

    >>> _contrasted([0.1, 0.001, 0.01])
    [(0.001, 0.01), (0.01, 0.1), (0.001, 0.1)]
    >>> _contrasted(["relu", "tanh", "elu"])
    [('relu', 'tanh'), ('relu', 'elu')]
    """
    if not _is_ordered(values):
        return [(values[0], value) for value in values[1:]]
    ordered = sorted(values)  # type: ignore[type-var]
    ends = [(ordered[0], ordered[-1])] if len(ordered) > 2 else []
    return [*pairwise(ordered), *ends]


def _contrast_row(start: Cell, end: Cell, metric: str, trivial: Trivial | None) -> dict[str, Any]:
    before, after = _differences_at(start, end, metric)
    contrast = after.values - before.values
    low, high = _contrast_interval(before, after)
    row = {"n": len(contrast), "from_difference": mean(before.values), "to_difference": mean(after.values)}
    if trivial is not None and any(_is_mixed(cell, metric, trivial) for cell in (start, end)):
        return row
    return row | {"mean_difference": mean(contrast), "low": low, "high": high, "p_value": sign_flip_test(contrast)}


def _is_mixed(cell: Cell, metric: str, trivial: Trivial) -> bool:
    return learned_pairs(cell.runs, cell.baseline_runs, metric, trivial).is_mixed


def _differences_at(start: Cell, end: Cell, metric: str) -> tuple[Differences, Differences]:
    """The differences from the baseline at both values, for the seeds for which all four runs have a value."""
    four = (start.runs, start.baseline_runs, end.runs, end.baseline_runs)
    known = [{seed for seed, value in final_values(runs, metric).items() if not math.isnan(value)} for runs in four]
    seeds = [seed for seed in start.runs if all(seed in each for each in known)]
    runs = [{seed: each[seed] for seed in seeds} for each in four]
    return paired_differences(runs[0], runs[1], metric), paired_differences(runs[2], runs[3], metric)


def _contrast_interval(before: Differences, after: Differences) -> Interval:
    """The 95 % interval of the mean contrast, clipped as in `paired_differences` to what both sides allow."""
    import numpy as np

    contrast = after.values - before.values
    low, high = bootstrap_interval(contrast)
    slack = TOLERANCE * np.abs(contrast).max(initial=0.0)
    if math.isnan(low) or (contrast.min() - slack <= low and high <= contrast.max() + slack):
        return Interval(low, high)
    start, end = before.interval, after.interval
    return Interval(max(low, end.low - start.high), min(high, end.high - start.low))


def whole_contrasts(interactions: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that span an axis: between its ends if it has an order, else all of them.

    Args:
        interactions: The table of `interactions_table`.
    """
    kept = []
    for _, rows in interactions.groupby(["axis", "arm"], sort=False):
        if not _is_ordered(rows["from"].tolist()):
            kept.append(rows)
            continue
        others = [name for name in rows if str(name).startswith("param_") and rows[name].notna().any()]
        for _, line in rows.groupby(others, sort=False, dropna=False) if others else [((), rows)]:
            kept.append(line.tail(1))
    return interactions.loc[[place for rows in kept for place in rows.index]]


def with_interactions(differences: pd.DataFrame, interactions: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `differences.csv`: the differences as they are, then the interactions below them.

    One file holds both because both are read with the same columns: `mean_difference` with its interval and p-values.
    The column `kind` tells them apart. The differences come first, with their columns where they were, and whoever
    selects rows by `condition` or by the value of every axis meets no interaction: it belongs to no condition, and its
    own axis has no value.

    Args:
        differences: The table of `differences_table`.
        interactions: The table of `interactions_table`.
    """
    import pandas as pd

    rows = {"difference": differences, "interaction": interactions}
    columns = [*differences.columns, "kind", "axis", "from", "to", "from_difference", "to_difference"]
    kinds = dict.fromkeys(("from", "to"), "object")
    kinds |= {str(name): "Int64" for name in differences if differences[name].dtype.kind == "i"}
    parts = [part.assign(kind=kind).reindex(columns=columns).astype(kinds) for kind, part in rows.items()]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
