"""Stored JSON is checked against forms."""

import pytest

from bncli.study.schema import FLAG, MAX_DEPTH, NUMBER, NUMBER_OR_NULL, SCALAR, TEXT, WHOLE, Misfit, check, parse, part

FORM = {"name": TEXT, "seeds": [WHOLE], "axes?": {"*": [SCALAR]}, "git?": ({"dirty": FLAG}, None), "lr?": NUMBER}
GOOD = {"name": "x", "seeds": [0, 1]}


def message(call, *arguments):
    with pytest.raises(Misfit) as caught:
        call(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"other": [{}]},
        {"axes": {"lr": [0.1, "a", None, True], "empty": []}},
        {"git": None},
        {"git": {"dirty": True}},
        {"lr": 1},
    ],
)
def test_what_has_the_form_passes(more):
    check(GOOD | more, FORM)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], "it must be an object. Received: []."),
        ({"other": 1}, "it lacks name, seeds."),
        (GOOD | {"name": None}, "name must be text. Received: None."),
        (GOOD | {"seeds": "01"}, "seeds must be a list. Received: '01'."),
        (GOOD | {"seeds": [0, True]}, "seeds[1] must be a whole number. Received: True."),
        (GOOD | {"seeds": [2**63]}, "seeds[0] must be a whole number. Received: 9223372036854775808."),
        (
            GOOD | {"axes": {"lr": [0.1, {}]}},
            "axes.lr[1] must be text, a finite number, true, false or null. Received: {}.",
        ),
        (GOOD | {"git": {"dirty": 0}}, "git.dirty must be true or false. Received: 0."),
        (GOOD | {"lr": float("nan")}, "lr must be a finite number. Received: nan."),
        (GOOD | {"axes": {"a\x1b[2J": 1}}, "axes.a\\x1b[2J must be a list. Received: 1."),
    ],
)
def test_what_has_another_form_is_named_by_its_place(value, expected):
    assert message(check, value, FORM) == expected


@pytest.mark.parametrize(
    "value",
    [float("inf"), float("nan"), 1e308, 10**400, True, "1", [1]],
    ids=["inf", "nan", "large", "huge", "flag", "text", "list"],
)
def test_numbers_are_finite(value):
    assert message(check, [1.5, None, value], [NUMBER_OR_NULL]).startswith("[2] must be a finite number or null.")


@pytest.mark.parametrize("value", [0, 0.0, -1e150, 1e150, None])
def test_other_numbers_pass(value):
    check([1.5, value, value], [NUMBER_OR_NULL])


def test_what_is_shown_of_a_value_is_short():
    long = {str(number): "x" * 1_000 for number in range(1_000)}
    assert len(message(check, GOOD | {"name": long}, FORM)) < 500


def test_deep_nesting_is_not_json_of_ours():
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    for depth in (MAX_DEPTH + 2, 400, 100_000):
        expected = "too many objects or lists lie inside each other"
        assert message(parse, b"[" * depth + b"]" * depth) == expected


def test_a_part_of_what_may_be_anything():
    assert part({"a": {"b": 1}}, "a", "b") == 1
    assert [part(value, "a", "b") for value in (None, [], {"a": 1}, {"a": {}})] == [None] * 4
