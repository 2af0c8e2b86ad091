"""Records into tables: one row a condition, or one row a run, or one row a run and epoch. Numbers only, no drawing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bncli.config import FIELDS, RunConfig, Value
from bncli.results import HISTORY_METRICS, RunResult, lower_is_better
from bncli.study import Condition

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

METRICS = ("val_accuracy", "train_accuracy", "accuracy", "val_loss", "loss")
"""The order of metrics in tables; the first is the one that ranks arms."""

Results = Sequence[RunResult]


def runs_table(results: Results, conditions: Mapping[RunConfig, Condition]) -> pd.DataFrame:
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
    kinds = dict.fromkeys([*whole, "best_epoch", "params"], "Int64")
    kinds |= dict.fromkeys([*METRICS, "best_val_accuracy"], "float64")
    return table.astype({name: kind for name, kind in kinds.items() if name in table.columns})


def _run_row(result: RunResult, condition: Condition, places: Mapping[Condition, int]) -> dict[str, Any]:
    best = result.best.get("val_accuracy", {})
    return {
        "run_id": result.config.run_id,
        "condition": places[condition],
        **condition_columns(condition),
        "seed": result.config.seed,
        "state": result.state,
        **{metric: result.metrics.get(metric) for metric in METRICS},
        "best_val_accuracy": best.get("value"),
        "best_epoch": best.get("epoch"),
        "params": result.params.get("total"),
        "seconds": round(result.seconds, 3),
    }


def condition_columns(condition: Condition) -> dict[str, Any]:
    """The columns that tell conditions apart, as scikit-learn names them: `arm`, `param_lr`, ..."""
    return {"arm": condition.arm} | {f"param_{name}": value for name, value in condition.values}


def conditions_table(results: Results, conditions: Mapping[RunConfig, Condition]) -> pd.DataFrame:
    """One row a condition, in the study's order.

    Columns: `arm`, `param_<axis>`, `n` (runs with a result), `n_diverged`, `n_failed`, `params`, for every metric
    `mean_<metric>` and `std_<metric>` (sample standard deviation over seeds), `best`, `mean_seconds`.
    A diverged run counts with the accuracy of the constant answer that it ended in; its loss is left out, as it
    has none. A failed run has no numbers and is only counted. `best` marks, at each point of the axes (see
    `points`), the arm with the best mean validation accuracy among several.
    """
    import pandas as pd

    runs = runs_table(results, conditions)
    order = dict.fromkeys(conditions.values())
    rows = [_condition_row(condition, runs[runs["condition"] == place]) for place, condition in enumerate(order)]
    table = _typed(pd.DataFrame(rows))
    table["best"] = _best_arms(table)
    return table


def _condition_row(condition: Condition, runs: pd.DataFrame) -> dict[str, Any]:
    counted = runs[runs["state"] != "failed"]
    statistics: dict[str, float] = {}
    for metric in METRICS:
        statistics[f"mean_{metric}"] = counted[metric].mean()
        statistics[f"std_{metric}"] = counted[metric].std(ddof=1)
    return {
        **condition_columns(condition),
        "n": len(counted),
        "n_diverged": int((runs["state"] == "diverged").sum()),
        "n_failed": int((runs["state"] == "failed").sum()),
        "params": counted["params"].max() if len(counted) else None,
        **statistics,
        "mean_seconds": counted["seconds"].mean(),
    }


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


def history_table(results: Results, conditions: Mapping[RunConfig, Condition]) -> pd.DataFrame:
    """One row a run and epoch: `run_id`, `condition`, `arm`, `param_<axis>`, `seed`, `epoch`, then the metrics."""
    import pandas as pd

    places = {condition: place for place, condition in enumerate(dict.fromkeys(conditions.values()))}
    rows: list[dict[str, Any]] = []
    for result in results:
        condition = conditions[result.config]
        known = {
            "run_id": result.config.run_id,
            "condition": places[condition],
            **condition_columns(condition),
        }
        rows += [known | {"seed": result.config.seed} | epoch for epoch in _epochs(result)]
    axes = list(condition_columns(next(iter(places)))) if places else ["arm"]
    columns = ["run_id", "condition", *axes, "seed", "epoch", *HISTORY_METRICS]
    return _typed(pd.DataFrame(rows, columns=columns))


def _epochs(result: RunResult) -> Iterable[dict[str, Any]]:
    for index in range(len(result.history.get("loss", []))):
        yield {"epoch": index + 1} | {metric: values[index] for metric, values in result.history.items()}
