"""What a study file may say in its claims, how claims describe their test, and the claims that bncli ships."""

import math
from dataclasses import replace

import pytest
from fakes import make_study

from bncli.claims.claim import parse_claims
from bncli.errors import BncliError
from bncli.study.files import load_study, presets, study_from_dict

BASIC = {"id": "one", "statement": "It is so.", "measure": "final", "arm": "none", "at_most": 1.0}

WAYS = "Needs exactly one of measure, check and not_testable. Received:"
ENDS = "Needs one expectation: expect = above, below or published; or at_least, at_most or both."
THRESHOLD = "Measure 'hit_epoch' needs threshold: the value of the metric that a run must reach."
EITHER = "The study varies lr: give either where = { lr = VALUE } or across = 'lr'."
TWICE = "lr is the axis of across and can't be in baseline_where too."
ARM = "Unknown arm 'batch:after'. Allowed: none, batch:before. Did you mean 'batch:before'?"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrik": "loss"}, "Unknown key 'metrik'. Allowed: ... Did you mean 'metric'?"),
        ({"statement": ""}, "statement is missing. A claim needs an id and a statement."),
        ({"at_most": "much"}, "at_most must be a number. Received: 'much'."),
        ({"at_most": math.nan}, "at_most must be a number. Received: nan."),
        ({"min_seeds": 1}, "min_seeds must be a whole number from 2. Received: 1."),
        ({"note": 5}, "note must be text. Received: 5."),
        ({"where": 5}, "where must be a table of axes and values, e.g. { lr = 0.01 }. Received: 5."),
        ({"check": "default-momentum"}, f"{WAYS} measure, check."),
        ({"measure": ""}, f"{WAYS} none."),
        ({"expect": "above"}, ENDS),
        ({"measure": "finale"}, "Unknown measure 'finale'. Allowed: ... Did you mean 'final'?"),
        ({"at_least": 2}, "at_least 2 is more than at_most 1."),
        ({"last": 3}, "last has no effect on measure 'final'."),
        ({"measure": "hit_epoch"}, THRESHOLD),
        ({"metric": "acuracy"}, "Unknown metric 'acuracy'. Allowed: ... Did you mean 'accuracy'?"),
        ({"compare": "ratio"}, "compare has no effect without a baseline or a baseline_where."),
        ({"reduce": "slope"}, "reduce has no effect without across, the axis to reduce."),
        ({"arm": "batch:after"}, ARM),
        ({"baseline": "layer"}, "Unknown baseline 'layer'. Allowed: none, batch:before."),
        ({"where": {"epochs": 3}}, "Unknown axis 'epochs'. Allowed: lr."),
        ({"where": {"lr": 7}}, "The axis lr has no value 7. Allowed: 0.01, 0.1, or best."),
        ({"where": {}}, EITHER),
        ({"across": "lr"}, EITHER),
        ({"where": {}, "across": "lr", "baseline_where": {"lr": 0.1}}, TWICE),
    ],
)  # fmt: skip
def test_an_invalid_claim_is_refused(change, message):
    study = make_study(axes=(("lr", (0.01, 0.1)),))
    table = BASIC | {"where": {"lr": 0.1}} | change
    with pytest.raises(BncliError) as raised:
        parse_claims(replace(study, claims=(table,)))
    start, dots, end = message.partition("...")
    text = str(raised.value).removeprefix("Claim 'one' of study 'fake': ")
    assert text == message if not dots else (text.startswith(start) and text.endswith(end))


@pytest.mark.parametrize(
    ("axes", "change", "message"),
    [
        ((("lr", (0.1,)),), {}, "across needs an axis with two or more values. lr has only 0.1."),
        (
            (("norm_momentum", (0.0, 0.9)),),
            {"reduce": "highest"},
            "reduce = 'highest' needs an axis of numbers above 0. norm_momentum has 0, 0.9.",
        ),
        (
            (("activation", ("relu", "tanh")),),
            {"reduce": "tolerance"},
            "reduce = 'tolerance' needs an axis of numbers above 0. activation has relu, tanh.",
        ),
    ],
)
def test_an_axis_that_cannot_be_reduced_is_refused(axes, change, message):
    table = BASIC | {"arm": "batch:before", "across": axes[0][0]} | change
    with pytest.raises(BncliError) as raised:
        parse_claims(replace(make_study(axes=axes), claims=(table,)))
    assert str(raised.value) == f"Claim 'one' of study 'fake': {message}"


