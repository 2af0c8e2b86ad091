"""A study: base run x arms x axes x seeds. It expands to runs in a fixed order and executes what is missing."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import tomllib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bncli import datasets, describe, lock, norms, provenance
from bncli.config import (
    DATA_FIELDS,
    DEFAULTS,
    FIELDS,
    NORM_FIELDS,
    RunConfig,
    Value,
    parse_value,
    resolve,
    without_effect,
)
from bncli.errors import BncliError, InvalidConfig, StoreError, UnknownName
from bncli.registry import check_name, nearest
from bncli.results import RunResult
from bncli.shard import Shard
from bncli.store import RUNS_FILE, STUDY_FILE, Store

if TYPE_CHECKING:
    from bncli.cluster import Cluster
    from bncli.engines.keras import OnEpoch, OnModel

DEFAULT_ARMS = ("none", "batch:before", "batch:after")
DEFAULT_SEEDS = 3
MAX_RUNS = 1_000_000
STUDY_SECONDS = 30.0
"""How long a process waits for others to write `study.json`: many shards may start at once."""
ENGINES = ("auto", "stacked", "keras")
ARM_FIELDS = (*(name for name in NORM_FIELDS if name not in ("norm", "placement")), "use_bias")
_STUDY_KEYS = ("name", "question", "source", "seeds", "arms", "axes", "run", "claims")


@dataclass(frozen=True)
class Arm:
    """One normalization treatment: a label as the user types it, and the fields that it sets."""

    label: str
    changes: tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Condition:
    """An arm x one value of every axis, seeds excluded.

    Attributes:
        arm: The arm's label.
        values: Axis to value; None where the axis has no effect on this arm.
    """

    arm: str
    values: tuple[tuple[str, Value], ...]

    def __str__(self) -> str:
        return " ".join([self.arm, *(f"{name}={show(value)}" for name, value in self.values if value is not None)])


@dataclass(frozen=True)
class Plan:
    """All runs of a study, resolved and checked, in order.

    Attributes:
        runs: Each run with its condition.
        notices: One sentence for everything that was given but has no effect.
    """

    runs: tuple[tuple[RunConfig, Condition], ...]
    notices: tuple[str, ...] = ()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions in order."""
        return tuple(dict.fromkeys(condition for _, condition in self.runs))


@dataclass(frozen=True)
class Study:
    """A question in the form of runs.

    Attributes:
        name: Short name; also of the default output folder.
        base: What all runs share unless an axis, an arm or the seed says otherwise.
        arms: Normalization treatments; the first is the baseline.
        axes: Field to values, outermost first.
        seeds: Replicates of every condition.
        question: What the study answers, one sentence.
        source: Where the setting was published, if anywhere.
        claims: What is claimed of it, tables as in the study file; `claims.parse` reads and checks them.
    """

    name: str
    base: RunConfig
    arms: tuple[Arm, ...]
    axes: tuple[tuple[str, tuple[Value, ...]], ...] = ()
    seeds: tuple[int, ...] = tuple(range(DEFAULT_SEEDS))
    question: str = ""
    source: str = ""
    claims: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        _check_study(self)

    @property
    def n_runs(self) -> int:
        """How many runs the full grid has, before repeats are dropped."""
        return len(self.arms) * len(self.seeds) * math.prod(len(values) for _, values in self.axes)

    def to_dict(self) -> dict[str, Any]:
        """Return the study with the keys of a study file, every field of the base run written out."""
        return {
            "name": self.name,
            "question": self.question,
            "source": self.source,
            "seeds": list(self.seeds),
            "arms": [arm.label for arm in self.arms],
            "axes": {name: list(values) for name, values in self.axes},
            "run": self.base.to_dict(),
            **({"claims": [dict(claim) for claim in self.claims]} if self.claims else {}),
        }

    def vary(
        self,
        fields: Mapping[str, Value] | None = None,
        *,
        arms: tuple[Arm, ...] | None = None,
        axes: Iterable[tuple[str, tuple[Value, ...]]] = (),
        seeds: tuple[int, ...] | None = None,
    ) -> Study:
        """Return a copy with some things changed; a field that is set stops being an axis, an axis is replaced.

        Its claims are about the study as it stands: they stay if nothing but seeds changes.
        """
        fields, new = fields or {}, dict(axes)
        both = [name for name in new if name in fields]
        if both:
            raise InvalidConfig(f"{both[0]} is given both as an axis and as a single value. Give it once.")
        kept = {name: values for name, values in self.axes if name not in fields}
        varied = replace(
            self,
            base=self.base.replace(**fields),
            arms=arms or self.arms,
            axes=tuple((kept | new).items()),
            seeds=seeds or self.seeds,
        )
        is_same = (varied.base, varied.arms, varied.axes) == (self.base, self.arms, self.axes)
        return varied if is_same else replace(varied, claims=())

    def plan(self) -> Plan:
        """Expand, resolve and check every run, axes outermost, then arms, then seeds.

        Raises:
            BncliError: A run that can't be trained; nothing has been started then.
        """
        runs: dict[RunConfig, Condition] = {}
        void_everywhere, n_repeats = set(FIELDS), 0
        for values in itertools.product(*(values for _, values in self.axes)):
            at = dict(zip((name for name, _ in self.axes), values, strict=True))
            for arm in self.arms:
                config, void = resolve(self.base.replace(**at, **dict(arm.changes)))
                void_everywhere &= set(void)
                condition = Condition(arm.label, _in_effect(at, config))
                if replace(config, seed=self.seeds[0]) in runs:
                    n_repeats += 1
                    continue
                runs |= {replace(config, seed=seed): condition for seed in self.seeds}
        return Plan(tuple(runs.items()), _notices(self, void_everywhere, n_repeats))


