"""How commands start, react to signals and end. These are shortcuts: they must not change what a command does."""

import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from bncli import process
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.errors import DataError
from bncli.resolution import resolve

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


def python(code, *, stdout=subprocess.PIPE, **variables):
    """Run code in a fresh interpreter that is its command's own."""
    script = f"import sys\nfrom bncli import process\nprocess.take_over()\n{code}"
    return subprocess.run(
        [sys.executable, "-c", script],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=os.environ | {"PYTHONUNBUFFERED": ""} | variables,
    )


@pytest.fixture
def ours(monkeypatch):
    """A process that may fork, whatever tests have started in it."""
    monkeypatch.setattr(process, "is_ours", True)
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def test_a_test_is_not_a_process_of_our_own():
    assert not process.is_ours
    assert not process.can_fork()


USES_KERAS = """
from bncli import backend
print(sorted({*process.OPTIONAL} & {*sys.modules}))
import bncli, keras, numpy
config = bncli.RunConfig(dataset="circles", n_samples=64, model="dense4", epochs=1, norm="batch")
from bncli.resolution import resolve
from bncli.data import datasets
from bncli.engines import keras as oracle
config, _ = resolve(config)
((result,),) = oracle.train([config], datasets.load(config))
print(result.state)
print(keras.utils.to_categorical([1], 2).tolist(), keras.utils.pad_sequences([[1], [2, 3]]).shape)
print(keras.layers.Rescaling(2.0)(numpy.ones((1, 2))).numpy().tolist())
import matplotlib.pyplot, pandas, sklearn.datasets
print(matplotlib.pyplot.Figure.__name__, pandas.DataFrame({"a": [1]}).shape, sklearn.datasets.load_iris().target.size)
"""


@pytest.mark.slow
def test_the_installed_keras_works_without_its_optional_imports_which_can_follow():
    done = python(USES_KERAS)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "[]",
        "complete",
        "[[0.0, 1.0]] (2, 2)",
        "[[2.0, 2.0]]",
        "Figure (1, 1) 150",
    ]


def test_what_was_imported_before_stays():
    code = "import pandas\nwith process.lean_import():\n    import pandas as again\nprint(again is pandas)"
    assert python(code).stdout == "True\n"


def test_in_a_notebook_keras_finds_everything(monkeypatch):
    monkeypatch.setattr(process, "OPTIONAL", ("colorsys",))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with process.lean_import():
        import colorsys

        assert colorsys


@LINUX
def test_a_function_runs_beside_the_block(ours):
    with process.beside(os.getpid) as result:
        assert result() not in (None, os.getpid())


@LINUX
def test_its_error_is_raised_where_the_result_is_asked_for(ours):
    def fail():
        raise DataError("no such thing")

    with process.beside(fail) as result, pytest.raises(DataError, match=r"^no such thing$"):
        result()


@LINUX
def test_a_process_that_dies_has_no_result(ours):
    with process.beside(lambda: os._exit(1)) as result:
        assert result() is None


@LINUX
def test_it_does_not_outlive_the_block(ours, tmp_path):
    def wait():
        (tmp_path / "pid").write_text(str(os.getpid()))
        threading.Event().wait()

    with process.beside(wait):
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            pass
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


HOLDS = """
import os, time
def hold():
    print(os.getpid(), flush=True)
    time.sleep(60)
with process.beside(hold):
    time.sleep(60)
"""


@LINUX
@pytest.mark.parametrize(
    "number",
    [*(pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGHUP, signal.SIGTERM)), signal.SIGKILL],
)
def test_it_does_not_outlive_a_parent_that_is_killed(number):
    script = f"from bncli import process\nprocess.take_over()\n{HOLDS}"
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(number)
    assert parent.wait() == -number
    assert psutil.wait_procs([child], timeout=5)[1] == []
    parent.stdout.close()


LATE = """
import multiprocessing, os, pathlib, time
parent = os.getpid()
def wait():
    print(os.getpid(), flush=True)
    while os.getppid() == parent:
        time.sleep(0.01)
    process.die_with_parent()
    pathlib.Path("lives").touch()
multiprocessing.get_context("fork").Process(target=wait).start()
os._exit(0)
"""


@LINUX
def test_a_process_whose_parent_has_ended_already_ends_too(folder):
    done = python(LATE)
    child = int(done.stdout)
    assert not psutil.pid_exists(child) or psutil.wait_procs([psutil.Process(child)], timeout=5)[1] == []
    assert list(folder.iterdir()) == []


