"""What all commands have in common: options are given once, wrong ones get a helpful line, signals are obeyed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from bncli.cli import console
from bncli.errors import InvalidConfig

EXIT_INTERRUPTED = 130

MEANT = {
    "--seed": "--set seed=3 for one seed of train, --seeds N or --seeds 3,4,5 for several",
    "--output": "--out DIR",
    "--output-dir": "--out DIR",
    "--out-dir": "--out DIR",
    "--learning-rate": "--lr NUMBER, or bncli sweep lr=0.001,0.01 to vary it",
    "--learning_rate": "--lr NUMBER, or bncli sweep lr=0.001,0.01 to vary it",
    "--batch_size": "--batch-size N",
    "--batch": "--batch-size N",
    "--n-epochs": "--epochs N",
    "--norm": "--arm batch:before with train, --arms none,batch:before with compare and sweep",
    "--placement": "--arm batch:after with train, --arms none,batch:after with compare and sweep",
    "--data": "--dataset NAME|FILE",
    "--target": "--label COLUMN",
    "--workers": "--jobs N",
}
"""Options of other tools, and what bncli has instead."""


class Command(TyperCommand):
    """A command that refuses an option that is given twice, and knows what options of other tools mean."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override,unused-ignore]
        """Parse the words of a command line.

        Raises:
            InvalidConfig: An option is given twice, or does not exist here but in other tools.
        """
        known = {name for parameter in self.params for name in parameter.opts}
        for name in (word.partition("=")[0] for word in args):
            if name in MEANT and name not in known:
                raise InvalidConfig(f"There is no option {name}. Try {MEANT[name]}.")
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for parameter, count in Counter(order).items():
            may_repeat = any(getattr(parameter, name, False) for name in ("multiple", "is_flag"))
            if count > 1 and not may_repeat and parameter.nargs == 1 and parameter.opts[0].startswith("-"):
                raise InvalidConfig(f"{max(parameter.opts, key=len)} is given twice. Give it once.")
        return list(super().parse_args(ctx, args))


class Group(TyperGroup):
    """The command line: it ends with 130 after Ctrl-C and with 143 after SIGTERM, and says so."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override,unused-ignore]
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            console.say("Interrupted.")
            raise typer.Exit(getattr(interrupt, "status", EXIT_INTERRUPTED)) from None
