"""Which claims a call of `bncli verify` is about, what they need, and how their verdicts read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bncli.analysis.evidence import read_evidence
from bncli.claims import check
from bncli.claims.claim import Claim, parse_claims
from bncli.claims.judgement import Verdict
from bncli.claims.verdicts import takes, verdicts_on
from bncli.config import RunConfig
from bncli.data.mnist import find_mnist_family
from bncli.errors import InvalidConfig
from bncli.registry import check_name
from bncli.results import RunResult
from bncli.study.files import load_study, presets
from bncli.study.folder import STUDY_FILE, Store
from bncli.study.study import Condition, Plan, Study
from bncli.values import finite

DOWNLOADED = ("mnist", "fashion_mnist")
"""Data sets that don't come with an installation."""


@dataclass(frozen=True)
class Subject:
    """A study, and those of its claims that are to be verified.

    Attributes:
        study: The study.
        claims: The selected ones.
    """

    study: Study
    claims: tuple[Claim, ...]

    @property
    def trains(self) -> bool:
        """Whether a claim needs the study's runs."""
        return any(claim.measure for claim in self.claims)

    @property
    def absent(self) -> str | None:
        """The data set that the study needs and this machine has not."""
        return next((name for name in data_needed(self.study) if find_mnist_family(name) is None), None)


def data_needed(study: Study) -> list[str]:
    """Return the data sets of the study that have to be found or downloaded."""
    used = {study.base.dataset, *dict(study.axes).get("dataset", ())}
    return [name for name in DOWNLOADED if name in used]


def how_to_get(name: str | None) -> str:
    """Say in one line how a set of the MNIST family comes onto this machine."""
    return (
        f"`bncli dataset {name}` downloads it where there is a network; "
        f"or put its four IDX files into $BNCLI_DATA_DIR/{name}/, or {name}.npz into $BNCLI_DATA_DIR"
    )


def subjects(names: Sequence[str], ids: Sequence[str] = (), *, everything: bool = False) -> tuple[Subject, ...]:
    """Select studies and claims.

    Without names: all presets, where claims that take MNIST are left out unless `everything` or `ids` ask for them.

    Args:
        names: Presets or paths of study files.
        ids: Claims; all if empty.
        everything: Leave no claim out.

    Raises:
        UnknownName: No such preset, file or claim.
        InvalidConfig: A study without claims.
    """
    found = [Subject(study, parse_claims(study)) for study in map(load_study, names or presets())]
    bare = [subject.study.name for subject in found if not subject.claims]
    if names and bare:
        raise InvalidConfig(f"Study {bare[0]!r} makes no claims. Add them as [[claims]] tables: see the README.")
    for name in ids:
        check_name("claim", name, [claim.id for subject in found for claim in subject.claims])
    if ids:
        found = [replace(each, claims=tuple(c for c in each.claims if c.id in ids)) for each in found]
    elif not names and not everything:
        found = [
            replace(each, claims=tuple(c for c in each.claims if not takes_mnist(c, each.study))) for each in found
        ]
    return tuple(subject for subject in found if subject.claims)


def part_of(plan: Plan, chosen: Sequence[Claim]) -> Plan:
    """The runs of a study's plan that the claims are measured on; the others wait until somebody asks for them."""
    needed = {condition for condition in plan.conditions if any(takes(claim, condition) for claim in chosen)}
    return replace(plan, runs=tuple(run for run in plan.runs if run[1] in needed))


def takes_mnist(claim: Claim, study: Study) -> bool:
    """Whether the claim is tested on data that has to be found or downloaded."""
    if claim.check:
        return bool(check.needs_mnist(claim.check))
    return bool(claim.measure and data_needed(study))


def left_out(chosen: Sequence[Subject]) -> dict[str, int]:
    """Presets with the number of their claims that a call without names leaves out."""
    counts = {name: len(load_study(name).claims) for name in presets()}
    taken = {subject.study.name: len(subject.claims) for subject in chosen}
    missing = {name: count - taken.get(name, 0) for name, count in counts.items()}
    return {name: count for name, count in missing.items() if count}


def judge(subject: Subject, results: Sequence[RunResult], conditions: Mapping[RunConfig, Condition]) -> list[Verdict]:
    """Give the verdicts on the selected claims, in their order; `skipped` where runs and data both lack."""
    absent = None if results else subject.absent
    lacks = {claim.id: _lacks(claim, absent) for claim in subject.claims}
    able = [claim for claim in subject.claims if not lacks[claim.id]]
    found = {verdict.claim.id: verdict for verdict in verdicts_on(able, subject.study, results, conditions)}
    return [found.get(claim.id) or _skipped(claim, lacks[claim.id]) for claim in subject.claims]


def _skipped(claim: Claim, name: str | None) -> Verdict:
    return Verdict(claim, "skipped", text=f"{name} is not on this machine", advice=how_to_get(name))


def _lacks(claim: Claim, absent: str | None) -> str | None:
    """The data set without which the claim can't be tested here; `absent` is the one that its study lacks."""
    if claim.check and check.needs_mnist(claim.check):
        return None if find_mnist_family("mnist") else "mnist"
    return absent if claim.measure else None


def read_verdicts(subject: Subject, folder: Path) -> list[Verdict]:
    """Give the verdicts on the selected claims by the runs that the study's folder holds, if there is one."""
    return judge(subject, *stored(folder))


def stored(folder: Path) -> tuple[Sequence[RunResult], Mapping[RunConfig, Condition]]:
    """The results that a study's folder holds, with their conditions; none where it holds no study, or no run yet."""
    if not (folder / STUDY_FILE).is_file() or not Store(folder).read_runs():
        return [], {}
    evidence = read_evidence(folder)
    return evidence.results, evidence.conditions


def in_order(verdicts: Iterable[tuple[str, Verdict]]) -> list[tuple[str, Verdict]]:
    """Sort pairs of study and verdict by the claims' numbers; claims without one come last, as they stand."""
    return sorted(verdicts, key=lambda pair: pair[1].claim.number or math.inf)


def columns(study: str, claim: Claim) -> dict[str, Any]:
    """What is known of a claim before it is tested, as columns for programs."""
    known = {name: getattr(claim, name) for name in ("number", "id", "statement", "source", "link", "published")}
    return known | {"published_value": claim.published_value, "study": study, "test": claim.test()}


def record(study: str, verdict: Verdict) -> dict[str, Any]:
    """A verdict as columns for programs; None where a number is missing or infinite (an epoch that never came)."""
    numbers = {name: getattr(verdict, name) for name in ("value", "low", "high")}
    plain = {name: None if number is None else finite(number) for name, number in numbers.items()}
    texts = {"measured": verdict.text, "advice": verdict.advice, "note": verdict.claim.note}
    return columns(study, verdict.claim) | {"verdict": verdict.verdict, "n": verdict.n} | plain | texts


def row(study: str, verdict: Verdict) -> dict[str, str]:
    """A verdict as a row for people."""
    claim = verdict.claim
    return {
        "#": str(claim.number or ""),
        "verdict": verdict.verdict,
        "claim": claim.statement,
        "published": claim.published,
        "measured": verdict.measured,
        "study": study,
    }


def listed(study: str, claim: Claim) -> dict[str, str]:
    """A claim as a row of `--list`."""
    number = str(claim.number or "")
    return {"#": number, "id": claim.id, "claim": claim.statement, "source": claim.source, "study": study} | {
        "tested by": claim.test()
    }
