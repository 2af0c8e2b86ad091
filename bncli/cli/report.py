"""`bncli report` and `bncli status`: the results and the state of a study, read from its folder without TensorFlow."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from bncli.analysis.choice import choose, remember_title
from bncli.analysis.evidence import Evidence, read_evidence
from bncli.analysis.labels import parse_labels, with_labels
from bncli.cli import console, hints, output
from bncli.cli.continuing import command_that_continues
from bncli.cli.options import FormatOption, MarginOption, MetricOption, QuietOption, ThresholdOption, option
from bncli.cli.plots import check_plot, save_plot
from bncli.cli.train import is_of_train
from bncli.errors import InvalidConfig, shown
from bncli.registry import check_name
from bncli.report.canvas import DPI, Wish, as_wished
from bncli.report.figure import REGISTRY
from bncli.report.rows import DIFFERENCE, INTERVAL
from bncli.study import status as states
from bncli.study.folder import Store
from bncli.values import read_number

FolderArgument = Annotated[
    Path, typer.Argument(metavar="DIR", show_default=False, help="The --out folder of a compare or sweep.")
]


MAX_PIXELS = 100_000_000
"""The largest picture, which takes half a gigabyte."""


def report(
    folder: FolderArgument,
    other: Annotated[
        Path | None, typer.Argument(metavar="[DIR2]", show_default=False, help="Another study, to compare with.")
    ] = None,
    metric: MetricOption = None,
    threshold: ThresholdOption = None,
    margin: MarginOption = None,
    title: Annotated[
        str | None, option("--title", metavar="TEXT", help="Title of the page, or of the figure; none for no title.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        option("--labels", metavar="ARM=NAME,...", help="Names for arms in what this call writes."),
    ] = None,
    figure: Annotated[
        str | None, option("--figure", metavar="NAME", help="Write this figure only.", complete=lambda: REGISTRY)
    ] = None,
    size: Annotated[
        str | None, option("--size", metavar="WxH", help="Size of the figure in inches, such as 6x4.")
    ] = None,
    dpi: Annotated[int | None, option("--dpi", metavar="N", help="Resolution of the figure as PNG.")] = None,
    plot: Annotated[
        Path | None, option("--plot", metavar="FILE", help="Write the figure to this .png, .svg or .pdf file.")
    ] = None,
    format: FormatOption = "table",
    quiet: QuietOption = False,
) -> None:
    """Make tables, figures and report.html again from stored runs, without TensorFlow."""
    console.check_format(format)
    names, title = parse_labels(labels or ()), "" if title == "none" else title
    wish = _wish(figure, title, size, dpi, plot)
    store = Store(folder)
    if other is not None and figure is not None:
        raise InvalidConfig("--figure draws one study. Leave out DIR2, or --figure.")
    evidence = read_evidence(folder, *choose(store, metric, threshold, margin, console.warn))
    evidence = evidence if other is not None else with_labels(evidence, names)
    if figure is not None:
        _write_figure(evidence, store, figure, wish, plot, quiet=quiet)
        return
    if other is not None:
        _report_two(evidence, store, other, names, title, format, quiet=quiet)
        return
    if title is not None:
        remember_title(store, title)
    with output.then(partial(output.write_folder, evidence, store, quiet=quiet)):
        output.show_evidence(evidence, format, single=is_of_train(evidence.study))
    hints.say_next(hints.after_report(folder, evidence), format, quiet=quiet)


def _report_two(
    evidence: Evidence,
    store: Store,
    other: Path,
    labels: dict[str, str],
    title: str | None,
    format: str,
    *,
    quiet: bool,
) -> None:
    """Show what differs between two studies, and write the page on both."""
    from bncli.report.two import as_records, two_caption, two_of, two_rows, write_two

    theirs = read_evidence(other)
    if theirs.task != evidence.task:
        raise InvalidConfig(
            f"{str(store.folder)!r} is {evidence.task} and {str(other)!r} {theirs.task}: they have no metric in common."
        )
    theirs = read_evidence(other, evidence.metric, evidence.threshold, evidence.margin)
    for arm in labels:
        check_name("arm", arm, dict.fromkeys([*evidence.arms, *theirs.arms]))
    named = [
        with_labels(each, {arm: name for arm, name in labels.items() if arm in each.arms})
        for each in (evidence, theirs)
    ]
    two = two_of((named[0], named[1]), (store, Store(other)))
    spare = ["pairs", f"{DIFFERENCE}{INTERVAL}"]
    title_above = " and ".join(two.names) if format == "latex" else ""
    output.write_rows(as_records(two), two_rows(two), format, title=title_above, caption=two_caption(two), spare=spare)
    console.say(f"Report: {store.folder / write_two(two, title, console.warn)}", quiet=quiet)


def _wish(figure: str | None, title: str | None, size: str | None, dpi: int | None, plot: Path | None) -> Wish:
    """What the options want of a figure.

    Raises:
        UnknownName: There is no such figure, or no such kind of file.
        InvalidConfig: A value is out of range, or an option needs --figure.
    """
    check_plot(plot)
    if figure is not None:
        check_name("figure", figure, REGISTRY)
    for name, value in (("--size", size), ("--dpi", dpi), ("--plot", plot)):
        if value is not None and figure is None:
            raise InvalidConfig(f"{name} is for one figure. Try --figure curves {name} {shown(str(value))}.")
    if dpi is not None and not 10 <= dpi <= 1200:
        raise InvalidConfig(f"--dpi must be a whole number from 10 to 1200. Received: {dpi}.")
    wish = Wish(size=_parse_size(size) if size is not None else None, dpi=dpi, title=title)
    if wish.size and math.prod(wish.size) * (dpi or DPI) ** 2 > MAX_PIXELS:
        raise InvalidConfig(
            f"--size {size} at {dpi or DPI} dpi is more than {MAX_PIXELS:,} pixels. Try a smaller --size or --dpi."
        )
    return wish


def _parse_size(text: str) -> tuple[float, float]:
    try:
        width, height = map(read_number, text.lower().split("x"))
        is_right = 1 <= width <= 40 and 1 <= height <= 40
    except ValueError:
        is_right = False
    if not is_right:
        raise InvalidConfig(
            f"--size must be WIDTHxHEIGHT in inches, each from 1 to 40, such as 6x4. Received: {shown(text)}."
        )
    return width, height


def _write_figure(evidence: Evidence, store: Store, name: str, wish: Wish, plot: Path | None, *, quiet: bool) -> None:
    """Write one figure to the folder, or to a file."""
    from bncli.report.files import draw_figure, write_figure

    if plot is not None:
        save_plot(plot, lambda: as_wished(partial(draw_figure, evidence, store, name), wish), quiet=quiet)
        return
    files = write_figure(evidence, store, name, wish, console.warn)
    console.say(f"Wrote {', '.join(str(store.folder / file) for file in files)}", quiet=quiet)


def status(context: typer.Context, folder: FolderArgument, format: FormatOption = "table") -> None:
    """Count the runs of a study by condition: complete, diverged, failed, pending; also while it trains."""
    console.check_format(format)
    rows, writers = states.status_rows(folder), states.writers(folder)
    shown = [{name.removeprefix("param_"): output.shown(value) for name, value in row.items()} for row in rows]
    output.write_rows(rows, shown, format, caption=states.status_totals(rows))
    for text in writers:
        console.say(text)
    hints.say_next(_after_status(context, folder, rows, is_written=bool(writers)), format)


def _after_status(context: typer.Context, folder: Path, rows: list[dict[str, Any]], *, is_written: bool) -> list[str]:
    """The command that trains what is missing or failed; the report of a folder that is complete or being written."""
    counts = {state: sum(row[state] for row in rows) for state in states.STATES}
    if is_written or not (counts["pending"] or counts["failed"]):
        return ["report", str(folder)] if any(counts[state] for state in states.STATES[:-1]) else []
    words = command_that_continues(folder, getattr(context.find_root().command, "commands", {}))
    return [*words, *([] if counts["pending"] else ["--retry-failed"])] if words else []
