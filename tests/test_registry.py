import pytest

from bncli.errors import BncliError, UnknownName
from bncli.registry import Registry, check_name, nearest


def colours():
    registry = Registry("colour")

    @registry.register("red")
    def red():
        """Red, the colour of stop.

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


def test_a_name_gives_its_function():
    assert [colours()[name]() for name in ("red", "blue")] == [1, 2]


def test_names_keep_the_order_of_registration():
    assert list(colours()) == ["red", "blue"]
    assert len(colours()) == 2


def test_contains():
    assert "red" in colours()
    assert "green" not in colours()
    assert None not in colours()


def test_description_is_the_first_docstring_line():
    assert colours().description("red") == "Red, the colour of stop."


def test_a_second_function_of_the_same_name_is_refused():
    def other():
        """Another red."""

    with pytest.raises(ValueError, match=r"^colour 'red' is registered twice$"):
        colours().register("red")(other)


def test_a_function_without_docstring_is_refused():
    def silent():
        pass

    expected = r"^colour 'silent' needs a docstring: its first line is shown in help$"
    with pytest.raises(ValueError, match=expected):
        colours().register("silent")(silent)


def test_an_unknown_name_lists_the_allowed_ones():
    with pytest.raises(UnknownName) as caught:
        colours()["green"]
    assert str(caught.value) == "Unknown colour 'green'. Allowed: red, blue."


def test_a_misspelt_name_gets_a_suggestion():
    with pytest.raises(UnknownName) as caught:
        colours().description("blu")
    assert str(caught.value) == "Unknown colour 'blu'. Allowed: red, blue. Did you mean 'blue'?"


def test_an_unknown_name_is_an_error_of_bncli():
    with pytest.raises(BncliError):
        colours()["green"]


def test_check_name_takes_any_iterable_once():
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
def test_nearest(name, allowed, expected):
    assert nearest(name, allowed) == expected
