"""Save a trained network as a model that takes raw rows and that plain Keras loads, without bncli."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bncli.backend import keras
from bncli.config import RunConfig
from bncli.data.dataset import Dataset
from bncli.data.scaling import UNSCALED, Scaler
from bncli.engines.rates import steps_per_epoch
from bncli.networks.layers import GhostBatchNormalization
from bncli.networks.saved import NAMES
from bncli.tasks.task import REGRESSION, TASKS


def save(model: keras.Model, data: Dataset, path: Path, training: Mapping[str, Any] | None = None) -> None:
    """Write a trained model with the scaling as its first layer, and the names of the classes and features.

    The names are in a member of their own, `saved.NAMES`. Keras loads a file with such a member, and has no place of
    its own for them: layer names, the only free texts in a model, can't hold spaces or accents.

    Args:
        model: The network, which takes scaled rows; its layers and its optimizer become those of the saved model.
        data: The data that it was trained on.
        path: The file, whose name ends in `.keras`.
        training: How it was trained, see `training_facts`.
    """
    _become_plain(model)
    with_scaling(model, data.scaler, data.target_scaler, data.padding).save(path)
    names: dict[str, Any] = {"class_names": data.class_names, "feature_names": data.feature_names}
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(NAMES, json.dumps(names | ({"training": training} if training else {})))


def training_facts(config: RunConfig, training_rows: int) -> dict[str, Any]:
    """Return what a saved model's file says of its training, as `saved.saved_training` reads it.

    Runs that train together have no optimizer of their own whose counter could tell the steps. With `patience` a run
    may have ended before its planned steps, which are left out then.
    """
    facts: dict[str, Any] = {"batch_size": config.batch_size, "decay": config.decay}
    steps = steps_per_epoch(config, training_rows) * config.epochs
    return facts if config.patience else {"n_steps": steps} | facts


def _become_plain(model: keras.Model) -> None:
    """Turn ghost batch normalizations into Keras' layer, which they are in inference: plain Keras loads no other."""
    for layer in model._flatten_layers():
        if isinstance(layer, GhostBatchNormalization):
            layer.__class__ = keras.layers.BatchNormalization


def with_scaling(
    model: keras.Model, scaler: Scaler | None, target: Scaler = UNSCALED, padding: float | None = None
) -> keras.Model:
    """Return a model that scales raw rows and then does what `model` does; `model` itself without a scaling.

    The layer is `Rescaling`: `Normalization` takes a standard deviation below 1e-7 for 1e-7.

    Args:
        model: A compiled model.
        scaler: How its rows are scaled.
        target: How the quantities are that it tells: the saved model tells them in their own units.
        padding: The value of the padded steps of sequences, raw and scaled; None for other rows.
    """
    if scaler is None and target == UNSCALED:
        return model
    before, after = [], []
    if scaler is not None:
        factor = 1 / np.asarray(scaler.divisor, "float64")
        offset = -np.asarray(scaler.shift, "float64") * factor
        before = [keras.layers.Rescaling(factor.tolist(), offset.tolist(), name="scaling")]
    if before and padding is not None:
        scaling, before = before[0], [lambda rows: _padded_alike(scaling(rows), rows, padding)]
    if target != UNSCALED:
        after = [keras.layers.Rescaling(float(target.divisor), float(target.shift), name="target_scaling")]
    inputs = outputs = keras.Input(model.input_shape[1:])
    if isinstance(model, keras.Sequential) and padding is None:
        saved = keras.Sequential([inputs, *before, *model.layers, *after])
    else:
        calls = model.layers if isinstance(model, keras.Sequential) else [model.call]
        for call in (*before, *calls, *after):  # its layers; nested, its optimizer would get lost
            outputs = call(outputs)
        saved = keras.Model(inputs, outputs)
    metrics = ["mae"] if model.loss in TASKS[REGRESSION].losses else ["accuracy"]
    saved.compile(model.optimizer, model.loss, metrics=metrics, jit_compile=False)
    return saved


def _padded_alike(scaled: Any, rows: Any, padding: float) -> Any:
    """Scaled rows that have the value of padding where the raw rows have it in all features."""
    is_padded = keras.ops.all(keras.ops.equal(rows, padding), axis=-1, keepdims=True)
    return keras.ops.where(is_padded, padding, scaled)
