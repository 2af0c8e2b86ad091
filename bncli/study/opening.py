"""Open a study's folder: check that it holds the same study, and add new seeds, arms and axis values to it.

The study of a folder only grows. A call with fewer seeds, arms or values leaves `study.json` unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bncli.config import ABSENT, DATA_FIELDS, SETTLED, RunConfig, format_1_id
from bncli.data import datasets
from bncli.data.columns import AUTO
from bncli.data.facts import dataset_facts
from bncli.errors import BncliError, StoreError, shown
from bncli.networks.network import network_of
from bncli.study import lock, provenance
from bncli.study.files import study_from_dict
from bncli.study.folder import STUDY_FILE, Store
from bncli.study.journal import RUNS_FILE
from bncli.study.shard import Shard
from bncli.study.study import Plan, Study, data_key
from bncli.values import show

STUDY_SECONDS = 30.0
"""How long to wait for the lock on `study.json`: many shards may start at once."""


@dataclass(frozen=True)
class Opened:
    """A folder that has been opened for a study.

    Attributes:
        store: The folder.
        whole: The folder's study, which may have more seeds, arms and axis values than the given one.
        is_part: Whether it has more.
    """

    store: Store
    whole: Study
    is_part: bool


def open_folder(folder: Path, study: Study, plan: Plan, shard: Shard | None = None, *, anew: bool = False) -> Opened:
    """Open a new or existing folder for a study, and bring its `study.json` up to date.

    A caller that writes runs takes `lock.hold` on the journal first, and keeps it.

    Args:
        folder: The study's folder.
        study: The study that was asked for.
        plan: Its runs.
        shard: The share to train, which is recorded in a journal of its own; None for the main journal.
        anew: Whether to ignore an existing `study.json`.

    Raises:
        StoreError: The folder holds another study, its runs were trained on other data or with another text of a
            network's file, or it is not writable.
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
        _check_same_networks(folder, before.get("networks", {}), _networks(plan))
        whole = there.united(study)
        is_part = _has_more(whole, study)
        if not is_part:
            whole, content = study, before | _content(study, plan)
        elif _has_more(whole, there):
            content = before | _content(whole, whole.plan())
        elif "fields_1" in before:
            content = before | {"conditions": _with_new_ids(before, plan)}
        else:
            return Opened(store, whole, is_part)
        content |= {"fingerprints": _fingerprints(before) | _fingerprints(content)}
        content |= {"networks": before.get("networks", {}) | content.get("networks", {})}
        store.write_study(content)
        return Opened(store, whole, is_part)


def as_begun(study: Study, folder: Path) -> Study:
    """Return a study with the rules with which its folder was begun: old and new runs would not be comparable.

    A folder of bncli 0.1 goes on with what `use_bias=auto`, the number of groups by default and the fields of `SETTLED`
    meant then.

    Args:
        study: The study that was asked for.
        folder: Its folder, which need not exist.
    """
    content = Store(folder).read_study()
    there = content["study"]["run"] if content else {}
    kept = {"use_bias": "unshifted"} if there.get("use_bias") == "unshifted" and study.base.use_bias == "auto" else {}
    if there.get("groups") == ABSENT["groups"] and study.base.groups is None:
        kept["groups"] = there["groups"]
    auto = [name for name in SETTLED if getattr(study.base, name) == AUTO]
    kept |= {name: there[name] for name in auto if name in there and there[name] == SETTLED[name]}
    return replace(study, base=study.base.replace(**kept))


def stored_study(folder: Path, content: Mapping[str, Any]) -> Study:
    """Return the study that a `study.json` describes.

    Raises:
        StoreError: It can't be parsed, e.g. because it names a model that this installation does not have.
    """
    try:
        return study_from_dict(content["study"])
    except BncliError as error:
        raise StoreError(f"{str(folder)!r}: the study in {STUDY_FILE} can't be read ({error})") from error


def note_session(store: Store) -> None:
    """Add the facts on this process to `sessions` in `study.json`: those that trained runs.

    Nothing is added if they equal those of the last session, which are also stored under keys of their own.
    """
    now = provenance.collect()
    with lock.hold(store.folder / STUDY_FILE, patience=STUDY_SECONDS):
        if content := store.read_study():
            sessions = content.get("sessions") or [{name: content[name] for name in now if name in content}]
            if sessions[-1] != now:
                sessions = [*sessions, now]
            store.write_study(content | now | {"sessions": sessions})


