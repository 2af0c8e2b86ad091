"""Diagnose a network: everything that the registered findings see in it."""

from __future__ import annotations

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import REGISTRY, SEVERITIES, Finding


def diagnose(case: Case) -> list[tuple[str, Finding]]:
    """Return all findings on a network with their names: problems before notes, else in alphabetical order.

    >>> import keras
    >>> hidden = [keras.layers.Dense(8, name="hidden"), keras.layers.BatchNormalization(), keras.layers.ReLU()]
    >>> model = keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(3, activation="softmax")])
    >>> [(name, finding.layers) for name, finding in diagnose(Case(model))]
    [('averages-not-updated', ('batch_normalization',)), ('redundant-bias', ('hidden',))]
    """
    found = [(name, finding) for name in REGISTRY for finding in REGISTRY[name](case)]
    return sorted(found, key=lambda pair: (SEVERITIES.index(pair[1].severity), pair[0]))
