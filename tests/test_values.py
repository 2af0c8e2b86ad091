"""Single values: parsing, checking, describing and printing."""

import math
import time
import unicodedata
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncli.errors import InvalidConfig, UnknownName
from bncli.values import Field, finite, is_finite, plain_text, read_number, read_whole, show

TEXT = Field("data", "text", "a text")
WHOLE = Field("training", "whole", "a whole number", low=0, high=2**31 - 1)
RATE = Field("training", "number", "a rate", low=0, high=1e6, open_low=True)
SHARE = Field("training", "number", "a share", low=0, high=1, open_high=True)
FLAG = Field("training", "flag", "a flag")
CHOICE = Field("network", "text", "a choice", choices=("auto", "true", "false"))
OPTIONAL = Field("data", "number", "a number or nothing", low=0, optional=True)


def error_text(error, function, *arguments):
    with pytest.raises(error) as caught:
        function(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("field", "allowed"),
    [
        (TEXT, "text"),
        (WHOLE, "a whole number from 0 to 2147483647"),
        (RATE, "a number above 0 and up to 1000000"),
        (SHARE, "a number from 0 to below 1"),
        (FLAG, "true or false"),
        (CHOICE, "auto, true, false"),
        (OPTIONAL, "a number from 0"),
        (Field("data", "number", "any number"), "a number"),
        (Field("data", "number", "a small number", low=0.001, high=0.5), "a number from 0.001 to 0.5"),
    ],
)
def test_allowed_describes_the_values(field, allowed):
    assert field.allowed() == allowed


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (RATE, "1e-3", 0.001),
        (RATE, "1", 1.0),
        (WHOLE, " 7 ", 7),
        (FLAG, "False", False),
        (FLAG, "true", True),
        (TEXT, " dense8 dense4 ", "dense8 dense4"),
        (CHOICE, "true", "true"),
        (OPTIONAL, "none", None),
        (OPTIONAL, "2", 2.0),
    ],
)
def test_parse_converts_text_to_the_type_of_the_field(field, text, value):
    parsed = field.parse("name", text)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        (RATE, "fast", "name must be a number above 0 and up to 1000000. Received: 'fast'."),
        (WHOLE, "2.5", "name must be a whole number from 0 to 2147483647. Received: '2.5'."),
        (WHOLE, "none", "name must be a whole number from 0 to 2147483647. Received: 'none'."),
        (FLAG, "yes", "name must be true or false. Received: 'yes'."),
        (OPTIONAL, "", "name must be a number from 0. Received: ''."),
        (TEXT, " ", "name must be text. Received: ''."),
    ],
)
def test_parse_rejects_text_of_another_type(field, text, message):
    assert error_text(InvalidConfig, field.parse, "name", text) == message


@pytest.mark.parametrize(
    ("field", "value", "plain"),
    [
        (WHOLE, np.int64(3), 3),
        (WHOLE, np.uint8(3), 3),
        (RATE, np.float64(0.25), 0.25),
        (RATE, np.float32(0.25), 0.25),
        (RATE, np.int32(2), 2.0),
        (RATE, 2, 2.0),
        (RATE, Fraction(1, 4), 0.25),
        (TEXT, np.str_("a"), "a"),
        (FLAG, True, True),
        (CHOICE, True, "true"),
        (CHOICE, np.str_("auto"), "auto"),
        (OPTIONAL, None, None),
        (SHARE, 0, 0.0),
    ],
)
def test_check_returns_plain_python_values(field, value, plain):
    checked = field.check("name", value)
    assert (checked, type(checked)) == (plain, type(plain))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (WHOLE, 2.0),
        (WHOLE, np.float64(2)),
        (WHOLE, True),
        (WHOLE, -1),
        (WHOLE, 2**31),
        (WHOLE, None),
        (RATE, 0),
        (RATE, math.nan),
        (RATE, math.inf),
        (RATE, 10**20),
        (RATE, np.float32("nan")),
        (RATE, "0.1"),
        (RATE, True),
        (RATE, 1j),
        (SHARE, 1),
        (FLAG, 1),
        (TEXT, 3),
        (TEXT, None),
    ],
)
def test_check_rejects_values_of_another_type_or_out_of_range(field, value):
    expected = f"name must be {field.allowed()}. Received: {value!r}."
    assert error_text(InvalidConfig, field.check, "name", value) == expected


