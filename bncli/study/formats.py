"""The formats of `study.json` and of records: older ones are converted when they are read, newer ones are refused.

Format 2 (bncli 0.2): ids depend on the fields whose values differ from `config.ABSENT`, so that a new field changes no
id. Format 1 (bncli 0.1): ids depend on all fields. Records of format 1 keep their ids (`RunResult.old_ids`).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from bncli.config import ABSENT, FIELDS
from bncli.errors import StoreError
from bncli.values import Value

FORMAT = 2

PARTS = ("study", "conditions", "datasets")
"""The keys that `study.json` must have."""

FIELDS_1 = (
    "dataset", "label", "n_samples", "noise", "data_seed", "train_rows", "val_rows", "scaling", "model", "activation",
    "kernel_initializer", "init_scale", "use_bias", "norm", "placement", "norm_input", "norm_output", "norm_momentum",
    "norm_epsilon", "center", "scale", "groups", "optimizer", "lr", "momentum", "nesterov", "weight_decay",
    "batch_size", "epochs", "shuffle", "seed",
)  # fmt: skip
"""The fields of a run in format 1."""


class NewerVersion(StoreError):
    """A file that was written by a newer version of bncli.

    Args:
        what: The file, for the message.
        form: Words that follow the writer's version, e.g. `in format 3`.
        limit: A verb phrase that says what this version can't do, e.g. `reads formats up to 2`.
        version: The version that wrote the file, if known.
    """

    def __init__(self, what: str, form: str, limit: str, version: str | None) -> None:
        writer, ours = f"bncli {version}" if version else "a newer bncli", metadata.version("bncli")
        written = " ".join(part for part in (what, "was written by", writer, form) if part)
        super().__init__(f"{written}. This is bncli {ours}, which {limit}. Try: pip install --upgrade bncli.")


def upgraded(content: Any, path: Path) -> dict[str, Any]:
    """Return the content of a `study.json` in the current format.

    Fields that its run lacks get their values of `config.ABSENT`. The content of a file of format 1 also gets the key
    `fields_1`: the fields on which the ids in its `conditions` depend.

    Args:
        content: The JSON value of the file.
        path: The file, for messages.

    Raises:
        StoreError: The file does not describe a study, or is incomplete.
        NewerVersion: The file was written by a newer version.
    """
    number = content.get("format") if isinstance(content, dict) else None
    if type(number) is not int or number < 1:
        received = f"format {number!r}" if isinstance(content, dict) else type(content).__name__
        raise StoreError(f"{str(path)!r} is not a study of bncli. Received: {received}. Try a new folder.")
    version = content.get("versions", {}).get("bncli")
    if number > FORMAT:
        raise NewerVersion(repr(str(path)), f"in format {number}", f"reads formats up to {FORMAT}", version)
    missing = [part for part in PARTS if part not in content]
    if missing:
        raise StoreError(f"{str(path)!r} lacks {', '.join(missing)}. Restore it or start in a new folder.")
    run: Mapping[str, Value] = content["study"].get("run", {})
    check_fields(run, repr(str(path)), version)
    if number == 1:
        content = {"fields_1": list(run)} | content
    found: dict[str, Any] = content | {"study": content["study"] | {"run": {**ABSENT, **run}}}
    return found


def check_fields(run: Mapping[str, Any], what: str, version: str | None) -> None:
    """Refuse a run with a field that this version does not know, because the field may have changed its result.

    Args:
        run: The fields of the run.
        what: The file and the line, for the message.
        version: The version that wrote the file, if known.

    Raises:
        NewerVersion: The run has an unknown field.
    """
    unknown = [name for name in run if name not in FIELDS] if isinstance(run, Mapping) else []
    if unknown:
        raise NewerVersion(what, "", f"does not know the field {unknown[0]!r}", version)
