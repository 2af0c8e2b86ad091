"""Errors that the user can fix."""

import pytest

from bncli import errors
from bncli.errors import BncliError, first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no such file.\nsecond line"), "no such file"),
        (ValueError("\n  indented"), "indented"),
        (ValueError(), "ValueError"),
        (KeyError("x"), "'x'"),
    ],
)
def test_first_line_is_the_first_line_of_the_message(error, line):
    assert first_line(error) == line


def test_all_errors_can_be_caught_as_bncli_errors():
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    assert len(classes) > 5
    assert all(issubclass(each, BncliError) for each in classes)
