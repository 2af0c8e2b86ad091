"""Streams that are closed, full or of another encoding, and odd variables of the environment: real processes."""

import os
from dataclasses import replace

import pytest
from hypothesis import strategies as st

from fuzz.budget import fuzz
from fuzz.oracle import Call
from fuzz.strategies import few
from fuzz.strategies import odd as odd_words
from fuzz.test_options import COMMANDS
from fuzz.world import FOLDER

SHORT = [
    f"status {FOLDER}",
    "list models",
    "train -n -d circles --set lr=x",
    "dataset circles -f csv",
    "verify --list",
    "--version",
]
SHORT += ["sweep -n -p mine.toml -f json", f"report {FOLDER} -f csv", "list studies", "status nowhere", "train --help"]

STREAMS = [
    "<&-",
    ">&-",
    "2>&-",
    "<&- >&- 2>&-",
    ">/dev/full",
    "2>/dev/full",
    ">/dev/full 2>&1",
    "| head -c 1",
    "2>&1 | head -c 1",
]
STREAMS += ["| true", "</dev/zero", "2>&1", "</dev/full", "1<&0", "2<&0"]

ENCODINGS = ["ascii", "cp1252", "latin-1", "utf-8", "utf-16", "cp437", "shift_jis", "ascii:strict", "utf-8:replace"]

odd = st.sampled_from(
    ["", "0", "1", "-1", "x", "nowhere/x", "/dev/null", "\x1b[2J", "caf\udce9", "9" * 30, "a\nb", "true", "tensorflow"]
)

HERE = [
    "COLUMNS",
    "LINES",
    "TERM",
    "NO_COLOR",
    "HOME",
    "TMPDIR",
    "MPLBACKEND",
    "BNCLI_DATA_DIR",
    "KERAS_HOME",
    "XDG_CACHE_HOME",
]
HERE += [
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
    "UNICODE_VERSION",
    "COMP_WORDS",
    "BNCLI_PLAIN_EXIT",
    "TZ",
    "LANG",
    "LC_ALL",
]
"""Variables that are read when they are needed, so that this process can have them."""

STARTING = [
    *HERE,
    "FORCE_COLOR",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_XLA_FLAGS",
    "KERAS_BACKEND",
    "MPLCONFIGDIR",
    "MATPLOTLIBRC",
]
STARTING += [
    "PYTHONUTF8",
    "PYTHONOPTIMIZE",
    "PYTHONWARNINGS",
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONSAFEPATH",
]
STARTING += [
    "PYTHONNOUSERSITE",
    "PYTHONCOERCECLOCALE",
    "PYTHONTRACEMALLOC",
    "PYTHONASYNCIODEBUG",
    "PYTHONDEVMODE",
    "PYTHONINTMAXSTRDIGITS",
]
STARTING += [
    "DASK_DISTRIBUTED__WORKER__DAEMON",
    "DASK_CONFIG",
    "DASK_TEMPORARY_DIRECTORY",
    "OMP_NUM_THREADS",
    "BNCLI_WORKER",
    "GIT_DIR",
]
STARTING += [
    "SKLEARN_ASSUME_FINITE",
    "JOBLIB_TEMP_FOLDER",
    "ARROW_DEFAULT_MEMORY_POOL",
    "NPY_DISABLE_CPU_FEATURES",
    "LC_CTYPE",
]

SOUND = {
    "PYTHONUTF8": ["0", "1"],
    "PYTHONOPTIMIZE": ["1", "2"],
    "PYTHONWARNINGS": ["error", "always", "x"],
    "PYTHONTRACEMALLOC": ["1"],
}
SOUND |= {
    "PYTHONINTMAXSTRDIGITS": ["0", "640"],
    "NPY_DISABLE_CPU_FEATURES": ["AVX2"],
    "PYTHONDEVMODE": [""],
    "LC_ALL": ["C", "POSIX", "xx"],
}
SOUND |= {
    "LANG": ["C", "de_DE.ISO-8859-1", "xx"],
    "COLUMNS": ["0", "1", "-5", "99999999", "x", "80"],
    "TERM": ["dumb", "xterm", "x"],
}
SOUND |= {"FORCE_COLOR": ["1"], "PYTHONCOERCECLOCALE": ["0", "warn"]}
"""Values of variables that Python itself stops at other ones, or that have values of their own."""

CACHES = ("../home/.cache", "../home/.config", "../home/keras")
"""Where libraries keep what they found out about fonts and settings."""


def value_of(name):
    return st.sampled_from(SOUND[name]) if name in SOUND else odd


def variables(names):
    return st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({name: value_of(name) for name in chosen})
    )


