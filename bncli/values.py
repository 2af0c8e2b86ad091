"""Single values: how a field of a run parses, checks and describes them, and how they are printed.

`Field` is our own because no library does all of it: pydantic 2.14 adds 92 ms to the 220 ms of `bncli --help`, msgspec
0.22 adds 23 ms but checks nothing in a constructor, and both refuse NumPy integers.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from bncli.errors import MAX_SHOWN, InvalidConfig, shown
from bncli.registry import canonical, check_name

Kind = Literal["text", "whole", "number", "flag"]

Value = str | int | float | bool | None

_TYPES: dict[Kind, type] = {"text": str, "whole": numbers.Integral, "number": numbers.Real, "flag": bool}
"""What a field of each kind accepts; NumPy's scalars are registered as `Integral` and `Real`."""

MAX_DIGITS = 40
"""The longest text that is read as a whole number; Python raises an error for more than 4,300 digits."""


def read_whole(text: str, low: float = -math.inf, high: float = math.inf) -> int:
    """Return the whole number that a text is; every number that a user types goes through here or `read_number`.

    Raises:
        ValueError: It is none, or it is out of range.

    >>> read_whole(" 12 ", 1, 99)
    12
    """
    number = int(text) if len(text) <= MAX_DIGITS else None
    if number is None or not low <= number <= high:
        raise ValueError(f"not a whole number in the range: {shown(text)}")
    return number


def read_number(text: str) -> float:
    """Return the number that a text is, which may be infinite or not a number.

    Raises:
        ValueError: It is none.

    >>> read_number("1e-3"), read_number("-0")
    (0.001, 0.0)
    """
    return _float(float(text))


def _float(value: Any) -> float:
    """A plain float; minus zero, which NumPy refuses as a standard deviation, becomes zero."""
    return float(value) + 0.0


_CONVERTERS: dict[Kind, Callable[[Any], Value]] = {
    "text": str,
    "whole": operator.index,
    "number": _float,
    "flag": bool,
}


@dataclass(frozen=True)
class Field:
    """One field of a run: its kind, its allowed values and its help text.

    Attributes:
        about: What the field belongs to: `data`, `network`, `normalization` or `training`.
        kind: `text`, `whole` (an integer), `number` (a float) or `flag` (true or false).
        help: One line for help screens and documentation.
        low: Smallest allowed number.
        high: Largest allowed number.
        open_low: Whether `low` itself is not allowed.
        open_high: Whether `high` itself is not allowed.
        choices: The only allowed texts; empty if any text is allowed.
        optional: Whether None is allowed, which leaves the value to the data set or the optimizer.
        aliases: Other names of choices, in lower case, with the names that they stand for.

    >>> seed = Field("training", "whole", "seed of weights and batches", low=0, high=2**31 - 1)
    >>> seed.parse("seed", " 3 ")
    3
    >>> seed.check("seed", -1)
    Traceback (most recent call last):
    bncli.errors.InvalidConfig: seed must be a whole number from 0 to 2147483647. Received: -1.
    """

    about: str
    kind: Kind
    help: str
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    choices: tuple[str, ...] = ()
    optional: bool = False
    aliases: tuple[tuple[str, str], ...] = ()

    def allowed(self) -> str:
        """Describe the allowed values as a noun phrase, for error messages and the README.

        >>> Field("training", "number", "learning rate", low=0, high=1e6, open_low=True).allowed()
        'a number above 0 and up to 1000000'
        """
        if self.choices:
            return ", ".join(self.choices)
        if self.kind == "flag":
            return "true or false"
        if self.kind == "text":
            return "text"
        noun = "a whole number" if self.kind == "whole" else "a number"
        low = f"{'above' if self.open_low else 'from'} {_digits(self.low)}" if self.low > -math.inf else ""
        up_to = "to below" if self.open_high else "and up to" if self.open_low else "to"
        high = f"{up_to} {_digits(self.high)}" if self.high < math.inf else ""
        return " ".join(part for part in (noun, low, high) if part)

    def parse(self, name: str, text: str) -> Value:
        """Convert the text that a user typed to the field's type; `check` looks at the range.

        Args:
            name: The field's name, for the message.
            text: The typed text; for an optional field, `none` is None.

        Raises:
            InvalidConfig: The text can't be converted.
        """
        text = text.strip()
        if self.optional and text.lower() == "none":
            return None
        if self.kind == "text" and text:
            return self._canonical(text)
        try:
            if self.kind == "flag":
                return {"true": True, "false": False}[text.lower()]
            return read_whole(text) if self.kind == "whole" else read_number(text)
        except (ValueError, KeyError):
            short = text.replace(" ", "") if len(text) <= MAX_SHOWN else ""
            several = f" To vary it, try: bncli sweep {name}={short}." if "," in short else ""
            raise InvalidConfig(f"{self._refusal(name, text)}{several}") from None

    def check(self, name: str, value: Any) -> Value:
        """Return `value` as a plain Python value of the field's type (NumPy scalars are converted).

        Args:
            name: The field's name, for the message.
            value: The value to check.

        Raises:
            InvalidConfig: The value has another type or is out of range.
            UnknownName: The value is not one of the choices.
        """
        if value is None and self.optional:
            return None
        if self.choices:
            value = str(value).lower() if isinstance(value, bool) else value
            value = self._canonical(value) if isinstance(value, str) else value
            check_name(name, value, self.choices)
            return str(value)
        is_typed = isinstance(value, _TYPES[self.kind]) and isinstance(value, bool) == (self.kind == "flag")
        if not is_typed or not self._in_range(value):
            raise self._refusal(name, value)
        return _CONVERTERS[self.kind](value)

    def _canonical(self, text: str) -> str:
        return canonical(text, self.choices, dict(self.aliases)) if self.choices else text

    def _in_range(self, value: Any) -> bool:
        if self.kind in ("text", "flag"):
            return True
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return bool(above and below and is_finite(value))

    def _refusal(self, name: str, value: object) -> InvalidConfig:
        return InvalidConfig(f"{name} must be {self.allowed()}. Received: {shown(value)}.")


