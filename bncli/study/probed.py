"""Files of probes, beside the journals: `probes-*.parquet`, one for each batch of runs that were recorded together.

Columns: `run_id`, `epoch` (0 before training), `probe`, `layer`, `number` and `value`, see `results.Series`.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bncli.atomic import open_inside, replace_file
from bncli.errors import InvalidConfig, StoreError
from bncli.probes.inside import LEVELS
from bncli.registry import check_name
from bncli.results import RunResult

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_NAME = re.compile(r"probes-[0-9a-f]{16}\.parquet")

COLUMNS = ("run_id", "epoch", "probe", "layer", "number", "value")


def check_level(level: str | None, folder: str | Path | None, option: str, example: str) -> None:
    """Check which probes are to be recorded.

    Args:
        level: One of `probes.inside.LEVELS`; None for none.
        folder: The study's folder, if it has one.
        option: What the option, or argument, is called.
        example: How a folder is named.

    Raises:
        UnknownName: There is no such level.
        InvalidConfig: There is no folder that what the probes see could be written to.
    """
    if level is not None:
        check_name("probe", level, LEVELS)
        if not folder:
            raise InvalidConfig(f"{option} writes what it sees to the folder of a study. Name one: {example}.")


def is_probes(name: str) -> bool:
    """Return whether a file's name is that of a file of probes."""
    return bool(_NAME.fullmatch(name))


def probe_files(folder: Path) -> list[Path]:
    """Return the files of probes of a folder."""
    return [path for path in sorted(folder.glob("probes-*.parquet")) if is_probes(path.name)]


def write(folder: Path, results: Iterable[RunResult]) -> None:
    """Write what probes saw in some runs to a file of its own, and wait until the disk has it; nothing without probes.

    Raises:
        StoreError: It can't be written.
    """
    seen = [result for result in results if result.inside]
    if seen:
        from pyarrow import parquet

        digest = hashlib.sha256(" ".join(result.run_id for result in seen).encode()).hexdigest()[:16]
        table = _table(seen)
        path = folder / f"probes-{digest}.parquet"
        replace_file(path, lambda temporary: parquet.write_table(table, temporary), durable=True, inside=folder)


def _table(results: Sequence[RunResult]) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    parts: dict[str, list[np.ndarray]] = {name: [] for name in COLUMNS}
    for result in results:
        if result.inside:
            series, values = result.inside.series, result.inside.values
            n_epochs, n_series = values.shape
            parts["run_id"].append(np.repeat(result.run_id, values.size))
            parts["epoch"].append(np.repeat(np.arange(n_epochs, dtype="int32"), n_series))
            parts["probe"].append(np.tile([each.probe for each in series], n_epochs))
            parts["layer"].append(np.tile([each.layer for each in series], n_epochs))
            parts["number"].append(np.tile(np.array([each.number for each in series], "int32"), n_epochs))
            parts["value"].append(values.ravel())
    found = {name: np.concatenate(values) for name, values in parts.items()}
    known = ~np.isnan(found["value"])  # some probes are measured now and then only
    columns = {name: pa.array(values[known]) for name, values in found.items()}
    texts = ("run_id", "probe", "layer")
    return pa.table({name: each.dictionary_encode() if name in texts else each for name, each in columns.items()})


def table(results: Iterable[RunResult]) -> pd.DataFrame:
    """Return what probes saw in some runs as a table with the columns `COLUMNS`."""
    import pandas as pd

    seen = [result for result in results if result.inside]
    return _table(seen).to_pandas() if seen else pd.DataFrame(columns=list(COLUMNS))


def read(folder: Path, run_ids: Iterable[str]) -> pd.DataFrame:
    """Return what probes saw in some runs, with the columns `COLUMNS`; no rows for runs without probes.

    Raises:
        StoreError: A file can't be read, or has other columns.
    """
    import pandas as pd

    parts = [_read_file(path) for path in probe_files(folder)]
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    found = pd.concat(parts, ignore_index=True)
    found = found[found["run_id"].isin(set(run_ids))]
    return found.drop_duplicates(["run_id", "epoch", "probe", "layer", "number"], keep="last")


def _read_file(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with open(open_inside(path, path.parent), "rb") as file:
            table = parquet.read_table(io.BytesIO(file.read()))
        found: pd.DataFrame = table.select(list(COLUMNS)).to_pandas()
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise StoreError(
            f"{str(path)!r} is damaged ({type(error).__name__}). Remove it: the report is then made without its probes."
        ) from error
    return found.astype({"run_id": str, "probe": str, "layer": str})
