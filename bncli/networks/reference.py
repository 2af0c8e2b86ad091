"""Networks that are named by a place: `FILE.py[:FUNCTION]`, `package.module:FUNCTION` or `FILE.keras`.

A file is read here but not run: which parameters its function has is seen from its text.
"""

from __future__ import annotations

import ast
import errno
import hashlib
import importlib.machinery
import importlib.util
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bncli.errors import InvalidConfig, first_line, shown
from bncli.registry import nearest

DEFAULT_FUNCTION = "build"
"""The function of a file that is named without one."""

MAX_NAMES = 12
"""The most functions that a message names."""

_FILE = re.compile(r"(?P<file>.+\.py)(?::(?P<function>[^:]*))?", re.DOTALL)

_MODULE = re.compile(r"(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)+):(?P<function>[^:]*)")

_KINDS = (ast.FunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Reference:
    """The place of a function.

    Attributes:
        place: The file or the module, as the user typed it.
        function: The function's name.
        is_module: Whether `place` is a module.
        is_file: Whether `place` is a `.keras` file, which has no function.
    """

    place: str
    function: str
    is_module: bool = False
    is_file: bool = False


@dataclass(frozen=True)
class Source:
    """The text that a function stands in.

    Attributes:
        path: The file.
        text: Its contents.
        function: The function's name.
        parameters: Names of its parameters, and whether each has a default.
        package: The package that the file is a module of; empty for a file by itself.
        names: What the function's code names, and the code of what it names in its file.
    """

    path: Path
    text: str
    function: str
    parameters: tuple[tuple[str, bool], ...]
    package: str = ""
    names: frozenset[str] = frozenset()

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits of the file's SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def reference_of(model: str) -> Reference | None:
    """Return the place that a model names; None for a spec or a registered name.

    Raises:
        InvalidConfig: It is an HDF5 file.

    >>> reference_of("nets.py"), reference_of("mlp")
    (Reference(place='nets.py', function='build', is_module=False, is_file=False), None)
    >>> reference_of("lab.nets:residual")
    Reference(place='lab.nets', function='residual', is_module=True, is_file=False)
    """
    if model.lower().endswith(".keras"):
        return Reference(model, "", is_file=True)
    if model.lower().endswith((".h5", ".hdf5")):
        raise InvalidConfig(
            f"model {shown(model)}: HDF5 files can run code when they are loaded, and are not read. Convert it where "
            "you trust it: keras.models.load_model(FILE).save('model.keras')."
        )
    found = _FILE.fullmatch(model)
    if found:
        return Reference(found["file"], found["function"] or DEFAULT_FUNCTION)
    found = _MODULE.fullmatch(model)
    return Reference(found["module"], found["function"] or DEFAULT_FUNCTION, is_module=True) if found else None


def read_source(reference: Reference) -> Source:
    """Read the text of a function's file, and its parameters from there.

    Raises:
        InvalidConfig: There is no such file, module or function, or the text is no Python.
    """
    path = _module_file(reference) if reference.is_module else Path(reference.place).expanduser()
    what = f"model {shown(reference.place)}"
    try:
        check_regular(path)
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidConfig(f"{what} can't be read ({reason}). Give the path of a Python file.") from error
    except (SyntaxError, ValueError) as error:
        line, reason = (error.lineno, error.msg) if isinstance(error, SyntaxError) else (None, first_line(error))
        raise InvalidConfig(f"{what}{f', line {line}' if line else ''} is not Python: {reason}.") from error
    defined = {node.name: node for node in tree.body if isinstance(node, _KINDS)}
    if reference.function not in defined:
        raise InvalidConfig(
            f"{what} has no function {shown(reference.function)}. {_what_there_is(reference, [*defined])}"
        )
    package = reference.place.rpartition(".")[0] if reference.is_module else ""
    parameters = _parameters(defined[reference.function], f"{reference.function}() in {reference.place}")
    return Source(path, text, reference.function, parameters, package, _names(tree, reference.function))


def check_regular(path: Path) -> None:
    """Check that a path is no pipe and no device, which may never end.

    Raises:
        OSError: It is one, or it is not there.
    """
    if not (path.is_file() or path.is_dir()) and path.stat():
        raise OSError(errno.EINVAL, "Not a regular file")


def _what_there_is(reference: Reference, defined: Sequence[str]) -> str:
    """What a file defines that could be a network."""
    if not defined:
        return f"It has no def and no class at its top level. Write one there: def {reference.function}(...)."
    more = f" and {len(defined) - MAX_NAMES} more" if len(defined) > MAX_NAMES else ""
    return (
        f"By def or class, it defines: {', '.join(defined[:MAX_NAMES])}{more}. Name one behind a colon, e.g. "
        f"{reference.place}:{defined[0]}.{nearest(reference.function, defined)}"
    )


@contextmanager
def importable(folder: str) -> Iterator[None]:
    """Let modules of a folder be imported while the block runs, as Python does for the script that it runs."""
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _module_file(reference: Reference) -> Path:
    with importable(""):
        found = _module_spec(reference.place)
    if found is None or not found.origin or not found.origin.endswith(".py"):
        raise InvalidConfig(f"There is no Python module {shown(reference.place)} in this folder or among the packages.")
    return Path(found.origin)


def _module_spec(name: str) -> importlib.machinery.ModuleSpec | None:
    """Where a module is. The packages around it are not imported, as Python's own search would: no code runs yet."""
    package, *inner = name.split(".")
    try:
        found = importlib.util.find_spec(package)
    except ValueError:  # a module without a file, such as __main__
        return None
    for part in inner:
        places = [*(found.submodule_search_locations or ())] if found else []
        found = importlib.machinery.PathFinder.find_spec(part, places)
    return found


def _names(tree: ast.Module, function: str) -> frozenset[str]:
    """What the code of a function names, and the code of the helpers, constants and imports that it names."""
    bound: dict[str, list[ast.AST]] = {}
    for node in tree.body:
        for name, part in _bindings(node):
            bound.setdefault(name, []).append(part)
    found, waiting = set[str](), [function]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [word for node in bound.get(name, ()) for word in _words(node)]
    return frozenset(found)


def _bindings(node: ast.stmt) -> list[tuple[str, ast.AST]]:
    """The names that a statement of a file gives to something, each with the code of that."""
    if isinstance(node, _KINDS):
        return [(node.name, node)]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name, alias) for alias in node.names]
    inner = [part for part in ast.walk(node) if isinstance(part, (*_KINDS, ast.alias))]
    stored = [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]
    return [*((name, node) for name in stored), *((getattr(part, "asname", None) or part.name, part) for part in inner)]


