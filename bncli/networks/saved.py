"""What a `.keras` file says of the training of its model, besides its weights."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WEIGHTS, CONFIG = "model.weights.h5", "config.json"
"""Members of a `.keras` file, which is a ZIP archive."""

NAMES = "names.json"
"""The member with `class_names` and `feature_names` that bncli adds. Keras loads a file with such a member, and has no
place of its own for them: layer names, the only free texts in a model, can't hold spaces or accents."""

_STEPS = "optimizer/vars/0"
"""Where Keras keeps the number of training steps in `WEIGHTS`: it is the first variable of every optimizer."""


@dataclass(frozen=True)
class SavedTraining:
    """The training of a saved model.

    Attributes:
        n_steps: The steps that its optimizer made; None for a model that was saved without one.
        weight_decay: The optimizer's weight decay, or 0.
    """

    n_steps: int | None
    weight_decay: float


def saved_training(path: Path) -> SavedTraining:
    """Return what a `.keras` file says of the training of its model. No code in it is run."""
    with zipfile.ZipFile(path) as archive:
        optimizer = _optimizer(json.loads(archive.read(CONFIG)))
        steps = _n_steps(archive.read(WEIGHTS)) if optimizer else None
    decay = optimizer.get("weight_decay")
    return SavedTraining(steps, float(decay) if isinstance(decay, int | float) else 0.0)


def takes_raw_rows(path: Path) -> bool:
    """Return whether bncli saved the model in a `.keras` file: it then has the scaling of rows as its first layer."""
    with zipfile.ZipFile(path) as archive:
        return NAMES in archive.namelist()


def _optimizer(config: Any) -> dict[str, Any]:
    """The settings of the optimizer; empty for a model that was not compiled."""
    for name in ("compile_config", "optimizer", "config"):
        config = config.get(name) if isinstance(config, dict) else None
    return config if isinstance(config, dict) else {}


def _n_steps(weights: bytes) -> int | None:
    import h5py  # type: ignore[import-untyped]

    with h5py.File(io.BytesIO(weights), "r") as file:
        steps = file.get(_STEPS)
        return int(steps[()]) if isinstance(steps, h5py.Dataset) and steps.shape == () else None
