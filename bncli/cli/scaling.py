"""The scaling of rows that a saved model was trained with, which its file doesn't say."""

from __future__ import annotations

from bncli.cli import console
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.tasks.task import REGRESSION


def scaled_to_fit(config: RunConfig) -> RunConfig:
    """Return a run with the scaling of rows that fits the weights of its saved model best, and say which it is.

    Raises:
        BncliError: The data or the file can't be loaded, or they don't fit each other.
    """
    from bncli.diagnosis.scaling import likely_scaling

    chosen = likely_scaling(config)
    has_quantity = datasets.load(config).task == REGRESSION
    fitting = {"scaling": chosen.scaling} | ({"target_scaling": chosen.target} if has_quantity else {})
    settings = " ".join(f"--set {name}={value}" for name, value in fitting.items())
    console.say(f"Rows are scaled as fits the weights best: {settings}")
    if chosen.others:
        others = " or ".join(chosen.others)
        console.warn(
            f"The weights answer as well with scaling={others}, and the moving averages don't tell with which they "
            "were trained. What is measured holds for the right scaling alone: give it with --set scaling."
        )
    return config.replace(**fitting)
