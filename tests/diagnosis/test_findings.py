"""Every registered finding is found in its sick models, and nothing at all in their healthy counterparts."""

import numpy as np
import pytest
from diagnosis.patients import PATIENTS, bare, block, layers, on_data, read, settled, with_values

from bncli.diagnosis.diagnose import diagnose
from bncli.diagnosis.finding import EXACT, LIKELY, MEASURED, REGISTRY, SEVERITIES

CASES = [
    pytest.param(name, patient, id=f"{name}-{number}")
    for name, patients in PATIENTS.items()
    for number, patient in enumerate(patients)
]


def test_every_finding_has_patients():
    assert set(REGISTRY) == set(PATIENTS)


@pytest.mark.parametrize(("name", "patient"), CASES)
def test_the_sick_model_gives_its_finding(name, patient):
    found = diagnose(patient.sick())
    assert sorted({each for each, _ in found}) == sorted({name, *patient.also})
    (finding,) = (finding for each, finding in found if each == name)
    assert (finding.layers, finding.severity) == (patient.where, patient.severity)
    low, high = patient.number if isinstance(patient.number, tuple) else (patient.number, patient.number)
    assert low - 1e-9 <= finding.number <= high + 1e-9
    assert finding.severity in SEVERITIES
    assert finding.certainty in (EXACT, MEASURED, LIKELY)
    for text in (finding.what, finding.remedy, finding.detail):
        assert "  " not in text
        assert not text or ((text[0].isupper() or not text[0].isalpha() or finding.layers) and text[-1] == ".")


@pytest.mark.parametrize(("name", "patient"), CASES)
def test_the_healthy_model_gives_none(name, patient):
    assert diagnose(patient.healthy()) == []


def blocks(layer, **values):
    return read(with_values(settled(on_data(*block("a"), *block("b"))), layer, **values))


def behind_an_infinite_bias(*inner):
    """A model whose first layer returns -inf, of which an activation makes finite values again."""
    return read(with_values(on_data(layers.Dense(8, name="low"), *inner), "low", bias=-np.inf), is_trained=False)


BOTH = ["first-non-finite", "not-finite"]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: blocks("a", kernel=np.nan), BOTH),
        (lambda: blocks("a_norm", moving_variance=np.nan), BOTH),
        (lambda: blocks("a_norm", moving_variance=np.inf), ["not-finite"]),
        (lambda: behind_an_infinite_bias(layers.ReLU(), layers.BatchNormalization()), BOTH),
        (lambda: behind_an_infinite_bias(layers.Activation("sigmoid"), layers.ReLU()), BOTH),
    ],
)
def test_what_follows_from_values_that_are_not_finite_is_no_finding_of_its_own(make, expected):
    assert sorted(name for name, _ in diagnose(make())) == expected


def test_what_stands_before_the_first_value_that_is_not_finite_is_found_all_the_same():
    model = with_values(bare("relu", bias=-100.0), "output", kernel=np.nan)
    assert sorted(name for name, _ in diagnose(read(model))) == ["dead-units", *BOTH]


def test_new_averages_of_a_model_that_answers_nan_are_not_called_beyond_repair():
    found = dict(diagnose(read(with_values(on_data(*block("a")), "output", kernel=np.nan))))
    assert sorted(found) == ["averages-not-updated", *BOTH]
    assert (
        found["averages-not-updated"].remedy == "Call the model with training=True in your training loop, as fit does."
    )


@pytest.mark.parametrize(
    ("layer", "values", "remedy"),
    [
        ("a_norm", {"moving_mean": np.nan}, "The weights are finite: bncli recalibrate estimates the averages again."),
        (
            "a_norm",
            {"gamma": np.nan},
            "Go back to a checkpoint from before; then a lower learning rate, clipnorm, or float32 where float16 "
            "overflowed.",
        ),
    ],
)
def test_averages_that_are_not_finite_need_no_checkpoint(layer, values, remedy):
    assert dict(diagnose(blocks(layer, **values)))["not-finite"].remedy == remedy
