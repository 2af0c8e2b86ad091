"""bncli's own style, whatever the user's settings of matplotlib say, and texts from outside in figures."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib
import pytest
from fakes import bytes_of, evidence, make_study, record

from bncli.report.canvas import blank
from bncli.report.files import write_files
from bncli.report.style import own_style, short, wrapped

HOSTILE = """
text.usetex: true
font.family: No Such Font
axes.prop_cycle: cycler('color', ['ff0000'])
figure.dpi: 7
no.such.key: 1
svg.fonttype: path
"""

LACKS = "The font of the figures lacks"


def report(folder, **environment):
    """Run `bncli report` in a process of its own."""
    command = [sys.executable, "-m", "bncli", "report", str(folder)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | environment, cwd=folder.parent
    )


@pytest.fixture
def study_folder(tmp_path):
    """A folder with a study and its report."""
    shown = evidence(make_study())
    write_files(shown, record(tmp_path / "out", shown))
    return tmp_path / "out"


@pytest.mark.parametrize(
    "environment", [{"MPLBACKEND": "junk"}, pytest.param({}, marks=pytest.mark.slow)], ids=["backend", "matplotlibrc"]
)
@pytest.mark.slow
def test_the_users_settings_of_matplotlib_change_no_byte_and_print_no_line(study_folder, environment):
    plain = report(study_folder)
    before = bytes_of(study_folder)
    (study_folder.parent / "matplotlibrc").write_text(HOSTILE)
    done = report(study_folder, **environment)
    assert (done.returncode, done.stderr) == (0, plain.stderr)
    assert bytes_of(study_folder) == before


def test_a_matplotlibrc_that_cannot_be_read_is_one_line(study_folder):
    (study_folder.parent / "matplotlibrc").write_bytes(b"\xff\xfe\x00")
    done = report(study_folder)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "Error: matplotlib can't read its settings: 'utf-8' codec can't decode byte 0xff in position 0: invalid start "
        "byte. Correct or remove the file matplotlibrc."
    )
    assert "Traceback" not in done.stderr


def test_the_users_settings_are_back_afterwards():
    with matplotlib.rc_context({"lines.linewidth": 9.0, "svg.fonttype": "path"}):
        with own_style():
            assert matplotlib.rcParams["lines.linewidth"] == matplotlib.rcParamsDefault["lines.linewidth"]
            assert matplotlib.rcParams["svg.fonttype"] == "none"
        assert matplotlib.rcParams["lines.linewidth"] == 9.0
        assert matplotlib.rcParams["svg.fonttype"] == "path"


def draw(text, tell):
    with own_style(tell):
        figure = blank(3, 2)
        figure.suptitle(text)
        figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("plain", []),
        ("数据 数据", [f"{LACKS} 2 characters (数 据) and shows boxes instead."]),
        (
            "一二三四五六七",
            [f"{LACKS} 7 characters (一 二 三 四 五 ...) and shows boxes instead."],
        ),
    ],
)
def test_characters_that_the_font_lacks_are_one_note_and_no_warning(text, notes):
    told = []
    draw(text, told.append)
    assert told == notes
    draw(text, None)


def test_other_warnings_pass():
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with pytest.warns(UserWarning, match="^something else$"), own_style():
            warnings.warn("something else", UserWarning, stacklevel=1)


def test_the_note_reaches_who_writes_the_files(tmp_path):
    names = [tmp_path / name for name in ("数据.csv", "b.csv")]
    for name in names:
        name.write_text("a,target\n" + "1,0\n2,1\n" * 20)
    axes = (("dataset", tuple(map(str, names))),)
    shown, told = evidence(make_study(axes=axes, label="target", n_samples=None)), []
    write_files(shown, record(tmp_path / "out", shown), told.append)
    assert len(told) == 1


@pytest.mark.parametrize("function", [short, lambda text: wrapped(text, 5)], ids=["short", "wrapped"])
def test_text_from_outside_is_plain_in_figures(function):
    assert function("a\x1b[2J\udcff$") == r"a\x1b[2J\udcff\$"
    assert len(function("x" * 100_000)) < 1000


def test_names_that_are_not_utf_8_or_hold_control_characters_make_a_report_without_them(tmp_path):
    names = ("caf\udce9.csv", "esc\x1b[2J.csv")
    rows = "a,b,y\n" + "".join(f"{number},{number * 2 % 7},{number % 2}\n" for number in range(40))
    paths = [str(tmp_path / name) for name in names]
    for path in paths:
        Path(path).write_text(rows)
    fields = {"axes": (("dataset", tuple(paths)),), "label": "y", "n_samples": None}
    shown = evidence(make_study(name="a\x07b", **fields))
    object.__setattr__(shown.study, "question", "\x9b2J\udcff?")
    written = write_files(shown, record(tmp_path / "out", shown))
    for name in written:
        if not name.endswith(".png"):
            text = (tmp_path / "out" / name).read_text(encoding="utf-8")
            assert not {"\x1b", "\x07", "\x9b"} & set(text), name
    assert r"caf\udce9.csv" in (tmp_path / "out" / "summary.csv").read_text()
    assert r"\x9b2J\udcff?" in (tmp_path / "out" / "report.html").read_text()
