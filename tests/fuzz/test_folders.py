"""A finished study's folder with changed, damaged and foreign files: what reads it, continues it or reports it."""

import fcntl
import json
import os
import shutil
import socket
from contextlib import contextmanager, suppress
from pathlib import Path

from hypothesis import strategies as st

from fuzz.budget import fuzz
from fuzz.oracle import Call
from fuzz.strategies import changed_json, damaged
from fuzz.world import FOLDER, only_figures

READS = [f"status {FOLDER}", f"status {FOLDER} -f json", "list studies", "list studies -f csv", "sweep -n -p mine.toml"]

WRITES = [
    f"report {FOLDER}",
    f"report {FOLDER} -f json",
    f"report {FOLDER} -f csv",
    f"report {FOLDER} -f jsonl",
    f"report {FOLDER} --metric loss -f md",
    f"report {FOLDER} --threshold 0.5",
    "sweep -p mine.toml",
    "sweep -p mine.toml --seeds 1",
    "sweep -p mine.toml --seeds 9",
    "sweep -p mine.toml --seeds 7 --retry-failed -f jsonl",
    "sweep -p mine.toml --shard 2/2 --seeds 7",
    "sweep -p mine.toml --arms none,layer",
    "verify mine.toml --claim better",
]

RESTART = "sweep -p mine.toml --restart --seeds 1"

OWN = [
    "study.json",
    "runs.jsonl",
    "runs-1-of-2.jsonl",
    "verdicts.json",
    "summary.csv",
    "history.csv",
    "differences.csv",
    "report.html",
    "figures",
    "figures/curves.png",
    ".runs.jsonl.lock",
    ".study.json.lock",
    "runs-2-of-2.jsonl",
]

OLD = Path(__file__).parents[1] / "study" / "folders"
"""Folders that earlier versions wrote."""

OLD_NAMES = sorted(path.parent.name for path in OLD.glob("*/study.json"))

commands = st.sampled_from([*READS, *WRITES, RESTART])


def call_of(command):
    """A command on the folder: what reads may write nothing, and what writes may lose no run."""
    return Call(tuple(command.split()), writes=() if command in READS else (FOLDER,), drops=command == RESTART)


def stored(world, name):
    """The text of a file of the finished study, by its name."""
    return (world.template / "here" / FOLDER / name).read_text()


@fuzz("study.json", st.data(), commands, part=0.6)
def test_changed_study(world, no_figures, data, command):
    with world.visit() as here:
        text = data.draw(changed_json([stored(world, "study.json")]))
        (here / FOLDER / "study.json").write_text(text, errors="surrogatepass")
        world.run("study.json", call_of(command))


@fuzz("study.json", st.data(), commands, part=0.2)
def test_damaged_study(world, no_figures, data, command):
    with world.visit() as here:
        (here / FOLDER / "study.json").write_bytes(data.draw(damaged([stored(world, "study.json").encode()])))
        world.run("study.json", call_of(command))


@fuzz("study.json", st.data(), st.sampled_from(WRITES), part=0.2)
def test_changed_choice(world, no_figures, data, command):
    """What the folder remembers of `--metric` and `--threshold`."""
    content = json.loads(stored(world, "study.json"))
    with world.visit() as here:
        changed = data.draw(changed_json([json.dumps(content["report"])]))
        text = json.dumps(content | {"report": "?"}).replace('"?"', changed)
        (here / FOLDER / "study.json").write_text(text, errors="surrogatepass")
        world.run("study.json", call_of(command))


@fuzz("old folders", st.sampled_from(OLD_NAMES), st.booleans(), st.booleans(), st.data())
def test_old_folders(world, no_figures, name, is_study, is_damaged, data):
    """Folders of earlier versions, and of a study by `train`, with a changed study or a changed run."""
    change = damaged if is_damaged else changed_json
    command = data.draw(
        st.sampled_from(["status old", "report old", "report old -f json", "list studies .", "train -n -o old"])
    )
    with world.visit() as here:
        shutil.copytree(OLD / name, here / "old")
        path = data.draw(
            st.sampled_from([here / "old" / "study.json"] if is_study else sorted((here / "old").glob("*.jsonl")))
        )
        content = path.read_bytes() if is_damaged else path.read_text()
        whole = [content] if is_study or is_damaged else content.splitlines()[:3]
        new = data.draw(change(whole))
        path.write_bytes(new) if is_damaged else path.write_text(new + "\n", errors="surrogatepass")
        world.run("old folders", Call(tuple(command.split()), writes=("old",) if "report" in command else ()))


