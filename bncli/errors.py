"""The mistakes that a user can mend.

Every message says what is wrong, what is allowed, what was received, and what to try. The command line
prints the message alone and exits with status 2; library callers catch `BncliError`.
"""

from __future__ import annotations


class BncliError(Exception):
    """Base of every error that bncli raises on purpose."""


class UnknownName(BncliError):
    """A name that no registry, preset or field list holds."""


class InvalidConfig(BncliError):
    """A value, or a combination of values, that can't be trained."""


class DataError(BncliError):
    """Data that can't be found, read, or used for classification."""


class StoreError(BncliError):
    """A study's folder that can't be read, written, or belongs to another study."""


class ClusterError(BncliError):
    """Worker processes or a Dask scheduler that can't be used."""


def first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
