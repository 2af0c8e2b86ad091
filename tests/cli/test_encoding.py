"""What is printed where the stream's encoding lacks the bars of a sparkline."""

import io
import sys

import pytest

from bncli.cli import console
from bncli.cli.encoding import fitted
from bncli.report.spelling import BARS

ROWS = [{"arm": "none", "curve": "▁▂▃▄▅▆▇█"}, {"arm": "batch *", "curve": "▁▁▄▄▅█ █"}]


def stream(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_a_stream_that_can_show_a_text_gets_it(encoding):
    assert fitted(f"{BARS} ± × …", stream(encoding)) == f"{BARS} ± × …"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", "_.-:=+%# +- x ... - -> café"),
        ("latin-1", "_.-:=+%# ± × ... - -> café"),
        ("cp1252", "_.-:=+%# ± × … — -> café"),
        ("cp437", "_.-:=+%# ± x ... - -> café"),  # it has ▄ and █, but not all bars
    ],
)
def test_bars_and_signs_have_forms_in_ascii_and_other_letters_stay(encoding, expected):
    assert fitted("▁▂▃▄▅▆▇█ ± × … — → café", stream(encoding)) == expected


@pytest.mark.parametrize("format", ["table", "md"])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_table_goes_to_a_stream_of_any_encoding(monkeypatch, encoding, format):
    found = stream(encoding)
    monkeypatch.setattr(sys, "stdout", found)
    console.print_rows(ROWS, title="a × b", caption="± …", format=format)
    found.flush()
    text = found.buffer.getvalue().decode(encoding)
    assert "_.-:=+%#" in text
    assert "__::=# #" in text
    assert ("a x b" if encoding == "ascii" else "a × b") in text


def test_messages_too(monkeypatch):
    found = stream("ascii")
    monkeypatch.setattr(sys, "stderr", found)
    console.say("2 × 3")
    console.warn("1 … 2")
    console.error("5 ± 1")
    found.flush()
    assert found.buffer.getvalue().decode().splitlines() == ["2 x 3", "Note: 1 ... 2", "Error: 5 +- 1"]
