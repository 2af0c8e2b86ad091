"""The grammar of arms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncli.errors import BncliError, InvalidConfig
from bncli.study.arms import ARM_FIELDS, parse_arm, parse_arms


def message(call, *arguments, **more):
    with pytest.raises(BncliError) as caught:
        call(*arguments, **more)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("none", {"norm": "none"}),
        ("batch", {"norm": "batch"}),
        ("batch:after", {"norm": "batch", "placement": "after"}),
        (
            "batch:after+center=false+scale=false",
            {"norm": "batch", "placement": "after", "center": False, "scale": False},
        ),
        ("group:before+groups=4", {"norm": "group", "placement": "before", "groups": 4}),
        ("none+use_bias=false", {"norm": "none", "use_bias": "false"}),
    ],
)
def test_arms_are_read_as_typed(text, changes):
    arm = parse_arm(text)
    assert (arm.label, dict(arm.changes)) == (text, changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "bach",
            "Unknown arm 'bach'. Allowed: none, batch, group, instance, layer, renorm, rms, as-is, frozen, "
            "recalibrated. Did you mean 'batch'?",
        ),
        ("batch:above", "Unknown placement 'above'. Allowed: before, after, input, in-place."),
        ("batch+lr=1", None),
        ("batch+center", "'center' in arm 'batch+center' must be FIELD=VALUE, e.g. norm_momentum=0."),
        ("batch+center=maybe", "center must be true or false. Received: 'maybe'."),
        ("batch+norm_momentum=2", "norm_momentum must be a number from 0 to below 1. Received: 2.0."),
        ("none:after", "Arm 'none:after': there is no new normalization to place or set. Try none."),
        ("", "Unknown arm ''. Allowed: none, batch, group, instance, layer, renorm, rms, as-is, frozen, recalibrated."),
    ],
)
def test_bad_arms_are_refused(text, expected):
    allowed = ", ".join(ARM_FIELDS)
    assert message(parse_arm, text) == (expected or f"Unknown field of an arm 'lr'. Allowed: {allowed}.")


TEXTS = st.text("batchnoelyrgpums:+=,.0123456789-", max_size=25)


@given(TEXTS)
def test_any_text_is_an_arm_or_a_clear_error(text):
    try:
        assert parse_arms(text)
    except BncliError as error:
        assert str(error)


def test_an_arm_that_is_given_twice_is_refused():
    with pytest.raises(InvalidConfig) as caught:
        parse_arms("none,bn,batch")
    assert str(caught.value) == "The arm 'batch' is given twice. Name each arm once."
