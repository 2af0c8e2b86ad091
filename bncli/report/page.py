"""`report.html`: one self-contained page on a study. No network, no time stamps, all text from users escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bncli.config import FIELDS
from bncli.report.answer import answer_of
from bncli.report.figure import REGISTRY
from bncli.report.rows import (
    detail_rows,
    difference_rows,
    hit_rows,
    rate_rows,
    result_rows,
    table_caption,
)
from bncli.report.spelling import threshold_text
from bncli.values import show

if TYPE_CHECKING:
    from markupsafe import Markup

    from bncli.analysis.evidence import Evidence
    from bncli.claims.judgement import Verdict


MAX_ROWS = 1_000
"""Rows of a table in the page; the CSV files hold all."""


@dataclass(frozen=True)
class Part:
    """A table of the page.

    Attributes:
        title: What it holds.
        rows: Column to text.
        note: What its reader must know.
        wraps: Whether its cells are texts that may break.
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
        """The columns that align to the right."""
        return {name for name in self.columns if all(_is_number(row[name]) for row in self.rows)}


def _is_number(text: str) -> bool:
    return text in ("-", "never") or bool(re.match(r"[+-]?(\d|inf)", text))


@dataclass(frozen=True)
class Drawing:
    """A figure of the page.

    Attributes:
        name: The figure's name.
        svg: The SVG document.
        title: Its title, which holds n.
    """

    name: str
    svg: str
    title: str

    @property
    def caption(self) -> str:
        """What the figure shows."""
        return f"{REGISTRY.description(self.name)} {self.title}"

    @property
    def element(self) -> Markup:
        """The SVG as an element of the page: its ids and its style are its own, and it has a label.

        The texts of the figure are outlines, so the only text from users is in comments, which are left out.
        """
        from markupsafe import Markup, escape

        body = re.sub(r"<!--.*?-->", "", self.svg[self.svg.index("<svg") :], flags=re.DOTALL)
        body = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{self.name}-", body)
        body = body.replace('<style type="text/css">*', f'<style type="text/css">#figure-{self.name} svg *')
        return Markup(body.replace("<svg", f'<svg role="img" aria-label="{escape(self.caption)}"', 1))


def render(
    evidence: Evidence, figures: Sequence[Drawing], content: Mapping[str, Any], verdicts: Sequence[Verdict] = ()
) -> str:
    """Return the page.

    Args:
        evidence: The study with its results.
        figures: The figures in order.
        content: What `study.json` holds: versions, host, git, command, data sets.
        verdicts: What the runs say on the study's claims.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("bncli.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text: str = environment.get_template("report.html.j2").render(
        name=evidence.study.name,
        question=evidence.study.question,
        source=evidence.study.source,
        answer=answer_of(evidence),
        tables=[part for part in _tables(evidence) if part.rows],
        figures=figures,
        claims=verdicts,
        command=content.get("command", ""),
        provenance=_provenance(content),
        data=_data(content),
        settings=_settings(evidence),
    )
    return text


def _tables(evidence: Evidence) -> Iterable[Part]:
    baseline = evidence.baseline
    yield _part("Every condition", result_rows(evidence), table_caption(evidence))
    yield _part(
        f"Differences to {baseline} in {evidence.metric}",
        difference_rows(evidence),
        "Arm minus baseline, mean over pairs of the same seed [95% interval]; p of the sign-flip test, not told below "
        "5 pairs; Holm's correction over all rows; effect size: mean over standard deviation of the differences.",
    )
    yield _part(
        "When the threshold is reached",
        hit_rows(evidence),
        f"First epoch with {threshold_text(evidence)}: median over seeds [95% interval]. Speed-up: median over "
        f"pairs of {baseline}'s epochs, or seconds, by the arm's; above 1 the arm is faster, inf where only {baseline} "
        "never gets there, 0 where only the arm never does. Runs that train together share one time, whose error no "
        "interval holds.",
    )
    yield _part(
        "Learning rates",
        rate_rows(evidence),
        "Widest range of neighbouring rates at each of which at least 90% of seeds learn; the best rate is that of "
        "the best mean over seeds.",
    )
    yield _part(
        "More of every condition",
        detail_rows(evidence),
        "Did not learn: diverged, or less than a tenth of the way from a constant answer to a perfect one.",
    )


def _part(title: str, rows: Sequence[Mapping[str, str]], note: str) -> Part:
    left = f" The first {MAX_ROWS:,} of {len(rows):,} rows; the csv files hold all." if len(rows) > MAX_ROWS else ""
    return Part(title, rows[:MAX_ROWS], note + left)


def _provenance(content: Mapping[str, Any]) -> Part:
    """Versions, host and git commit."""
    facts = dict(content.get("versions", {})) | dict(content.get("host", {}))
    git = content.get("git")
    facts["git commit"] = git and git["commit"] + (" with uncommitted changes" if git["dirty"] else "")
    rows = [{"what": name, "value": "-" if value is None else str(value)} for name, value in facts.items()]
    return Part("Versions and host", rows, wraps=True)


def _data(content: Mapping[str, Any]) -> Part:
    """The data sets with their fingerprints."""
    rows = [{name: str(value) for name, value in facts.items()} for facts in content.get("datasets", {}).values()]
    return Part("Data sets", rows, "The fingerprint is a hash of all rows.")


def _settings(evidence: Evidence) -> Part:
    """Every field of a run with the values that it had, and whether axes or arms vary it."""
    study = evidence.study
    rows = [
        {"setting": "arms", "value": ", ".join(arm.label for arm in study.arms), "what it is": "the first: baseline"},
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
        "Every setting", rows, "As trained: what was left to the data set or the optimizer has its value.", True
    )
