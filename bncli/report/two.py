"""Two studies on one page, and the table of what differs between them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bncli.analysis.two import have_same_data, settings_that_differ, two_table
from bncli.analysis.verdicts import CLEAR, EQUIVALENT, pairs_needed
from bncli.errors import InvalidConfig
from bncli.report import figure as drawing
from bncli.report.answer import Answer, answer_of
from bncli.report.files import page_drawing
from bncli.report.page import HEROES, Drawing, about_of, environment
from bncli.report.parts import Part, result_tables
from bncli.report.spelling import field_value, interval, number, short_value, verdict_text
from bncli.report.style import own_style
from bncli.study.folder import Store
from bncli.tasks.metrics import METRICS
from bncli.values import counted

if TYPE_CHECKING:
    import pandas as pd

    from bncli.analysis.evidence import Evidence


COLUMNS = ("arm", "difference", "verdict", "pairs", "n", "setting")
"""Columns beside those of the two studies, which must have other names."""


@dataclass(frozen=True)
class Two:
    """Two studies that are compared by the metric of the first.

    Attributes:
        names: What they are called: the names of their folders, or their paths.
        studies: Both with their results.
        table: See `analysis.two.two_table`.
        is_paired: Whether the same seed means the same data in both.
        folder: The folder of the first.
    """

    names: tuple[str, str]
    studies: tuple[Evidence, Evidence]
    table: pd.DataFrame
    is_paired: bool
    folder: Store

    @property
    def file(self) -> str:
        """The name of the page in the first study's folder."""
        return f"with-{'-'.join(re.findall(r'[A-Za-z0-9._]+', self.names[1])) or 'other'}.html"


@dataclass(frozen=True)
class _Side:
    name: str
    title: str
    about: dict[str, str]
    answer: Answer
    hero: Drawing | None
    main: Part | None


def two_of(studies: tuple[Evidence, Evidence], stores: tuple[Store, Store]) -> Two:
    """Return two studies as one comparison.

    Args:
        studies: Both with their results, compared by the same metric.
        stores: Their folders.

    Raises:
        InvalidConfig: They are the same folder, or have no arm at the same values of the axes in common.
    """
    folders = [store.folder for store in stores]
    if folders[0].resolve() == folders[1].resolve():
        raise InvalidConfig(f"DIR and DIR2 are the same folder, {str(folders[0])!r}. Give another one as DIR2.")
    is_paired = have_same_data(*(store.need_study() for store in stores))
    table = two_table(*studies, is_paired=is_paired)
    if table.empty:
        sides = [f"{', '.join(evidence.arms)}{_axes_of(evidence)}" for evidence in studies]
        raise InvalidConfig(
            f"{str(folders[0])!r} and {str(folders[1])!r} have no arm at the same values of their axes. Arms there: "
            f"{sides[0]}; {sides[1]}."
        )
    names = [folder.resolve().name for folder in folders]
    if names[0] == names[1] or {*names} & {*COLUMNS, *studies[0].axes, *studies[1].axes}:
        names = [str(folder) if os.sep in str(folder) else f".{os.sep}{folder}" for folder in folders]
    return Two((names[0], names[1]), studies, table, is_paired, stores[0])


def _axes_of(evidence: Evidence) -> str:
    axes = "; ".join(f"{name} {', '.join(map(short_value, values))}" for name, values in evidence.study.axes)
    return f" at {axes}" if axes else ""


def two_rows(two: Two) -> list[dict[str, str]]:
    """Return the table of arms that both studies have."""
    first, second = two.names
    axes = [str(name) for name in two.table if str(name).startswith("param_")]
    rows = []
    for _, row in two.table.iterrows():
        cells = {name.removeprefix("param_"): field_value(row[name]) for name in axes} | {"arm": str(row["arm"])}
        cells |= {first: number(row["mean_first"]), second: number(row["mean_second"])}
        if two.is_paired:
            cells["difference"] = interval(row["mean_difference"], row["low"], row["high"], sign="+")
            cells |= {"verdict": row["verdict"] if row["n"] else "-", "pairs": str(row["n"])}
        else:
            cells["n"] = f"{row['n_first']}, {row['n_second']}"
        rows.append(cells)
    return rows


