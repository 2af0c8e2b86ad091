"""The JSON Schema of study files."""

import json
import tomllib
from importlib import resources

import pytest
from jsonschema import Draft202012Validator

from bncli.config import FIELDS
from bncli.report.study_schema import study_schema
from bncli.study.files import presets, study_from_dict

VALID = Draft202012Validator(study_schema())


def test_it_is_a_schema_that_knows_every_field():
    Draft202012Validator.check_schema(study_schema())
    assert set(study_schema()["properties"]["run"]["properties"]) == set(FIELDS)


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_valid_and_names_the_schema(name):
    text = presets()[name].read_text()
    assert text.splitlines()[0] == "#:schema ./study.schema.json"
    VALID.validate(tomllib.loads(text))


def test_the_file_beside_the_presets_is_the_schema():
    """`make docs` writes it."""
    stored = resources.files("bncli.study").joinpath("presets", "study.schema.json").read_text()
    assert json.loads(stored) == study_schema()


@pytest.mark.parametrize(
    "content",
    [
        {"seed": 3},
        {"arms": "none"},
        {"arms": [1]},
        {"seeds": 0},
        {"run": {"epochs": "many"}},
        {"run": {"epochs": 0}},
        {"run": {"lr": 0}},
        {"run": {"learning": 0.1}},
        {"axes": {"lr": 0.1}},
        {"axes": {"depth": [1]}},
        {"claims": [{"id": "a"}]},
        {"claims": [{"id": "a", "statement": "b", "expect": "more"}]},
    ],
)
def test_what_bncli_refuses_by_type_or_name_is_not_valid(content):
    assert not VALID.is_valid(content)


@pytest.mark.parametrize(
    "content", [{}, {"run": {"activation": "ReLU"}}, {"axes": {"lr": "log:1e-3:1:4"}}, {"seeds": [3, 4]}]
)
def test_what_bncli_takes_is_valid(content):
    study_from_dict(content)
    VALID.validate(content)
