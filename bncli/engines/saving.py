"""Save a trained network as a model that takes raw rows and that plain Keras loads, without bncli."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from bncli.backend import keras
from bncli.data.datasets import Dataset
from bncli.data.scaling import Scaler
from bncli.networks.layers import GhostBatchNormalization
from bncli.networks.saved import NAMES


def save(model: keras.Model, data: Dataset, path: Path) -> None:
    """Write a trained model with the scaling as its first layer, and the names of the classes and features.

    Args:
        model: The network, which takes scaled rows; its layers and its optimizer become those of the saved model.
        data: The data that it was trained on.
        path: The file, whose name ends in `.keras`.
    """
    _become_plain(model)
    with_scaling(model, data.scaler).save(path)
    names = {"class_names": data.class_names, "feature_names": data.feature_names}
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(NAMES, json.dumps(names))


def _become_plain(model: keras.Model) -> None:
    """Turn ghost batch normalizations into Keras' layer, which they are in inference: plain Keras loads no other."""
    for layer in model._flatten_layers():
        if isinstance(layer, GhostBatchNormalization):
            layer.__class__ = keras.layers.BatchNormalization


def with_scaling(model: keras.Model, scaler: Scaler | None) -> keras.Model:
    """Return a model that scales raw rows and then does what `model` does; `model` itself without a scaling.

    The layer is `Rescaling`: `Normalization` takes a standard deviation below 1e-7 for 1e-7.
    """
    if scaler is None:
        return model
    factor = 1 / np.asarray(scaler.divisor, "float64")
    offset = -np.asarray(scaler.shift, "float64") * factor
    scaling = keras.layers.Rescaling(factor.tolist(), offset.tolist(), name="scaling")
    inputs = keras.Input(model.input_shape[1:])
    if isinstance(model, keras.Sequential):
        saved = keras.Sequential([inputs, scaling, *model.layers])
    else:
        saved = keras.Model(inputs, model.call(scaling(inputs)))  # its layers; nested, its optimizer would get lost
    saved.compile(model.optimizer, model.loss, metrics=["accuracy"], jit_compile=False)
    return saved
