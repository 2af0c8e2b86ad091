"""Tables of named functions: data sets, normalizations, models and figures are added by registering a function."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from bncli.errors import UnknownName, shown

F = TypeVar("F", bound=Callable[..., Any])

MAX_COMPARED = 100
"""The longest text for which a similar name is looked for, which takes time in proportion to its length."""

KEEPS_DOCSTRINGS = sys.flags.optimize < 2
"""Whether functions have docstrings; `python -OO` drops them."""


def nearest(name: str, allowed: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """Return ` Did you mean 'x'?` for the most similar allowed name, or an empty string if none is similar.

    >>> nearest("digit", ["circles", "digits"]), nearest("Markdown", ["json", "md"], {"markdown": "md"})
    (" Did you mean 'digits'?", " Did you mean 'md'?")

    Args:
        name: The name that was given.
        allowed: The names that exist.
        aliases: What they are called elsewhere, in lower case.
    """
    if len(name) > MAX_COMPARED:
        return ""
    by_lower = {other.lower(): other for other in allowed} | dict(aliases or {})
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f" Did you mean '{by_lower[close[0]]}'?" if close else ""


def canonical(name: str, allowed: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """Return the allowed name that `name` means: the same letters in any case, or an alias of it; `name` if none is.

    >>> canonical("SGD", ["sgd", "adam"]), canonical("swish", ["relu", "silu"], {"swish": "silu"})
    ('sgd', 'silu')

    Args:
        name: The name that was given.
        allowed: The names that exist.
        aliases: Other names for them, in lower case.
    """
    names = list(allowed)
    if name in names:
        return name
    by_lower = {other.lower(): other for other in names} | dict(aliases or {})
    return by_lower.get(name.strip().lower(), name)


def check_name(kind: str, name: object, allowed: Iterable[str], aliases: Mapping[str, str] | None = None) -> None:
    """Check that `name` is one of `allowed`.

    Args:
        kind: What the name names, as the message calls it (`metric`, `data set`).
        name: The name to check.
        allowed: The names that exist.
        aliases: What they are called elsewhere, in lower case; the message suggests the allowed name.

    Raises:
        UnknownName: It is not; the message lists the allowed names and suggests the most similar one.
    """
    if isinstance(name, str) and isinstance(allowed, Mapping) and name in allowed:
        return  # the usual case, and by far the quickest
    names = list(allowed)
    if name not in names:
        raise UnknownName(f"Unknown {kind} {shown(name)}. Allowed: {', '.join(names)}.{_similar(name, names, aliases)}")


def _similar(name: object, names: Iterable[str], aliases: Mapping[str, str] | None) -> str:
    return nearest(name, names, aliases) if isinstance(name, str) else ""


class Registry(Generic[F]):
    """A table of functions by name, in the order of registration; of a package, in the order of its modules.

    The first line of a function's docstring is its description in help screens and documentation.

    Args:
        kind: What the names name, as error messages call it (`dataset`, `norm`).
        package: A package whose modules register functions here; they are imported at the first look-up.

    >>> shapes = Registry("shape")
    >>> @shapes.register("square")
    ... def square(side: float) -> float:
    ...     "Area of a square."
    ...     return side * side
    >>> shapes["square"](3)
    9
    >>> shapes.description("square")
    'Area of a square.'
    >>> shapes["squire"]
    Traceback (most recent call last):
    bncli.errors.UnknownName: Unknown shape 'squire'. Allowed: square. Did you mean 'square'?
    """

    def __init__(self, kind: str, package: str | None = None) -> None:
        self.kind = kind
        self._package = package
        self._known: dict[str, F] = {}

    @property
    def _entries(self) -> dict[str, F]:
        if self._package:
            package, self._package = importlib.import_module(self._package), None
            modules = [module.name for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
            for module in modules:
                importlib.import_module(module)
            places = {module: place for place, module in enumerate(modules)}  # one may have been imported before
            self._known = dict(sorted(self._known.items(), key=lambda entry: places.get(entry[1].__module__, -1)))
        return self._known

    def register(self, name: str) -> Callable[[F], F]:
        """Return a decorator that adds a function under `name`.

        Raises:
            ValueError: The name is taken, or the function has no docstring.
        """

        def add(function: F) -> F:
            if name in self._known:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            if KEEPS_DOCSTRINGS and not function.__doc__:
                raise ValueError(f"{self.kind} {name!r} needs a docstring: its first line is shown in help")
            self._known[name] = function
            return function

        return add

    def __getitem__(self, name: str) -> F:
        check_name(self.kind, name, self._entries)
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def description(self, name: str) -> str:
        """Return the first docstring line of the function registered as `name`; nothing under `python -OO`."""
        return next(iter((self[name].__doc__ or "").strip().splitlines()), "")
