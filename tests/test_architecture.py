"""The shape of the code base itself: who imports whom, and what stays out of a light start."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "bncli"
ORDER = (
    "errors",
    "signals",
    "startup",
    "provenance",
    "registry",
    "seeds",
    "readers",
    "datasets",
    "norms",
    "models",
    "config",
    "results",
    "stats",
    "engines.quiet",
    "engines.keras",
    "engines.philox",
    "engines.updates",
    "engines.planner",
    "engines.stacked",
    "lock",
    "shard",
    "worker",
    "cluster",
    "probes",
    "store",
    "describe",
    "study",
    "status",
    "checks",
    "measures",
    "claims",
    "summary",
    "canvas",
    "plots",
    "console",
    "wording",
    "page",
    "report",
    "verify",
    "library",
    "cli",
    "__main__",
)
HEAVY = ("tensorflow", "keras", "sklearn", "scipy", "matplotlib", "pandas", "numpy", "pyarrow", "dask", "distributed")


def module_name(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imported(path):
    """Modules of the package that a file imports anywhere, type-checking blocks left out."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "bncli":
            inside = node.module.removeprefix("bncli").lstrip(".")
            names = {".".join(part for part in (inside, alias.name) if part) for alias in node.names}
            found |= {name if name in ORDER else inside for name in names}
    return found


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def test_every_module_has_its_place():
    assert sorted(ORDER) == sorted(map(module_name, MODULES))


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_a_module_imports_only_modules_above_it(path):
    above = set(ORDER[: ORDER.index(module_name(path))])
    assert imported(path) <= above


def loaded_by(code):
    """Heavy packages in `sys.modules` after running `code` in a fresh interpreter."""
    script = f"import sys\n{code}\nprint(*(n for n in {HEAVY} if n in sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    return done.stderr.splitlines()[-1].split()


def cli(*arguments):
    return f"sys.argv = {['bncli', *arguments]}\nfrom bncli.cli import main\ntry: main()\nexcept SystemExit: pass"


@pytest.mark.parametrize("arguments", [["--help"], ["sweep", "--help"], ["--version"], ["dataset", "digit"]])
def test_help_and_typing_errors_load_nothing_heavy(arguments):
    assert loaded_by(cli(*arguments)) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["dataset"],
        ["dataset", "circles"],
        ["train", "--model", "conv8", "--dataset", "circles"],
        ["sweep", "--dry-run"],
        ["compare", "--preset", "nothing"],
    ],
)
def test_no_command_that_trains_nothing_loads_tensorflow(arguments):
    assert not {"tensorflow", "keras"} & set(loaded_by(cli(*arguments)))


def test_the_library_face_is_lazy_and_complete():
    assert loaded_by("import bncli") == []
    import bncli

    assert all(getattr(bncli, name) for name in bncli.__all__)
    assert set(bncli.__all__) <= set(dir(bncli))
    with pytest.raises(AttributeError, match=r"^module 'bncli' has no attribute 'nothing'$"):
        _ = bncli.nothing
