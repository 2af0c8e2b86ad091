"""Checks behind claims that a study's records can't answer: what a layer computes, counts of parameters, probes.

A check is a function without arguments that measures and returns what it found as `Measured`: an exact one whether
a statement holds, a statistical one a value a seed. Layers are Keras' own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.registry import Registry, check_name


@dataclass(frozen=True)
class Measured:
    """What a check found.

    Attributes:
        text: One line with the numbers.
        holds: Of an exact check, whether the statement holds as it was made.
        values: Of a statistical check, one value a seed.
    """

    text: str
    holds: bool | None = None
    values: tuple[float, ...] = ()


Check = Callable[[], Measured]

REGISTRY: Registry[Check] = Registry("check", "bncli.claims.checks")

_WITH_MNIST: set[str] = set()


def register(name: str, *, mnist: bool = False) -> Callable[[Check], Check]:
    """Return a decorator that adds a check; `mnist` says that it reads MNIST, which may not be at hand."""
    if mnist:
        _WITH_MNIST.add(name)
    return REGISTRY.register(name)


def run_check(name: str) -> Measured:
    """Run the check `name`, TensorFlow loaded without the lines that it writes as it starts."""
    importlib.import_module("bncli.engines.backend")
    return REGISTRY[name]()


def needs_mnist(name: str) -> bool:
    """Whether the check `name` reads MNIST.

    Raises:
        UnknownName: No such check.
    """
    check_name("check", name, REGISTRY)
    return name in _WITH_MNIST


def span(values: Any) -> str:
    """Smallest and largest of `values`, once where they read the same."""
    low, high = f"{min(values):.4g}", f"{max(values):.4g}"
    return low if low == high else f"{low} to {high}"


def digits_data() -> datasets.Dataset:
    return datasets.load(RunConfig(dataset="digits"))