SPAWNS = """
import ctypes, multiprocessing
from bncli.__main__ import main
def signal_at_the_end_of_the_parent(_):
    number = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(number))
    return number.value
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(signal_at_the_end_of_the_parent, [None]))
"""


@LINUX
def test_a_worker_process_dies_with_its_parent_from_its_first_import_on(folder):
    (folder / "bncli-script.py").write_text(SPAWNS)
    done = subprocess.run([sys.executable, "bncli-script.py"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"[{signal.SIGKILL.value}]\n", "")


def test_beside_returns_none_if_the_process_cannot_be_forked():
    with process.beside(lambda: 1) as result:
        assert result() is None


@LINUX
@pytest.mark.parametrize("name", ["digits", "circles", "breast_cancer"])
def test_data_from_beside_is_the_same_and_is_not_read_again(ours, monkeypatch, name):
    config = RunConfig(dataset=name)
    expected = datasets.load(config).fingerprint()
    datasets.forget()
    with datasets.loading(config):
        pass
    monkeypatch.setattr(datasets, "_read", None)
    for asked in (config, resolve(config)[0]):
        data = datasets.load(asked)
        assert data.fingerprint() == expected
        assert not data.x_train.flags.writeable
    monkeypatch.undo()
    datasets.forget()


@pytest.mark.parametrize(
    ("code", "status", "output"),
    [
        ("print('out', end='')", 0, "out"),
        ("sys.exit()", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.stdout.close(); sys.exit(1)", 1, ""),
        ("import atexit; atexit.register(print, 'last')", 0, "last\n"),
        ("import threading; threading.Thread(target=threading.Event().wait).start()", 0, ""),
        ("raise RuntimeError", 1, ""),
        ("sys.exit('a text')", 1, ""),
    ],
)
def test_a_process_ends_at_once_with_the_status_of_its_command(code, status, output):
    done = python(f"def command():\n    {code}\nprocess.run(command)")
    assert (done.returncode, done.stdout) == (status, output)


LAST_WORDS = """
class Loud:
    def __del__(self):
        print("released")
kept = Loud()
import atexit
atexit.register(print, "registered")
process.run(lambda: sys.exit(3))
"""


@pytest.mark.parametrize(
    ("variables", "output"),
    [({}, "registered\n"), ({"BNCLI_PLAIN_EXIT": "1"}, "registered\nreleased\n")],
    ids=["at once", "plain"],
)
def test_a_variable_lets_python_itself_end_the_process(variables, output):
    done = python(LAST_WORDS, **variables)
    assert (done.returncode, done.stdout, done.stderr) == (3, output, "")


def test_a_command_ends_alike_with_and_without_the_variable(monkeypatch):
    command = [sys.executable, "-m", "bncli", "list", "metrics", "--format", "csv"]
    quick = subprocess.run(command, capture_output=True, text=True, check=True)
    monkeypatch.setenv("BNCLI_PLAIN_EXIT", "")
    plain = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (plain.stdout, plain.stderr) == (quick.stdout, quick.stderr)
    assert quick.stdout.startswith("metric,")


@LINUX
@pytest.mark.parametrize("flush", [True, False])
def test_output_that_cannot_be_written_gives_exit_status_120(tmp_path, flush):
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    with (tmp_path / "out").open("w") as full:
        done = python(f"{code}\nprocess.run(lambda: print('out', flush={flush}))", stdout=full)
    assert done.returncode == 120
    assert done.stderr == "Error: The output can't be written (File too large).\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--help", "Try first"),
        pytest.param("list arms --format csv", "batch", marks=pytest.mark.slow),
        ("sweep -d circles lr=0.1,0.2 --dry-run --quiet", "18 runs"),
    ],
)
def test_commands_start_without_docstrings(arguments, text, folder):
    done = subprocess.run(
        [sys.executable, "-OO", "-m", "bncli", *arguments.split()], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert text in done.stdout


def test_the_memory_is_that_of_the_machine_or_of_the_container(monkeypatch, tmp_path):
    monkeypatch.setattr(process, "MEMORY_LIMITS", ())
    whole = process.usable_memory()
    for name, text in (("v2", "max\n"), ("v1", "9223372036854771712\n"), ("small", "4096\n")):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(process, "MEMORY_LIMITS", (tmp_path / "v1", tmp_path / "v2", tmp_path / "absent"))
    assert process.usable_memory() == whole > 2**28
    monkeypatch.setattr(process, "MEMORY_LIMITS", (tmp_path / "small",))
    assert process.usable_memory() == 4096