def show(value: Value) -> str:
    """Spell a value as one would type it: `0.001`, `true`, `relu`."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _in_effect(at: Mapping[str, Value], config: RunConfig) -> tuple[tuple[str, Value], ...]:
    """The values of the axes at one condition, None where the arm makes one void."""
    void = without_effect(config)
    return tuple((name, None if name in void else getattr(config, name)) for name in at)


def _notices(study: Study, void: set[str], n_repeats: int) -> tuple[str, ...]:
    given = [name for name in FIELDS if name in void and getattr(study.base, name) != DEFAULTS[name]]
    lines = [f"{name}={show(getattr(study.base, name))} has no effect here and is ignored." for name in given]
    if n_repeats:
        noun = "condition" if n_repeats == 1 else "conditions"
        lines.append(f"Dropped {n_repeats} {noun} that would repeat another (a field without effect on its arm).")
    return tuple(lines)


def _check_study(study: Study) -> None:
    """Raise `InvalidConfig` for a study that contradicts itself."""
    for what, labels in (
        ("arm", [arm.label for arm in study.arms]),
        ("axis", [name for name, _ in study.axes]),
    ):
        repeated = {label for label in labels if labels.count(label) > 1}
        if repeated:
            raise InvalidConfig(f"The {what} {sorted(repeated)[0]!r} is given twice. Name each {what} once.")
    if not study.arms or not study.seeds:
        raise InvalidConfig("A study needs at least one arm and one seed.")
    if len(set(study.seeds)) < len(study.seeds):
        raise InvalidConfig(f"A seed is given twice. Received: {list(study.seeds)}.")
    _check_axes(study)
    if study.n_runs > MAX_RUNS:
        raise InvalidConfig(f"The study has {study.n_runs:,} runs. Allowed: at most {MAX_RUNS:,}.")


def _check_axes(study: Study) -> None:
    in_arms = {name for arm in study.arms for name, _ in arm.changes}
    for name, values in study.axes:
        check_name("axis", name, FIELDS)
        if name == "seed":
            raise InvalidConfig("seed can't be an axis. Try --seeds N for the seeds 0 to N-1.")
        if name in ("norm", "placement"):
            raise InvalidConfig(
                f"{name} can't be an axis: normalizations are compared as arms. Try --arms none,batch:after."
            )
        if name in in_arms:
            raise InvalidConfig(f"{name} is both an axis and part of an arm. Give it in one of them.")
        if not values or len(set(values)) < len(values):
            raise InvalidConfig(f"The axis {name} needs different values. Received: {', '.join(map(show, values))}.")


def parse_arm(text: str) -> Arm:
    """Read an arm: `NAME[:placement][+field=value...]`, e.g. `batch:after+center=false`.

    Raises:
        UnknownName: No such normalization or placement.
        InvalidConfig: A field that an arm can't set, or a value out of range.
    """
    treatment, *extras = text.strip().split("+")
    name, colon, placement = treatment.partition(":")
    check_name("arm", name, norms.names())
    changes: dict[str, Value] = {"norm": name}
    if colon:
        check_name("placement", placement, FIELDS["placement"].choices)
        changes["placement"] = placement
    for extra in extras:
        field, equals, value = extra.partition("=")
        if not equals:
            raise InvalidConfig(f"{extra!r} in arm {text!r} must be FIELD=VALUE, e.g. norm_momentum=0.")
        check_name("field of an arm", field, ARM_FIELDS)
        changes[field] = parse_value(field, value)
    if name == norms.NONE and set(changes) - {"norm", "use_bias"}:
        raise InvalidConfig(f"Arm {text!r}: without a normalization there is nothing to place or set. Write none.")
    RunConfig.from_dict(changes)
    return Arm(text.strip(), tuple(changes.items()))


def parse_arms(text: str) -> tuple[Arm, ...]:
    """Read a comma-separated list of arms."""
    return tuple(parse_arm(part) for part in text.split(","))


def parse_axis(text: str) -> tuple[str, tuple[Value, ...]]:
    """Read an axis: `lr=0.001,0.01`, `lr=log:1e-4:1:9` or `norm_momentum=lin:0:0.99:5`.

    Raises:
        UnknownName: No such field.
        InvalidConfig: No values, or a range that is none.
    """
    name, equals, values = text.partition("=")
    if not equals or not values.strip():
        raise InvalidConfig(f"An axis is FIELD=VALUE,VALUE,... or FIELD=log:LOW:HIGH:COUNT. Received: {text!r}.")
    name = name.strip()
    check_name("axis", name, FIELDS)
    return name, _axis_values(name, values)


def _axis_values(name: str, values: str | list[Any]) -> tuple[Value, ...]:
    if not isinstance(values, str):
        return tuple(values)
    if values.startswith(("log:", "lin:")):
        return _spaced(name, values)
    return tuple(parse_value(name, value) for value in values.split(","))


def _spaced(name: str, text: str) -> tuple[Value, ...]:
    """Values of `log:LOW:HIGH:COUNT` or `lin:LOW:HIGH:COUNT`, rounded to six digits, whole for whole fields."""
    scale, *parts = text.split(":")
    try:
        low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
        is_range = len(parts) == 3 and 2 <= count <= MAX_RUNS and math.isfinite(high - low)
    except (ValueError, IndexError):
        is_range = False
    if not is_range or FIELDS[name].kind not in ("whole", "number") or (scale == "log" and min(low, high) <= 0):
        raise InvalidConfig(
            f"{name}={text}: a range is log:LOW:HIGH:COUNT (both above 0) or lin:LOW:HIGH:COUNT, with a COUNT of 2 "
            "or more, for a field that holds numbers."
        )
    ends = (math.log10(low), math.log10(high)) if scale == "log" else (low, high)
    points = [ends[0] + (ends[1] - ends[0]) * i / (count - 1) for i in range(count)]
    numbers = [float(f"{10**point if scale == 'log' else point:.6g}") for point in points]
    return tuple(dict.fromkeys(round(number) for number in numbers)) if FIELDS[name].kind == "whole" else tuple(numbers)


def presets() -> dict[str, Path]:
    """The studies that ship: name to file."""
    folder = Path(str(resources.files("bncli") / "presets"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_study(name: str) -> Study:
    """Read a preset by name, or a study file by its path.

    Raises:
        UnknownName: Neither a preset nor a file.
        InvalidConfig: The file is no TOML, or no study.
    """
    known = presets()
    path = known.get(name) or Path(name)
    if not path.is_file():
        what = f"No study file {name!r}." if path.suffix == ".toml" else f"Unknown preset {name!r}."
        raise UnknownName(f"{what} Allowed: {', '.join(known)}, or the path of a .toml file.{nearest(name, known)}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return study_from_dict({"name": path.stem} | content)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidConfig(f"{name!r} can't be read as TOML: {error}.") from error
    except BncliError as error:
        raise type(error)(f"In study {name!r}: {error}") from error


def study_from_dict(content: Mapping[str, Any]) -> Study:
    """Build a study from the keys of a study file.

    Raises:
        UnknownName: A key, field or name that does not exist.
        InvalidConfig: A value of the wrong type or out of range.
    """
    for key in content:
        check_name("key", key, _STUDY_KEYS)
    shapes: dict[str, Any] = {
        "name": str,
        "question": str,
        "source": str,
        "seeds": (int, list),
        "arms": list,
        "axes": dict,
        "run": dict,
        "claims": list,
    }
    for key, value in content.items():
        if not isinstance(value, shapes[key]):
            raise InvalidConfig(f"{key} has the wrong type. Received: {value!r}. See the README on study files.")
    base = RunConfig.from_dict(content.get("run", {}))
    arms = tuple(parse_arm(str(arm)) for arm in content.get("arms", DEFAULT_ARMS))
    axes = tuple((name, _file_axis(base, name, values)) for name, values in content.get("axes", {}).items())
    return Study(
        name=content.get("name", "study"),
        base=base,
        arms=arms,
        axes=axes,
        seeds=_file_seeds(content.get("seeds", DEFAULT_SEEDS)),
        question=content.get("question", ""),
        source=content.get("source", ""),
        claims=_file_claims(content.get("claims", [])),
    )


def _file_claims(claims: list[Any]) -> tuple[Mapping[str, Any], ...]:
    if not all(isinstance(claim, dict) for claim in claims):
        raise InvalidConfig("claims must be tables, each under a line [[claims]]. See the README on study files.")
    return tuple(claims)


def _file_axis(base: RunConfig, name: str, values: Any) -> tuple[Value, ...]:
    check_name("axis", name, FIELDS)
    if not isinstance(values, str | list):
        raise InvalidConfig(f"The axis {name} must be a list or a range. Received: {values!r}.")
    if name in ("seed", "norm", "placement"):
        return tuple(_axis_values(name, values))
    return tuple(getattr(base.replace(**{name: value}), name) for value in _axis_values(name, values))


def _file_seeds(seeds: Any) -> tuple[int, ...]:
    numbers = list(range(seeds)) if type(seeds) is int else seeds
    if not numbers or not all(type(seed) is int for seed in numbers):
        raise InvalidConfig(f"seeds must be a whole number from 1 or a list of seeds. Received: {seeds!r}.")
    return tuple(RunConfig(seed=seed).seed for seed in numbers)


def default_folder(study: Study, *, is_preset: bool) -> Path:
    """Where a study goes without --out: its name, plus a hash of what it holds fixed unless it is a preset as shipped.

    More arms, axis values or seeds keep the folder, so that the command continues what is there.
    """
    if is_preset:
        return Path("studies") / study.name
    fixed = _fixed(study.to_dict(), {name for name, _ in study.axes})
    digest = hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()
    return Path("studies") / f"{study.name}-{digest[:6]}"


def _fixed(study: Mapping[str, Any], varied: set[str]) -> dict[str, Any]:
    """The fields that all runs of a study share before arms have their say."""
    return {name: value for name, value in study["run"].items() if name not in {*varied, "seed"}}


def open_store(folder: Path, study: Study, plan: Plan, shard: Shard | None = None, *, anew: bool = False) -> Store:
    """Open a study's folder for this study, new or to be continued, and write `study.json`.

    Who goes on to write runs holds `lock.hold` on the journal around both. A study that starts `anew` is not held to
    what was in the folder.

    Raises:
        StoreError: The folder holds another study or other data, or can't be written to.
    """
    data = {_data_label(config): _data_facts(config) for config in _one_per_data(plan)}
    store = Store(folder, shard.journal if shard else RUNS_FILE)
    with lock.hold(folder / STUDY_FILE, patience=STUDY_SECONDS):
        before = None if anew else store.read_study()
        store.create()
        known = _fingerprints(before) if before else {}
        if before:
            _check_same_study(folder, before, study)
            _check_same_data(folder, known, data)
        if before and shard:
            _check_no_less(folder, before["study"], study.to_dict())
        content = {"study": study.to_dict(), "conditions": _condition_entries(study, plan), "datasets": data}
        content["fingerprints"] = known | {name: facts["fingerprint"] for name, facts in data.items()}
        rest = before or provenance.collect()
        store.write_study(content | {name: value for name, value in rest.items() if name not in content})
    return store


def _condition_entries(study: Study, plan: Plan) -> list[dict[str, Any]]:
    return [
        {"arm": condition.arm, "values": dict(condition.values), "id": condition_id(config)}
        for config, condition in plan.runs
        if config.seed == study.seeds[0]
    ]


def _fingerprints(content: Mapping[str, Any]) -> dict[str, str]:
    """Fingerprints of all data that runs in the folder may have used, also before the study was narrowed."""
    used = {name: facts["fingerprint"] for name, facts in content["datasets"].items()}
    return dict(content.get("fingerprints", {})) | used


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


def condition_id(config: RunConfig) -> str:
    """Identify the condition of a run: the `run_id` that it has at seed 0."""
    return replace(config, seed=0).run_id


def _data_facts(config: RunConfig) -> dict[str, Any]:
    data = datasets.load(config)
    return describe.facts(data) | {"fingerprint": data.fingerprint()}


def _one_per_data(plan: Plan) -> list[RunConfig]:
    return list({_data_key(config): config for config, _ in plan.runs}.values())


def _data_key(config: RunConfig) -> tuple[Value, ...]:
    return tuple(getattr(config, name) for name in DATA_FIELDS)


def _data_label(config: RunConfig) -> str:
    """Name the data of a run by the fields that choose it: `mnist train_rows=1:8001 scaling=unit`."""
    chosen = ((name, getattr(config, name)) for name in DATA_FIELDS[1:])
    return " ".join([config.dataset, *(f"{name}={show(value)}" for name, value in chosen if value != DEFAULTS[name])])


def _check_same_study(folder: Path, before: Mapping[str, Any], study: Study) -> None:
    there, here = before["study"], study.to_dict()
    varied = {*there["axes"], *here["axes"]}
    old, new = _fixed(there, varied), _fixed(here, varied)
    different = [name for name in new if old.get(name) != new[name]]
    if different:
        shown = ", ".join(f"{name} ({old.get(name)!r} there, {new[name]!r} here)" for name in different[:5])
        raise StoreError(
            f"The output folder {str(folder)!r} holds another study: it differs in {shown}. "
            "Try another --out, or make the field an axis."
        )


def _check_no_less(folder: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse a share of a smaller study: what it leaves out of `study.json` is hidden, while other shares train it."""
    for part in ("seeds", "arms", *{**there["axes"], **here["axes"]}):
        old, new = _values_of(part, there), _values_of(part, here)
        if any(value not in new for value in old):
            raise StoreError(
                f"The output folder {str(folder)!r} holds a larger study than this share is of: it differs in {part} "
                f"({_listed(old)} there, {_listed(new)} here). Give every share the same options, or try another --out."
            )


