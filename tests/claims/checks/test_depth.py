"""The checks of deep networks find another normalization out."""

import keras
import pytest

from bncli.claims import check
from bncli.claims.check import run_check
from bncli.claims.checks import depth


class Nothing(keras.layers.BatchNormalization):
    """A layer that normalizes nothing."""

    def call(self, x, training=False):
        return x


@pytest.mark.parametrize("name", ["gradient-growth", "scale-invariance", "linear-rank"])
def test_without_normalization_no_statement_holds(name, monkeypatch):
    monkeypatch.setattr(keras.layers, "BatchNormalization", Nothing)
    monkeypatch.setattr(depth, "SEEDS", 1)
    assert run_check(name).holds is False


def test_all_checks_of_the_module_are_registered():
    assert {"gradient-growth", "scale-invariance", "linear-rank"} <= {*check.REGISTRY}
