"""`Study`: a base run x axes x arms x seeds. `Study.plan` expands it to runs in a fixed order."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bncli.config import DATA_FIELDS, DEFAULTS, FIELDS, RunConfig
from bncli.data import datasets
from bncli.errors import InvalidConfig, cut, shown
from bncli.networks import norms
from bncli.networks.grouping import groups_for
from bncli.networks.layout import IN_PLACE
from bncli.networks.network import network_of
from bncli.networks.reference import reference_of
from bncli.registry import check_name
from bncli.resolution import decided_by, ignored_fields, resolve
from bncli.study.arms import Arm, arms_of
from bncli.study.axes import MAX_RUNS, check_count
from bncli.values import Value, plain_text, read_whole, show

DEFAULT_SEEDS = 3


@dataclass(frozen=True)
class Condition:
    """One arm at one value of every axis: runs of a condition differ only by seed.

    Attributes:
        arm: The arm's label.
        values: The value of every axis; None if the axis has no effect on this arm.
    """

    arm: str
    values: tuple[tuple[str, Value], ...]

    def __str__(self) -> str:
        return " ".join([self.arm, *(f"{name}={show(value)}" for name, value in self.values if value is not None)])


@dataclass(frozen=True)
class Plan:
    """All runs of a study in order; each can be trained.

    Attributes:
        runs: Pairs of a resolved run and its condition.
        notices: A sentence for each setting without effect, and one if conditions were dropped.
        sites: For arms that can't move the normalizations of all sites of a user's model: at how many of them they do,
            and of how many.
    """

    runs: tuple[tuple[RunConfig, Condition], ...]
    notices: tuple[str, ...] = ()
    sites: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions, in the order of their first runs."""
        return tuple(dict.fromkeys(condition for _, condition in self.runs))


@dataclass(frozen=True)
class Study:
    """A question, and the runs that answer it: every arm at every value of every axis, once per seed.

    Attributes:
        name: Short name, also used in the name of the default folder.
        base: The fields of every run, apart from those that an axis, an arm or the seed sets.
        arms: The normalizations to compare; the first is the baseline.
        axes: The fields to vary with their values, outermost first.
        seeds: The seeds of every condition.
        question: The question in one sentence.
        source: Where the setting was published, if it was.
        claims: Published claims as tables of a study file, which `claims.claim.parse_claims` checks.

    Raises:
        InvalidConfig: Arms, axes or seeds are missing, repeated or in conflict.

    >>> from bncli.study.arms import parse_arms
    >>> base = RunConfig(dataset="circles", n_samples=40)
    >>> study = Study("demo", base, parse_arms("none,batch:before"), axes=(("lr", (0.01, 0.1)),), seeds=(0, 1))
    >>> study.n_runs
    8
    >>> [str(condition) for condition in study.plan().conditions]
    ['none lr=0.01', 'batch:before lr=0.01', 'none lr=0.1', 'batch:before lr=0.1']
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
        object.__setattr__(self, "arms", arms_of(self.arms))
        _check_study(self)

    @property
    def n_runs(self) -> int:
        """Number of runs of the full grid; `plan` drops conditions that would repeat another."""
        return len(self.arms) * len(self.seeds) * math.prod(len(values) for _, values in self.axes)

    def check_size(self) -> None:
        """Check that the study is not too large to be planned; a stored one of an earlier version may be larger.

        Raises:
            InvalidConfig: It has more than `MAX_RUNS` runs.
        """
        check_count(len(self.arms), len(self.seeds), *(len(values) for _, values in self.axes))

    def to_dict(self) -> dict[str, Any]:
        """Return the study with the keys of a study file, and with every field of the base run."""
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
        """Return a copy with some parts changed. The claims are dropped if anything but the seeds changes.

        Args:
            fields: Values for fields of the base run; a field that was an axis no longer is one.
            arms: New arms, in place of the old ones.
            axes: Axes to add, or to put in place of an axis of the same field.
            seeds: New seeds, in place of the old ones.

        Raises:
            InvalidConfig: A field is both in `fields` and in `axes`, a value is out of range, or there are too many
                runs.
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
        varied.check_size()
        is_same = (varied.base, varied.arms, varied.axes) == (self.base, self.arms, self.axes)
        return varied if is_same else replace(varied, claims=())

    def values_of(self, name: str) -> tuple[Any, ...]:
        """Return all values of a field in the study; `arm` stands for the arms and `seed` for the seeds."""
        if name in ("arm", "seed"):
            return self.arms if name == "arm" else self.seeds
        return dict(self.axes).get(name, (getattr(self.base, name),))

    def united(self, other: Study) -> Study:
        """Return the smallest study with all seeds, arms and axis values of both; name and texts are the other's.

        Args:
            other: A study whose base differs only in fields that are an axis of one of the two.
        """
        axes = {name: _with_new(self.values_of(name), other.values_of(name)) for name in dict(self.axes + other.axes)}
        return replace(
            other,
            arms=_with_new(self.arms, other.arms),
            axes=tuple(axes.items()),
            seeds=_with_new(self.seeds, other.seeds),
            claims=other.claims or self.claims,
        )

    def plan(self) -> Plan:
        """Expand the study to runs: axes outermost, then arms, then seeds. Every run is resolved and checked.

        A field without effect on an arm makes conditions of that arm equal; the first one is kept.

        Raises:
            BncliError: A run can't be trained.
        """
        runs: dict[RunConfig, Condition] = {}
        said: dict[str, None] = {}
        sites: dict[str, tuple[int, int]] = {}
        ignored_everywhere, n_repeats = set(FIELDS), 0
        for values in itertools.product(*(values for _, values in self.axes)):
            at = dict(zip((name for name, _ in self.axes), values, strict=True))
            for arm in self.arms:
                config, ignored = resolve(placed(arm, self.base.replace(**at, **dict(arm.changes))))
                ignored_everywhere &= set(ignored)
                said |= dict.fromkeys([*datasets.load(config).notices, *_on_groups(config)])
                if moved := _moved(config):
                    sites[arm.label] = moved
                condition = Condition(arm.label, _in_effect(at, config))
                if config.with_seed(self.seeds[0]) in runs:
                    n_repeats += 1
                    continue
                runs |= {config.with_seed(seed): condition for seed in self.seeds}
        _check_task(runs)
        said |= dict.fromkeys([*_on_fixed_layers(runs), *_on_padding(runs)])
        return Plan(tuple(runs.items()), (*said, *_notices(self, ignored_everywhere, n_repeats)), sites)