def _values_of(part: str, study: Mapping[str, Any]) -> list[Any]:
    """The seeds, the arms, or the values of a field, which has one where it is no axis."""
    if part in ("seeds", "arms"):
        return list(study[part])
    return list(study["axes"].get(part, [study["run"].get(part)]))


def _listed(values: list[Any]) -> str:
    texts = [show(value) for value in values]
    return ", ".join(texts) if len(texts) < 6 else f"{len(texts)} from {texts[0]} to {texts[-1]}"


def _check_same_data(folder: Path, there: Mapping[str, str], here: Mapping[str, Any]) -> None:
    changed = [name for name, facts in here.items() if there.get(name, facts["fingerprint"]) != facts["fingerprint"]]
    if changed:
        raise StoreError(
            f"The data {changed[0]!r} is not what the runs in {str(folder)!r} were trained on. "
            "Restore the data, or try another --out."
        )


OnResult = Callable[[RunResult, Condition], None]


def execute(
    plan: Plan,
    store: Store | None = None,
    *,
    engine: str = "auto",
    on_epoch: OnEpoch | None = None,
    on_result: OnResult | None = None,
    on_model: OnModel | None = None,
    retry_failed: bool = False,
    fail_fast: bool = False,
    shard: Shard | None = None,
    cluster: Cluster | None = None,
    done: Mapping[str, RunResult] | None = None,
) -> list[RunResult]:
    """Train what is missing, record each run as it ends, and return the results of the plan in its order.

    Args:
        plan: What to run.
        store: Where finished runs are found and recorded; None keeps them in memory only.
        engine: `auto`, `stacked` or `keras`.
        on_epoch: Called with the runs that train together and the epoch (from 1) after each epoch.
        on_result: Called with result and condition once a run has been recorded.
        on_model: Called with run and trained model; not together with `cluster`.
        retry_failed: Train runs again whose record says `failed`.
        fail_fast: Stop once a failed run has been recorded.
        shard: Train this share of the plan only.
        cluster: Workers to train on; None trains in this process.
        done: What `done_runs` returned; read from the store if None.
    """
    check_name("engine", engine, ENGINES)
    results = dict(done_runs(plan, store, retry_failed=retry_failed) if done is None else done)
    conditions = dict(plan.runs)
    pending = [config for config in share_of(plan, shard) if config.run_id not in results]
    if store and pending:
        note_session(store)
    with closing(_batches(pending, engine, on_epoch, on_model, cluster)) as batches:
        for batch in batches:
            if store:
                store.append(*batch)
            results |= {result.config.run_id: result for result in batch}
            if on_result:
                for result in batch:
                    on_result(result, conditions[result.config])
            if fail_fast and any(result.state == "failed" for result in batch):
                break
    return [results[config.run_id] for config in conditions if config.run_id in results]


