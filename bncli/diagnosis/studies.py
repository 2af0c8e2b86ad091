"""Make cases of a study's folder: one for each condition, of its network before training and its recorded runs."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bncli.analysis.evidence import Evidence, read_evidence
from bncli.analysis.lag import n_steps
from bncli.analysis.tables import results_by_condition
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.diagnosis.case import Case, Training
from bncli.errors import BncliError
from bncli.networks.naming import fresh_names
from bncli.networks.network import network_of
from bncli.networks.own import SHAPING
from bncli.study.folder import Store
from bncli.study.opening import data_label
from bncli.study.study import Condition
from bncli.training.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class StudyCases:
    """The conditions of a study, ready for diagnosis.

    Attributes:
        evidence: The study with its results.
        cases: Each condition that has results, with its case.
        notes: Why networks could not be built; what records tell is diagnosed all the same.
    """

    evidence: Evidence
    cases: tuple[tuple[Condition, Case], ...]
    notes: tuple[str, ...]


def cases_of_study(folder: Path) -> StudyCases:
    """Read a study's folder and build the network of every condition once. Nothing is trained.

    Raises:
        StoreError: There is no study or no result yet, or the files are damaged.
    """
    importlib.import_module("bncli.backend")
    evidence, facts = read_evidence(folder), Store(folder).need_study()["datasets"]
    builder = _Builder(facts)
    groups = results_by_condition(evidence.results, evidence.conditions)
    cases = tuple((condition, builder.case(evidence, tuple(runs))) for condition, runs in groups.items() if runs)
    return StudyCases(evidence, cases, tuple(dict.fromkeys(builder.notes)))


class _Builder:
    """Builds networks for conditions; those that differ in their training alone share one.

    Args:
        facts: The facts on each data set of the study, by label.
    """

    def __init__(self, facts: Mapping[str, Mapping[str, Any]]) -> None:
        self.notes: list[str] = []
        self._facts = facts
        self._models: dict[tuple[Any, ...], keras.Model | None] = {}

    def case(self, evidence: Evidence, runs: tuple[Any, ...]) -> Case:
        """Return the case of a condition that has these runs."""
        config: RunConfig = runs[0].config
        facts = self._facts_on(config)
        rows = facts["training_rows"] if facts else None
        decay = OPTIMIZERS[config.optimizer].weight_decay if config.weight_decay is None else config.weight_decay
        steps = n_steps(config, rows) if rows else None
        training = Training(steps, config.batch_size, rows, decay > 0 and config.decay == "all")
        own = evidence.own_trivial.get(config) if evidence.own_trivial else evidence.trivial
        return Case(self._model(config, facts), training, is_trained=False, runs=runs, trivial=own)

    def _facts_on(self, config: RunConfig) -> dict[str, Any] | None:
        """The shapes of a run's data: those that the folder holds, else of the data itself; None if it is gone."""
        known = self._facts.get(data_label(config), {})
        if {"training_rows", "input_shape", "n_classes"} <= set(known):
            shape = tuple(int(side) for side in str(known["input_shape"]).split("x"))
            return {"training_rows": known["training_rows"], "shape": shape, "n_classes": known["n_classes"]}
        try:
            data = datasets.load(config)
        except BncliError as error:
            self.notes.append(str(error))
            return None
        return {"training_rows": len(data.y_train), "shape": data.input_shape, "n_classes": data.n_classes}

    def _model(self, config: RunConfig, facts: Mapping[str, Any] | None) -> keras.Model | None:
        if facts is None:
            return None
        key = (config.model, config.dtype, facts["shape"], facts["n_classes"], *(getattr(config, f) for f in SHAPING))
        if key not in self._models:
            try:
                with fresh_names():
                    model = network_of(config.model).build(config, facts["shape"], facts["n_classes"], config.seed)
            except BncliError as error:
                self.notes.append(f"Of {config.model} only the records are diagnosed: {error}")
                model = None
            self._models[key] = model
        return self._models[key]


@dataclass(frozen=True)
class Found:
    """A finding in one or several conditions of a study.

    Attributes:
        name: Its name.
        finding: It.
        conditions: Where it was found.
    """

    name: str
    finding: Any
    conditions: tuple[Condition, ...]


def merged(found: Iterator[tuple[Condition, str, Any]] | list[tuple[Condition, str, Any]]) -> list[Found]:
    """Return findings with the conditions that share them, in the order of their first conditions."""
    groups: dict[tuple[str, Any], list[Condition]] = {}
    for condition, name, finding in found:
        groups.setdefault((name, finding), []).append(condition)
    return [Found(name, finding, tuple(conditions)) for (name, finding), conditions in groups.items()]


def places(conditions: tuple[Condition, ...], every: tuple[Condition, ...]) -> list[str]:
    """Name conditions of a study: by their arm where all conditions of it are meant.

    >>> conditions = [Condition(arm, (("lr", lr),)) for arm in ("none", "batch") for lr in (0.1, 1.0)]
    >>> places(tuple(conditions[1:]), tuple(conditions))
    ['none lr=1', 'batch']

    Args:
        conditions: Those that are meant.
        every: All conditions of the study.
    """
    whole = {c.arm for c in conditions if all(other in conditions for other in every if other.arm == c.arm)}
    return list(dict.fromkeys(c.arm if c.arm in whole else str(c) for c in conditions))
