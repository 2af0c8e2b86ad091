"""The checks of layers find another layer out."""

import keras
import numpy as np
import pytest

from bncli.claims.check import run_check

REAL = keras.layers.BatchNormalization


class Population(REAL):
    """In inference it does what the BN paper does: averages over all batches, unbiased variance."""

    seen = 0

    def call(self, x, training=False):
        y, x = super().call(x, training=training), np.asarray(x)
        m, self.seen = len(x), self.seen + 1
        for moving, batch in ((self.means, x.mean(0)), (self.variances, x.var(0) * m / (m - 1))):
            moving += (batch - moving) / self.seen
        self.moving_mean.assign(self.means)
        self.moving_variance.assign(self.variances)
        return y

    def build(self, shape):
        super().build(shape)
        self.means, self.variances = np.zeros(shape[-1]), np.zeros(shape[-1])


class NeverFrozen(REAL):
    """Keras' layer before TensorFlow 2: batch statistics in training, whatever `trainable` is."""

    def call(self, x, training=False):
        was, self.trainable = self.trainable, True
        y = super().call(x, training=training)
        self.trainable = was
        return y


class AlwaysMoving(REAL):
    """A layer that normalizes with its moving averages in training too."""

    def call(self, x, training=False):
        return super().call(x, training=False)


OTHER_LAYERS = {
    "normalized-output": (False, lambda **settings: keras.layers.LayerNormalization()),
    "default-momentum": (False, lambda **settings: REAL(momentum=0.9)),
    "default-affine": (False, lambda **settings: REAL(center=False)),
    "momentum-0-last-batch": (False, lambda **settings: REAL(momentum=0.5)),
    "momentum-0-paper": (True, lambda **settings: Population()),
    "momentum-weights": (True, lambda **settings: REAL(momentum=0.1)),
    "moving-average-lag": (False, lambda **settings: REAL(momentum=0.9)),
    "frozen": (False, NeverFrozen),
    "mode-switch": (False, AlwaysMoving),
    "normalize-as-batch": (True, lambda **settings: keras.layers.UnitNormalization()),
}
"""A layer for which each check has the opposite outcome."""


@pytest.mark.parametrize("name", OTHER_LAYERS)
def test_the_outcome_is_the_opposite_for_another_layer(name, monkeypatch):
    holds, layer = OTHER_LAYERS[name]
    assert run_check(name).holds is not holds
    monkeypatch.setattr(keras.layers, "BatchNormalization", layer)
    assert run_check(name).holds is holds


def test_the_outcome_is_the_opposite_for_another_normalize(monkeypatch):
    signs = np.tile([1.0, -1.0], 32)
    monkeypatch.setattr("sklearn.preprocessing.normalize", lambda rows: np.tile(signs, (len(rows), 1)))
    assert run_check("normalize-row").holds is True