def _check_task(runs: Iterable[RunConfig]) -> None:
    """Refuse runs of both tasks, which no metric could compare."""
    named = {config.task: config.dataset for config in runs}
    if len(named) > 1:
        listed = ", ".join(f"{task} ({shown(dataset)})" for task, dataset in named.items())
        raise InvalidConfig(f"All runs of a study need the same task. Received: {listed}.")


def placed(arm: Arm, config: RunConfig) -> RunConfig:
    """Return the run of an arm. In a model of the user's, an arm without a place keeps the model's own places.

    Raises:
        InvalidConfig: The arm has a place, but the model places its normalizations itself.
    """
    if not reference_of(config.model):
        return config
    is_placed, network = "placement" in dict(arm.changes), network_of(config.model)
    if is_placed and "placement" in network.unused_fields(config):
        raise InvalidConfig(
            f"Arm {shown(arm.label)}: the function of model {shown(config.model)} places its normalizations itself. "
            f"Try {config.norm}, without a place."
        )
    keeps = network.rewrites and not is_placed and config.norm not in (norms.NONE, *norms.OWN)
    return config.replace(placement=IN_PLACE) if keeps else config


def _moved(config: RunConfig) -> tuple[int, int] | None:
    """At how many sites of a user's model a run has its normalization before, or after, the activation, if not all."""
    network = network_of(config.model)
    if not network.rewrites or config.placement == IN_PLACE or config.norm in (norms.NONE, *norms.OWN):
        return None
    data = datasets.load(config)
    change = network.change(config, data.input_shape, data.n_classes)
    return (change.changed, change.n_sites) if change and change.changed < change.n_sites else None


def _on_fixed_layers(runs: Iterable[RunConfig]) -> Iterator[str]:
    """Which layers of a user's models start from the same weights for every seed, so that seeds differ in less."""
    for config in {config.model: config for config in runs if not config.keep_weights}.values():
        data = datasets.load(config)
        layers = network_of(config.model).fixed_layers(config, data.input_shape, data.n_classes)
        if layers:
            named = ", ".join(layers[:3]) + (", ..." if len(layers) > 3 else "")
            yield (
                f"Model {plain_text(config.model)} starts {named} from the same weights for every seed, because it "
                "sets them itself. Seeds then differ in less, and intervals are about less."
            )


def _on_padding(runs: Iterable[RunConfig]) -> Iterator[str]:
    """Which models take the padded steps of sequences for data."""
    for config in {(config.model, config.dataset): config for config in runs}.values():
        data = datasets.load(config)
        shapes = data.input_shape, data.n_classes
        if data.padding is not None and not network_of(config.model).has_mask(config, *shapes):
            hint = f"Put keras.layers.Masking({data.padding:g}) behind its input"
            hint = hint if reference_of(config.model) else "Begin with lstm or gru"
            yield f"Model {plain_text(config.model)} takes padded steps for data: nothing in it masks them. {hint}."


def _in_effect(at: Mapping[str, Value], config: RunConfig) -> tuple[tuple[str, Value], ...]:
    """The values of the axes at one condition; None for an axis without effect on the arm."""
    ignored = ignored_fields(config)
    return tuple((name, None if name in ignored else getattr(config, name)) for name in at)