def test_the_link_of_a_claim_is_by_default_the_source_of_its_study():
    study = replace(make_study(), source="https://study")
    tables = (BASIC, BASIC | {"id": "two", "link": "https://paper"}, BASIC | {"id": "three", "link": ""})
    assert [claim.link for claim in parse_claims(replace(study, claims=tables))] == [
        "https://study",
        "https://paper",
        "",
    ]


def test_two_claims_with_one_id_are_refused():
    with pytest.raises(BncliError) as raised:
        parse_claims(replace(make_study(), claims=(BASIC, BASIC)))
    assert str(raised.value) == "Study 'fake' has two claims with the id 'one'. Give each claim its own id."


PUBLISHED = (
    "expect = 'published' needs published_value, the figure as a number, or the ends of a range in which it lies, "
    "at_least, at_most or both."
)
MARGIN = "margin must be 0 or more, and takes expect = above, below or published."
OTHER = "A figure from another setting is no figure of this one. Leave out published_value."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expect": "published"}, PUBLISHED),
        ({"expect": "published", "published_value": 0.5, "at_most": 0.6}, PUBLISHED),
        ({"expect": "above", "margin": -0.1}, MARGIN),
        ({"at_most": 0.5, "margin": 0.1}, MARGIN),
        ({"expect": "above", "published_value": 0.1, "transfers_from": "Inception"}, OTHER),
        ({"expect": "above", "transfers_from": 5}, "transfers_from must be text. Received: 5."),
    ],
)
def test_an_expectation_needs_the_figures_that_belong_to_it(change, message):
    table = {key: value for key, value in BASIC.items() if key != "at_most"} | change
    with pytest.raises(BncliError) as raised:
        parse_claims(replace(make_study(), claims=(table,)))
    assert str(raised.value) == f"Claim 'one' of study 'fake': {message}"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"expect": "above", "margin": 0.01}, "above 0 by 0.01 or more"),
        ({"expect": "above", "transfers_from": "Inception"}, "above 0; claimed for Inception"),
        ({"expect": "published", "published_value": 0.9}, "0.9 where one more run is"),
        ({"expect": "published", "at_least": 0.8, "at_most": 0.9}, "0.8 to 0.9 where one more run is"),
    ],
)
def test_the_test_says_what_is_expected(change, text):
    table = {key: value for key, value in BASIC.items() if key != "at_most"} | change
    (claim,) = parse_claims(replace(make_study(), claims=(table,)))
    assert claim.test() == f"final val_accuracy: none, expected {text}"


def test_the_smallest_effect_is_the_margin_or_half_of_the_published_one():
    table = {key: value for key, value in BASIC.items() if key != "at_most"} | {"expect": "above", "reference": 1}
    tables = [table, table | {"margin": 0.5}, table | {"published_value": 3}]
    found = [parse_claims(replace(make_study(), claims=(each,)))[0].smallest_effect for each in tables]
    assert found == [0.0, 0.5, 1.0]


def test_claims_are_kept_in_the_record_of_a_study():
    study = study_from_dict({"claims": [BASIC], "arms": ["none"], "source": "https://example.org"})
    assert study_from_dict(study.to_dict()) == study
    assert parse_claims(study)[0].link == "https://example.org"
    assert "claims" not in study_from_dict({}).to_dict()


def test_a_study_keeps_its_claims_with_other_seeds_only():
    study = replace(make_study(), claims=(BASIC,))
    assert study.vary(seeds=(0, 1, 2)).claims == (BASIC,)
    assert study.vary({"epochs": 9}).claims == ()
    assert study.vary(axes=[("lr", (0.1, 0.2))]).claims == ()


def test_claims_must_be_tables():
    with pytest.raises(BncliError) as raised:
        study_from_dict({"claims": ["one"]})
    assert str(raised.value) == "claims must be tables, each under a line [[claims]]. Received: ['one']."


@pytest.mark.parametrize("name", presets())
def test_the_claims_of_a_preset_are_valid(name):
    study = load_study(name)
    for claim in parse_claims(study):
        assert claim.source
        assert claim.test()
        assert claim.min_seeds <= 30


def test_the_presets_claim_every_number_from_1_to_47_and_no_id_twice():
    shipped = [claim for name in presets() for claim in parse_claims(load_study(name))]
    assert {claim.number for claim in shipped if claim.number} == set(range(1, 48))
    assert len({claim.id for claim in shipped}) == len(shipped)
