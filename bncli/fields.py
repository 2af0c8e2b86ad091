"""Fields of a run as a user types them: their names and aliases, and the texts of their values."""

from __future__ import annotations

from bncli.config import FIELDS
from bncli.registry import canonical, check_name
from bncli.values import Value

FIELD_ALIASES = {
    "learning_rate": "lr",
    "learning-rate": "lr",
    "batch": "batch_size",
    "batchsize": "batch_size",
    "batch-size": "batch_size",
    "n_epochs": "epochs",
    "data": "dataset",
    "initializer": "kernel_initializer",
    "target": "label",
    "bn_momentum": "norm_momentum",
    "epsilon": "norm_epsilon",
}


def field_name(text: str) -> str:
    """Return the field that a name means: `LR` and `learning_rate` are `lr`; `text` itself if it is none."""
    return canonical(text.strip(), FIELDS, FIELD_ALIASES)


def parse_value(name: str, text: str) -> Value:
    """Convert the text that a user typed for the field `name` to its type; `RunConfig` checks its range.

    Raises:
        UnknownName: There is no such field.
        InvalidConfig: The text can't be converted.

    >>> parse_value("lr", "1e-3"), parse_value("shuffle", "false"), parse_value("label", "none")
    (0.001, False, None)
    """
    check_name("field", name, FIELDS)
    return FIELDS[name].parse(name, text)