def _on_groups(config: RunConfig) -> list[str]:
    """Which numbers of groups the layers of a run have, if it leaves them open."""
    if "groups" not in norms.fields(config.norm) or config.groups is not None:
        return []
    data = datasets.load(config)
    shapes = network_of(config.model).norm_shapes(config, data.input_shape, data.n_classes)
    taken = dict.fromkeys((groups_for(shape), shape[-1] // groups_for(shape)) for shape in shapes)
    numbers = ", ".join(f"{n} of {size}" for n, size in taken)
    said = f"Channel groups of norm {config.norm}: {numbers}. Another number is set as groups=2, say."
    return [said] if taken else []


def _notices(study: Study, ignored: set[str], n_repeats: int) -> tuple[str, ...]:
    given = [name for name in FIELDS if name in ignored and getattr(study.base, name) != DEFAULTS[name]]
    lines = [
        f"{name}={plain_text(show(getattr(study.base, name)))} has no effect {_where(study, name)} and is ignored."
        for name in given
    ]
    if n_repeats:
        noun = "condition" if n_repeats == 1 else "conditions"
        lines.append(f"Dropped {n_repeats} {noun} that would repeat another (a field without effect on its arm).")
    return tuple(lines)


def _where(study: Study, name: str) -> str:
    """With what a field has no effect: `with optimizer adam`."""
    decisive = decided_by(study.base, name)
    if decisive == "norm":
        return "on these arms" if len(study.arms) > 1 else f"with {study.arms[0].label}"
    if decisive in dict(study.axes):
        return f"with any {decisive} here"
    return f"with {decisive} {plain_text(show(getattr(study.base, decisive)))}"


def _check_study(study: Study) -> None:
    """Raise `InvalidConfig` if parts of a study are missing, repeated or in conflict."""
    for what, labels in (
        ("arm", [arm.label for arm in study.arms]),
        ("axis", [name for name, _ in study.axes]),
    ):
        repeated = sorted(label for label, count in Counter(labels).items() if count > 1)
        if repeated:
            raise InvalidConfig(f"The {what} {shown(repeated[0])} is given twice. Name each {what} once.")
    if not study.arms or not study.seeds:
        raise InvalidConfig("A study needs at least one arm and one seed.")
    if len(set(study.seeds)) < len(study.seeds):
        raise InvalidConfig(f"A seed is given twice. Received: {shown(list(study.seeds))}.")
    _check_axes(study)


def _check_axes(study: Study) -> None:
    in_arms = {name for arm in study.arms for name, _ in arm.changes}
    for name, values in study.axes:
        if name in ("norm", "placement"):
            raise InvalidConfig(
                f"{name} can't be an axis: normalizations are compared as arms. Try --arms none,batch:after."
            )
        check_name("axis", name, FIELDS)
        if name == "seed":
            raise InvalidConfig("seed can't be an axis. Try --seeds N for the seeds 0 to N-1.")
        if name in in_arms:
            raise InvalidConfig(f"{name} is both an axis and part of an arm. Give it in one of them.")
        if not values or len(set(values)) < len(values):
            received = cut(", ".join(map(show, values))) or "none"
            raise InvalidConfig(f"The axis {name} needs different values. Received: {received}.")


def parse_seeds(text: str) -> tuple[int, ...]:
    """Parse seeds: `N` for the seeds 0 to N-1, or a list such as `3,4,5`.

    Raises:
        InvalidConfig: It is neither, or there are too many.

    >>> parse_seeds("3"), parse_seeds("3,4,5")
    ((0, 1, 2), (3, 4, 5))
    """
    parts = text.split(",")
    try:
        numbers = [read_whole(part, 0) for part in parts]
    except ValueError:
        numbers = []
    is_count = len(numbers) == 1
    if not numbers or numbers == [0]:
        raise InvalidConfig(f"--seeds takes a whole number from 1, or a list such as 3,4,5. Received: {shown(text)}.")
    if (numbers[0] if is_count else len(numbers)) > MAX_RUNS:
        raise InvalidConfig(f"--seeds takes at most {MAX_RUNS:,} seeds. Received: {shown(text)}.")
    return tuple(range(numbers[0])) if is_count else tuple(RunConfig(seed=number).seed for number in numbers)


def data_key(config: RunConfig) -> tuple[Value, ...]:
    """Return the values of the data fields and the seed that draws the data: equal keys, the same data."""
    return (*(getattr(config, name) for name in DATA_FIELDS), datasets.drawn_with(config))


def _with_new(old: Iterable[Any], new: Iterable[Any]) -> tuple[Any, ...]:
    """The old values, then the new ones that are not among them."""
    return tuple(dict.fromkeys([*old, *new]))