def two_caption(two: Two) -> str:
    """Return what the columns of `two_rows` mean."""
    label = METRICS[two.studies[0].metric].label
    if not two.is_paired:
        return f"mean {label} over seeds; the data of the two studies differ, so that seeds are not paired"
    needed = pairs_needed(len(two.table))
    few = "" if (two.table["n"] >= needed).any() else f"; better or worse takes {needed} pairs or more here"
    return (
        f"mean {label} over the seeds that both have; difference: {two.names[1]} minus {two.names[0]}, paired by seed "
        f"[95% interval]; {verdict_text(two.studies[0])}{few}"
    )


def lead(two: Two) -> str:
    """Return in a sentence what differs between the two."""
    first, second = two.names
    table, n = two.table, len(two.table)
    if not two.is_paired:
        return f"{counted(n, 'condition')} of {first} and {second} stand side by side; their data differ."
    if not table["n"].any():
        return f"{first} and {second} have no seed in common, so that nothing is compared."
    clear, n_equal = table[table["verdict"].isin(CLEAR)], int((table["verdict"] == EQUIVALENT).sum())
    if not clear.empty:
        largest = clear.iloc[int(clear["mean_difference"].abs().to_numpy().argmax())]
        return (
            f"{len(clear)} of {counted(n, 'comparison')} of the same arm differ clearly: most {largest['arm']}, from "
            f"{number(largest['mean_first'])} in {first} to {number(largest['mean_second'])} in {second}."
        )
    found = [f"{n_equal} equivalent"] * bool(n_equal) + [f"{n - n_equal} undecided"] * bool(n - n_equal)
    needed, most = pairs_needed(n), int(table["n"].max())
    few = (
        f" ({counted(most, 'pair')} of seeds can't decide so many, {needed} can)"
        if most < needed and n_equal < n
        else ""
    )
    return f"Of {counted(n, 'comparison')} of the same arm between {first} and {second}, {' and '.join(found)}{few}."


def write_two(two: Two, title: str | None = None, tell: Callable[[str], None] | None = None) -> str:
    """Write the page on both into the first study's folder, and return the file's name.

    Args:
        two: The two studies.
        title: The title of the page; None for their names.
        tell: Called with a note on what the figures can't show.
    """
    settings = [
        {"setting": row["setting"], two.names[0]: row["first"], two.names[1]: row["second"]}
        for row in settings_that_differ(*two.studies)
    ]
    text = (
        environment()
        .get_template("two.html.j2")
        .render(
            title=title or f"{two.names[0]} and {two.names[1]}",
            lead=lead(two),
            common=Part(f"Every arm of both in {two.studies[0].metric}", two_rows(two), f"{two_caption(two)}."),
            settings=Part("Settings", settings, wraps=True),
            sides=_sides(two, tell),
        )
    )
    two.folder.write_text(two.file, text)
    return two.file


def _sides(two: Two, tell: Callable[[str], None] | None) -> Sequence[_Side]:
    found = []
    for place, (name, evidence) in enumerate(zip(two.names, two.studies, strict=True)):
        with own_style(tell):
            drawn = (
                page_drawing(figure, evidence, f"{figure}-{place}") for figure in HEROES if figure in drawing.REGISTRY
            )
            hero = next((figure for figure in drawn if figure), None)
        main = next(iter(result_tables(evidence)), None)
        main = main and replace(main, title=name)
        found.append(_Side(f"study-{place}", name, about_of(evidence), answer_of(evidence), hero, main))
    return found


def as_records(two: Two) -> list[dict[str, Any]]:
    """Return the table for programs."""
    from bncli.report.exports import records

    return records(two.table)
