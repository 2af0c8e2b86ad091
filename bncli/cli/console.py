"""Print tables and results to stdout, and messages to stderr. Only this module and `progress` import rich."""

from __future__ import annotations

import errno
import os
import sys
import textwrap
from collections.abc import Callable, Collection, Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from bncli.cli.encoding import fitted
from bncli.registry import check_name
from bncli.report.rows import BEST, INTERVAL

FORMATS = ("table", "json", "jsonl", "csv", "md", "latex")

FORMATS_ELSEWHERE = {"markdown": "md", "text": "table", "txt": "table", "ndjson": "jsonl", "tsv": "csv", "tex": "latex"}
"""What other tools call such formats; the message on an unknown format suggests bncli's name."""

_UNLIMITED = 10_000

SHORT = 24
"""The longest cells of a column that has no line breaks."""

LEAST_WIDTH = 40
"""A terminal says that it is narrower only by mistake (`COLUMNS=1`); words are not taken apart for it."""


Caption = str | Callable[[Collection[str]], str]
"""A paragraph below a table, or a function that makes it for what the table leaves out (see `spare`)."""


class _Console(Console):
    """A console that raises an error where rich would end the process: the folder still has to get its report."""

    def on_broken_pipe(self) -> None:
        """Called where the reader of a pipe has ended."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def open_console(*, stderr: bool) -> Console:
    """Return a rich console on the current stdout or stderr. Only on a terminal are lines wrapped.

    The variable NO_COLOR removes bold and italics, too, which rich would keep.
    """
    stream = sys.stderr if stderr else sys.stdout
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    width = None if stream.isatty() else _UNLIMITED
    console = _Console(file=stream, width=width, highlight=False, color_system=colours)
    console.width = max(console.width, LEAST_WIDTH)
    return console


def say(text: str, *, quiet: bool = False) -> None:
    """Write a line to stderr unless `quiet`."""
    if not quiet:
        sys.stderr.write(fitted(text, sys.stderr) + "\n")
        sys.stderr.flush()


def warn(text: str) -> None:
    """Write a note to stderr, also with `--quiet`."""
    open_console(stderr=True).print(Text.assemble(("Note: ", "yellow"), fitted(text, sys.stderr)))


def error(text: str) -> None:
    """Write an error to stderr."""
    open_console(stderr=True).print(Text.assemble(("Error: ", "bold red"), fitted(text, sys.stderr)))


def write(text: str) -> None:
    """Write text to stdout, and a line end if it has none."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def paragraph(text: str, indent: str = "") -> None:
    """Write text to stdout that a terminal gets in lines of its width; elsewhere it stays one line."""
    text = fitted(text, sys.stdout)
    width = open_console(stderr=False).width
    write(textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False))


def check_format(name: str, allowed: Sequence[str] = FORMATS) -> None:
    """Check the value of `--format`.

    Args:
        name: The value.
        allowed: The formats that the command has.

    Raises:
        UnknownName: There is no such format.
    """
    elsewhere = {other: own for other, own in FORMATS_ELSEWHERE.items() if own in allowed}
    check_name("format", name, allowed, elsewhere)


def print_rows(
    rows: Sequence[dict[str, str]],
    *,
    title: str = "",
    caption: Caption = "",
    format: str = "table",
    spare: Sequence[str] = (),
    complete: str = "csv",
) -> None:
    """Print rows of text to stdout as a table. In a terminal, numbers are aligned to the right.

    Args:
        rows: Texts by column; all rows have the same columns.
        title: A line above the table.
        caption: A paragraph below the table.
        format: `table` for a terminal, `md` for Markdown, `latex` for papers.
        spare: What to leave out where the terminal is too narrow, the least important first: a column, or
            `NAME [interval]` for the intervals in a column.
        complete: The format that leaves nothing out.
    """
    rows = [{fitted(name, sys.stdout): fitted(cell, sys.stdout) for name, cell in row.items()} for row in rows]
    title = fitted(title, sys.stdout)
    if format == "md":
        _print_markdown(rows, title, _captioned(caption, (), complete))
        return
    if format == "latex":
        from bncli.report.latex import to_latex

        write(to_latex(rows, title, _captioned(caption, (), complete)))
        return
    plain, wide = open_console(stderr=False), open_console(stderr=False)
    rows, left_out = _fitted(rows, wide, spare)
    wide.width = max(wide.width, _width(rows, wide))
    below = _captioned(caption, left_out, complete)
    if title:
        plain.print(Text(title, style="italic"))
    wide.print(_table(rows), crop=False)
    if below:
        plain.print(Text(below, style="dim italic"))


