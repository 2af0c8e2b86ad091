"""The table of what probes saw inside networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bncli.analysis.runs import runs_columns
from bncli.analysis.tables import Conditions, Results
from bncli.study import probed

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