NOTE = json.dumps({"pid": 1, "host": "here", "since": "2026-01-01 10:00:00", "command": "bncli sweep"})


@fuzz("locks", st.sampled_from(["runs.jsonl", "runs-1-of-2.jsonl"]), changed_json([NOTE]), commands)
def test_notes_of_locks(world, no_figures, name, note, command):
    """Another process has a lock, whose note is anything."""
    with world.visit() as here:
        path = here / FOLDER / f".{name}.lock"
        path.write_text(note, errors="surrogatepass")
        with path.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            world.run("locks", call_of(command))


JOURNALS = ["runs.jsonl", "runs-1-of-2.jsonl"]


@fuzz("journals", st.sampled_from(JOURNALS), st.data(), commands, part=0.6)
def test_changed_runs(world, no_figures, name, data, command):
    lines = stored(world, name).splitlines()
    with world.visit() as here:
        place = data.draw(st.integers(0, len(lines) - 1))
        lines[place] = data.draw(changed_json([lines[place]])).replace("\n", "")
        (here / FOLDER / name).write_text("\n".join(lines) + "\n", errors="surrogatepass")
        world.run("journals", call_of(command))


@fuzz("journals", st.sampled_from(JOURNALS), st.data(), commands, part=0.4)
def test_damaged_runs(world, no_figures, name, data, command):
    with world.visit() as here:
        (here / FOLDER / name).write_bytes(data.draw(damaged([stored(world, name).encode()])))
        world.run("journals", call_of(command))


@fuzz("verdicts and other files", st.data(), st.sampled_from(WRITES), part=0.6)
def test_changed_verdicts(world, no_figures, data, command):
    with world.visit() as here:
        text = data.draw(changed_json([stored(world, "verdicts.json")]))
        (here / FOLDER / "verdicts.json").write_text(text, errors="surrogatepass")
        world.run("verdicts and other files", call_of(command))


@fuzz("verdicts and other files", st.sampled_from(OWN[3:]), st.binary(max_size=40), commands, part=0.4)
def test_other_content(world, no_figures, name, content, command):
    """A file that bncli makes anew, or a lock, holds anything."""
    with world.visit() as here:
        path = here / FOLDER / name
        if not path.is_dir():
            path.write_bytes(content)
        world.run("verdicts and other files", call_of(command))


def put(path, what, outside):
    """Put something foreign in place of what is at a path."""
    if path.is_dir():
        path.rename(path.with_name("before"))
    path.unlink(missing_ok=True)
    match what:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "full folder":
            path.mkdir()
            (path / "mine.txt").write_text("mine\n")
        case "socket":
            with socket.socket(socket.AF_UNIX) as end, suppress(OSError):  # a path of more than 107 bytes has no socket
                end.bind(str(path))
        case "unreadable":
            path.write_text("{}")
            path.chmod(0)
        case _:
            path.symlink_to(
                {"loop": path.name, "file": outside / "mine.txt", "nothing": outside / "new.txt"}.get(what, what)
            )


FOREIGN = [
    "pipe",
    "folder",
    "full folder",
    "socket",
    "unreadable",
    "loop",
    "file",
    "nothing",
    "/dev/null",
    "/dev/full",
    "/proc/self/mem",
]


@contextmanager
def nobody(folder):
    """Be somebody in the block who may not read what nobody may: root may read everything."""
    if os.geteuid():
        yield
        return
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            os.chown(os.path.join(parent, name), 65534, 65534, follow_symlinks=False)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@fuzz("foreign files", st.sampled_from(OWN), st.sampled_from(FOREIGN), commands, part=0.8)
def test_foreign_things(world, no_figures, name, what, command):
    with world.visit() as here:
        put(here / FOLDER / name, what, world.root / "elsewhere")
        with nobody(world.root):
            world.run("foreign files", call_of(command))


@fuzz(
    "foreign files",
    st.sampled_from(["figures", "figures/curves.png", "figures/curves.svg"]),
    st.sampled_from(FOREIGN),
    part=0.1,
)
def test_foreign_figures(world, name, what):
    with world.visit() as here, only_figures("curves"):
        put(here / FOLDER / name, what, world.root / "elsewhere")
        with nobody(world.root):
            world.run("foreign files", call_of(WRITES[0]))


@fuzz("foreign files", st.sampled_from([FOLDER, "studies"]), st.sampled_from(FOREIGN), commands, part=0.1)
def test_foreign_folders(world, no_figures, name, what, command):
    """The study's folder itself, or the one of all studies, is something else."""
    with world.visit() as here:
        put(here / name, what, world.root / "elsewhere")
        with nobody(world.root):
            world.run("foreign files", call_of(command))
