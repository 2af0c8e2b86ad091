"""Errors that the user can fix.

Every message says what is wrong, what is allowed, what was received and, where possible, what to try. The command
line prints the message alone and exits with status 2; library callers catch `BncliError`.
"""

from __future__ import annotations

import re

MAX_SHOWN = 200
"""The longest text from outside that a terminal, a plot or a message shows; longer ones are cut in the middle."""

MAX_MESSAGE = 2_000
"""The longest message of an error, whatever it quotes."""


def cut(text: str, limit: int = MAX_SHOWN) -> str:
    """Return a text of at most `limit` characters: a longer one is cut in the middle.

    >>> cut("ab" * 500, limit=9)
    'aba...bab'
    """
    if len(text) <= limit:
        return text
    n_end = (limit - 3) // 2
    return f"{text[: limit - 3 - n_end]}...{text[len(text) - n_end :]}"


def shown(value: object) -> str:
    """Return a value as messages quote it: in Python's notation, cut in the middle if it is long.

    >>> shown("dense8"), len(shown("dense8 " * 1000))
    ("'dense8'", 200)
    """
    try:
        return cut(repr(cut(value) if isinstance(value, str) else value))
    except (ValueError, RecursionError):  # Python prints no number of over 4,300 digits, and no deeply nested list
        return f"<{type(value).__name__} too large to show>"


_BOLD = re.compile("\x1b\\[[01]m")

_REASON = re.compile("Exception encountered: (.+)")
"""The line of Keras' message on a config that it can't read which says why."""

_WRAPPING = "Exception encountered when calling "
"""How Keras begins the message of an error that a layer raised; the reason follows."""


class BncliError(Exception):
    """Base class of all errors that bncli raises on purpose. A very long message is cut in the middle."""

    def __init__(self, message: object = "") -> None:
        super().__init__(cut(str(message), MAX_MESSAGE))


class UnknownName(BncliError):
    """A name that is not in a registry, a list of presets or a list of fields."""


class InvalidConfig(BncliError):
    """A value, or a combination of values, that can't be trained."""


class DataError(BncliError):
    """Data that can't be found, can't be read, or can't be used for classification."""


class StoreError(BncliError):
    """A study's folder that can't be read or written, or that belongs to another study."""


class ClusterError(BncliError):
    """Worker processes or a Dask scheduler that can't be used."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, without its full stop; the error's type if it has no message.

    Keras wraps what a layer raises in paragraphs of its own, in bold; of these the line with the reason is meant.
    """
    lines = [line for line in _BOLD.sub("", str(error)).splitlines() if line.strip()]
    reasons = [found[1] for line in lines if (found := _REASON.fullmatch(line))]
    told = [*reasons[-1:], *(line for line in lines if not line.startswith(_WRAPPING))]
    return next(iter(told or lines), type(error).__name__).strip().rstrip(".")
