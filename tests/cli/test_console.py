"""What goes to stdout and stderr, on a terminal and elsewhere."""

import csv
import io
import json
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncli.cli import console
from bncli.cli.progress import track
from bncli.errors import UnknownName
from bncli.report.exports import records, to_csv, to_json, to_json_line, write_csv
from bncli.report.spelling import counted
from bncli.values import plain_text

ESCAPE = "\x1b"
ROWS = [
    {"arm": "none", "val_accuracy": "0.500 ± 0.010", "n": "3"},
    {"arm": "batch:before+norm_momentum=0.9 *", "val_accuracy": "0.900", "n": "12"},
]


def open_terminal(monkeypatch):
    """Put both streams on a colourful terminal of 80 columns."""
    stream = io.StringIO()
    stream.isatty = lambda: True
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, stream)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return stream


# Rows as JSON and CSV


def test_records_are_json_whatever_the_table_holds():
    table = pd.DataFrame({
        "float": [0.5, float("nan")],
        "infinite": [float("inf"), float("-inf")],
        "small": np.array([0.25, 1], dtype="float32"),
        "whole": np.array([1, 2], dtype="int32"),
        "some": pd.array([1, None], dtype="Int64"),
        "flag": [True, False],
        "text": ["a", None],
        "mixed": [np.float64(0.5), np.int64(3)],
    })  # fmt: skip
    assert json.loads(to_json(records(table))) == [
        {
            "float": 0.5,
            "infinite": None,
            "small": 0.25,
            "whole": 1,
            "some": 1,
            "flag": True,
            "text": "a",
            "mixed": 0.5,
        },
        {
            "float": None,
            "infinite": None,
            "small": 1.0,
            "whole": 2,
            "some": None,
            "flag": False,
            "text": None,
            "mixed": 3,
        },
    ]


def test_records_hold_plain_types():
    table = pd.DataFrame({"a": np.array([1], dtype="int8"), "b": np.array([True]), "c": np.array([0.5])})
    assert [type(value) for value in records(table)[0].values()] == [int, bool, float]


def test_an_empty_table_has_no_records():
    assert records(pd.DataFrame(columns=["a"])) == []


def test_csv_leaves_missing_cells_empty_and_spells_flags_in_lower_case():
    table = pd.DataFrame({"arm": ["none", "a,b"], "value": [float("nan"), 0.1], "best": [True, False]})
    text = 'arm,value,best\nnone,,true\n"a,b",0.1,false\n'
    assert to_csv(table) == to_csv(records(table)) == text


def test_csv_without_rows_is_its_header():
    assert to_csv(pd.DataFrame(columns=["arm", "n"])) == "arm,n\n"


def test_csv_keeps_whole_numbers_flags_and_infinity_beside_missing_cells():
    rows = [{"a": 1, "b": True, "c": float("inf"), "d": "auto"}, {"a": None, "b": None, "c": None, "d": False}]
    assert to_csv(rows) == "a,b,c,d\n1,true,inf,auto\n,,,false\n"


TABLES = {
    "plain": {"run_id": ["f0", "f1"], "param_lr": [0.1, 1e-3], "epoch": [1, 2], "loss": [float("nan"), float("inf")]},
    "text that needs quotes": {"arm": ["none", 'a,"b"'], "epoch": [1, 2]},
    "flags and a word": {"param_use_bias": [True, "auto", None], "best": [True, False, True]},
    "several types": {"param_x": pd.Series([1, "auto", 0.5], dtype=object)},
    "no row": {"arm": [], "epoch": []},
}


