"""Facts about data sets, for `bncli dataset` and the study's folder: shapes, classes, moments of the features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bncli.data import datasets, sets, sources
from bncli.data.dataset import Dataset
from bncli.data.sequences import is_step
from bncli.tasks.scores import trivial_scores
from bncli.tasks.task import CLASSIFICATION

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


MAX_NAMES = 20
"""The most classes whose names are among the facts."""

PART_NAMES = {"train": "training", "val": "validation", "test": "test"}
"""The names of the parts of a data set in tables, by their names in metrics."""


def catalogue() -> list[dict[str, str]]:
    """Return a row per registered data set and source: its name, its description, and the fields it uses."""
    named = {name: sets.REGISTRY.description(name) for name in sets.REGISTRY}
    named |= {form: sources.REGISTRY.description(source) for source, form in sources.FORMS.items()}
    return [{"name": name, "description": text, "fields": _fields(name)} for name, text in named.items()]


def _fields(name: str) -> str:
    """The data fields that a data set uses, with its defaults if it has any."""
    return " ".join(
        field if value is None else f"{field}={value}" for field, value in datasets.loader_defaults(name).items()
    )


def dataset_facts(data: Dataset) -> dict[str, Any]:
    """Return a data set's name, task, score, sizes and scaling, and its trivial score over validation rows as `chance`.

    `trivial` holds what the best constant answer gets by every score. With a test part there are also `test_rows`,
    `test_chance` and `test_trivial`, over them. A classifier has `n_classes`; a quantity has its `target_mean` and
    `target_sd` over the training rows. For a table, `columns` says what was done to the columns that were not taken as
    they are.
    """
    trivial = trivial_scores(data.task, data.labels("val"))
    facts = {
        "dataset": data.name,
        "task": data.task,
        "score": data.score,
        "training_rows": len(data.y_train),
        "validation_rows": len(data.y_val),
        "input_shape": "x".join(map(str, data.input_shape)),
        **_of_labels(data),
        "scaling": data.scaling,
        "chance": round(trivial[data.score], 4),
        "trivial": _rounded(trivial),
    }
    if data.y_test is not None:
        trivial = trivial_scores(data.task, data.labels("test"))
        chance = round(trivial[data.score], 4)
        facts |= {"test_rows": len(data.y_test), "test_chance": chance, "test_trivial": _rounded(trivial)}
    prepared = [row for row in columns(data) if row["filled_with"] or row["becomes"]]
    return facts | ({"columns": prepared} if prepared else {})


def columns(data: Dataset) -> list[dict[str, Any]]:
    """Return what was done to each column of a table, see `Preparation`; an empty list for other data."""
    return list(data.preparation.columns) if data.preparation else []


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.6g}") for name, value in scores.items()}


def _of_labels(data: Dataset) -> dict[str, Any]:
    if data.task == CLASSIFICATION:
        names = {"class_names": [*data.class_names]} if data.n_classes <= MAX_NAMES else {}
        return {"n_classes": data.n_classes, **names}
    y = data.labels("train")
    return _rounded({"target_mean": float(y.mean()), "target_sd": float(y.std())})


def spread(data: Dataset) -> list[dict[str, Any]]:
    """Return a row per part of a quantity: its mean, sd, minimum, median and maximum; none for classes."""
    import numpy as np

    if data.task == CLASSIFICATION:
        return []
    rows = []
    for part in data.parts:
        y = data.labels(part)
        ends = {"mean": y.mean(), "std": y.std(), "min": y.min(), "median": np.median(y), "max": y.max()}
        rows.append({"label": PART_NAMES[part]} | _rounded({name: float(value) for name, value in ends.items()}))
    return rows


def balance(data: Dataset) -> list[dict[str, Any]]:
    """Return a row per class: how many rows of each part have it, and their shares of the part from 0 to 1."""
    rows = []
    for number, name in enumerate(data.class_names):
        row: dict[str, Any] = {"class": name}
        for part, (_, y) in data.parts.items():
            n_rows, title = int((y == number).sum()), PART_NAMES[part]
            row |= {title: n_rows, f"{title}_share": round(n_rows / len(y), 4)}
        rows.append(row)
    return rows


def moments(raw: Dataset, scaled: Dataset) -> pd.DataFrame:
    """Return the mean, sd, minimum and maximum of every feature over the training rows, raw and scaled.

    For images the first row is over all pixels together. Of sequences all steps count but padded ones.

    Args:
        raw: The data with scaling `none`.
        scaled: The same data as runs train on it.

    Returns:
        A row per feature, with columns `mean`, `scaled_mean`, `std`, `scaled_std` and so on.
    """
    import pandas as pd

    before, after = (_feature_moments(_values(data)) for data in (raw, scaled))
    table = pd.DataFrame({"feature": feature_names(raw)})
    for name in before:
        table[name], table[f"scaled_{name}"] = before[name], after[name]
    if raw.is_image:
        table = pd.concat([_all_pixels(raw, scaled), table], ignore_index=True)
    return table


def _values(data: Dataset) -> np.ndarray:
    """The training rows with a column per feature; a row per step of sequences."""
    x = data.x_train
    return x.reshape(len(x), -1) if data.padding is None else x[is_step(x, data.padding)]


def _feature_moments(flat: np.ndarray) -> dict[str, np.ndarray]:
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
    """Return a name per feature: the data set's own, or x1, x2, ...; pixels by row, column and channel (r0c0ch0)."""
    if data.feature_names:
        return list(data.feature_names)
    if data.is_image:
        height, width, channels = data.input_shape
        places = [f"r{row}c{column}" for row in range(height) for column in range(width)]
        return [f"{place}ch{ch}" if channels > 1 else place for place in places for ch in range(channels)]
    return [f"x{number + 1}" for number in range(data.input_shape[-1])]
