"""`report.html`: one self-contained page about a study.

It needs no network, has no time stamps, and escapes all text from users.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bncli.analysis.choice import TITLE, default_metric
from bncli.claims.discovery import method
from bncli.report.answer import answer_of
from bncli.report.figure import INSIDE
from bncli.report.panels import Panel
from bncli.report.parts import Part, record_tables, result_tables
from bncli.report.spelling import BARS
from bncli.report.style import SYMBOLS
from bncli.study.files import to_toml
from bncli.values import capital, counted, plain_text, show

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from bncli.analysis.evidence import Evidence
    from bncli.claims.judgement import Verdict


TRAINING = (["train"], ["compare"], ["sweep"])
"""The commands that choose what arms are compared by."""

HEROES = ("lr", "curves", "differences", "heatmap")
"""The figures of which the first that a study has stands at the top."""

KINDS = {"train_val": "Training and validation"}
"""What figures are called where their name is short for it."""

MAX_LISTED = 6
"""The most values of a setting that are named at the top of the page."""


@dataclass(frozen=True)
class Drawing:
    """A figure of the page.

    Attributes:
        name: The figure's name.
        title: What it says.
        caption: What it shows, and how.
        panels: Its panels, in order.
        arms: The place and name of each arm in it.
    """

    name: str
    title: str
    caption: str
    panels: Sequence[Panel]
    arms: Mapping[int, str]

    @property
    def kind(self) -> str:
        """Its name as the list of contents and its heading have it."""
        return KINDS.get(self.name) or capital(self.name.replace("_", " "))

    @property
    def subject(self) -> str:
        """What it shows, for a heading below an answer that already says what it says."""
        named = next((panel for panel in self.panels if panel.xlabel and panel.ylabel), None)
        return f"{capital(named.ylabel)} by {named.xlabel}" if named else capital(self.title)

    @property
    def columns(self) -> int:
        """How many panels stand side by side at most: one of each arm, or as many as fit well."""
        if self.name in INSIDE and len(self.panels) > len(self.arms) > 0:
            return len(self.arms)
        return {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3}.get(len(self.panels), 4)


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
    hero = next((figure for name in HEROES for figure in figures if figure.name == name), None)
    others = [figure for figure in figures if figure is not hero]
    tables, record = result_tables(evidence), record_tables(evidence, content)
    about = about_of(evidence)
    text: str = (
        environment()
        .get_template("report.html.j2")
        .render(
            name=evidence.study.name,
            title=content.get(TITLE) or evidence.study.question or " · ".join([*about.values()][:3]),
            about=about,
            source=evidence.study.source,
            answer=answer_of(evidence),
            hero=hero,
            contents=[*_contents(hero, others, tables, verdicts)],
            tables=tables,
            figures=[
                ("figures", "More figures", [figure for figure in others if figure.name not in INSIDE]),
                ("inside", "Inside the networks", [figure for figure in others if figure.name in INSIDE]),
            ],
            claims=verdicts,
            method=method(verdicts),
            command=_command(evidence, content),
            file=to_toml(evidence.study),
            record=record,
        )
    )
    return text


def about_of(evidence: Evidence) -> dict[str, str]:
    """Return what a study is about: its data, networks, arms, axes, seeds and runs."""
    study, results = evidence.study, evidence.results
    parts = {
        "Data": _values(result.config.dataset for result in results),
        "Network": _values(result.config.model for result in results),
        "Arms": " vs ".join(arm.label for arm in study.arms),
        "Varied": "; ".join(f"{name} {_values(values)}" for name, values in study.axes),
        "Seeds": str(len(study.seeds)),
        "Runs": f"{len(results):,}",
    }
    return {label: text for label, text in parts.items() if text}


def _values(values: Iterable[Any]) -> str:
    """Different values in order; of many the first and their number."""
    found = [show(value) for value in dict.fromkeys(values)]
    return ", ".join(found[:MAX_LISTED]) + (f", ... ({len(found)} in all)" if len(found) > MAX_LISTED else "")


def _contents(
    hero: Drawing | None, figures: Sequence[Drawing], tables: Sequence[Part], verdicts: Sequence[Verdict]
) -> Iterable[tuple[str, str]]:
    """The list of contents: anchors and their texts."""
    yield from [("figure", "Main figure")] if hero else []
    yield "results", "Results"
    yield from [("claims", counted(len(verdicts), "published claim"))] if verdicts else []
    yield from ((f"more-{figure.name}", figure.kind) for figure in figures)
    yield from ((part.anchor, part.title) for part in tables[1:])
    yield "again", "Run it again"


def environment() -> Environment:
    """Return what makes HTML from templates: it escapes all texts, control characters too."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("bncli.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"spark": _spark, "symbol": _symbol}
    return made


def _symbol(place: int) -> str:
    """The marker of an arm as a character."""
    return SYMBOLS[place % len(SYMBOLS)]


def _spark(bars: str) -> Markup:
    """A row of bars as a line."""
    from markupsafe import Markup

    points = [(place, BARS.index(bar)) for place, bar in enumerate(bars) if bar in BARS]
    if not points:
        return Markup("")
    line = " ".join(f"{10 * place},{7 - height}" for place, height in points)
    box = f"-1 -1 {10 * max(1, len(bars) - 1) + 2} 9"
    return Markup(
        f'<svg class="spark" viewBox="{box}" preserveAspectRatio="none" aria-hidden="true">'
        f'<polyline vector-effect="non-scaling-stroke" points="{line}"/></svg>'
    )


def _plain(value: Any) -> Any:
    """What the page shows of a value: a text without control characters, except that lines may end."""
    return plain_text(value, None, keep="\n\t") if type(value) is str else value


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
