"""Registries of functions, and errors for unknown names."""

import importlib
import sys
import time

import pytest

from bncli.errors import BncliError, UnknownName
from bncli.registry import Registry, check_name, nearest


def colours():
    registry = Registry("colour")

    @registry.register("red")
    def red():
        """Red, the colour of stop signs.

        Not shown in help.
        """
        return 1

    @registry.register("blue")
    def blue():
        """Blue."""
        return 2

    return registry


def test_register_returns_the_function_unchanged():
    def green():
        """Green."""

    assert Registry("colour").register("green")(green) is green


def test_a_name_returns_its_function():
    assert [colours()[name]() for name in ("red", "blue")] == [1, 2]


def test_names_keep_the_order_of_registration():
    assert list(colours()) == ["red", "blue"]
    assert len(colours()) == 2


def test_contains_is_true_for_registered_names_only():
    assert "red" in colours()
    assert "green" not in colours()
    assert None not in colours()


def test_description_is_the_first_docstring_line():
    assert colours().description("red") == "Red, the colour of stop signs."


def test_register_rejects_a_name_that_is_taken():
    def other():
        """Another red."""

    with pytest.raises(ValueError, match=r"^colour 'red' is registered twice$"):
        colours().register("red")(other)


def test_register_rejects_a_function_without_docstring():
    def silent():
        pass

    expected = r"^colour 'silent' needs a docstring: its first line is shown in help$"
    with pytest.raises(ValueError, match=expected):
        colours().register("silent")(silent)


def test_python_oo_drops_docstrings_and_nothing_else(monkeypatch):
    def silent():
        pass

    monkeypatch.setattr("bncli.registry.KEEPS_DOCSTRINGS", False)
    registry = colours()
    registry.register("silent")(silent)
    assert registry.description("silent") == ""


def test_no_similar_name_is_looked_for_to_a_long_text():
    started = time.process_time()
    with pytest.raises(UnknownName) as caught:
        check_name("letter", "b" * 1_000_000, ["a", "b"] * 1000)
    assert time.process_time() - started < 0.5
    assert str(caught.value).startswith(f"Unknown letter '{'b' * 98}...{'b' * 97}'. Allowed: a, b, ")


def test_an_unknown_name_lists_the_allowed_ones():
    with pytest.raises(UnknownName) as caught:
        colours()["green"]
    assert str(caught.value) == "Unknown colour 'green'. Allowed: red, blue."


def test_a_misspelt_name_gets_a_suggestion():
    with pytest.raises(UnknownName) as caught:
        colours().description("blu")
    assert str(caught.value) == "Unknown colour 'blu'. Allowed: red, blue. Did you mean 'blue'?"


def test_an_unknown_name_is_a_bncli_error():
    with pytest.raises(BncliError):
        colours()["green"]


def test_check_name_reads_any_iterable_once():
    check_name("letter", "b", iter("abc"))
    with pytest.raises(UnknownName) as caught:
        check_name("letter", 3, iter("abc"))
    assert str(caught.value) == "Unknown letter 3. Allowed: a, b, c."


@pytest.mark.parametrize(
    ("name", "allowed", "expected"),
    [
        ("digit", ["circles", "digits"], " Did you mean 'digits'?"),
        ("DIGITS", ["circles", "digits"], " Did you mean 'digits'?"),
        ("SPECIE", ["WIDTH", "SPECIES"], " Did you mean 'SPECIES'?"),
        ("zebra", ["circles", "digits"], ""),
        ("", ["circles"], ""),
        ("x", [], ""),
    ],
)
def test_nearest_suggests_the_most_similar_name(name, allowed, expected):
    assert nearest(name, allowed) == expected


def test_the_modules_of_a_package_are_imported_at_the_first_look_up_in_the_order_of_their_names(tmp_path, monkeypatch):
    package = tmp_path / "shapes_for_test"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from bncli.registry import Registry\nREGISTRY = Registry('shape', __name__)\n"
    )
    for name in ("circle", "square"):
        (package / f"{name}.py").write_text(
            f"from shapes_for_test import REGISTRY\n\n@REGISTRY.register('{name}')\ndef {name}():\n    'A {name}.'\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    registry = importlib.import_module("shapes_for_test.square").REGISTRY
    assert "shapes_for_test.circle" not in sys.modules
    assert list(registry) == ["circle", "square"]
    assert registry.description("square") == "A square."
