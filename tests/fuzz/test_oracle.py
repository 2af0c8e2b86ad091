"""The oracle itself can fail: whatever it forbids is caught; and the budget is spent."""

import importlib
import os
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import pytest

from bncli.errors import InvalidConfig
from fuzz import budget, oracle
from fuzz.oracle import Call, Finding


def traceback_of():
    print("Traceback (most recent call last):\n  File ...\nKeyError: 'x'", file=sys.stderr)
    sys.exit(1)


def raises():
    raise KeyError("x")


def apologizes():
    print("Error: bncli did not expect this: KeyError: 'x' (a.py, line 3).", file=sys.stderr)
    sys.exit(1)


def unhandled():
    raise InvalidConfig("not caught by anyone")


def escape():
    print("\x1b[2J")


def c1_on_stderr():
    print("Note: \x9b2J", file=sys.stderr)


def turned():
    print("\u202egnp.exe")


def five_lines():
    print("\n".join("abcde"), file=sys.stderr)
    sys.exit(1)


def long_line():
    print("Error: " + "x" * 10_000, file=sys.stderr)
    sys.exit(2)


def outside():
    Path("../elsewhere/new.txt").write_text("x")


def in_cwd():
    Path("new.txt").write_text("x")


def changes():
    Path("../home/.profile").write_text("x")


def deletes():
    Path("mine.txt").unlink()


def left_behind():
    Path(os.environ["TMPDIR"], "x").mkdir()


def permissions():
    Path("mine.txt").chmod(0o777)


def marks_up():
    Path("studies/mine/report.html").write_text("<p><script>alert(1)</script>")


def drops():
    path = Path("studies/mine/runs.jsonl")
    path.write_bytes(path.read_bytes().split(b"\n", 1)[1])


def hangs():
    time.sleep(60)


def spins():
    while True:
        pass


def status_3():
    sys.exit(3)


def status_text():
    sys.exit("no number")


def silent():
    sys.exit(2)


def content():
    print("Error: no, but", file=sys.stderr)


def warns():
    warnings.warn("careful", RuntimeWarning, stacklevel=1)


def starts():
    import subprocess

    subprocess.run(["curl", "http://x"], check=False)


FORBIDDEN = {
    traceback_of: "a traceback: KeyError: '...'",
    raises: "KeyError",
    apologizes: "an unexpected error: KeyError: '...' (a.py, line N).",
    unhandled: "InvalidConfig",
    escape: "a control character on stdout: ?[NJ",
    c1_on_stderr: "a control character on stderr: Note: ?NJ",
    turned: "a control character on stdout: ?gnp.exe",
    five_lines: "more than 4 lines on stderr: e",
    long_line: "a line of more than 4000 characters on stderr: Error: x",
    outside: "created outside of what was given: new.txt",
    in_cwd: "created outside of what was given: new.txt",
    changes: "changed outside of what was given: .profile",
    deletes: "deleted outside of what was given: mine.txt",
    left_behind: "created outside of what was given: x",
    permissions: "changed outside of what was given: mine.txt",
    marks_up: "markup of a name on a page",
    drops: "lines of a journal are lost",
    hangs: f"no end within {oracle.LIMIT:g} s",
    spins: f"no end within {oracle.LIMIT:g} s",
    status_3: "exit status N",
    status_text: "exit status no number",
    silent: "exit 2 without a reason: ",
    content: "exit 0 with an error: Error: no, but",
    warns: "a warning: RuntimeWarning: careful",
    starts: "a process is started: curl",
}


def judge(world, run, statuses=oracle.STATUSES):
    """Let the oracle look at what a function does, which runs in the world and returns how it ended."""
    with world.visit():
        before = oracle.seen(world.root)
        ended = run()
        call = Call(("x",), writes=("studies",))
        oracle.check(call, ended, str(world.here), before, oracle.seen(world.root), statuses)
    return ended


@pytest.mark.parametrize("function", FORBIDDEN, ids=lambda function: function.__name__)
def test_what_is_forbidden_is_caught(world, function):
    limit = 0.2 if function in (hangs, spins) else None
    with pytest.raises(Finding) as found:
        judge(world, lambda: oracle.run_here(("x",), command=lambda trainer: function(), limit=limit))
    assert found.value.kind == FORBIDDEN[function]


def allowed():
    print("a table\twith a tab\n")
    print("Note: one\nNote: two\n80 runs: 8 conditions x 10 seeds\nFolder: x\nWrote x\nReport: x", file=sys.stderr)
    print("Usage: x\nTry: x\n\nError: no", file=sys.stderr)
    Path("studies/mine/report.html").write_text("new")
    Path("studies/new").mkdir()
    sys.exit(2)


def test_what_is_allowed_is_not(world):
    ended = judge(world, lambda: oracle.run_here(("x",), command=lambda trainer: allowed()))
    assert (ended.status, ended.out) == (2, "a table\twith a tab\n\n")


PROCESSES = {
    "raise KeyError('x')": "a traceback: KeyError: '...'",
    r"print('\x1b[2J')": "a control character on stdout: ?[NJ",
    "import sys; sys.stderr.write('x\\n' * 5)": "more than 4 lines on stderr: x",
    "open('../elsewhere/x', 'w')": "created outside of what was given: x",
    "while True: pass": f"no end within {oracle.LIMIT:g} s",
    "import os; os.kill(os.getpid(), 11)": "exit status -N",
}


@pytest.mark.parametrize("code", PROCESSES)
def test_what_is_forbidden_is_caught_in_a_process(world, code):
    program, limit = (sys.executable, "-c", code), 1 if "while" in code else 20
    with pytest.raises(Finding) as found:
        judge(world, lambda: oracle.run_process((), program=program, limit=limit))
    assert found.value.kind == PROCESSES[code]


def test_the_world_is_made_anew_after_every_visit(world):
    with world.visit() as here:
        for path in (here / "mine.txt", here / "studies" / "mine" / "runs.jsonl", world.root / "home" / ".profile"):
            path.unlink()
        (here / "new").mkdir(mode=0)
    assert oracle.seen(world.root) == world.pristine


def test_what_a_call_is_in_a_shell():
    assert str(Call(("train", "-d", "a b", "--set", "x\x1b'"))) == r"bncli train -d 'a b' --set $'x\x1b\x27'"
    assert str(Call(("x" * 5000,))) == """bncli '"$(python3 -c 'print("x"*5000)')"'"""


def test_the_whole_budget_is_spent():
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(f"fuzz.{path.stem}")
    parts = Counter()
    for (kind, _), part in budget.PARTS.items():
        parts[kind] += part
    assert sum(budget.SHARES.values()) == pytest.approx(1)
    assert parts == pytest.approx(dict.fromkeys(budget.SHARES, 1))


def test_the_table_at_the_end():
    counts = Counter({("fields", "exit 0"): 1200, ("fields", "finding"): 1, ("paths", "exit 2"): 7})
    assert budget.table(counts) == [
        "inputs  tried  exit 0  exit 2  finding",
        "fields  1,201   1,200       -        1",
        "paths       7       -       7        -",
        "all     1,208   1,200       7        1",
    ]