def _digits(number: float) -> str:
    """A limit as one would type it: whole numbers without an exponent."""
    return str(int(number)) if number == int(number) else f"{number:g}"


def is_finite(value: Any) -> bool:
    """Return whether a number is finite and fits into a float."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def finite(value: float) -> float | None:
    """Return `value` as a plain float, or None if it is infinite or not a number, which JSON can't store."""
    return float(value) if math.isfinite(value) else None


def show(value: Value) -> str:
    """Return a value as the user would type it, numbers with up to six digits.

    >>> [show(value) for value in (0.001, True, "relu", None)]
    ['0.001', 'true', 'relu', 'None']
    """
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, separators of lines, marks that reverse the order of what follows, and halves of surrogates."""


def plain_text(text: str, limit: int | None = MAX_SHOWN, keep: str = "") -> str:
    r"""Return a text from outside in a form that is safe to show in a terminal, a plot or a page, and to encode.

    Control characters, which can drive a terminal, are replaced by their escapes, and so are the surrogates that stand
    for bytes of names that are not UTF-8.

    Args:
        text: A name, path, label or message that someone else chose.
        limit: The longest result; a longer one is cut in the middle. None for no limit.
        keep: Control characters that stay, such as newlines where lines may break.

    >>> print(plain_text("wine\x1b[2J.csv"), plain_text("caf\udce9"))
    wine\x1b[2J.csv caf\udce9
    >>> plain_text("ab" * 500, limit=9)
    'aba...bab'
    """

    def escaped(part: str) -> str:
        return _UNSHOWABLE.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), part)

    if limit is None:
        return escaped(text)
    start, end = escaped(text[:limit]), escaped(text[-limit:])
    if len(text) <= limit and len(start) <= limit:
        return start
    n_end = (limit - 3) // 2
    return f"{start[: limit - 3 - n_end]}...{end[len(end) - n_end :]}"


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def capital(text: str) -> str:
    """Return a text whose first letter is a capital.

    >>> capital("validation accuracy"), capital("R²")
    ('Validation accuracy', 'R²')
    """
    return text[:1].upper() + text[1:]


def counted(count: int, noun: str) -> str:
    """Spell a count with its noun.

    Example:
        >>> counted(1, "run"), counted(1200, "run")
        ('1 run', '1,200 runs')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def text_field(default: Any, about: str, help: str, **limits: Any) -> Any:
    """Return a field of a dataclass that holds a text; see `Field` for its limits."""
    return dataclasses.field(default=default, metadata={"info": Field(about, "text", help, **limits)})


def whole_field(default: Any, about: str, help: str, **limits: Any) -> Any:
    """Return a field of a dataclass that holds a whole number; see `Field` for its limits."""
    return dataclasses.field(default=default, metadata={"info": Field(about, "whole", help, **limits)})


def number_field(default: Any, about: str, help: str, **limits: Any) -> Any:
    """Return a field of a dataclass that holds a number; see `Field` for its limits."""
    return dataclasses.field(default=default, metadata={"info": Field(about, "number", help, **limits)})


def flag_field(default: bool, about: str, help: str) -> Any:
    """Return a field of a dataclass that is true or false."""
    return dataclasses.field(default=default, metadata={"info": Field(about, "flag", help)})
