"""Write a data set to a file or a pipe, as CSV or NPZ."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

from bncli.atomic import replace_file
from bncli.data.dataset import Dataset
from bncli.data.facts import feature_names
from bncli.data.sequences import is_step
from bncli.data.splits import SPLIT_COLUMN, SPLIT_PARTS
from bncli.errors import InvalidConfig, shown

if TYPE_CHECKING:
    import pandas as pd


EXPORT_KINDS = ("csv", "npz")

LABEL_COLUMN = "label"


def export_dataset(data: Dataset, target: str, kind: str | None, pipe: IO[bytes]) -> None:
    """Write the selected and scaled rows.

    CSV has a column per feature, then `label` and `split`; bncli reads it back with the same split. NPZ has the arrays
    `x_train`, `y_train`, `x_test` and `y_test` (Keras' names); the validation rows are under `test`, or, with a test
    part, under `x_val` and `y_val`. Sequences have their masks beside them: `mask_train` and so on.

    Args:
        data: The data set.
        target: Path of the file, or `-` for `pipe`.
        kind: `csv` or `npz`; None for the ending of `target`, or CSV for the pipe.
        pipe: Where `-` is written to.

    Raises:
        InvalidConfig: The kind is unknown, or is CSV and can't hold the rows or the names of their features.
        StoreError: The file can't be written.
    """
    received = kind or target
    kind = kind or ("csv" if target == "-" else Path(target).suffix.lower().lstrip("."))
    if kind not in EXPORT_KINDS:
        raise InvalidConfig(
            f"--export writes .csv or .npz. Received: {shown(received)}. Try --export-as csv or --export-as npz."
        )
    if target == "-":
        _write(data, kind, pipe)
        return

    def fill(path: Path) -> None:
        with path.open("wb") as file:
            _write(data, kind, file)

    replace_file(Path(target), fill)


def _write(data: Dataset, kind: str, file: IO[bytes]) -> None:
    import numpy as np

    if kind == "csv":
        _frame(data).to_csv(file, index=False, lineterminator="\n")
        return
    parts = {part: (x, data.labels(part)) for part, (x, _) in data.parts.items()}
    parts = parts if data.x_test is not None else {"train": parts["train"], "test": parts["val"]}
    arrays = {f"{axis}_{part}": array for part, pair in parts.items() for axis, array in zip("xy", pair, strict=True)}
    if data.padding is not None:
        arrays |= {f"mask_{part}": is_step(x, data.padding) for part, (x, _) in parts.items()}
    np.savez_compressed(file, allow_pickle=False, **arrays)


def _frame(data: Dataset) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    if data.padding is not None:
        raise InvalidConfig("CSV has no place for sequences. Try --export-as npz.")
    x = np.concatenate([x for x, _ in data.parts.values()])
    frame = pd.DataFrame(x.reshape(len(x), -1), columns=feature_names(data))
    taken = [name for name in (LABEL_COLUMN, SPLIT_COLUMN) if name in frame.columns]
    if taken:
        raise InvalidConfig(
            f"A CSV export adds the columns {LABEL_COLUMN} and {SPLIT_COLUMN}, but {shown(data.name)} already has: "
            f"{', '.join(taken)}. Rename it, or export as npz."
        )
    y = np.concatenate([data.labels(part) for part in data.parts])
    frame[LABEL_COLUMN] = np.array(data.class_names)[y] if data.class_names else y
    frame[SPLIT_COLUMN] = np.repeat(SPLIT_PARTS[: len(data.parts)], [len(y) for _, y in data.parts.values()])
    return frame
