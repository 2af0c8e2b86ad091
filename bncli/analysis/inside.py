"""The table of what probes saw inside networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bncli.analysis.runs import runs_columns
from bncli.analysis.tables import Conditions, Results
from bncli.results import RunResult
from bncli.study import probed
from bncli.tasks.metrics import PROBE

if TYPE_CHECKING:
    import pandas as pd


def inside_table(results: Results, conditions: Conditions, folder: Path | None) -> pd.DataFrame:
    """Return one row per run, epoch and probe of a layer; no rows for runs that were trained without probes.

    Columns:
        - `run_id`, `condition` (its row in `conditions_table`), `arm`, `param_<axis>`, `seed`
        - `epoch`, 0 before training
        - `probe`, `layer`, `number` (of the layer) and `value`, see `results.Series`

    Args:
        results: The runs.
        conditions: The condition of each.
        folder: The study's folder; None for runs that no folder has.
    """
    import pandas as pd

    runs = pd.DataFrame(runs_columns(results, conditions))
    seen = probed.read(folder, (result.run_id for result in results)) if folder else probed.table(results)
    return runs.merge(seen, on="run_id") if len(seen) else pd.DataFrame(columns=[*runs.columns, *probed.COLUMNS[1:]])


def with_probe(results: Results, folder: Path | None, metric: str | None) -> list[RunResult]:
    """Return runs that have the value of a metric of probes, if they were trained with it; others as they are.

    Args:
        results: The runs.
        folder: The study's folder; None for runs that no folder has.
        metric: The metric, which may be one that runs have anyway.
    """
    if metric is None or not metric.startswith(PROBE):
        return [*results]
    seen = probed.read(folder, (result.run_id for result in results)) if folder else probed.table(results)
    seen = seen[seen["probe"] == metric.removeprefix(PROBE)]
    at_end = seen[seen["epoch"] == seen.groupby("run_id", observed=True)["epoch"].transform("max")]
    means = {str(run): float(value) for run, value in at_end.groupby("run_id", observed=True)["value"].mean().items()}
    return [
        replace(result, metrics={**result.metrics, metric: means[result.run_id]}) if result.run_id in means else result
        for result in results
    ]
