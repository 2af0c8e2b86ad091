"""The registry of checks, for claims that the records of a study can't test.

A check is a function without arguments that returns what it measured: of a layer, a data set, or inside a network. An
exact check says whether a statement holds; a statistical check returns one value per seed. Layers are Keras' own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.data.dataset import Dataset
from bncli.registry import Registry, check_name


@dataclass(frozen=True)
class Measured:
    """What a check found.

    Attributes:
        text: One line with the numbers.
        holds: Whether the statement holds, for an exact check.
        values: One value per seed, for a statistical check.
    """

    text: str
    holds: bool | None = None
    values: tuple[float, ...] = ()


Check = Callable[[], Measured]

REGISTRY: Registry[Check] = Registry("check", "bncli.claims.checks")

_WITH_MNIST: set[str] = set()


def register(name: str, *, mnist: bool = False) -> Callable[[Check], Check]:
    """Return a decorator that adds a check.

    Args:
        name: Its name in study files.
        mnist: Whether it reads MNIST, which may not be on this machine.
    """
    if mnist:
        _WITH_MNIST.add(name)
    return REGISTRY.register(name)


def run_check(name: str) -> Measured:
    """Run a check; TensorFlow is imported first, without its start-up lines.

    Raises:
        UnknownName: There is no check of this name.
    """
    importlib.import_module("bncli.backend")
    return REGISTRY[name]()


def needs_mnist(name: str) -> bool:
    """Return whether a check reads MNIST.

    Raises:
        UnknownName: There is no check of this name.
    """
    check_name("check", name, REGISTRY)
    return name in _WITH_MNIST


def span(values: Iterable[float]) -> str:
    """Return the smallest and the largest value as text, or one of them if both read the same.

    >>> span([0.5, 2.0, 1.0])
    '0.5 to 2'
    >>> span([1.0, 1.00001])
    '1'
    """
    known = list(values)
    low, high = f"{min(known):.4g}", f"{max(known):.4g}"
    return low if low == high else f"{low} to {high}"


def digits_data() -> Dataset:
    """Return the digits data set with its usual split."""
    return datasets.load(RunConfig(dataset="digits"))