def share_of(plan: Plan, shard: Shard | None) -> list[RunConfig]:
    """The runs of a plan, or of one share of it, done or not."""
    configs = [config for config, _ in plan.runs]
    return shard.of(configs) if shard else configs


def done_runs(plan: Plan, store: Store | None, *, retry_failed: bool = False) -> dict[str, RunResult]:
    """Return the plan's results that the store already holds, by `run_id`."""
    stored = store.read_runs() if store else {}
    ids = {config.run_id for config, _ in plan.runs}
    return {
        run_id: result
        for run_id, result in stored.items()
        if run_id in ids and not (retry_failed and result.state == "failed")
    }


def _batches(
    pending: list[RunConfig],
    engine: str,
    on_epoch: OnEpoch | None,
    on_model: OnModel | None,
    cluster: Cluster | None,
) -> Generator[list[RunResult], None, None]:
    """Results of the pending runs, those that trained together at once."""
    groups = _by_data(pending)
    if cluster:
        yield from cluster.train(groups, engine, on_epoch)
        return
    for group in groups:
        yield from _train(group, on_epoch, on_model, engine)


def _by_data(configs: Iterable[RunConfig]) -> Iterator[list[RunConfig]]:
    for _, group in itertools.groupby(configs, key=_data_key):
        yield list(group)


def _train(
    configs: list[RunConfig], on_epoch: OnEpoch | None, on_model: OnModel | None, engine: str
) -> Iterator[list[RunResult]]:
    data = datasets.load(configs[0])
    if engine == "keras":
        from bncli.engines import keras

        return keras.train(configs, data, on_epoch, on_model)
    from bncli.engines import stacked

    return stacked.train(configs, data, on_epoch, on_model, always_stack=engine == "stacked")
