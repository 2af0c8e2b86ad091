"""Every registered finding is found in its sick models, and nothing at all in their healthy counterparts."""

import pytest
from diagnosis.patients import PATIENTS

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
