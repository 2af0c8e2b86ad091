"""What a person sees: tables on stdout; progress, notices and errors on stderr. The only module that imports rich."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from bncli.registry import check_name

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

FORMATS = ("table", "json", "jsonl", "csv", "md")
PLAIN_PROGRESS_SECONDS = 15.0
BEST = " *"
"""What the name of the best arm ends in."""

_UNLIMITED = 10_000
_BARS = "▁▂▃▄▅▆▇█"


def _console(*, stderr: bool) -> Console:
    """A console on the stream as it is now; not wrapped or truncated where nobody looks at it.

    NO_COLOR takes bold and italics away too, which rich by itself would leave.
    """
    stream = sys.stderr if stderr else sys.stdout
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return Console(file=stream, width=None if stream.isatty() else _UNLIMITED, highlight=False, color_system=colours)


def say(text: str, *, quiet: bool = False) -> None:
    """Write one line for the user to stderr, unless `quiet`."""
    if not quiet:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def warn(text: str) -> None:
    """Write a notice to stderr; not even --quiet silences it."""
    _console(stderr=True).print(Text.assemble(("Note: ", "yellow"), text))


def error(text: str) -> None:
    """Write an error to stderr."""
    _console(stderr=True).print(Text.assemble(("Error: ", "bold red"), text))


def count(number: int, noun: str) -> str:
    """Spell `1 run`, `2 runs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def write(text: str) -> None:
    """Write a result to stdout as it is."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def check_format(name: str) -> None:
    """Raise `UnknownName` unless `name` is an output format."""
    check_name("format", name, FORMATS)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON types: None where a number is missing or infinite (an epoch that never came)."""
    plain = table.astype(object).where(table.notna(), None)
    return [{str(key): _finite(_plain(value)) for key, value in row.items()} for row in plain.to_dict("records")]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_json(content: Any) -> str:
    """JSON with an indent, one text for people and programs."""
    return json.dumps(content, indent=2, allow_nan=False)


def to_json_line(content: Any) -> str:
    """JSON on one line, a record of a stream."""
    return json.dumps(content, allow_nan=False)


def to_csv(rows: pd.DataFrame | Sequence[dict[str, Any]]) -> str:
    """CSV of a table or of records, with a header; empty cells for what is missing, `true`, `false`."""
    import pandas as pd

    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows, dtype=object)
    return str(_with_plain_cells(table).to_csv(index=False, lineterminator="\n"))


def write_csv(table: pd.DataFrame, target: Path) -> None:
    """Write a table as `to_csv` spells it, millions of rows a part at a time; whole floats may lose their `.0`."""
    import pyarrow as pa
    from pyarrow import csv

    plain = _with_plain_cells(table)
    with target.open("wb") as file:
        file.write(to_csv(table[:0]).encode())
        try:
            options = csv.WriteOptions(include_header=False, quoting_style="none")
            csv.write_csv(pa.Table.from_pandas(plain, preserve_index=False), file, options)
        except pa.ArrowInvalid:  # a text that needs quotes, or columns of several types
            plain.to_csv(target, index=False, lineterminator="\n")


def _with_plain_cells(table: pd.DataFrame) -> pd.DataFrame:
    """The table with flags spelled as in JSON."""
    import pandas as pd

    plain = table.copy(deep=False)
    for name in plain.columns[[kind in (bool, object) for kind in plain.dtypes]]:
        plain[name] = pd.Series(map(_spelled, plain[name]), plain.index, dtype=object)
    return plain


def _spelled(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def sparkline(values: Sequence[float], low: float, high: float, width: int = 10) -> str:
    """Spell a curve as one bar a value, at most `width`, on the scale `low` to `high`; a blank where it has none."""
    step = max(1.0, len(values) / width)
    chosen = [values[min(len(values) - 1, int((place + 1) * step) - 1)] for place in range(min(len(values), width))]
    span = high - low or 1.0
    shares = [min(max((value - low) / span, 0.0), 1.0) if math.isfinite(value) else None for value in chosen]
    return "".join(" " if share is None else _BARS[round(share * (len(_BARS) - 1))] for share in shares)


def print_rows(rows: Sequence[dict[str, str]], *, title: str = "", caption: str = "", format: str = "table") -> None:
    """Print rows of text as a table for a terminal, where numbers align right, or as Markdown (`md`)."""
    if format == "md":
        from tabulate import tabulate

        lead = f"**{title}**\n\n" if title else ""
        tail = f"\n\n{caption}" if caption else ""
        escaped = [{_markdown_cell(key): _markdown_cell(cell) for key, cell in row.items()} for row in rows]
        write(lead + tabulate(escaped, headers="keys", tablefmt="github", disable_numparse=True) + tail)
        return
    table = _table(rows)
    plain, wide = _console(stderr=False), _console(stderr=False)
    needed = Measurement.get(wide, wide.options.update(max_width=_UNLIMITED), table).minimum
    wide.width = max(wide.width, needed)
    if title:
        plain.print(Text(title, style="italic"))
    wide.print(table, crop=False)
    if caption:
        plain.print(Text(caption, style="dim italic"))


def _table(rows: Sequence[dict[str, str]]) -> Table:
    """Rows as rich has them; where it is too wide, lines break between words of text, never in words or numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in rows[0] if rows else ():
        cells = [row[name] for row in rows]
        numeric = all(map(_is_number, cells))
        whole = [cell for cell in cells if numeric or cell.endswith(BEST)]
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


class Tracker:
    """Shows how far a study is: a bar on a terminal, a line every quarter of a minute elsewhere, nothing if quiet.

    Args:
        n_runs: Runs to train.
        n_epochs: Their epochs, all added up.
        bar: The bar to move, or None.
        plain: Whether to write lines.
    """

    def __init__(self, n_runs: int, n_epochs: int, bar: Progress | None, *, plain: bool) -> None:
        self.n_runs, self.n_epochs = n_runs, max(n_epochs, 1)
        self.bar, self.plain = bar, plain
        self.runs_done = self.epochs_done = self.epochs_at_start = 0
        self.started = self.told = time.monotonic()
        self.task = bar.add_task("starting", total=self.n_epochs, runs=f"0/{n_runs} runs") if bar else None

    def epoch(self, condition: str, n_runs: int = 1) -> None:
        """Count one epoch of `n_runs` runs that train together, the first of them of `condition`."""
        self.epochs_done += n_runs
        if not self.epochs_at_start:  # what came before was compilation, which says nothing of the rate
            self.started, self.epochs_at_start = time.monotonic(), self.epochs_done
        self._show(condition)

    def run(self, condition: str, epochs_left: int) -> None:
        """Count one run as ended, `epochs_left` epochs earlier than planned."""
        self.runs_done += 1
        self.epochs_done += epochs_left
        self._show(condition)

    def _show(self, condition: str) -> None:
        runs = f"{self.runs_done}/{self.n_runs} runs"
        if self.bar and self.task is not None:
            self.bar.update(self.task, completed=self.epochs_done, description=condition, runs=runs)
        elif self.plain and time.monotonic() - self.told >= PLAIN_PROGRESS_SECONDS:
            self.told = time.monotonic()
            say(f"{runs}, {condition}{self._left()}")

    def _left(self) -> str:
        """The time left at the rate so far, or nothing before there is a rate."""
        since_start = self.epochs_done - self.epochs_at_start
        if since_start <= 0:
            return ""
        seconds = (time.monotonic() - self.started) / since_start * (self.n_epochs - self.epochs_done)
        return f", about {seconds:.0f} s left"


@contextmanager
def track(n_runs: int, n_epochs: int, *, quiet: bool) -> Iterator[Tracker]:
    """Show progress on stderr while the block runs."""
    if quiet or not sys.stderr.isatty():
        yield Tracker(n_runs, n_epochs, None, plain=not quiet)
        return
    columns = (
        TextColumn("{task.fields[runs]}"),
        BarColumn(bar_width=None),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_console(stderr=True), transient=True) as bar:
        yield Tracker(n_runs, n_epochs, bar, plain=False)