@pytest.mark.parametrize("columns", TABLES.values(), ids=TABLES)
def test_csv_in_a_file_is_what_stdout_gets(tmp_path, columns):
    table = pd.DataFrame(columns)
    write_csv(table, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == to_csv(table)


@given(
    st.lists(st.fixed_dictionaries({"a": st.text(st.characters(exclude_characters="\r\0")), "b": st.text("ab,\"'\n")}))
)
def test_csv_survives_any_text(rows):
    plain = [{name: plain_text(text, None, keep="\n\t") for name, text in row.items()} for row in rows]
    assert list(csv.DictReader(io.StringIO(to_csv(rows), newline=""))) == plain


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_csv_keeps_every_digit_of_a_number(value):
    assert float(to_csv([{"a": value}]).splitlines()[1]) == value


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_csv_in_a_file_keeps_every_digit_too(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "digits.csv"
    write_csv(pd.DataFrame({"a": [value]}), path)
    assert float(path.read_text().splitlines()[1]) == value


@pytest.mark.parametrize("spell", [to_json, to_json_line])
def test_json_refuses_what_json_does_not_know(spell):
    with pytest.raises(ValueError, match=r"^Out of range float values are not JSON compliant"):
        spell({"a": float("nan")})


def test_a_line_of_json_is_one_line():
    assert to_json_line({"a": [1, "x\ny"]}) == '{"a": [1, "x\\ny"]}'
    assert to_json({"a": 1}) == '{\n  "a": 1\n}'


def test_an_unknown_format_is_refused_with_the_nearest_one():
    with pytest.raises(UnknownName) as caught:
        console.check_format("jsnl")
    assert str(caught.value) == ("Unknown format 'jsnl'. Allowed: table, json, jsonl, csv, md. Did you mean 'jsonl'?")


# Tables


def test_a_table_shows_rows_title_and_caption(capsys):
    console.print_rows(ROWS, title="my study", caption="the caption")
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "my study",
        "",
        " arm                                val_accuracy   n",
        " " + "─" * 51,
        " none                              0.500 ± 0.010   3",
        " batch:before+norm_momentum=0.9 *          0.900  12",
        "",
        "the caption",
    ]


def wide_rows(n_columns):
    return [{f"column{n}": f"value {n} " + "x" * 40 for n in range(n_columns)}]


@pytest.mark.parametrize("n_columns", [3, 100])
def test_a_table_in_a_pipe_is_not_cut_however_wide(capsys, n_columns):
    rows, caption = wide_rows(n_columns), "word " * 300
    console.print_rows(rows, caption=caption)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[3].split() == " ".join(rows[0].values()).split()
    assert lines[5].split() == caption.split()


def test_a_table_on_a_narrow_terminal_loses_nothing(monkeypatch):
    terminal = open_terminal(monkeypatch)
    row = {"arm": "batch:before *", "text": "some words " * 20} | {f"metric_{n}": "0.912 ± 0.014" for n in range(9)}
    console.print_rows([row], title="a title", caption="words " * 30)
    shown = terminal.getvalue()
    assert "…" not in shown
    assert shown.count("0.912 ± 0.014") == 9
    assert shown.count("batch:before *") == 1
    assert shown.count("some") == shown.count("words") - 30 == 20
    assert all(f"metric_{n}" in shown for n in range(9))


@pytest.mark.parametrize("format", ["table", "md"])
def test_brackets_and_colons_are_text_and_no_markup(capsys, format):
    rows = [{"[red]head[/red]": "[bold]a[/bold]", "b": ":smile:"}]
    console.print_rows(rows, title="study [bold]1[/bold]", caption="[/x] :car:", format=format)
    shown = capsys.readouterr().out
    for text in ("[red]head[/red]", "[bold]a[/bold]", ":smile:", "study [bold]1[/bold]", "[/x] :car:"):
        assert text in shown


def test_numbers_align_right_and_text_left(capsys):
    console.print_rows([{"a": "x", "b": "1.5"}, {"a": "long", "b": "-"}, {"a": "y", "b": "10.25"}])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[3:6] == [" x       1.5", " long      -", " y     10.25"]


def test_no_rows_are_no_error(capsys):
    for format in ("table", "md"):
        console.print_rows([], title="nothing", format=format)
        assert capsys.readouterr().out.split()[0].strip("*") == "nothing"


def test_markdown_is_a_table_with_title_and_caption(capsys):
    console.print_rows(ROWS, title="my study", caption="the caption", format="md")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["**my study**", ""]
    assert [cells(line) for line in (lines[2], *lines[4:6])] == [list(ROWS[0]), *(list(row.values()) for row in ROWS)]
    assert set(lines[3]) == {"|", "-"}
    assert lines[6:] == ["", "the caption"]


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_markdown_cells_escape_what_would_end_them(capsys):
    console.print_rows([{"a|b": "x|y", "c": "two\nlines"}], format="md")
    header, rule, row = capsys.readouterr().out.splitlines()
    assert header.replace(" ", "") == r"|a\|b|c|"
    assert row == r"| x\|y   | two lines |"
    assert rule.count("|") == 3


# Colours


def show_everything():
    console.print_rows(ROWS, title="title", caption="caption")
    console.warn("careful")
    console.error("broken")
    console.say("hello")


def test_a_terminal_gets_colours(monkeypatch):
    terminal = open_terminal(monkeypatch)
    show_everything()
    assert terminal.getvalue().count(ESCAPE) > 10


def test_no_color_gives_no_escape_codes(monkeypatch):
    terminal = open_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    show_everything()
    with track(2, 4, quiet=False) as tracker:
        tracker.epoch("none")
    assert ESCAPE + "[3" not in terminal.getvalue()
    assert ESCAPE not in terminal.getvalue().split("hello")[0]


def test_a_pipe_gets_no_escape_codes(capsys, monkeypatch):
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm-256color")
    show_everything()
    with track(2, 4, quiet=False) as tracker:
        tracker.epoch("none")
    shown = capsys.readouterr()
    assert ESCAPE not in shown.out + shown.err
    assert shown.err == "Note: careful\nError: broken\nhello\n"


def test_messages_in_a_pipe_stay_on_one_line_and_keep_their_brackets(capsys):
    console.error("[bold]no[/bold] " + "word " * 200 + "end")
    assert capsys.readouterr().err == "Error: [bold]no[/bold] " + "word " * 200 + "end\n"


def test_quiet_silences_what_is_said_but_no_notice(capsys):
    console.say("hello", quiet=True)
    console.warn("careful")
    assert capsys.readouterr().err == "Note: careful\n"


@pytest.mark.parametrize("text", ["a,b", "a,b\n"])
def test_a_result_ends_in_one_line_end(capsys, text):
    console.write(text)
    assert capsys.readouterr() == ("a,b\n", "")


@pytest.mark.parametrize(("number", "text"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (12345, "12,345 runs")])
def test_counts_are_spelled_with_their_noun(number, text):
    assert counted(number, "run") == text


# Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that each test sets."""
    times = {"now": 100.0}
    monkeypatch.setattr("bncli.cli.progress.time.monotonic", lambda: times["now"])
    return times


def work(clock, *, quiet):
    """Two runs of four epochs, ten seconds an epoch; the second run ends after two."""
    with track(2, 8, quiet=quiet) as tracker:
        for condition, n_epochs in (("none", 4), ("batch:before lr=0.1", 2)):
            for _ in range(n_epochs):
                clock["now"] += 10
                tracker.epoch(condition)
            tracker.run(condition, 4 - n_epochs)
    return tracker


def test_progress_elsewhere_is_a_line_every_quarter_of_a_minute(capsys, clock):
    tracker = work(clock, quiet=False)
    assert capsys.readouterr() == (
        "",
        "0/2 runs, none, about 60 s left\n"
        "0/2 runs, none, about 40 s left\n"
        "1/2 runs, batch:before lr=0.1, about 20 s left\n",
    )
    assert (tracker.runs_done, tracker.epochs_done) == (2, 8)


def test_runs_that_train_together_count_an_epoch_each(capsys, clock):
    with track(4, 8, quiet=False) as tracker:
        clock["now"] += 30
        tracker.epoch("none", 4)
        clock["now"] += 20
        tracker.epoch("none", 1)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "0/4 runs, none"  # the first epoch came with compilation and tells no rate
    assert second == "0/4 runs, none, about 60 s left"


def test_quiet_progress_is_silent(capsys, clock):
    tracker = work(clock, quiet=True)
    assert capsys.readouterr() == ("", "")
    assert (tracker.runs_done, tracker.epochs_done) == (2, 8)


def test_quiet_holds_on_a_terminal(monkeypatch, clock):
    terminal = open_terminal(monkeypatch)
    work(clock, quiet=True)
    assert terminal.getvalue() == ""


def test_progress_on_a_terminal_is_a_bar_that_goes_away(monkeypatch):
    terminal = open_terminal(monkeypatch)
    with track(2, 8, quiet=False) as tracker:
        for _ in range(4):
            tracker.epoch("model=[dense4] [/x]")
        tracker.run("none", 0)
        tracker.bar.refresh()
        task = tracker.bar.tasks[0]
        assert (task.completed, task.total, task.fields["runs"]) == (4, 8, "1/2 runs")
    assert "1/2 runs" in terminal.getvalue()
    assert terminal.getvalue().endswith(f"{ESCAPE}[2K")


def test_nothing_to_train_is_no_division_by_zero(capsys, clock):
    with track(0, 0, quiet=False) as tracker:
        clock["now"] += 100
        tracker.run("none", 0)
    assert capsys.readouterr().err == "1/0 runs, none\n"
