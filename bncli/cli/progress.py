"""Progress of a study on stderr: a bar on a terminal, otherwise a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bncli.cli.console import open_console, say

PLAIN_PROGRESS_SECONDS = 15.0


class Tracker:
    """Counts runs and epochs, and shows them.

    Args:
        n_runs: Number of runs to train.
        n_epochs: The sum of their epochs.
        bar: The bar to update; None if there is none.
        plain: Whether to write a line every `PLAIN_PROGRESS_SECONDS`.
    """

    def __init__(self, n_runs: int, n_epochs: int, bar: Progress | None, *, plain: bool) -> None:
        self.n_runs, self.n_epochs = n_runs, max(n_epochs, 1)
        self.bar, self.plain = bar, plain
        self.runs_done = self.epochs_done = self.epochs_at_start = 0
        self.started = self.last_line = time.monotonic()
        self.task = bar.add_task("starting", total=self.n_epochs, runs=f"0/{n_runs} runs") if bar else None

    def epoch(self, condition: str, n_runs: int = 1) -> None:
        """Count an epoch of `n_runs` runs that train together; `condition` is that of the first one."""
        self.epochs_done += n_runs
        if not self.epochs_at_start:  # until now, time went into compilation
            self.started, self.epochs_at_start = time.monotonic(), self.epochs_done
        self._show(condition)

    def run(self, condition: str, epochs_left: int) -> None:
        """Count a run that has ended; `epochs_left` is the number of planned epochs that it did not need."""
        self.runs_done += 1
        self.epochs_done += epochs_left
        self._show(condition)

    def _show(self, condition: str) -> None:
        runs = f"{self.runs_done}/{self.n_runs} runs"
        if self.bar and self.task is not None:
            self.bar.update(self.task, completed=self.epochs_done, description=condition, runs=runs)
        elif self.plain and time.monotonic() - self.last_line >= PLAIN_PROGRESS_SECONDS:
            self.last_line = time.monotonic()
            say(f"{runs}, {condition}{self._left()}")

    def _left(self) -> str:
        """The estimated time left; an empty string after the first epoch, whose time includes compilation."""
        since_start = self.epochs_done - self.epochs_at_start
        if since_start <= 0:
            return ""
        seconds = (time.monotonic() - self.started) / since_start * (self.n_epochs - self.epochs_done)
        return f", about {seconds:.0f} s left"


@contextmanager
def track(n_runs: int, n_epochs: int, *, quiet: bool) -> Iterator[Tracker]:
    """Show progress on stderr while the block runs.

    Args:
        n_runs: Number of runs to train.
        n_epochs: The sum of their epochs.
        quiet: Whether to show nothing.
    """
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
    with Progress(*columns, console=open_console(stderr=True), transient=True) as bar:
        yield Tracker(n_runs, n_epochs, bar, plain=False)


@contextmanager
def waiting(what: str, *, quiet: bool) -> Iterator[None]:
    """Say on stderr what the block does, when it may take seconds; on a terminal, the line disappears afterwards.

    Args:
        what: A few words.
        quiet: Whether to say nothing.
    """
    is_terminal = sys.stderr.isatty()
    if not quiet:
        sys.stderr.write(f"{what} ..." + ("" if is_terminal else "\n"))
        sys.stderr.flush()
    try:
        yield
    finally:
        if is_terminal and not quiet:
            sys.stderr.write("\r" + " " * len(f"{what} ...") + "\r")
            sys.stderr.flush()
