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
        (
            (("lr", (0.1, 1.0)), ("batch_size", (4, 8))),
            {"where": {"batch_size": "best"}},
            "'best' and across can't be combined: the best value might differ along lr.",
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


def test_expect_published_needs_a_published_value():
    table = {key: value for key, value in BASIC.items() if key != "at_most"} | {"expect": "published"}
    with pytest.raises(BncliError) as raised:
        parse_claims(replace(make_study(), claims=(table,)))
    assert str(raised.value) == (
        "Claim 'one' of study 'fake': expect = 'published' needs published_value, the figure as a number."
    )


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
        assert not claim.measure or claim.min_seeds <= len(study.seeds)


def test_the_presets_claim_every_number_from_1_to_47_and_no_id_twice():
    shipped = [claim for name in presets() for claim in parse_claims(load_study(name))]
    assert {claim.number for claim in shipped if claim.number} == set(range(1, 48))
    assert len({claim.id for claim in shipped}) == len(shipped)
