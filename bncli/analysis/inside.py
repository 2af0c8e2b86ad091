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


def with_probe(results: Results, folder: Path | None, *metrics: str | None) -> list[RunResult]:
    """Return runs that have the values of metrics of probes, if they were trained with these; others as they are.

    Args:
        results: The runs.
        folder: The study's folder; None for runs that no folder has.
        *metrics: The metrics, which may be such as runs have anyway.
    """
    names = [metric for metric in metrics if metric and metric.startswith(PROBE)]
    if not names:
        return [*results]
    seen = probed.read(folder, (result.run_id for result in results)) if folder else probed.table(results)
    found = {name: _at_end(seen[seen["probe"] == name.removeprefix(PROBE)]) for name in names}
    own = [{name: means[run.run_id] for name, means in found.items() if run.run_id in means} for run in results]
    pairs = zip(results, own, strict=True)
    return [replace(result, metrics={**result.metrics, **more}) if more else result for result, more in pairs]


def _at_end(seen: pd.DataFrame) -> dict[str, float]:
    """The mean over layers in the last epoch that has values, by run."""
    last = seen[seen["epoch"] == seen.groupby("run_id", observed=True)["epoch"].transform("max")]
    return {str(run): float(value) for run, value in last.groupby("run_id", observed=True)["value"].mean().items()}