def _captioned(caption: Caption, left_out: Sequence[str], complete: str) -> str:
    """The paragraph below a table, with a line on what the table leaves out."""
    text = caption if isinstance(caption, str) else caption(left_out)
    if left_out:
        parts = [
            f"intervals of {part.removesuffix(INTERVAL)}" if part.endswith(INTERVAL) else part for part in left_out
        ]
        text = f"{text}\nLeft out, for want of width: {', '.join(parts)} (--format {complete} has all)".lstrip()
    return fitted(text, sys.stdout)


def _print_markdown(rows: Sequence[dict[str, str]], title: str, caption: str) -> None:
    from tabulate import tabulate

    lead = f"**{title}**\n\n" if title else ""
    tail = f"\n\n{caption}" if caption else ""
    escaped = [{_markdown_cell(key): _markdown_cell(cell) for key, cell in row.items()} for row in rows]
    table = tabulate(escaped, headers="keys", tablefmt="github", disable_numparse=True)
    write(lead + table + tail)


def _fitted(
    rows: Sequence[dict[str, str]], console: Console, spare: Sequence[str]
) -> tuple[Sequence[dict[str, str]], list[str]]:
    """The rows without as many of the `spare` parts as it takes to fit the width, and what was left out."""
    left_out: list[str] = []
    for part in spare:
        if _width(rows, console) <= console.width:
            break
        name = part.removesuffix(INTERVAL)
        if rows and name in rows[0]:
            rows = [_without(row, name, whole=name == part) for row in rows]
            left_out.append(part)
    return rows, left_out


def _without(row: dict[str, str], name: str, *, whole: bool) -> dict[str, str]:
    if whole:
        return {key: cell for key, cell in row.items() if key != name}
    return row | {name: row[name].partition(" [")[0]}


def _width(rows: Sequence[dict[str, str]], console: Console) -> int:
    """The least width in which the rows have a line each, apart from texts that may break between words."""
    return Measurement.get(console, console.options.update(max_width=_UNLIMITED), _table(rows)).minimum


def _table(rows: Sequence[dict[str, str]]) -> Table:
    """The rows as a table of rich that, if it is too wide, wraps text between words, but never words or numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in rows[0] if rows else ():
        cells = [row[name] for row in rows]
        numeric = all(map(_is_number, cells))
        is_whole = numeric or max(map(len, cells)) <= SHORT  # rich does not heed the least widths of what may break
        whole = [cell for cell in cells if is_whole or cell.endswith((BEST, "]"))]  # no line breaks in an interval
        longest = max(map(len, [name, *whole, *" ".join(cells).split()]))
        justify: Literal["left", "right"] = "right" if numeric else "left"
        table.add_column(Text(name), justify=justify, min_width=longest, no_wrap=bool(whole), overflow="fold")
    for row in rows:
        best = any(cell.endswith(BEST) for cell in row.values())
        table.add_row(*(Text(cell, style="bold" if best else "") for cell in row.values()))
    return table


def _markdown_cell(text: str) -> str:
    return " ".join(text.split("\n")).replace("|", r"\|")


def _is_number(text: str) -> bool:
    return not text or text[0] in "-+.0123456789"
