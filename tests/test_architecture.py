"""The shape of the code base itself: which folder imports which, and what stays out of a light start."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "bncli"
FLOORS = (
    ("errors", "registry", "atomic", "values", "signals", "streams", "thread", "process", "timeline", "backend"),
    ("tasks",),
    ("data",),
    ("networks",),
    ("training",),
    ("config", "fields", "resolution", "results"),
    ("probes",),
    ("engines",),
    ("study",),
    ("analysis",),
    ("diagnosis",),
    ("claims",),
    ("report",),
    ("cli",),
    ("api",),
    ("__main__",),
)
"""Folders and single modules, from the lowest floor to the highest; each imports only from its own floor and below."""

MAX_LINES = 400
HEAVY = ("tensorflow", "keras", "sklearn", "scipy", "matplotlib", "pandas", "numpy", "pyarrow", "dask", "distributed")


def module_name(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__init__.py"}


def floor_of(name):
    return next(number for number, floor in enumerate(FLOORS) if name.split(".")[0] in floor)


def imported(source):
    """Modules of the package that a source text imports anywhere: in functions and for types too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "bncli":
            inside = node.module.removeprefix("bncli").lstrip(".")
            names = {".".join(part for part in (inside, alias.name) if part) for alias in node.names}
            found |= {name if name in MODULES else inside for name in names}
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("bncli.") for alias in node.names if alias.name.startswith("bncli.")}
    return found


def climbs(name, source):
    """What a module imports from a higher floor."""
    return {other for other in imported(source) if floor_of(other) > floor_of(name)}


def cycle(graph):
    """The modules of a circle of imports; none where there is no circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_every_module_has_its_floor():
    assert [name for name in MODULES if not any(name.split(".")[0] in floor for floor in FLOORS)] == []
    assert {part for floor in FLOORS for part in floor} == {name.split(".")[0] for name in MODULES}


@pytest.mark.parametrize("name", MODULES)
def test_no_import_climbs(name):
    assert climbs(name, MODULES[name].read_text()) == set()


def test_no_circle_of_imports():
    assert cycle({name: imported(path.read_text()) for name, path in MODULES.items()}) == []


def test_imports_for_types_and_in_functions_count():
    source = (
        "if TYPE_CHECKING:\n    from bncli.report.page import render\ndef f():\n    from bncli.cli import app\n"
        "    import bncli.study.lock"
    )
    assert imported(source) == {"report.page", "cli.app", "study.lock"}
    assert climbs("analysis.evidence", source) == {"report.page", "cli.app"}
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []


@pytest.mark.parametrize("name", MODULES)
def test_no_file_is_long(name):
    assert len(MODULES[name].read_text().splitlines()) <= MAX_LINES


def loaded_by(code):
    """Heavy packages in `sys.modules` after running `code` in a fresh interpreter."""
    script = f"import sys\n{code}\nprint(*(n for n in {HEAVY} if n in sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    return done.stderr.splitlines()[-1].split()


def cli(*arguments):
    return f"sys.argv = {['bncli', *arguments]}\nfrom bncli.cli.app import main\ntry: main()\nexcept SystemExit: pass"


def test_help_and_typing_errors_load_nothing_heavy():
    calls = [["--help"], ["sweep", "--help"], ["--version"], ["dataset", "digit"]]
    assert loaded_by("\n".join(cli(*arguments) for arguments in calls)) == []


def test_no_command_that_trains_nothing_loads_tensorflow():
    calls = [
        ["dataset"],
        ["dataset", "circles"],
        ["train", "--model", "conv8", "--dataset", "circles"],
        ["sweep", "--dry-run"],
        ["compare", "--preset", "nothing"],
    ]
    assert not {"tensorflow", "keras"} & set(loaded_by("\n".join(cli(*arguments) for arguments in calls)))


def test_the_library_face_is_lazy_and_complete():
    assert loaded_by("import bncli") == []
    import bncli

    assert all(getattr(bncli, name) for name in bncli.__all__)
    assert set(bncli.__all__) <= set(dir(bncli))
    with pytest.raises(AttributeError, match=r"^module 'bncli' has no attribute 'nothing'$"):
        _ = bncli.nothing


@pytest.mark.slow
def test_every_module_can_be_imported_where_the_modules_of_unix_are_missing():
    """As on Windows. What other packages need of them there is not our concern: psutil, for one, is imported before."""
    missing = ("fcntl", "grp", "pwd", "resource", "termios")
    names = [f"bncli.{name}" for name in MODULES if name != "__main__"]
    script = f"import importlib, distributed, sys\nfor name in {missing}: sys.modules[name] = None\n"
    script += f"for name in {names}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
