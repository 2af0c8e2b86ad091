"""Progress of a study in a notebook: a bar below the cell."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Sequence

from bncli.cli.progress import Tracker
from bncli.config import RunConfig

SECONDS = 0.2
"""The least time between two updates of the bar."""


class NotebookTracker(Tracker):
    """Counts runs and epochs, and shows them as a bar of HTML.

    Args:
        n_runs: Number of runs to train.
        n_epochs: The sum of their epochs.
    """

    def __init__(self, n_runs: int, n_epochs: int) -> None:
        from IPython.display import HTML, display

        super().__init__(n_runs, n_epochs, None, plain=False)
        self.handle, self.html, self.shown = display(HTML(self._bar("starting")), display_id=True), HTML, 0.0

    def _show(self, condition: str) -> None:
        is_done = self.runs_done == self.n_runs
        if is_done or time.monotonic() - self.shown >= SECONDS:
            self.shown = time.monotonic()
            self.handle.update(self.html(self._bar("done" if is_done else condition + self._left())))

    def _bar(self, what: str) -> str:
        return (
            f'<progress value="{self.epochs_done}" max="{self.n_epochs}" style="width: 20em"></progress> '
            f"{self.runs_done}/{self.n_runs} runs, {html.escape(what)}"
        )


def notebook_tracker(pending: Sequence[RunConfig]) -> Tracker | None:
    """Return what shows the progress of runs in a notebook; None elsewhere, or without runs."""
    if not pending or not _in_notebook():
        return None
    return NotebookTracker(len(pending), sum(config.epochs for config in pending))


def _in_notebook() -> bool:
    """Whether a kernel of Jupyter runs this process."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")
