"""Every registered check runs and says what it measured; each exact one can come out either way."""

import dataclasses
import math

import keras
import numpy as np
import pytest

from bncli.claims import check
from bncli.claims.checks.networks import _bias_sizes, _params, _separable
from bncli.claims.checks.shift import _Networks, _networks, _paired
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.errors import UnknownName

EXACT = {
    "normalized-output": True,
    "default-momentum": True,
    "default-affine": True,
    "momentum-0-last-batch": True,
    "momentum-0-paper": False,
    "momentum-weights": False,
    "moving-average-lag": False,
    "frozen": True,
    "normalize-row": False,
    "normalize-as-batch": False,
    "linear-separability": True,
    "outer-class": True,
    "datatechnotes-params": True,
    "dlology-params": True,
    "bias-cost": True,
    "bias-gradient": True,
    "bias-gradient-after": False,
    "bias-training": True,
    "constant-answer": True,
}
STATISTICAL = tuple(name for name in check.REGISTRY if name not in EXACT)


@pytest.fixture
def small(monkeypatch):
    """Few seeds and moments behind the statistical checks; each kind of network is still trained once."""
    _networks.cache_clear()
    monkeypatch.setattr(checks, "SEEDS", 3)
    monkeypatch.setattr(checks, "MOMENTS", (0, 1))
    yield
    _networks.cache_clear()


@pytest.mark.parametrize("name", EXACT)
def test_an_exact_check_measures_and_decides(name, request):
    if check.needs_mnist(name):
        request.getfixturevalue("mnist")
    found = check.REGISTRY[name]()
    assert found.holds is EXACT[name]
    assert found.values == ()
    assert any(letter.isdigit() for letter in found.text) or name == "default-affine"
    assert "\n" not in found.text


def test_a_statistical_check_gives_a_value_a_seed(small):
    for name in STATISTICAL:
        found = check.REGISTRY[name]()
        assert found.holds is None, name
        assert len(found.values) == 3, name
        assert all(map(math.isfinite, found.values)), name
        assert len(set(found.values)) > 1, name
        assert "3 seeds" in found.text, name


@pytest.mark.slow
def test_statistical_checks_point_where_repeated_measurements_did():
    below = {"saturated-share", "percentile-path", "skew-relu", "kurtosis-relu", "zeros-relu"}
    means = {name: np.mean(check.REGISTRY[name]().values) for name in below}
    assert all(mean < 0 for mean in means.values()), means


def test_descriptions_are_sentences():
    for name in check.REGISTRY:
        assert check.REGISTRY.description(name)[-1] == "."
        assert name == name.lower().replace("_", "-")


def test_only_checks_that_say_so_need_mnist():
    assert [name for name in check.REGISTRY if check.needs_mnist(name)] == ["constant-answer"]
    with pytest.raises(UnknownName, match=r"^Unknown check 'frosen'\. Allowed: .* Did you mean 'frozen'\?$"):
        check.needs_mnist("frosen")


class Population(keras.layers.BatchNormalization):
    """Infers as the BN paper does: equal averages over all batches, unbiased variance."""

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


class NeverFrozen(keras.layers.BatchNormalization):
    """Keras' layer before TensorFlow 2: batch statistics in training whatever `trainable` says."""

    def call(self, x, training=False):
        was, self.trainable = self.trainable, True
        y = super().call(x, training=training)
        self.trainable = was
        return y


REAL = keras.layers.BatchNormalization
OTHER_LAYERS = {
    "normalized-output": lambda **settings: keras.layers.LayerNormalization(),
    "default-momentum": lambda **settings: REAL(momentum=0.9),
    "default-affine": lambda **settings: REAL(center=False),
    "momentum-0-last-batch": lambda **settings: REAL(momentum=0.5),
    "momentum-0-paper": lambda **settings: Population(),
    "momentum-weights": lambda **settings: REAL(momentum=0.1),
    "moving-average-lag": lambda **settings: REAL(momentum=0.9),
    "frozen": NeverFrozen,
    "normalize-as-batch": lambda **settings: keras.layers.UnitNormalization(),
}


