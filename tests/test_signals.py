"""Signals, as real processes receive them; what they mean for a study's folder is in cli/test_torture.py."""

import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX signals")

EACH = pytest.mark.parametrize(
    ("number", "status"),
    [(getattr(signal, name, None), status) for name, status in (("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129))],
)


def python(code, number):
    """Run code as a command's; `send()` sends its process a signal."""
    script = (
        "import os, sys\nfrom bncli import process, signals\n"
        f"def send():\n    os.kill(os.getpid(), {int(number)})\n"
        f"def command():\n{code}\nprocess.run(command)"
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)


@EACH
def test_a_signal_ends_a_command_with_its_status(number, status):
    done = python("    send()\n    print('not reached')", number)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "Interrupted.\n")


@EACH
def test_a_second_signal_ends_it_at_once(number, status):
    code = "    try:\n        send()\n    except KeyboardInterrupt:\n        send()\n        print('not reached')"
    done = python(code, number)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@EACH
def test_a_held_block_ends_first(number, status):
    code = "    with signals.held():\n        send()\n        print('reached', flush=True)\n    print('not reached')"
    done = python(code, number)
    assert (done.returncode, done.stdout, done.stderr) == (status, "reached\n", "Interrupted.\n")


LOST = """
    class Swallows:
        def __del__(self):
            send()
    Swallows()
    print("lost", flush=True)
    signals.check()
    print("not reached")
"""


@EACH
def test_a_signal_that_python_forgets_is_found_by_the_next_check(number, status):
    done = python(LOST, number)
    assert (done.returncode, done.stdout, done.stderr) == (status, "lost\n", "Interrupted.\n")


WAITING = """
    import hashlib
    from bncli.thread import in_thread
    def make(here):
        import threading
        threading.Timer(0.3, send).start()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)
        yield 1
    list(in_thread(make))
"""


@EACH
def test_a_signal_ends_the_waiting_for_a_thread_that_never_returns_to_python(number, status):
    done = python(WAITING, number)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "Interrupted.\n")


def test_what_a_script_started_in_the_background_ignores_control_c():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = python("    send()\n    print('reached')", signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done.returncode, done.stdout, done.stderr) == (0, "reached\n", "")


def test_control_c_during_the_first_imports_prints_no_traceback():
    for delay in (0.0, 0.02, 0.05, 0.1, 0.15, 0.2):
        with subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "bncli", "list", "models"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        ) as process:
            for line in process.stderr:
                if "bncli.errors" in line:  # the first import after `__main__` has begun
                    break
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        messages = [line for line in err.splitlines() if not line.startswith("import time:")]
        assert process.returncode in (0, 130, -signal.SIGINT)
        if process.returncode:
            assert messages in ([], ["Interrupted."])
        else:  # the command ended before the signal came
            assert out
            assert [line for line in messages if not line.startswith("Next: ")] == []
