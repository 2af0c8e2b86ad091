"""Diagnose a network: everything that the registered findings see in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import REGISTRY, SEVERITIES, Finding

T = TypeVar("T")


def diagnose(case: Case) -> list[tuple[str, Finding]]:
    """Return all findings on a network with their names: problems before notes, else in alphabetical order.

    >>> import keras
    >>> hidden = [keras.layers.Dense(8, name="hidden"), keras.layers.BatchNormalization(name="norm")]
    >>> model = keras.Sequential([keras.Input((4,)), *hidden, keras.layers.ReLU(), keras.layers.Dense(3)])
    >>> [(name, finding.layers) for name, finding in diagnose(Case(model))]
    [('averages-not-updated', ('norm',)), ('redundant-bias', ('hidden',))]
    """
    found = [(name, finding) for name in REGISTRY for finding in REGISTRY[name](case)]
    return in_order(found, lambda pair: (pair[1], pair[0]))


def in_order(found: Iterable[T], parts: Callable[[T], tuple[Finding, str]]) -> list[T]:
    """Return what holds findings in their order: problems before notes, else by name.

    Args:
        found: What holds them.
        parts: A function that returns the finding and its name.
    """

    def key(each: T) -> tuple[int, str]:
        finding, name = parts(each)
        return SEVERITIES.index(finding.severity), name

    return sorted(found, key=key)
