"""Errors that the user can fix.

Every message says what is wrong, what is allowed, what was received and, where possible, what to try. The command
line prints the message alone and exits with status 2; library callers catch `BncliError`.
"""

from __future__ import annotations


class BncliError(Exception):
    """Base class of all errors that bncli raises on purpose."""


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


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, without its full stop; the error's type if it has no message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
