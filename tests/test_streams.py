"""Standard streams that are closed, full or not in UTF-8, as real processes have them."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from bncli import process
def command():
    print("out \\u2191 \\udcff")
    print("err \\u2191 \\udcff", file=sys.stderr, flush=True)
    assert sys.stdin.read() == ""
    open("done", "w").close()
process.run(command)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses a POSIX shell")


def run(redirections, **variables):
    """Run the program in a shell with redirections."""
    return subprocess.run(
        ["sh", "-c", f'"$0" -c "$PROGRAM" {redirections}', sys.executable],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=os.environ | {"PROGRAM": PROGRAM} | variables,
    )


@pytest.mark.parametrize(
    ("redirections", "out", "err"),
    [
        ("", b"out \xe2\x86\x91 \\udcff\n", b"err \xe2\x86\x91 \\udcff\n"),
        ("<&-", b"out \xe2\x86\x91 \\udcff\n", b"err \xe2\x86\x91 \\udcff\n"),
        (">&-", b"", b"err \xe2\x86\x91 \\udcff\n"),
        ("2>&-", b"out \xe2\x86\x91 \\udcff\n", b""),
        ("<&- >&- 2>&-", b"", b""),
    ],
    ids=["open", "no stdin", "no stdout", "no stderr", "none"],
)
def test_a_closed_stream_leads_nowhere_and_stops_nothing(folder, redirections, out, err):
    done = run(redirections, PYTHONIOENCODING="utf-8")
    assert (done.returncode, done.stdout, done.stderr) == (0, out, err)
    assert (folder / "done").read_bytes() == b""


def test_a_full_stderr_stops_nothing(folder):
    done = run("2>/dev/full")
    assert (done.returncode, done.stdout) == (0, "out \u2191 \\udcff\n".encode())
    assert (folder / "done").exists()


def test_a_reader_that_is_gone_stops_no_messages(folder):
    done = run("2>&1 >/dev/null | true; sleep 0.1")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (folder / "done").exists()


WRITES = "import sys\nfrom bncli import process\nprocess.run(lambda: print('x' * 1_000_000))"


def test_a_reader_that_has_seen_enough_ends_the_command_without_a_word():
    script = f'"$0" -c "{WRITES}" | head -c 1; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"x", b"")


@pytest.mark.parametrize("words", ["dataset moons --export -", "list models", "--help"])
def test_no_command_complains_about_a_reader_that_is_gone(folder, words):
    script = f'"$0" -m bncli {words} | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1)
    assert all(line.startswith("Next: ") for line in done.stderr.splitlines())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_characters_that_a_stream_cannot_encode_are_escaped(folder, encoding):
    done = run("", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out \\u2191 \\udcff\n", b"err \\u2191 \\udcff\n")
