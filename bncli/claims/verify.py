"""Which claims `bncli verify` tests, which runs and data they need, and their verdicts as rows of a table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bncli.analysis.evidence import read_evidence
from bncli.analysis.facts import common_fact
from bncli.analysis.tables import task_of
from bncli.claims import check, measures
from bncli.claims.claim import MIN_SEEDS, Claim, parse_claims
from bncli.claims.judgement import Verdict, least_seeds
from bncli.claims.verdicts import needs, verdicts_on
from bncli.config import RunConfig
from bncli.data.mnist import find_mnist_family
from bncli.errors import InvalidConfig, shown
from bncli.registry import check_name
from bncli.results import RunResult
from bncli.study.files import load_study, presets
from bncli.study.folder import Store
from bncli.study.study import Condition, Plan, Study
from bncli.tasks.metrics import METRICS, default_of
from bncli.tasks.scores import SCORES
from bncli.tasks.task import TASKS
from bncli.values import finite

DOWNLOADED = ("mnist", "fashion_mnist")
"""Data sets that are not installed with bncli or scikit-learn."""


@dataclass(frozen=True)
class Subject:
    """A study with those of its claims that are to be verified.

    Attributes:
        study: The study.
        claims: The selected claims.
    """

    study: Study
    claims: tuple[Claim, ...]

    @property
    def trains(self) -> bool:
        """Whether any of the claims is measured on runs."""
        return any(claim.measure for claim in self.claims)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the study, and as many more as a claim asks for with a `min_seeds` above the usual one."""
        own = self.study.seeds
        needed = max((claim.min_seeds for claim in self.claims if claim.min_seeds > MIN_SEEDS), default=0)
        further = (seed for seed in itertools.count() if seed not in own)
        return (*own, *itertools.islice(further, max(0, needed - len(own))))

    def undecided_by(self, n_seeds: int) -> dict[str, int]:
        """Return the claims that so few seeds leave inconclusive, by id, and how many seeds each takes.

        Args:
            n_seeds: How many seeds are to be trained.
        """
        needed = {claim.id: least_seeds(claim, claim.statistic) for claim in self.claims if claim.measure}
        return {name: number for name, number in needed.items() if n_seeds < number}

    @property
    def absent(self) -> str | None:
        """The data set that the study needs and that is not on this machine; None if nothing is missing."""
        return next((name for name in data_needed(self.study) if find_mnist_family(name) is None), None)


def data_needed(study: Study) -> list[str]:
    """Return the data sets of a study that must be downloaded or placed in a folder."""
    used = {study.base.dataset, *dict(study.axes).get("dataset", ())}
    return [name for name in DOWNLOADED if name in used]


def how_to_get(name: str | None) -> str:
    """Return one line that says how to get a data set of the MNIST family."""
    return (
        f"`bncli dataset {name}` downloads it where there is a network; "
        f"or put its four IDX files into $BNCLI_DATA_DIR/{name}/, or {name}.npz into $BNCLI_DATA_DIR"
    )


def subjects(names: Sequence[str], ids: Sequence[str] = (), *, everything: bool = False) -> tuple[Subject, ...]:
    """Return the selected studies, each with its selected claims.

    Without names, these are all presets; claims that need MNIST are then left out, unless `everything` or `ids` asks
    for them.

    Args:
        names: Presets, or paths of study files.
        ids: Ids of claims; empty for all.
        everything: Whether to include the claims that need MNIST.

    Raises:
        UnknownName: There is no such preset, file or claim.
        InvalidConfig: A named study makes no claims.
    """
    found = [Subject(study, parse_claims(study)) for study in map(load_study, names or presets())]
    bare = [subject.study.name for subject in found if not subject.claims]
    if names and bare:
        raise InvalidConfig(
            f"Study {shown(bare[0])} makes no claims. Add them as [[claims]] tables: see docs/claims.md."
        )
    for name in ids:
        check_name("claim", name, [claim.id for subject in found for claim in subject.claims])
    if ids:
        found = [replace(each, claims=tuple(c for c in each.claims if c.id in ids)) for each in found]
    elif not names and not everything:
        found = [
            replace(each, claims=tuple(c for c in each.claims if not _needs_download(c, each.study))) for each in found
        ]
    return tuple(subject for subject in found if subject.claims)


def part_of(plan: Plan, chosen: Sequence[Claim]) -> Plan:
    """Return a study's plan with only those runs on which the claims are measured.

    Raises:
        InvalidConfig: A claim's metric is a score of another task.
    """
    task = task_of(config for config, _ in plan.runs)
    for claim in chosen:
        _check_metrics(claim, task)
    one = {condition: config for config, condition in plan.runs}
    needed = {condition for condition in one if any(needs(claim, condition, one[condition]) for claim in chosen)}
    return replace(plan, runs=tuple(run for run in plan.runs if run[1] in needed))