def call_of(command, **more):
    return Call(tuple(command.split()), writes=(*CACHES, *((FOLDER,) if "report" in command else ())), **more)


shown = st.sampled_from([*SHORT, f"report {FOLDER}", "dataset digits", "train -n"])


@fuzz("environment", shown, variables(HERE), st.booleans())
def test_environment(world, no_figures, command, values, terminal):
    is_coloured = terminal or "TTY_COMPATIBLE" in values
    with world.visit(**values):
        world.run("environment", call_of(command, colours=is_coloured, terminal=terminal, is_heard=not terminal))


shells = st.sampled_from(["complete_bash", "complete_zsh", "complete_fish", "complete_powershell", "complete_x"])


@fuzz(
    "completion", st.sampled_from(list(COMMANDS)), few(odd_words | st.sampled_from(["--set", "-d", "--arms"])), shells
)
def test_completion(world, command, words, shell):
    """What a shell asks for while a hostile line is typed."""
    line = " ".join(["bncli", command, *words])
    values = {"_BNCLI_COMPLETE": shell, "COMP_WORDS": line, "COMP_CWORD": str(len(words) + 1)}
    with world.visit(**values | {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}):
        world.run("completion", Call(()))


def named(values):
    """What variables name, which may be folders of caches."""
    return [value for value in values.values() if value and not value.startswith("/")]


@fuzz("environment, processes", st.sampled_from(SHORT), variables(STARTING))
def test_environment_of_processes(world, command, values):
    is_coloured = bool({"FORCE_COLOR", "TTY_COMPATIBLE"} & set(values))
    with world.visit(**values):
        call = call_of(command, colours=is_coloured)
        world.start("environment, processes", replace(call, writes=(*call.writes, *named(values))))


TENSORFLOW = {
    "TF_CPP_MIN_LOG_LEVEL": ["0", "3", "x", ""],
    "TF_XLA_FLAGS": ["--nonsense", "x", "--tf_xla_auto_jit=2"],
    "XLA_FLAGS": ["--nonsense", "x", "--xla_cpu_enable_fast_math=true"],
    "TF_NUM_INTRAOP_THREADS": ["-5", "x", "1"],
    "TF_ENABLE_ONEDNN_OPTS": ["x", "0"],
    "TF_USE_LEGACY_KERAS": ["1", "x"],
    "TF_DETERMINISTIC_OPS": ["x", "1"],
    "CUDA_VISIBLE_DEVICES": ["x", "-1"],
    "KERAS_BACKEND": ["", "x", "torch", "TENSORFLOW", "\x1b[2J"],
    "KERAS_HOME": ["/dev/null", "mine.txt", "\x1b[2J", "caf\udce9"],
    "OMP_NUM_THREADS": ["-1", "99999"],
    "PYTHONWARNINGS": ["error"],
    "PYTHONOPTIMIZE": ["2"],
    "HOME": ["/dev/null", "mine.txt", "nowhere"],
}

pairs = st.sampled_from([(name, value) for name, values in TENSORFLOW.items() for value in values])


@pytest.mark.slow
@fuzz("environment, TensorFlow", pairs, pairs)
def test_environment_of_training(world, one, other):
    values = dict([one, other])
    with world.visit(**values):
        words = ("train", "-d", "circles", "-m", "dense4", "-e", "1", "-q", "--set", "n_samples=64")
        world.start("environment, TensorFlow", Call(words, writes=(*CACHES, *named(values))))


@fuzz("streams", st.sampled_from(SHORT), st.sampled_from(["", "", *STREAMS]), st.sampled_from([None, *ENCODINGS]))
def test_streams(world, command, streams, encoding):
    values = {} if encoding is None else {"PYTHONIOENCODING": encoding}
    with world.visit(**values):
        name = (encoding or "utf-8").partition(":")[0]
        call = call_of(command, is_heard=not any(part in streams for part in ("2>", "2<", "|")))
        world.start("streams", call, shell=f"{streams}; exit ${{PIPESTATUS[0]}}", encoding=name)


@pytest.mark.parametrize("name", ["study.json", "runs.jsonl", "verdicts.json"])
def test_files_without_an_end(world, name):
    """A link to a device that never ends does not fill the memory."""
    with world.visit() as here:
        path = here / FOLDER / name
        path.unlink()
        path.symlink_to("/dev/zero")
        limit = "; exit $?"
        program = ("bash", "-c", 'ulimit -v 4000000; exec "$@"', "bash", *(os.sys.executable, "-m", "bncli"))
        world.start("foreign files", call_of(f"report {FOLDER}"), program=program, shell=limit)
