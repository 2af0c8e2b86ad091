"""The grid of a study: every arm at every point of the axes, beside the baseline at that point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from bncli.analysis.tables import Conditions, Results, Runs, results_by_condition
from bncli.study.study import Condition
from bncli.values import Value

Point = tuple[Value, ...]
"""One value per axis; None where no arm depends on the axis."""


def grid_points(conditions: Sequence[Condition]) -> dict[Point, list[int]]:
    """Return the points of the axes, each with the places of the conditions that belong to it.

    A condition without a value on an axis (the axis has no effect on its arm) belongs to every point that differs from
    it in that axis alone. Where an axis affects no arm (the momentum of an optimizer that has none), the point itself
    has None there.

    Args:
        conditions: The conditions of a study in order, as in `conditions_table`.

    Returns:
        Point to places in `conditions`. Without axes there is one point, `()`.
    """
    own = [tuple(value for _, value in condition.values) for condition in conditions]
    distinct = dict.fromkeys(own)
    found: dict[Point, list[int]] = {
        point: []
        for point in distinct
        if None not in point or not any(other != point and _covers(other, point) for other in distinct)
    }
    for place, values in enumerate(own):
        for point in [values] if values in found else [point for point in found if _covers(point, values)]:
            found[point].append(place)
    return found


def _covers(point: Point, values: Point) -> bool:
    """Whether the values are those of the point, apart from missing ones."""
    return all(value is None or value == other for value, other in zip(values, point, strict=True))


class Cell(NamedTuple):
    """One arm at one point of the axes, with the baseline at that point.

    Attributes:
        columns: `condition`, `arm`, `baseline` and `param_<axis>`, for a row of a table.
        condition: The arm's condition.
        runs: Its runs.
        baseline: The baseline's condition; None if it has none at this point.
        baseline_runs: The baseline's runs.
    """

    columns: dict[str, Any]
    condition: Condition
    runs: Runs
    baseline: Condition | None
    baseline_runs: Runs

    @property
    def is_baseline(self) -> bool:
        """Whether this arm is the baseline itself."""
        return self.condition == self.baseline


def cells(results: Results, conditions: Conditions, baseline: str | None = None) -> Iterator[Cell]:
    """Yield every arm at every point of the axes.

    Args:
        results: The runs; failed ones are left out.
        conditions: The condition of each run.
        baseline: The label of the baseline; the first arm if None.
    """
    groups = results_by_condition(results, conditions)
    runs: dict[Condition, Runs] = {
        condition: {result.config.seed: result for result in group if result.state != "failed"}
        for condition, group in groups.items()
    }
    order = list(runs)
    label = baseline or (order[0].arm if order else None)
    for point, places in grid_points(order).items():
        beside = next((order[place] for place in places if order[place].arm == label), None)
        for place in places:
            condition = order[place]
            at = {f"param_{name}": value for (name, _), value in zip(condition.values, point, strict=True)}
            columns = {"condition": place, "arm": condition.arm, "baseline": label, **at}
            yield Cell(columns, condition, runs[condition], beside, runs[beside] if beside else {})


def distinct_cells(results: Results, conditions: Conditions, baseline: str | None = None) -> Iterator[Cell]:
    """Yield the cells without repeats: an axis that affects neither arm nor baseline is None in `columns`.

    The arguments are those of `cells`.
    """
    seen = set()
    for cell in cells(results, conditions, baseline):
        if (cell.condition, cell.baseline) in seen:
            continue
        seen.add((cell.condition, cell.baseline))
        values = dict((cell.baseline or cell.condition).values)
        values |= {name: value for name, value in cell.condition.values if value is not None}
        yield cell._replace(columns=cell.columns | {f"param_{name}": value for name, value in values.items()})
