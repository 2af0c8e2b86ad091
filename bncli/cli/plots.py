"""`--plot FILE`: a figure of what a command describes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bncli.atomic import replace_file
from bncli.cli import console
from bncli.registry import check_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg", ".pdf")


def check_plot(path: Path | None) -> None:
    """Check the ending of a plot's file, before what it shows is loaded or built.

    Raises:
        UnknownName: The ending is not one of `ENDINGS`.
    """
    if path is not None:
        check_name("ending of a plot", path.suffix, ENDINGS)


def save_plot(path: Path, draw: Callable[[], Figure], *, quiet: bool = False) -> None:
    """Write the figure that `draw` returns, and say so unless `quiet`."""
    from bncli.report.style import own_style

    with own_style(console.warn):
        figure = draw()
        replace_file(path, lambda temporary: figure.savefig(temporary))
    console.say(f"Wrote {path}", quiet=quiet)