def _has_more(whole: Study, study: Study) -> bool:
    """Whether the first study has more seeds, arms or axis values than the second, all of which it contains."""
    names = ("seed", "arm", *dict(whole.axes))
    return any(len(whole.values_of(name)) > len(study.values_of(name)) for name in names)


def _content(study: Study, plan: Plan) -> dict[str, Any]:
    """The content of `study.json` for a study, apart from the facts on the process."""
    data = _data(plan)
    conditions = [
        {"arm": condition.arm, "values": dict(condition.values), "id": config.condition_id}
        for config, condition in plan.runs
        if config.seed == study.seeds[0]
    ]
    content = {"study": study.to_dict(), "conditions": conditions, "datasets": data, "networks": _networks(plan)}
    return content | {"fingerprints": _fingerprints(content)}


def _with_new_ids(content: Mapping[str, Any], plan: Plan) -> list[dict[str, Any]]:
    """The `conditions` of format 1; those of the plan get ids of the current format, which new runs have."""
    names = content["fields_1"]
    new = {
        format_1_id({name: getattr(config, name) for name in names} | {"seed": 0}): config.condition_id
        for config, _ in plan.runs
    }
    return [entry | {"id": new.get(entry["id"], entry["id"])} for entry in content["conditions"]]


def _data(plan: Plan) -> dict[str, Any]:
    """The facts on each data set of a plan and its fingerprint, by label."""
    return {data_label(config): _data_facts(config) for config in _one_per_data(plan)}


def _networks(plan: Plan) -> dict[str, Any]:
    """Every file that builds a network of a plan, by what `--model` named: its hash, its text, and `Plan.sites`."""
    digests = {config.model: config.model_digest for config, _ in plan.runs if config.model_digest}
    return {
        model: {
            "digest": digest,
            "text": network_of(model).text,
            "sites": {arm: list(n) for arm, n in plan.sites.items()},
        }
        for model, digest in digests.items()
    }


def _data_facts(config: RunConfig) -> dict[str, Any]:
    data = datasets.load(config)
    return dataset_facts(data) | {"fingerprint": data.fingerprint()}


def _one_per_data(plan: Plan) -> Iterable[RunConfig]:
    return {data_key(config): config for config, _ in plan.runs}.values()


def data_label(config: RunConfig) -> str:
    """Return a label for the data of a run: `mnist train_rows=1:8001 scaling=unit`; equal labels, the same data."""
    varied = {"data_seed": datasets.drawn_with(config), "vary_data": False} if config.vary_data else {}
    chosen = ((name, varied.get(name, getattr(config, name))) for name in DATA_FIELDS[1:])
    return " ".join([config.dataset, *(f"{name}={show(value)}" for name, value in chosen if value != ABSENT[name])])


def _fingerprints(content: Mapping[str, Any]) -> dict[str, str]:
    """The fingerprints of all data on which runs in the folder may have been trained, by label."""
    used = {name: facts["fingerprint"] for name, facts in content["datasets"].items()}
    return dict(content.get("fingerprints", {})) | used


def _check_same_study(folder: Path, there: Study, here: Study) -> None:
    varied = {*dict(there.axes), *dict(here.axes), "seed"}
    pairs = {name: (getattr(there.base, name), getattr(here.base, name)) for name in there.base.to_dict()}
    different = [name for name, (old, new) in pairs.items() if old != new and name not in varied]
    if different:
        words = ", ".join(f"{name} ({pairs[name][0]!r} there, {pairs[name][1]!r} here)" for name in different[:5])
        raise StoreError(
            f"The output folder {str(folder)!r} holds another study: it differs in {words}. "
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


def _check_same_networks(folder: Path, before: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    changed = [name for name, facts in here.items() if before.get(name, facts)["digest"] != facts["digest"]]
    if changed:
        raise StoreError(
            f"The file of model {shown(changed[0])} is not what the runs in {str(folder)!r} were trained with. Restore "
            f"it ({STUDY_FILE} has its text), or try another --out."
        )
