"""`--save-model`: the file of a trained model, and what it takes and gives in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bncli.atomic import replace_file
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.networks.network import network_of
from bncli.tasks.task import REGRESSION
from bncli.values import counted, plain_text

if TYPE_CHECKING:
    import keras

MAX_NAMES = 20
"""Most names that the sentence on a model lists."""

MAX_OFFSET = 1e5
"""The means of features, in standard deviations, up to which float32 tells their raw values apart well enough."""


def save(path: Path, config: RunConfig, model: keras.Model) -> None:
    """Write the trained model of a run to a file that plain Keras loads.

    Raises:
        StoreError: The file can't be written.
    """
    from bncli.engines import saving

    data = datasets.load(config)
    facts = saving.training_facts(config, len(data.y_train))
    replace_file(path, lambda temporary: saving.save(model, data, temporary, facts))


def description(path: Path, config: RunConfig) -> str:
    """Say what the model in a file takes and gives.

    Example: `Wrote iris.keras: takes raw rows of 4 features; outputs the probabilities of setosa, versicolor, ...`.
    """
    data = datasets.load(config)
    shape = "x".join(map(str, data.input_shape))
    is_prepared = data.preparation and (data.preparation.encode or data.preparation.impute)
    rows = "rows, filled in and encoded but not scaled," if is_prepared else "raw rows"
    takes = f"raw images of shape {shape}" if data.is_image else f"{rows} of {counted(data.input_shape[0], 'feature')}"
    if data.padding is not None:
        steps, n_features = data.input_shape
        of = f"{counted(steps, 'step')} and {counted(n_features, 'feature')}, padded with {data.padding:g}"
        takes = f"raw sequences of {of}"
    if data.task == REGRESSION:
        gives = f"the quantity {plain_text(config.label)}" if config.label else "the quantity, in its own units"
    elif network_of(config.model).output_units(config, data.input_shape, data.n_classes) == 1:
        other, positive = map(plain_text, data.class_names)
        gives = f"the probability of class {positive} (the other class is {other})"
    else:
        gives = f"the probabilities of the classes {_listed(data.class_names)}"
    return f"Wrote {plain_text(str(path))}: takes {takes}; outputs {gives}"


def precision_note(path: Path, config: RunConfig) -> str:
    """Say which features have raw values that float32, Keras' type of rows, can't tell apart; nothing if none has."""
    data = datasets.load(config)
    if data.scaler is None or not data.feature_names:
        return ""
    pairs = zip(data.scaler.shift, data.scaler.divisor, strict=True)
    far = [abs(mean) > MAX_OFFSET * spread for mean, spread in pairs]
    names = [name for name, is_far in zip(data.feature_names, far, strict=True) if is_far]
    if not names:
        return ""
    return (
        f"{plain_text(str(path))} gives rounded outputs: Keras passes raw rows on as float32, which can't tell apart "
        f"the values of {_listed(tuple(names))}. Subtract a constant from such a column in the file, and train again."
    )


def _listed(names: tuple[str, ...]) -> str:
    shown = [plain_text(name) for name in names[:MAX_NAMES]]
    more = len(names) - len(shown)
    return ", ".join([*shown, *([f"... ({more} more)"] if more else [])])
