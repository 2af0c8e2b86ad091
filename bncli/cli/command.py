"""What all commands have in common: options are given once, with a value; errors are short; signals are obeyed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from bncli import process
from bncli.cli import console
from bncli.errors import MAX_SHOWN, InvalidConfig
from bncli.values import plain_text

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
    """A command that refuses an option that is given twice or without a value, and knows options of other tools."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override,unused-ignore]
        """Parse the words of a command line.

        Raises:
            InvalidConfig: An option is given twice or has an empty value, or does not exist here but in other tools.
        """
        known = {name for parameter in self.params for name in parameter.opts}
        for name in (word.partition("=")[0] for word in args):
            if name in MEANT and name not in known:
                raise InvalidConfig(f"There is no option {name}. Try {MEANT[name]}.")
        with short_messages():
            return self._parsed(ctx, args)

    def _parsed(self, ctx: typer.Context, args: list[str]) -> list[str]:
        values, _, order = self.make_parser(ctx).parse_args(args=list(args))
        names = {name for parameter in self.params for name in parameter.opts if name.startswith("-")}
        for parameter in order:
            _check_value(parameter, values[parameter.name], names)
        for parameter, count in Counter(order).items():
            may_repeat = any(getattr(parameter, name, False) for name in ("multiple", "is_flag"))
            if count > 1 and not may_repeat and parameter.nargs == 1 and parameter.opts[0].startswith("-"):
                raise InvalidConfig(f"{_name(parameter)} is given twice. Give it once.")
        return list(super().parse_args(ctx, args))


class Group(TyperGroup):
    """The command line: after a signal it says that it was interrupted, and ends with the status of that signal."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override,unused-ignore]
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            console.say("Interrupted.")
            raise typer.Exit(getattr(interrupt, "status", EXIT_INTERRUPTED)) from None
        except BrokenPipeError:  # before Typer sees it, whose substitutes for the streams can't be closed
            raise typer.Exit(process.NOT_READ) from None

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override,unused-ignore]
        """Parse the words of a command line up to the name of a command; without words, show the help."""
        with short_messages() if args else nullcontext():  # the help is the message of an error
            return list(super().parse_args(ctx, args))

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override,unused-ignore]
        """Find the command that the first word names."""
        with short_messages():
            return super().resolve_command(ctx, args)


@contextmanager
def short_messages() -> Iterator[None]:
    """Cut the message of an error that Typer raises in the block: it quotes what was typed, however long."""
    try:
        yield
    except Exception as error:
        message = getattr(error, "message", None)
        if isinstance(message, str):
            error.message = plain_text(message, 2 * MAX_SHOWN, keep="\n")  # type: ignore[attr-defined]
        raise


def _check_value(parameter: Any, value: Any, names: Collection[str]) -> None:
    """Check the words that an option or an argument has.

    Args:
        parameter: The option or argument.
        value: Its word or words.
        names: The names of all options of the command.

    Raises:
        InvalidConfig: A word is empty, as a shell makes it of a variable that is not set, or is the name of an option.
    """
    for word in value if isinstance(value, list | tuple) else [value]:
        if isinstance(word, str) and not word.strip():
            raise InvalidConfig(
                f"{_name(parameter)} has an empty value. Leave it out, or give it one. "
                "Is a variable of the shell not set?"
            )
        if word in names:
            raise InvalidConfig(f"{_name(parameter)} has no value: {word} follows, which is an option. Give it one.")


def _name(parameter: Any) -> str:
    """An option by its longest name; an argument as the help calls it."""
    is_option = parameter.opts[0].startswith("-")
    return max(parameter.opts, key=len) if is_option else str(parameter.metavar or parameter.name)
