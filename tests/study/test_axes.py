"""The grammar of axes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncli.errors import BncliError, shown
from bncli.study.axes import parse_axis


def message(call, *arguments, **more):
    with pytest.raises(BncliError) as caught:
        call(*arguments, **more)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("lr=0.001,0.01", ("lr", (0.001, 0.01))),
        ("lr=log:1e-4:1:5", ("lr", (0.0001, 0.001, 0.01, 0.1, 1.0))),
        ("norm_momentum=lin:0:0.9:4", ("norm_momentum", (0.0, 0.3, 0.6, 0.9))),
        ("batch_size=log:2:512:5", ("batch_size", (2, 8, 32, 128, 512))),
        ("model=dense8,conv4 flatten dense8", ("model", ("dense8", "conv4 flatten dense8"))),
        ("center=true,false", ("center", (True, False))),
    ],
)
def test_axes_are_read_as_typed(text, axis):
    assert parse_axis(text) == axis


RANGE = (
    "a range is log:LOW:HIGH:COUNT (both above 0) or lin:LOW:HIGH:COUNT, with a COUNT of 2 or more, "
    "for a numeric field."
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr", "An axis is FIELD=VALUE,VALUE,... or FIELD=log:LOW:HIGH:COUNT. Received: 'lr'."),
        ("lr=", "An axis is FIELD=VALUE,VALUE,... or FIELD=log:LOW:HIGH:COUNT. Received: 'lr='."),
        ("arm=none,batch", "Arms are no axis, because they are compared with each other. Try --arms none,batch."),
        ("lr=a,b", "lr must be a number above 0 and up to 1000000. Received: 'a'."),
        ("lr=log:0:1:5", f"lr=log:0:1:5: {RANGE}"),
        ("lr=log:1:5", f"lr=log:1:5: {RANGE}"),
        ("lr=lin:1:nan:5", f"lr=lin:1:nan:5: {RANGE}"),
        ("lr=log:1:1.8e308:3", f"lr=log:1:1.8e308:3: {RANGE}"),
        ("lr=log:1:1.7e308:3", "lr must be a number above 0 and up to 1000000. Received: 1.7e+308."),
        ("epochs=lin:0:5:3", "epochs must be a whole number from 1 to 100000. Received: 0."),
        ("epochs=lin:1:1e300:3", f"epochs must be a whole number from 1 to 100000. Received: {shown(int(1e300))}."),
        (f"lr=lin:1:2:{'9' * 41}", f"lr=lin:1:2:{'9' * 41}: {RANGE}"),
        (f"lr=lin:{'9' * 5000}:1:3", f"lr=lin:{'9' * 95}...{'9' * 94}:1:3: {RANGE}"),
        (
            "lr=lin:8:9:5000000",
            "The study has 5,000,000 runs. Allowed: at most 1,000,000. Try fewer seeds, arms or values, or several "
            "studies.",
        ),
        ("noise=0.1,", "noise must be a number from 0 to 100. Received: ''."),
        ("activation=lin:0:1:3", f"activation=lin:0:1:3: {RANGE}"),
    ],
)
def test_bad_axes_are_refused(text, expected):
    assert message(parse_axis, text) == expected


TEXTS = st.text("batchnoelyrgpums:+=,.0123456789-", max_size=25)


@given(st.sampled_from(["lr", "epochs", "center", "model", "activation", "zz"]), TEXTS)
def test_any_text_is_an_axis_or_a_clear_error(name, text):
    try:
        _, values = parse_axis(f"{name}={text}")
    except BncliError as error:
        assert str(error)
        return
    assert values
