"""A study: base run x arms x axes x seeds. It expands to runs in a fixed order and executes what is missing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bncli.config import DATA_FIELDS, DEFAULTS, FIELDS, RunConfig, ignored_fields, resolve
from bncli.errors import InvalidConfig
from bncli.registry import check_name
from bncli.study.arms import Arm, arms_of
from bncli.study.axes import MAX_RUNS
from bncli.values import Value, show

DEFAULT_SEEDS = 3


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
        object.__setattr__(self, "arms", arms_of(self.arms))
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

    def values_of(self, name: str) -> tuple[Any, ...]:
        """Return the values that a field takes in the study; `arm` gives the arms, `seed` the seeds."""
        if name in ("arm", "seed"):
            return self.arms if name == "arm" else self.seeds
        return dict(self.axes).get(name, (getattr(self.base, name),))

    def united(self, other: Study) -> Study:
        """Return the smallest study that has all seeds, arms and axis values of both; text and claims are the other's.

        Args:
            other: A study of the same base, apart from the fields that are an axis of one of them.
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


def _in_effect(at: Mapping[str, Value], config: RunConfig) -> tuple[tuple[str, Value], ...]:
    """The values of the axes at one condition, None where the arm makes one void."""
    void = ignored_fields(config)
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


def data_key(config: RunConfig) -> tuple[Value, ...]:
    """Return the fields that choose a run's data: runs with equal keys train on the same data."""
    return tuple(getattr(config, name) for name in DATA_FIELDS)


def _with_new(old: Iterable[Any], new: Iterable[Any]) -> tuple[Any, ...]:
    """The old values, then the new ones that are not among them."""
    return tuple(dict.fromkeys([*old, *new]))
