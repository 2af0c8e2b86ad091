"""`report.html`: one self-contained page about a study.

It needs no network, has no time stamps, and escapes all text from users.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bncli.analysis.choice import default_metric
from bncli.analysis.statistics import MIN_PAIRS
from bncli.analysis.verdicts import UNDECIDED
from bncli.claims.discovery import method
from bncli.config import FIELDS
from bncli.report.answer import answer_of
from bncli.report.figure import INSIDE, REGISTRY
from bncli.report.interactions import NOTE, interaction_rows
from bncli.report.more_rows import class_rows, other_caption, other_rows
from bncli.report.notes import norm_note, site_note
from bncli.report.rows import (
    columns_caption,
    detail_rows,
    difference_rows,
    hit_rows,
    rate_rows,
    result_rows,
)
from bncli.report.spelling import NEVER, learned_text, threshold_text, trivial_answer, verdict_text
from bncli.report.splits import split_note
from bncli.values import plain_text, show

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from bncli.analysis.evidence import Evidence
    from bncli.claims.judgement import Verdict


MAX_ROWS = 1_000
"""The most rows of a table in the page; the CSV files have all."""

TRAINING = (["train"], ["compare"], ["sweep"])
"""The commands that choose what arms are compared by."""


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

    @cached_property
    def numeric(self) -> set[str]:
        """The columns of numbers, which are aligned to the right."""
        return {name for name in self.columns if all(_is_number(row[name]) for row in self.rows)}


def _is_number(text: str) -> bool:
    return text in ("-", "never", UNDECIDED, *NEVER.values()) or bool(re.match(r"([<>] )?[+-]?(\d|inf)", text))


@dataclass(frozen=True)
class Drawing:
    """A figure of the page.

    Attributes:
        name: The figure's name.
        svg: The SVG document.
        title: Its title, which says how many seeds it is based on.
    """

    name: str
    svg: str
    title: str

    @property
    def caption(self) -> str:
        """What the figure shows, and its title."""
        return f"{REGISTRY.description(self.name)} {self.title}"

    @property
    def element(self) -> Markup:
        """The SVG as an element of the page, with a label, and with ids and a style that don't touch other figures.

        The figure's texts are drawn as outlines. The only text from users is in comments, which are left out.
        """
        from markupsafe import Markup, escape

        body = re.sub(r"<!--.*?-->", "", self.svg[self.svg.index("<svg") :], flags=re.DOTALL)
        body = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{self.name}-", body)
        body = body.replace('<style type="text/css">*', f'<style type="text/css">#figure-{self.name} svg *')
        return Markup(body.replace("<svg", f'<svg role="img" aria-label="{escape(self.caption)}"', 1))


def render(
    evidence: Evidence, figures: Sequence[Drawing], content: Mapping[str, Any], verdicts: Sequence[Verdict] = ()
) -> str:
    """Return the page as HTML.

    Args:
        evidence: The study with its results.
        figures: The figures in order.
        content: The content of `study.json`: versions, host, git, command, data sets.
        verdicts: The verdicts on the study's claims.
    """
    text: str = (
        environment()
        .get_template("report.html.j2")
        .render(
            name=evidence.study.name,
            question=evidence.study.question,
            source=evidence.study.source,
            answer=answer_of(evidence),
            tables=[part for part in _tables(evidence) if part.rows],
            figures=[
                ("Figures", [figure for figure in figures if figure.name not in INSIDE]),
                ("Inside the networks", [figure for figure in figures if figure.name in INSIDE]),
            ],
            claims=verdicts,
            method=method(verdicts),
            command=_command(evidence, content),
            provenance=_provenance(content),
            data=[_data(content), *_columns(content)],
            settings=_settings(evidence),
        )
    )
    return text


def environment() -> Environment:
    """Return what makes HTML from templates: it escapes all texts, control characters too."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("bncli.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _plain(value: Any) -> Any:
    """What the page shows of a value: a text without control characters, except that lines may end."""
    return plain_text(value, None, keep="\n\t") if type(value) is str else value


def _tables(evidence: Evidence) -> Iterable[Part]:
    notes = (columns_caption(evidence), norm_note(evidence), site_note(evidence), split_note(evidence))
    caption = ". ".join(line for line in notes if line)
    yield _part("Every condition", result_rows(evidence), caption)
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
        "don't cover its error.",
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


def _part(title: str, rows: Sequence[Mapping[str, str]], note: str) -> Part:
    cut = f" The first {MAX_ROWS:,} of {len(rows):,} rows; the CSV files have all." if len(rows) > MAX_ROWS else ""
    return Part(title, rows[:MAX_ROWS], note + cut)


def _command(evidence: Evidence, content: Mapping[str, Any]) -> str:
    """The command that began the study, with the metric, threshold and margin that the folder has come to remember."""
    command: str = content.get("command", "")
    default = default_metric(content.get("datasets", {}).values())
    metrics = ",".join([evidence.metric, *evidence.more])
    chosen = {
        "--metric": None if metrics == default else metrics,
        "--threshold": evidence.threshold,
        "--margin": evidence.margin,
    }
    try:
        words = shlex.split(command)
    except ValueError:  # the file was written by someone else
        return command
    if words[1:2] not in TRAINING:
        return command
    options = [word for name, value in chosen.items() if value is not None for word in (name, str(value))]
    return shlex.join([*_without(words, chosen), *options])


def _without(words: Sequence[str], options: Collection[str]) -> list[str]:
    """The words of a command without some options and their values."""
    kept = [not word.startswith(tuple(f"{name}=" for name in options)) for word in words]
    for place, word in enumerate(words):
        if word in options:
            kept[place : place + 2] = [False] * len(kept[place : place + 2])
    return [word for word, is_kept in zip(words, kept, strict=True) if is_kept]


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
