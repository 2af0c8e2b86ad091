"""Odd paths, for everything that reads or writes one."""

import os
import shutil

from hypothesis import strategies as st

from bncli.data import datasets
from fuzz.budget import fuzz
from fuzz.oracle import Call
from fuzz.strategies import is_word
from fuzz.world import FOLDER

ODD_NAMES = [
    "new\nline",
    "esc\x1b[2J",
    "caf\udce9",
    "\x9b2J",
    "\u202ecod",
    "\u2028",
    "tab\t",
    "cr\rx",
    "x" * 255,
    "x" * 256,
    "x" * 5000,
]
ODD_NAMES += [
    "-",
    "--",
    "-n",
    "--out",
    "~",
    "~root",
    "~/x",
    "http:",
    "http://x/y",
    "s3://b/k",
    "file:x",
    "a b",
    " ",
    "  x",
    "",
    ".",
]
ODD_NAMES += [
    "..",
    "./x",
    "a/../b",
    "../elsewhere/x",
    "a//b",
    "a/b/c/d",
    "x/",
    "$HOME",
    "*",
    "?",
    "[x]",
    "\u00e9",
    "e\u0301",
    "\\",
    "a\\b",
]
ODD_NAMES += [
    "CON",
    "con:",
    ".hidden",
    "...",
    "\u200b",
    "\U0001f600",
    "{x}",
    "%s",
    "[bold]x[/]",
    "=",
    "a=b",
    ",",
    "a,b",
    "mine.txt",
]
ODD_NAMES += [
    "mine.txt/x",
    "table.csv",
    "studies",
    FOLDER,
    f"{FOLDER}/study.json",
    f"{FOLDER}/runs.jsonl",
    "/".join(["d"] * 300),
]

DEVICES = ["/dev/null", "/dev/full", "/dev/stdin", "/dev/fd/77", "/proc/self/mem", "/proc/self/environ", "/nowhere/x"]

ENDINGS = ["", "", ".csv", ".npz", ".png", ".svg", ".keras", ".toml", ".parquet", ".csv.gz", ".CSV"]


def stays(name):
    """Whether a name leads to nowhere but into the world of the test."""
    return is_word(name) and not name.startswith("/") and name.count("..") < 3


names = (
    st.sampled_from(ODD_NAMES)
    | st.text(max_size=12).filter(stays)
    | st.binary(max_size=12).map(os.fsdecode).filter(stays)
)

paths = st.tuples(names, st.sampled_from(ENDINGS)).map("".join).filter(stays)

READS = [
    "status PATH",
    "list studies PATH",
    "dataset PATH",
    "dataset PATH --label label",
    "train -n -d PATH --label label",
]
READS += [
    "sweep -n -p PATH",
    "compare -n -p PATH",
    "train -n -p PATH",
    "verify --list PATH",
    "train -n -d circles -o PATH",
]
READS += ["sweep -n -p mine.toml -o PATH", "sweep -n --preset=PATH"]

WRITES = [
    "dataset circles --plot PATH",
    "dataset circles --export PATH",
    "dataset circles --export PATH --export-as csv",
]
WRITES += ["dataset circles --export PATH --export-as npz", "report PATH", "report PATH --metric loss"]
WRITES += ["train -d circles -e 1 -m dense4 --set n_samples=64 -o PATH", "sweep -p mine.toml -s 1 -o PATH"]
WRITES += [
    "train -d circles -e 1 -m dense4 --set n_samples=64 --save-model PATH",
    "sweep -p mine.toml --restart -s 1 -o PATH",
]
WRITES += ["verify mine.toml --claim better -o PATH", "train -d circles -e 1 -m dense4 --set n_samples=64 --out=PATH"]

CONTENTS = {".csv": "table.csv", ".toml": "mine.toml"}
"""What is put at a path to read, by its ending."""


def words_of(command, path):
    return tuple(word.replace("PATH", path) for word in command.split())


def written(command, path):
    """What a command may write to: the path, or below it."""
    return (path or ".",) if "PATH" in command else ()


@fuzz("paths", st.sampled_from(READS), paths | st.sampled_from(DEVICES), st.booleans(), part=0.4)
def test_paths_that_are_read(world, command, path, is_there):
    datasets.forget()
    with world.visit() as here:
        source = next((name for ending, name in CONTENTS.items() if path.endswith(ending)), None)
        if is_there and source and not path.startswith("/"):
            try:
                os.makedirs(os.path.dirname(here / path), exist_ok=True)
                shutil.copy(here / source, here / path)
            except (OSError, shutil.SameFileError):
                pass
        world.run("paths", Call(words_of(command, path)))


@fuzz("paths", st.sampled_from(WRITES), paths | st.sampled_from(DEVICES), part=0.6)
def test_paths_that_are_written(world, no_figures, command, path):
    with world.visit():
        is_binary = path == "-" and "npz" in command
        call = Call(
            words_of(command, path), writes=written(command, path), is_binary=is_binary, drops="--restart" in command
        )
        world.run("paths", call)
