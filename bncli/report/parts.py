"""The tables of the page, each with a title and a note on how to read it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bncli.analysis.hits import LEAST_SECONDS
from bncli.analysis.statistics import MIN_PAIRS
from bncli.analysis.verdicts import UNDECIDED
from bncli.config import FIELDS
from bncli.report.interactions import NOTE, interaction_rows
from bncli.report.more_rows import class_rows, other_caption, other_rows
from bncli.report.notes import norm_note, site_note
from bncli.report.rows import (
    DIFFERENCE,
    VERDICT,
    columns_caption,
    detail_rows,
    difference_rows,
    hit_rows,
    rate_rows,
    result_rows,
)
from bncli.report.spelling import NEVER, learned_text, threshold_text, trivial_answer, verdict_text
from bncli.report.splits import split_note
from bncli.values import show

if TYPE_CHECKING:
    from bncli.analysis.evidence import Evidence


MAX_ROWS = 1_000
"""The most rows of a table in the page; the CSV files have all."""


@dataclass(frozen=True)
class Part:
    """A table of the page.

    Attributes:
        title: Its heading.
        rows: Column to text.
        note: How to read it.
        wraps: Whether the texts in its cells may break into lines.
    """

    title: str
    rows: Sequence[Mapping[str, str]]
    note: str = ""
    wraps: bool = False

    @cached_property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.rows[0]) if self.rows else []

    @property
    def anchor(self) -> str:
        """The id of its place in the page."""
        return "-".join(re.findall(r"[a-z0-9]+", self.title.lower()))

    @cached_property
    def begins(self) -> set[int]:
        """The rows, but for the first, at which the values before the column `arm` change."""
        names = self.columns[: self.columns.index("arm")] if "arm" in self.columns else []
        keys = [[row[name] for name in names] for row in self.rows]
        return {place for place in range(1, len(keys)) if keys[place] != keys[place - 1]}

    @cached_property
    def numeric(self) -> set[str]:
        """The columns of numbers, which are aligned to the right."""
        return {name for name in self.columns if all(_is_number(row[name]) for row in self.rows)}


def _is_number(text: str) -> bool:
    return text in ("-", "never", UNDECIDED, *NEVER.values()) or bool(re.match(r"([<>] )?[+-]?(\d|inf)", text))


def result_tables(evidence: Evidence) -> list[Part]:
    """Return the tables of results that have rows, the main one first."""
    return [part for part in _tables(evidence) if part.rows]


def record_tables(evidence: Evidence, content: Mapping[str, Any]) -> list[Part]:
    """Return the tables of what was run: versions and host, data sets, settings.

    Args:
        evidence: The study with its results.
        content: The content of `study.json`.
    """
    return [_provenance(content), _data(content), *_columns(content), _settings(evidence)]


def _tables(evidence: Evidence) -> Iterable[Part]:
    notes = (columns_caption(evidence), norm_note(evidence), site_note(evidence), split_note(evidence))
    caption = ". ".join(line for line in notes if line)
    rows = [_answer_first(row, evidence.metric) for row in result_rows(evidence)]
    yield _part("Every condition", rows, caption)
    yield _part(
        f"Differences from {evidence.baseline} in {evidence.metric}",
        difference_rows(evidence),
        "Arm minus baseline: mean over pairs of runs with the same seed [95% interval]. p: sign-flip test, omitted "
        f"below {MIN_PAIRS} pairs. p (Holm): corrected for the number of rows that have a p. Verdict: "
        f"{verdict_text(evidence)}. Effect size: Hedges' g, the mean of the differences divided by their standard "
        "deviation, corrected for few pairs [95% interval]. Where only some runs of an arm learned, p and verdict come "
        "from whether runs learn (sign test) and from the difference among pairs in which both did, and p is twice the "
        "smaller one.",
    )
    yield _part("Other metrics", other_rows(evidence), f"{other_caption(evidence)}.")
    yield _part("Interactions", interaction_rows(evidence), NOTE)
    yield _part(
        "When the threshold is reached",
        hit_rows(evidence),
        f"Hit epoch: epoch at which {threshold_text(evidence)}, median over seeds [95% interval]. Smoothed: every "
        "stretch of up to a quarter of the epochs from there on averages at least the threshold, and none before does, "
        f"so that noise does not look like speed. The baseline's gain: from {trivial_answer(evidence.curve_metric)} (a "
        "loss: from "
        "its first epoch) to the best quarter of its mean curve. The threshold is at least what counts as learned. "
        "Fell back: runs that reach the threshold, and diverge or are below it (a loss: above it) in the mean of the "
        "last quarter of their epochs. Speed-up: the baseline's epochs, or seconds, divided by the arm's, median over "
        "pairs. Above 1 the arm is faster. Baseline never, arm never: only that side never reaches the threshold. "
        "Undecided: the interval reaches from arm never to baseline never. Stacked runs share one timing; intervals "
        f"don't cover its error, and of less than {LEAST_SECONDS:g} s of training there is no speed-up in seconds.",
    )
    yield _part(
        "Learning rates",
        rate_rows(evidence),
        "From lr, to lr: the widest range of neighbouring rates at each of which most seeds learn; decades: its width "
        "[95% interval over resampled seeds, at the rates that were tried]. Best lr: the rate with the best mean over "
        "seeds. Means and differences at a best rate are free of the optimism of that choice: a test metric is taken "
        "at the rate that is best in validation, any other metric for each half of the seeds at the rate that is best "
        "on the other half.",
    )
    yield _part(
        "Every class",
        class_rows(evidence),
        "Right: the share of the class's validation rows that is answered right after the last epoch, mean over seeds "
        f"[95% interval]. Difference: from {evidence.baseline}, paired by seed [95% interval], not corrected for the "
        "number of classes: it says where a difference comes from, not whether there is one.",
    )
    yield _part(
        "More about every condition",
        detail_rows(evidence),
        f"P(learn): the share of runs {learned_text(evidence)}, "
        f"with Wilson's interval of the probability. Median and quartiles of {evidence.metric}: over these runs.",
    )


def _answer_first(row: Mapping[str, str], metric: str) -> dict[str, str]:
    """The same columns, difference and verdict right after the metric: what stands further right is cut on a phone."""
    answer = [name for name in (metric, DIFFERENCE, VERDICT) if name in row]
    names = list(row)
    place = names.index(metric)
    before, after = names[:place], [name for name in names[place:] if name not in answer]
    return {name: row[name] for name in (*before, *answer, *after)}


def _part(title: str, rows: Sequence[Mapping[str, str]], note: str) -> Part:
    cut = f" The first {MAX_ROWS:,} of {len(rows):,} rows; the CSV files have all." if len(rows) > MAX_ROWS else ""
    return Part(title, rows[:MAX_ROWS], note + cut)


def _provenance(content: Mapping[str, Any]) -> Part:
    """Versions, host and git commit."""
    facts = dict(content.get("versions", {})) | dict(content.get("host", {}))
    git = content.get("git")
    facts["git commit"] = git and git["commit"] + (" with uncommitted changes" if git["dirty"] else "")
    rows = [{"what": name, "value": "-" if value is None else str(value)} for name, value in facts.items()]
    return Part("Versions and host", rows, wraps=True)


def _data(content: Mapping[str, Any]) -> Part:
    """The data sets with their fingerprints."""
    found = content.get("datasets", {}).values()
    rows = [{name: str(value) for name, value in facts.items() if name != "columns"} for facts in found]
    return Part("Data sets", rows, "The fingerprint is a hash of all rows.")


def _columns(content: Mapping[str, Any]) -> list[Part]:
    """What was done to the columns of tables; nothing if nothing was."""
    rows = [
        {"data": label, **{name: "" if value is None else str(value) for name, value in row.items()}}
        for label, facts in content.get("datasets", {}).items()
        for row in facts.get("columns", [])
    ]
    note = "Missing values and categories, by the training rows; other columns are taken as they are."
    return [_part("Columns of tables", rows, note)] if rows else []


def _settings(evidence: Evidence) -> Part:
    """Every field of a run with the values that it had, and whether an axis or the arms vary it."""
    study = evidence.study
    rows = [
        {
            "setting": "arms",
            "value": ", ".join(arm.label for arm in study.arms),
            "what it is": "the first is the baseline",
        },
        {"setting": "seeds", "value": ", ".join(map(str, study.seeds)), "what it is": "replicates of every condition"},
    ]
    axes, in_arms = dict(study.axes), {name for arm in study.arms for name, _ in arm.changes}
    for name, info in FIELDS.items():
        found = dict.fromkeys(getattr(result.config, name) for result in evidence.results)
        value = ", ".join("none" if each is None else show(each) for each in found)
        varied = " (axis)" if name in axes else " (by arm)" if name in in_arms and len(found) > 1 else ""
        if name != "seed":
            rows.append({"setting": name, "value": value + varied, "what it is": info.help})
    return Part(
        "Every setting", rows, "Values as trained: defaults of the data set and the optimizer are filled in.", True
    )
