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
"""The member that bncli adds to it: names of classes and features, and facts on the training."""

_STEPS = "optimizer/vars/0"
"""Where Keras keeps the number of training steps in `WEIGHTS`: it is the first variable of every optimizer."""


@dataclass(frozen=True)
class SavedTraining:
    """The training of a saved model; None for what the file doesn't tell.

    Attributes:
        n_steps: The steps that its optimizer counted; where it counted none, those that bncli planned.
        batch_size: Samples per batch, which bncli alone writes.
        weight_decay: The optimizer's weight decay, or 0.
        decay: To which weights bncli applied that, see the field `decay` of a run.
    """

    n_steps: int | None = None
    batch_size: int | None = None
    weight_decay: float = 0.0
    decay: str | None = None


def saved_training(path: Path) -> SavedTraining:
    """Return what a `.keras` file says of the training of its model. No code in it is run."""
    with zipfile.ZipFile(path) as archive:
        optimizer = _optimizer(json.loads(archive.read(CONFIG)))
        steps = _n_steps(archive.read(WEIGHTS)) if optimizer else None
        noted = _noted(archive)
    decay = optimizer.get("weight_decay")
    return SavedTraining(
        steps or _whole(noted.get("n_steps")) or steps,
        _whole(noted.get("batch_size")),
        float(decay) if isinstance(decay, int | float) else 0.0,
        noted["decay"] if isinstance(noted.get("decay"), str) else None,
    )


def takes_raw_rows(path: Path) -> bool:
    """Return whether bncli saved the model in a `.keras` file, which then scales its rows itself."""
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


def _noted(archive: zipfile.ZipFile) -> dict[str, Any]:
    """What bncli noted of the training; the member may be missing, or someone else's."""
    try:
        found = json.loads(archive.read(NAMES))["training"]
    except (KeyError, TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