@pytest.mark.parametrize("name", OTHER_LAYERS)
def test_another_layer_turns_the_answer(name, monkeypatch):
    monkeypatch.setattr(checks, "_batch_norm", OTHER_LAYERS[name])
    assert check.REGISTRY[name]().holds is not EXACT[name]


def test_another_normalize_turns_the_answer(monkeypatch):
    signs = np.tile([1.0, -1.0], 32)
    monkeypatch.setattr("sklearn.preprocessing.normalize", lambda rows: np.tile(signs, (len(rows), 1)))
    assert check.REGISTRY["normalize-row"]().holds is True


def test_separable():
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    assert _separable(corners, np.array([0, 0, 0, 1]))
    assert not _separable(corners, np.array([0, 1, 1, 0]))


@pytest.mark.parametrize("name", ["linear-separability", "outer-class", "constant-answer"])
def test_other_data_turns_the_answer(name, monkeypatch):
    data = check.digits_data() if name == "constant-answer" else datasets.load(RunConfig(dataset="circles"))
    x = data.x_train + 10 * data.y_train[:, None] if name == "linear-separability" else data.x_train
    other = dataclasses.replace(data, x_train=x, y_train=1 - data.y_train)
    monkeypatch.setattr(datasets, "load", lambda config: other)
    assert check.REGISTRY[name]().holds is False


def test_other_counts_are_not_those_published():
    found = _params("lr-cnn", norm_output=False, without=(93_322, 0), normed=(94_024, 468))
    assert found.holds is False
    assert found.text == "93,322 without batch normalization, 93,994 with, 448 of them not trainable"


def test_bias_sizes():
    config = RunConfig(dataset="mnist", model="conv4 flatten dense5", use_bias="true")
    plan = checks.models.plan(config, (5, 5, 1), 10)
    assert _bias_sizes(plan) == (4 + 5 + 10, 3 * 3 * 4 + 5 + 10)


@pytest.mark.parametrize(("bias", "gap"), [(1e-3, 0.0), (0.0, 1e-3)])
def test_a_bias_that_moves_or_matters_is_found_out(bias, gap, monkeypatch):
    runs = {"true": (bias, np.ones((2, 3))), "auto": (0.0, np.ones((2, 3)) + gap)}
    monkeypatch.setattr(checks, "_trained_biases", lambda placement, use_bias: runs[use_bias])
    assert check.REGISTRY["bias-training"]().holds is False


def test_a_pair_is_with_minus_without():
    found = _paired(np.array([1.0, 2.0]), np.array([0.5, 3.0]), "thing")
    assert found.values == (-0.5, 1.0)
    assert found.text.startswith("thing: 1.5 without batch normalization, 1.75 with; digits")


def networks(shapes, shift):
    return _Networks(np.zeros(2), np.zeros(2), np.array(shapes), np.array(shift))


def test_differences_take_the_right_axis(monkeypatch):
    shapes = [[[1.0, 5.0, 0.5], [0.2, 7.0, 0.0]], [[2.0, 5.0, 0.5], [0.5, 6.0, 0.1]]]
    shift = np.full((1, 2, 3, 2), [10.0, 0.5])
    fakes = {"none": networks(shapes, shift), "batch": networks(shapes, shift * [0.1, 1.5])}
    monkeypatch.setattr(checks, "_networks", lambda activation, norm: fakes[norm])
    monkeypatch.setattr(checks, "MOMENTS", (4,))
    values = {name: check.REGISTRY[name]().values for name in STATISTICAL if name not in ("saturated-share",)}
    assert values["skew-relu"] == pytest.approx((-0.8, -1.5))
    assert values["kurtosis-sigmoid"] == pytest.approx((2.0, 1.0))
    assert values["zeros-relu"] == pytest.approx((-0.5, -0.4))
    assert values["shift-distance-relu"] == pytest.approx((-1.0, -1.0))
    assert values["shift-cosine-sigmoid"] == pytest.approx((0.25, 0.25))
    assert "0.1 (after 4 epochs: 0.1)" in check.REGISTRY["shift-distance-relu"]().text
