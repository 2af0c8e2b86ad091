"""Every registered check runs and says what it measured."""

import math

import pytest

from bncli.claims import check
from bncli.claims.checks import shift
from bncli.errors import UnknownName

EXACT = {
    "normalized-output": True,
    "default-momentum": True,
    "default-affine": True,
    "momentum-0-last-batch": True,
    "momentum-0-paper": False,
    "momentum-weights": False,
    "moving-average-lag": True,
    "mode-switch": True,
    "frozen": True,
    "normalize-row": False,
    "normalize-as-batch": False,
    "linear-separability": True,
    "outer-class": True,
    "datatechnotes-params": True,
    "dlology-params": True,
    "bias-cost": True,
    "bias-gradient": True,
    "bias-gradient-after": True,
    "bias-adam": True,
    "bias-training": True,
    "constant-answer": True,
    "gradient-growth": True,
    "scale-invariance": True,
    "linear-rank": True,
}
STATISTICAL = tuple(name for name in check.REGISTRY if name not in EXACT)
OF_RELUS = tuple(name for name in STATISTICAL if "relu" in name)
OF_SIGMOIDS = tuple(name for name in STATISTICAL if name not in OF_RELUS)


@pytest.fixture
def small(monkeypatch):
    """Few seeds and epochs behind the statistical checks; each network is still trained once."""
    shift.trained_networks.cache_clear()
    monkeypatch.setattr(shift, "SEEDS", 3)
    monkeypatch.setattr(shift, "EPOCHS", (0, 1))
    yield
    shift.trained_networks.cache_clear()


SAME_TRAINING = "bias-training"
"""Another check trains this network with another optimizer."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == SAME_TRAINING)) for name in EXACT]
)
def test_an_exact_check_says_whether_the_statement_holds(name, request):
    if check.needs_mnist(name):
        request.getfixturevalue("mnist")
    found = check.run_check(name)
    assert found.holds is EXACT[name]
    assert found.values == ()
    assert any(letter.isdigit() for letter in found.text) or name == "default-affine"
    assert "\n" not in found.text


@pytest.mark.parametrize(
    "names", [pytest.param(each, marks=pytest.mark.slow) for each in (OF_SIGMOIDS, OF_RELUS)], ids=["sigmoid", "relu"]
)
def test_a_statistical_check_returns_one_value_per_seed(small, names):
    assert names
    for name in names:
        found = check.run_check(name)
        assert found.holds is None, name
        assert len(found.values) == 3, name
        assert all(map(math.isfinite, found.values)), name
        assert len(set(found.values)) > 1, name
        assert "3 seeds" in found.text, name


@pytest.mark.slow
def test_statistical_checks_have_the_sign_of_earlier_measurements():
    below = {"saturated-share", "percentile-path", "skew-relu", "kurtosis-relu", "zeros-relu"}
    means = {name: sum(check.run_check(name).values) / shift.SEEDS for name in below}
    assert all(mean < 0 for mean in means.values()), means


def test_descriptions_are_sentences():
    for name in check.REGISTRY:
        assert check.REGISTRY.description(name)[-1] == "."
        assert name == name.lower().replace("_", "-")


def test_only_one_check_needs_mnist():
    assert [name for name in check.REGISTRY if check.needs_mnist(name)] == ["constant-answer"]
    with pytest.raises(UnknownName, match=r"^Unknown check 'frosen'\. Allowed: .* Did you mean 'frozen'\?$"):
        check.needs_mnist("frosen")
