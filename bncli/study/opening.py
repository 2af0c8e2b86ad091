"""Open a study's folder for a call: check that both are about the same study, and keep `study.json` up to date.

The folder's study only grows. A call for seeds, arms or axis values that it lacks adds them; a call for fewer leaves
`study.json` as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bncli.config import ABSENT, DATA_FIELDS, RunConfig, format_1_id
from bncli.data import datasets
from bncli.data.facts import dataset_facts
from bncli.errors import BncliError, StoreError
from bncli.study import lock, provenance
from bncli.study.files import study_from_dict
from bncli.study.folder import STUDY_FILE, Store
from bncli.study.journal import RUNS_FILE
from bncli.study.shard import Shard
from bncli.study.study import Plan, Study, data_key
from bncli.values import show

STUDY_SECONDS = 30.0
"""How long a process waits for others to write `study.json`: many shards may start at once."""


@dataclass(frozen=True)
class Opened:
    """A folder that is open for a call.

    Attributes:
        store: Its records.
        whole: The folder's study, which may have more seeds, arms and axis values than the call asks for.
        is_part: Whether it has.
    """

    store: Store
    whole: Study
    is_part: bool


def open_folder(folder: Path, study: Study, plan: Plan, shard: Shard | None = None, *, anew: bool = False) -> Opened:
    """Open a folder, new or to be continued, for a study.

    A caller that goes on to write runs holds `lock.hold` on the journal around both.

    Args:
        folder: The study's folder.
        study: What the call asks for.
        plan: Its runs.
        shard: The share that the call trains, which has a journal of its own.
        anew: Whether the call starts over, whatever was in the folder.

    Raises:
        StoreError: The folder holds another study or other data, or can't be written to.
    """
    store = Store(folder, shard.journal if shard else RUNS_FILE)
    with lock.hold(folder / STUDY_FILE, patience=STUDY_SECONDS):
        before = None if anew else store.read_study()
        store.create()
        if before is None:
            store.write_study(_content(study, plan) | provenance.collect())
            return Opened(store, study, is_part=False)
        there = stored_study(folder, before)
        _check_same_study(folder, there, study)
        _check_same_data(folder, before, _data(plan))
        whole = there.united(study)
        is_part = _has_more(whole, study)
        if not is_part:
            whole, content = study, before | _content(study, plan)
        elif _has_more(whole, there):
            content = before | _content(whole, whole.plan())
        elif "fields_1" in before:
            content = before | {"conditions": _renewed(before, plan)}
        else:
            return Opened(store, whole, is_part)
        store.write_study(content | {"fingerprints": _fingerprints(before) | _fingerprints(content)})
        return Opened(store, whole, is_part)


def stored_study(folder: Path, content: Mapping[str, Any]) -> Study:
    """Return the study that a `study.json` describes.

    Raises:
        StoreError: It can't be read, e.g. because it names what this installation does not have.
    """
    try:
        return study_from_dict(content["study"])
    except BncliError as error:
        raise StoreError(f"{str(folder)!r}: the study in {STUDY_FILE} can't be read ({error})") from error


def note_session(store: Store) -> None:
    """Add this process to the `sessions` in `study.json`, those that trained, unless it is like the last one there.

    The newest session's facts are also beside the list.
    """
    now = provenance.collect()
    with lock.hold(store.folder / STUDY_FILE, patience=STUDY_SECONDS):
        if content := store.read_study():
            sessions = content.get("sessions", [{name: content[name] for name in now if name in content}])
            if sessions[-1] != now:
                sessions = [*sessions, now]
            store.write_study(content | now | {"sessions": sessions})


def _has_more(whole: Study, study: Study) -> bool:
    """Whether a study that a smaller one is part of has more seeds, arms or axis values than that one."""
    names = ("seed", "arm", *dict(whole.axes))
    return any(len(whole.values_of(name)) > len(study.values_of(name)) for name in names)


def _content(study: Study, plan: Plan) -> dict[str, Any]:
    """What `study.json` says of a study."""
    data = _data(plan)
    conditions = [
        {"arm": condition.arm, "values": dict(condition.values), "id": config.condition_id}
        for config, condition in plan.runs
        if config.seed == study.seeds[0]
    ]
    content = {"study": study.to_dict(), "conditions": conditions, "datasets": data}
    return content | {"fingerprints": _fingerprints(content)}


def _renewed(content: Mapping[str, Any], plan: Plan) -> list[dict[str, Any]]:
    """The conditions of a study of format 1, those of the plan with ids of today: runs with such ids may follow."""
    names = content["fields_1"]
    new = {
        format_1_id({name: getattr(config, name) for name in names} | {"seed": 0}): config.condition_id
        for config, _ in plan.runs
    }
    return [entry | {"id": new.get(entry["id"], entry["id"])} for entry in content["conditions"]]


def _data(plan: Plan) -> dict[str, Any]:
    """Facts on the data sets of a plan, with their fingerprints, by a name for each."""
    return {_data_label(config): _data_facts(config) for config in _one_per_data(plan)}


def _data_facts(config: RunConfig) -> dict[str, Any]:
    data = datasets.load(config)
    return dataset_facts(data) | {"fingerprint": data.fingerprint()}


def _one_per_data(plan: Plan) -> Iterable[RunConfig]:
    return {data_key(config): config for config, _ in plan.runs}.values()


def _data_label(config: RunConfig) -> str:
    """Name the data of a run by the fields that choose it: `mnist train_rows=1:8001 scaling=unit`."""
    chosen = ((name, getattr(config, name)) for name in DATA_FIELDS[1:])
    return " ".join([config.dataset, *(f"{name}={show(value)}" for name, value in chosen if value != ABSENT[name])])


def _fingerprints(content: Mapping[str, Any]) -> dict[str, str]:
    """Fingerprints of all data that runs in the folder may have used."""
    used = {name: facts["fingerprint"] for name, facts in content["datasets"].items()}
    return dict(content.get("fingerprints", {})) | used


def _check_same_study(folder: Path, there: Study, here: Study) -> None:
    varied = {*dict(there.axes), *dict(here.axes), "seed"}
    pairs = {name: (getattr(there.base, name), getattr(here.base, name)) for name in there.base.to_dict()}
    different = [name for name, (old, new) in pairs.items() if old != new and name not in varied]
    if different:
        shown = ", ".join(f"{name} ({pairs[name][0]!r} there, {pairs[name][1]!r} here)" for name in different[:5])
        raise StoreError(
            f"The output folder {str(folder)!r} holds another study: it differs in {shown}. "
            "Try another --out, or make the field an axis."
        )


def _check_same_data(folder: Path, before: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    there = _fingerprints(before)
    changed = [name for name, facts in here.items() if there.get(name, facts["fingerprint"]) != facts["fingerprint"]]
    if changed:
        raise StoreError(
            f"The data {changed[0]!r} is not what the runs in {str(folder)!r} were trained on. "
            "Restore the data, or try another --out."
        )
