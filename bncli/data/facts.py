"""What one should know about a data set before training on it: shapes, classes, moments, and a way to take it along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bncli.data import datasets, sets
from bncli.data.datasets import Dataset
from bncli.tasks.metrics import trivial_score

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def catalogue() -> list[dict[str, str]]:
    """One row a registered data set: name, description, the fields it obeys with their defaults."""
    return [
        {
            "name": name,
            "description": sets.REGISTRY.description(name),
            "fields": " ".join(f"{field}={value}" for field, value in datasets.loader_defaults(name).items()),
        }
        for name in sets.REGISTRY
    ]


def dataset_facts(data: Dataset) -> dict[str, Any]:
    """Name, shapes, scaling and chance level of a data set."""
    return {
        "dataset": data.name,
        "training_rows": len(data.y_train),
        "validation_rows": len(data.y_val),
        "input_shape": "x".join(map(str, data.input_shape)),
        "n_classes": data.n_classes,
        "scaling": data.scaling,
        "chance": round(trivial_score(data.y_val), 4),
    }


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


def moments(raw: Dataset, scaled: Dataset) -> pd.DataFrame:
    """Mean, sd, minimum and maximum of every feature over the training rows, before and after scaling.

    Images have a row of all pixels together first; their pixels are named by row, column and channel.

    Args:
        raw: The data without scaling.
        scaled: The same data as runs train on it.
    """
    import pandas as pd

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
