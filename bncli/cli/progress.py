"""How far a study is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bncli.cli.console import open_console, say

PLAIN_PROGRESS_SECONDS = 15.0


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
    with Progress(*columns, console=open_console(stderr=True), transient=True) as bar:
        yield Tracker(n_runs, n_epochs, bar, plain=False)