def test_check_rejects_a_text_that_is_not_a_choice():
    expected = "Unknown use_bias 'maybe'. Allowed: auto, true, false."
    assert error_text(UnknownName, CHOICE.check, "use_bias", "maybe") == expected


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), (" 12 ", 12), ("-3", -3), ("+3", 3), ("0012", 12), ("9" * 40, 10**40 - 1)]
)
def test_read_whole_reads_whole_numbers(text, number):
    assert read_whole(text) == number


@pytest.mark.parametrize("text", ["", "x", "1.5", "1e3", "0x10", "9" * 41])
def test_read_whole_refuses_other_texts(text):
    with pytest.raises(ValueError, match=r"^(invalid literal|not a whole number)"):
        read_whole(text)


def test_read_whole_refuses_a_very_long_text_at_once():
    started = time.process_time()
    with pytest.raises(ValueError, match=r"^not a whole number in the range: '99999"):
        read_whole("9" * 50_000_000)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("text", ["0", "6"])
def test_read_whole_refuses_numbers_out_of_range(text):
    with pytest.raises(ValueError, match=rf"^not a whole number in the range: '{text}'$"):
        read_whole(text, 1, 5)


def test_minus_zero_is_zero_wherever_a_number_is_read():
    zeros = [read_number("-0"), read_number("-0.0"), SHARE.check("name", -0.0), OPTIONAL.parse("name", "-0")]
    assert [math.copysign(1, zero) for zero in zeros] == [1, 1, 1, 1]


def test_a_number_that_no_float_can_hold_is_out_of_range():
    assert not is_finite(10**400)
    field = Field("data", "number", "any number")
    assert error_text(InvalidConfig, field.check, "name", 10**400).startswith("name must be a number. Received: 1000")
    assert error_text(InvalidConfig, field.check, "name", 10**5000) == (
        "name must be a number. Received: <int too large to show>."
    )


@given(st.floats())
def test_finite_keeps_finite_numbers_only(value):
    assert finite(value) == (value if math.isfinite(value) else None)


def test_finite_returns_a_plain_float():
    assert type(finite(np.float32(0.5))) is float


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.001, "0.001"), (1.0, "1"), (1e-07, "1e-07"), (True, "true"), (False, "false"), (3, "3"), ("relu", "relu")],
)
def test_show_prints_a_value_as_it_is_typed(value, shown):
    assert show(value) == shown


# Text from outside

texts = st.text(st.characters(codec=None), max_size=400) | st.text("\x00\x1b\x9b\n\udcff\u202e ab\\", max_size=60)


@given(texts, st.integers(8, 300))
def test_plain_text_has_no_control_character_can_be_encoded_and_fits(text, limit):
    shown = plain_text(text, limit)
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in shown)
    assert shown.encode("utf-8")[:0] == b""
    assert len(shown) <= limit
    assert plain_text(shown, limit) == shown


@given(texts)
def test_plain_text_without_a_limit_loses_nothing_and_keeps_what_it_is_told_to(text):
    assert plain_text(text, None) == "".join(plain_text(character) for character in text)
    kept = plain_text(text, None, keep="\n\t")
    assert (kept.count("\n"), kept.count("\t")) == (text.count("\n"), text.count("\t"))


@given(st.text("abcäß中𝛽 <>&$%-", max_size=200))
def test_ordinary_text_stays_as_it_is(text):
    assert plain_text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;aGk=\x07", r"\x1b]52;c;aGk=\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("two\nlines\tand a tab", r"two\x0alines\x09and a tab"),
        ("not UTF-8: \udcff", r"not UTF-8: \udcff"),
        ("\u202efdp.exe", r"\u202efdp.exe"),
        ("a" * 150 + "b" * 150, "a" * 99 + "..." + "b" * 98),
        ("", ""),
    ],
)
def test_what_plain_text_makes_of_it(text, shown):
    assert plain_text(text) == shown


def test_a_very_long_text_is_cut_before_it_is_looked_at():
    started = time.process_time()
    assert len(plain_text("\x1b" * 50_000_000)) == 200
    assert time.process_time() - started < 1
