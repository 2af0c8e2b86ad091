"""What one should know about a data set before training on it: shapes, classes, moments, and a way to take it along."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from bncli import datasets
from bncli.config import RunConfig
from bncli.datasets import Dataset
from bncli.errors import InvalidConfig
from bncli.readers import SPLIT_COLUMN
from bncli.store import replace_file

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

EXPORT_KINDS = ("csv", "npz")
LABEL_COLUMN = "label"


def catalogue() -> list[dict[str, str]]:
    """One row a registered data set: name, description, the fields it obeys with their defaults."""
    return [
        {
            "name": name,
            "description": datasets.REGISTRY.description(name),
            "fields": " ".join(f"{field}={value}" for field, value in datasets.loader_defaults(name).items()),
        }
        for name in datasets.REGISTRY
    ]


def facts(data: Dataset) -> dict[str, Any]:
    """Name, shapes, scaling and chance level of a data set."""
    return {
        "dataset": data.name,
        "training_rows": len(data.y_train),
        "validation_rows": len(data.y_val),
        "input_shape": "x".join(map(str, data.input_shape)),
        "n_classes": data.n_classes,
        "scaling": data.scaling,
        "chance": round(chance(data), 4),
    }


def chance(data: Dataset) -> float:
    """Validation accuracy of the best constant answer: the share of the largest class."""
    import numpy as np

    return float(np.bincount(data.y_val).max() / len(data.y_val))


def balance(data: Dataset) -> list[dict[str, Any]]:
    """Rows and shares of every class in both parts."""
    rows = []
    for number, name in enumerate(data.class_names):
        train, val = int((data.y_train == number).sum()), int((data.y_val == number).sum())
        rows.append({
            "class": name,
            "training": train,
            "training_share": round(train / len(data.y_train), 4),
            "validation": val,
            "validation_share": round(val / len(data.y_val), 4),
        })  # fmt: skip
    return rows


def moments(config: RunConfig) -> pd.DataFrame:
    """Mean, sd, minimum and maximum of every feature over the training rows, before and after scaling.

    Images have a row of all pixels together first; their pixels are named by row, column and channel.
    """
    import pandas as pd

    raw, scaled = datasets.load(config.replace(scaling="none")), datasets.load(config)
    before, after = _feature_moments(raw.x_train), _feature_moments(scaled.x_train)
    table = pd.DataFrame({"feature": feature_names(raw)})
    for name in before:
        table[name], table[f"scaled_{name}"] = before[name], after[name]
    if raw.is_image:
        table = pd.concat([_all_pixels(raw, scaled), table], ignore_index=True)
    return table


def _feature_moments(x: np.ndarray) -> dict[str, np.ndarray]:
    flat = x.reshape(len(x), -1)
    mean, sd = flat.mean(axis=0, dtype="float64"), flat.std(axis=0, dtype="float64")
    return {"mean": mean, "std": sd, "min": flat.min(axis=0), "max": flat.max(axis=0)}


def _all_pixels(raw: Dataset, scaled: Dataset) -> pd.DataFrame:
    import pandas as pd

    row: dict[str, Any] = {"feature": "all pixels"}
    for data, prefix in ((raw, ""), (scaled, "scaled_")):
        for name, value in _feature_moments(data.x_train.reshape(-1, 1)).items():
            row[prefix + name] = value[0]
    return pd.DataFrame([row])


def feature_names(data: Dataset) -> list[str]:
    """One name a feature: the file's own, or x1, x2, ..., or row, column and channel of a pixel."""
    if data.feature_names:
        return list(data.feature_names)
    if data.is_image:
        height, width, channels = data.input_shape
        places = [f"r{row}c{column}" for row in range(height) for column in range(width)]
        return [f"{place}ch{ch}" if channels > 1 else place for place in places for ch in range(channels)]
    return [f"x{number + 1}" for number in range(data.input_shape[0])]


def export(data: Dataset, target: str, kind: str | None, pipe: IO[bytes]) -> None:
    """Write the scaled data to a file or, for `-`, to `pipe`.

    CSV has one column a feature, then `label` and `split`; bncli reads it back with the same split. NPZ has Keras'
    four keys `x_train, y_train, x_test, y_test`, the validation rows under `test`.

    Raises:
        InvalidConfig: The kind can't be told from the file's ending, or a feature is in the way of CSV's own columns.
        StoreError: The file can't be written.
    """
    received = kind or target
    kind = kind or ("csv" if target == "-" else Path(target).suffix.lower().lstrip("."))
    if kind not in EXPORT_KINDS:
        raise InvalidConfig(
            f"--export writes .csv or .npz. Received: {received!r}. Try --export-as csv or --export-as npz."
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
    parts = {"x_train": data.x_train, "y_train": data.y_train, "x_test": data.x_val, "y_test": data.y_val}
    np.savez_compressed(file, allow_pickle=False, **parts)


def _frame(data: Dataset) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    x = np.concatenate([data.x_train, data.x_val])
    frame = pd.DataFrame(x.reshape(len(x), -1), columns=feature_names(data))
    taken = [name for name in (LABEL_COLUMN, SPLIT_COLUMN) if name in frame.columns]
    if taken:
        raise InvalidConfig(
            f"CSV gets the columns {LABEL_COLUMN} and {SPLIT_COLUMN}, but {data.name!r} has a feature of that name. "
            f"Received: {', '.join(taken)}. Rename it, or export as npz."
        )
    y = np.concatenate([data.y_train, data.y_val])
    frame[LABEL_COLUMN] = np.array(data.class_names)[y]
    frame[SPLIT_COLUMN] = np.where(np.arange(len(x)) < len(data.y_train), "train", "validation")
    return frame