def _words(node: ast.AST) -> list[str]:
    """The names in a piece of code, and its texts, which may be names for `getattr`."""
    attributes = {ast.Name: "id", ast.Attribute: "attr", ast.alias: "name", ast.Constant: "value"}
    found = (getattr(part, attributes[type(part)]) for part in ast.walk(node) if type(part) in attributes)
    return [word for word in found if isinstance(word, str)]


def _parameters(node: ast.FunctionDef | ast.ClassDef, label: str) -> tuple[tuple[str, bool], ...]:
    """The parameters of a function, or of a class's `__init__` without its first."""
    if isinstance(node, ast.ClassDef):
        made_by = (part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__")
        init = next(made_by, None)
        return _parameters(init, label)[1:] if init else ()
    if node.args.posonlyargs:
        raise InvalidConfig(f"{label} has parameters before a /, but bncli gives them by name. Leave out the /.")
    by_place = node.args.args
    n_required = len(by_place) - len(node.args.defaults)
    found = [(argument.arg, index >= n_required) for index, argument in enumerate(by_place)]
    named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    parameters = (*found, *((argument.arg, default is not None) for argument, default in named))
    if node.args.kwarg and not parameters:
        raise InvalidConfig(
            f"{label} has no parameter but **{node.args.kwarg.arg}, and bncli gives only what it names. Name those "
            "that it needs, such as input_shape and n_outputs."
        )
    return parameters