def _check_metrics(claim: Claim, task: str) -> None:
    """Raise an error for a metric that runs of the task don't have; before training, which may take hours."""
    used = measures.parameters(claim.measure) if claim.measure else ()
    for metric in (getattr(claim, name) for name in ("metric", "minus") if name in used):
        score = SCORES.get(METRICS[metric].score)
        if score and score.task != task:
            raise InvalidConfig(
                f"Claim {shown(claim.id)} measures {metric}, a score of {score.task}. The task of its runs is {task}: "
                f"try {default_of(TASKS[task].score)}."
            )


def _needs_download(claim: Claim, study: Study) -> bool:
    """Whether a claim is tested on data that must be downloaded or placed in a folder."""
    if claim.check:
        return bool(check.needs_mnist(claim.check))
    return bool(claim.measure and data_needed(study))


def left_out(chosen: Sequence[Subject]) -> dict[str, int]:
    """Return, for each preset with claims that are not among the chosen ones, the number of those claims."""
    counts = {name: len(load_study(name).claims) for name in presets()}
    taken = {subject.study.name: len(subject.claims) for subject in chosen}
    missing = {name: count - taken.get(name, 0) for name, count in counts.items()}
    return {name: count for name, count in missing.items() if count}


def judge(
    subject: Subject,
    results: Sequence[RunResult],
    conditions: Mapping[RunConfig, Condition],
    trivial: float | None = None,
) -> list[Verdict]:
    """Return the verdicts on the selected claims, in order.

    A claim is `skipped` if its data set is not on this machine and there are no results.

    Args:
        subject: The study with the claims.
        results: Results of its runs.
        conditions: The condition of every run.
        trivial: What the best constant answer scores, if it is known.
    """
    absent = None if results else subject.absent
    missing = {claim.id: _missing_data(claim, absent) for claim in subject.claims}
    testable = [claim for claim in subject.claims if not missing[claim.id]]
    judged = verdicts_on(testable, subject.study, results, conditions, trivial)
    found = {verdict.claim.id: verdict for verdict in judged}
    return [found.get(claim.id) or _skipped(claim, missing[claim.id]) for claim in subject.claims]


def _skipped(claim: Claim, name: str | None) -> Verdict:
    return Verdict(claim, "skipped", text=f"{name} is not on this machine", advice=how_to_get(name))


def _missing_data(claim: Claim, absent: str | None) -> str | None:
    """The missing data set that the claim needs; `absent` is the missing one that its study needs."""
    if claim.check and check.needs_mnist(claim.check):
        return None if find_mnist_family("mnist") else "mnist"
    return absent if claim.measure else None


def read_verdicts(subject: Subject, folder: Path) -> list[Verdict]:
    """Return the verdicts on the selected claims from the runs in a study's folder, which need not exist."""
    return judge(subject, *stored(folder))


def stored(folder: Path) -> tuple[Sequence[RunResult], Mapping[RunConfig, Condition], float | None]:
    """Return the results in a study's folder, their conditions, and the accuracy of the best constant answer.

    The first two are empty and the last is None if there is no study or no run.
    """
    if not Store(folder).has_study() or not Store(folder).read_runs():
        return [], {}, None
    evidence = read_evidence(folder)
    return evidence.results, evidence.conditions, evidence.trivial


def trivial_score_of(folder: Path) -> float | None:
    """Return the accuracy of the best constant answer on a study's data; None if it isn't known, or not the same."""
    content = Store(folder).read_study() or {}
    score: float | None = common_fact(content.get("datasets", {}).values(), "chance")
    return score


def in_order(verdicts: Iterable[tuple[str, Verdict]]) -> list[tuple[str, Verdict]]:
    """Return pairs of study and verdict sorted by the claims' numbers; claims without a number come last."""
    return sorted(verdicts, key=lambda pair: pair[1].claim.number or math.inf)


def columns(study: str, claim: Claim) -> dict[str, Any]:
    """Return a claim, before it is tested, as a record for JSON and CSV."""
    names = ("number", "id", "statement", "source", "link", "published", "transfers_from")
    known = {name: getattr(claim, name) for name in names}
    return known | {"published_value": claim.published_value, "study": study, "test": claim.test()}


def record(study: str, verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as a record for JSON and CSV; numbers that are missing or infinite are None."""
    numbers = {name: getattr(verdict, name) for name in ("value", "low", "high", "p_value")}
    plain = {name: None if number is None else finite(number) for name, number in numbers.items()}
    texts = {"measured": verdict.text, "advice": verdict.advice, "note": verdict.claim.note}
    return columns(study, verdict.claim) | {"verdict": verdict.verdict, "n": verdict.n} | plain | texts


def row(study: str, verdict: Verdict) -> dict[str, str]:
    """Return a verdict as a row of a table to read."""
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
    """Return a claim as a row of `bncli verify --list`."""
    number = str(claim.number or "")
    return {"#": number, "id": claim.id, "claim": claim.statement, "source": claim.source, "study": study} | {
        "tested by": claim.test()
    }
