"""The formats of `study.json` and of records: older ones are converted when they are read, newer ones are refused.

Format 3 (bncli 0.2): `use_bias=auto` keeps the bias before layer and group normalization; what it meant before is
`unshifted` now. Format 2 (between versions): ids depend on the fields whose values differ from `config.ABSENT`, so that
a new field changes no id. Format 1 (bncli 0.1): ids depend on all fields. Records of format 1 keep their ids
(`RunResult.old_ids`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from bncli.config import ABSENT, FIELDS, RunConfig, as_in_format_1
from bncli.errors import BncliError, StoreError
from bncli.study import schema
from bncli.study.arms import parse_arms
from bncli.study.schema import FLAG, NUMBER_OR_NULL, OBJECT, PAIR, POSITIVE, SCALAR, TEXT, WHOLE, Misfit, shown
from bncli.tasks.metrics import HISTORY_METRICS
from bncli.values import Value, plain_text

FORMAT = 3

RULE_OF_BIAS = 3
"""The first format in which `use_bias=auto` has its present meaning."""

PARTS = ("study", "conditions", "datasets")
"""The keys that `study.json` must have."""

FIELDS_1 = (
    "dataset", "label", "n_samples", "noise", "data_seed", "train_rows", "val_rows", "scaling", "model", "activation",
    "kernel_initializer", "init_scale", "use_bias", "norm", "placement", "norm_input", "norm_output", "norm_momentum",
    "norm_epsilon", "center", "scale", "groups", "optimizer", "lr", "momentum", "nesterov", "weight_decay",
    "batch_size", "epochs", "shuffle", "seed",
)  # fmt: skip
"""The fields of a run in format 1."""

STUDY_FORM: schema.Form = {
    "study": {
        "name": TEXT,
        "question?": TEXT,
        "source?": TEXT,
        "seeds": [WHOLE],
        "arms": [TEXT],
        "axes": {"*": [SCALAR]},
        "run": {"*": SCALAR},
        "claims?": [OBJECT],
    },
    "conditions": [{"arm": TEXT, "values": {"*": SCALAR}, "id": TEXT}],
    "datasets": {
        "*": {
            "fingerprint": TEXT,
            "chance?": NUMBER_OR_NULL,
            "training_rows?": WHOLE,
            "validation_rows?": WHOLE,
            "test_rows?": WHOLE,
            "test_chance?": NUMBER_OR_NULL,
            "columns?": [OBJECT],
        }
    },
    "networks?": {"*": {"digest": TEXT, "text?": (TEXT, None), "sites?": {"*": PAIR}}},
    "fingerprints?": {"*": TEXT},
    "fields_1?": [TEXT],
    "sessions?": [OBJECT],
    "versions?": {"*": (TEXT, None)},
    "host?": OBJECT,
    "git?": ({"commit": TEXT, "dirty": FLAG}, None),
    "command?": TEXT,
}
"""What `study.json` holds in every format."""

RECORD_FORM: schema.Form = {
    "run_id": TEXT,
    "state": TEXT,
    "config": {"*": SCALAR},
    "params": {"*": WHOLE},
    "metrics": {"*": NUMBER_OR_NULL},
    "history": {"*": [NUMBER_OR_NULL]},
    "seconds": POSITIVE,
    "engine": TEXT,
    "error": (TEXT, None),
    "confusion?": ([[WHOLE]], None),
}
"""What a line of a journal holds in every format."""


class NewerVersion(StoreError):
    """A file that was written by a newer version of bncli.

    Args:
        what: The file, for the message.
        form: Words that follow the writer's version, e.g. `in format 3`.
        limit: A verb phrase that says what this version can't do, e.g. `reads formats up to 2`.
        version: The version that wrote the file, if known.
    """

    def __init__(self, what: str, form: str, limit: str, version: object) -> None:
        is_known = isinstance(version, str) and version
        writer, ours = f"bncli {plain_text(str(version))}" if is_known else "a newer bncli", metadata.version("bncli")
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
        received = f"format {shown(number)}" if isinstance(content, dict) else type(content).__name__
        raise StoreError(f"{str(path)!r} is not a study of bncli. Received: {received}. Try a new folder.")
    version = schema.part(content, "versions", "bncli")
    if number > FORMAT:
        raise NewerVersion(repr(str(path)), f"in format {shown(number)}", f"reads formats up to {FORMAT}", version)
    missing = [part for part in PARTS if part not in content]
    if missing:
        raise StoreError(f"{str(path)!r} lacks {', '.join(missing)}. Restore it or start in a new folder.")
    for names in (("study", "run"), ("study", "axes")):
        check_fields(schema.part(content, *names), repr(str(path)), version)
    try:
        schema.check(content, STUDY_FORM)
        _check_conditions(content["conditions"], content["study"])
    except (Misfit, BncliError) as error:
        problem = str(error).rstrip(".")
        raise StoreError(f"{str(path)!r}: {problem}. Restore it or start in a new folder.") from error
    run: Mapping[str, Value] = content["study"]["run"]
    if number == 1:
        content = {"fields_1": list(run)} | content
    run = {**ABSENT, **run}
    if number < RULE_OF_BIAS and run["use_bias"] == "auto" and _has_other_bias(content["study"]["arms"], run):
        run |= {"use_bias": "unshifted"}
    found: dict[str, Any] = content | {"study": content["study"] | {"run": run}}
    return found


def _has_other_bias(arms: Sequence[str], run: Mapping[str, Value]) -> bool:
    """Whether `use_bias=auto` meant something else for one of the arms before format 3."""
    try:
        base = RunConfig.from_record(run)
        runs = [base.replace(**dict(arm.changes)) for arm in parse_arms(",".join(arms))]
    except BncliError:  # whoever makes a study of this content says what is wrong
        return False
    return any(as_in_format_1(run) != run for run in runs)


def _check_conditions(conditions: Sequence[Mapping[str, Any]], study: Mapping[str, Any]) -> None:
    """Check that every condition is an arm of the study at values of its axes, and that none is there twice."""
    seen: set[object] = set()
    for number, entry in enumerate(conditions):
        place = f"conditions[{number}]"
        if entry["arm"] not in study["arms"]:
            raise Misfit(f"{place}.arm must be one of study.arms. Received: {shown(entry['arm'])}.")
        if set(entry["values"]) != set(study["axes"]):
            raise Misfit(f"{place}.values must have the axes of the study. Received: {shown(entry['values'])}.")
        for name, value in entry["values"].items():
            if value is not None:
                FIELDS[name].check(f"{place}.values.{name}", value)
        keys = {entry["id"], (entry["arm"], *sorted(entry["values"].items()))}
        if seen & keys:
            raise Misfit(f"{place} is there twice.")
        seen |= keys


def checked_record(line: bytes, what: str) -> dict[str, Any]:
    """Return what a line of a journal holds.

    Args:
        line: The line.
        what: The file and the line, for the message.

    Raises:
        ValueError: The line is not a record.
        NewerVersion: It was written by a newer version.
    """
    record: dict[str, Any] = schema.parse(line, depth=None)
    check_fields(schema.part(record, "config"), what, None)
    schema.check(record, RECORD_FORM)
    unknown = [name for name in record["history"] if name not in HISTORY_METRICS]
    if unknown:
        raise NewerVersion(what, "", f"does not know the metric {shown(unknown[0])}", None)
    confusion = record.get("confusion") or []
    if any(len(row) != len(confusion) or min(row) < 0 for row in confusion):
        raise Misfit("confusion must have a row and a column for each class, of whole numbers from 0.")
    lengths = {name: len(values) for name, values in record["history"].items()}
    if len({*lengths.values()}) > 1 or ("loss" not in lengths and any(lengths.values())):
        raise Misfit(f"history must have equally many values of each metric. Received: {shown(lengths)}.")
    if record["state"] == "failed" and not record["error"]:
        raise Misfit(f"error must be text, because the run failed. Received: {shown(record['error'])}.")
    return record


def check_fields(run: object, what: str, version: object) -> None:
    """Refuse a run with a field that this version does not know, because the field may have changed its result.

    Args:
        run: The fields of the run, by name; anything else is left to the check of its form.
        what: The file and the line, for the message.
        version: The version that wrote the file, if known.

    Raises:
        NewerVersion: The run has an unknown field.
    """
    unknown = [name for name in run if name not in FIELDS] if isinstance(run, Mapping) else []
    if unknown:
        raise NewerVersion(what, "", f"does not know the field {shown(unknown[0])}", version)
