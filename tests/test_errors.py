"""Errors that the user can fix."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncli import errors
from bncli.errors import MAX_MESSAGE, MAX_SHOWN, BncliError, cut, first_line, shown


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no such file.\nsecond line"), "no such file"),
        (ValueError("\n  indented"), "indented"),
        (ValueError(), "ValueError"),
        (KeyError("x"), "'x'"),
        (
            ValueError("Exception encountered when calling A.call().\n\n\x1b[1mtoo small\x1b[0m\n\nArguments: x"),
            "too small",
        ),
        (TypeError("A could not be read.\n\nconfig={}.\n\nException encountered: no such key"), "no such key"),
        (ValueError("Exception encountered when calling A.call()."), "Exception encountered when calling A.call()"),
    ],
)
def test_first_line_is_the_first_line_of_the_message(error, line):
    assert first_line(error) == line


def test_all_errors_can_be_caught_as_bncli_errors():
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    assert len(classes) > 5
    assert all(issubclass(each, BncliError) for each in classes)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("dense8", "'dense8'"),
        ("two\nlines \x1b[2J", r"'two\nlines \x1b[2J'"),
        ([0.1, None], "[0.1, None]"),
        ("a" * 500, "'" + "a" * 98 + "..." + "a" * 97 + "'"),
        (10**5000, "<int too large to show>"),
        ([10**5000], "<list too large to show>"),
    ],
    ids=["text", "control characters", "list", "long text", "huge number", "list of huge numbers"],
)
def test_shown_quotes_a_value_in_at_most_200_characters(value, text):
    assert shown(value) == text
    assert len(text) <= MAX_SHOWN


def test_shown_survives_deep_nesting():
    value = []
    for _ in range(100_000):
        value = [value]
    assert shown(value) == "<list too large to show>"


def test_no_message_is_longer_than_a_screen():
    message = str(BncliError("x" * 10_000_000))
    assert len(message) == MAX_MESSAGE
    assert "xxx...xxx" in message


@given(st.text(max_size=40), st.integers(3, 30))
def test_cut_keeps_both_ends(text, limit):
    short = cut(text, limit)
    assert len(short) <= limit
    assert short == text if len(text) <= limit else "..." in short
