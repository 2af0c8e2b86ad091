"""What goes to stdout and stderr, on a terminal and elsewhere."""

import re

import pytest
from commands import ESCAPE, open_terminal

from bncli.cli import console
from bncli.cli.progress import track
from bncli.errors import UnknownName

ROWS = [
    {"arm": "none", "val_accuracy": "0.500 ± 0.010", "n": "3"},
    {"arm": "batch:before+norm_momentum=0.9 *", "val_accuracy": "0.900", "n": "12"},
]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("jsnl", "jsonl"), ("markdown", "md"), ("Markdown", "md"), ("markdwon", "md"), ("text", "table"), ("tsv", "csv")],
)
def test_an_unknown_format_is_refused_with_the_nearest_one(name, meant):
    with pytest.raises(UnknownName) as caught:
        console.check_format(name)
    assert (
        str(caught.value)
        == f"Unknown format '{name}'. Allowed: table, json, jsonl, csv, md, latex. Did you mean '{meant}'?"
    )


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


def test_a_table_on_a_narrow_terminal_is_complete(monkeypatch):
    terminal = open_terminal(monkeypatch)
    row = {"arm": "batch:before *", "text": "some words " * 20} | {f"metric_{n}": "0.912 ± 0.014" for n in range(9)}
    console.print_rows([row], title="a title", caption="words " * 30)
    shown = terminal.getvalue()
    assert "…" not in shown
    assert shown.count("0.912 ± 0.014") == 9
    assert shown.count("batch:before *") == 1
    assert shown.count("some") == shown.count("words") - 30 == 20
    assert all(f"metric_{n}" in shown for n in range(9))


def test_a_narrow_terminal_leaves_out_what_is_least_important_and_says_so(monkeypatch):
    terminal = open_terminal(monkeypatch)
    row = {
        "activation": "sigmoid",
        "arm": "batch:before *",
        "score": "0.966 [0.945, 0.978]",
        "difference": "+0.030 [+0.009, +0.045]",
    }
    more = {"difference": "+0.030 [+0.009, +0.045]", "hit epoch": "5.5 [2, never]", "curve": "▁▁▁▁▁▁▁▁▁▁", "n": "10"}
    console.print_rows([row | more], caption="a caption", spare=("curve", "n", "score [interval]", "hit epoch"))
    shown = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert " sigmoid     batch:before *  0.966  +0.030 [+0.009, +0.045]  5.5 [2, never]" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "Left out, for want of width: curve, n, intervals of score (--format csv has all)" in " ".join(shown.split())


def test_the_caption_can_be_made_for_what_is_left_out(monkeypatch):
    terminal = open_terminal(monkeypatch)
    row = {"arm": "none", "score": "0.966 [0.945, 0.978]", "curve": "x" * 40, "more": "y" * 20}
    console.print_rows(
        [row], caption=lambda left_out: f"without {left_out}", spare=("curve", "score [interval]", "more")
    )
    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()
    assert lines[-2:] == ["without ['curve']", "Left out, for want of width: curve (--format csv has all)"]
    terminal.truncate(0)
    console.print_rows([{"arm": "none"}], caption=lambda left_out: f"without {left_out}", spare=("curve",))
    assert re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()[-1] == "without []"


def test_a_table_that_fits_is_whole(monkeypatch):
    terminal = open_terminal(monkeypatch)
    console.print_rows([{"arm": "none", "curve": "▁▂▃", "n": "10"}], spare=("curve", "n"))
    assert "▁▂▃" in terminal.getvalue()
    assert "Left out" not in terminal.getvalue()


@pytest.mark.parametrize("format", ["table", "md"])
def test_brackets_and_colons_are_not_markup(capsys, format):
    rows = [{"[red]head[/red]": "[bold]a[/bold]", "b": ":smile:"}]
    console.print_rows(rows, title="study [bold]1[/bold]", caption="[/x] :car:", format=format)
    shown = capsys.readouterr().out
    for text in ("[red]head[/red]", "[bold]a[/bold]", ":smile:", "study [bold]1[/bold]", "[/x] :car:"):
        assert text in shown


def test_numbers_align_right_and_text_left(capsys):
    console.print_rows([{"a": "x", "b": "1.5"}, {"a": "long", "b": "-"}, {"a": "y", "b": "10.25"}])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[3:6] == [" x       1.5", " long      -", " y     10.25"]


def test_print_rows_accepts_no_rows(capsys):
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


def test_quiet_silences_messages_but_not_notes(capsys):
    console.say("hello", quiet=True)
    console.warn("careful")
    assert capsys.readouterr().err == "Note: careful\n"


@pytest.mark.parametrize("text", ["a,b", "a,b\n"])
def test_a_result_ends_in_one_line_end(capsys, text):
    console.write(text)
    assert capsys.readouterr() == ("a,b\n", "")


def test_words_are_not_taken_apart_for_a_terminal_of_one_column(monkeypatch):
    stream = open_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "1")
    console.error("There is no such thing.")
    assert "There is no such thing." in stream.getvalue()
