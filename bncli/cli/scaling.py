"""The scaling of rows that a saved model was trained with, which its file doesn't say."""

from __future__ import annotations

from bncli.cli import console
from bncli.config import RunConfig


def scaled_to_fit(config: RunConfig) -> RunConfig:
    """Return a run with the scaling of rows that fits the weights of its saved model best, and say which one it is.

    Raises:
        BncliError: The data or the file can't be loaded, or they don't fit each other.
    """
    from bncli.diagnosis.scaling import likely_scaling

    config = config.replace(scaling=likely_scaling(config))
    console.say(f"Rows are scaled as fits the weights best: --set scaling={config.scaling}")
    return config
