"""What one field of a run may hold: how a value is parsed, checked and spelled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from bncli.errors import InvalidConfig
from bncli.registry import check_name

Kind = Literal["text", "whole", "number", "flag"]

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Field:
    """What a field of a run may hold; help, parsing and validation all read it.

    Attributes:
        about: `data`, `network`, `normalization` or `training`.
        kind: `text`, `whole`, `number` or `flag`.
        help: One line.
        low: Smallest value.
        high: Largest value.
        open_low: Whether `low` itself is excluded.
        open_high: Whether `high` itself is excluded.
        choices: The only texts allowed; empty for any.
        optional: Whether None is allowed: the data set or optimizer then decides.
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

    def allowed(self) -> str:
        """Describe the allowed values, as errors and the README print them."""
        if self.choices:
            return ", ".join(self.choices)
        if self.kind == "flag":
            return "true, false"
        if self.kind == "text":
            return "text"
        noun = "a whole number" if self.kind == "whole" else "a number"
        low = f"{'above' if self.open_low else 'from'} {self.low:g}" if self.low > -math.inf else ""
        high = f"{'below' if self.open_high else 'to'} {self.high:g}" if self.high < math.inf else ""
        return " ".join(part for part in (noun, low, high) if part)


def checked(name: str, info: Field, value: Any) -> Value:
    """Return `value` in the field's own type, or raise an error that says what is allowed."""
    if value is None and info.optional:
        return None
    if info.choices:
        value = str(value).lower() if isinstance(value, bool) else value
        check_name(name, value, info.choices)
        return str(value)
    kinds: dict[Kind, type | tuple[type, ...]] = {
        "text": str,
        "whole": int,
        "number": (int, float),
        "flag": bool,
    }
    is_mistyped = not isinstance(value, kinds[info.kind]) or (isinstance(value, bool) and info.kind != "flag")
    if is_mistyped or (info.kind in ("whole", "number") and not _in_range(info, value)):
        raise InvalidConfig(f"{name} must be {info.allowed()}. Received: {value!r}.")
    return float(value) if info.kind == "number" else value


def _in_range(info: Field, value: float) -> bool:
    above = value > info.low if info.open_low else value >= info.low
    below = value < info.high if info.open_high else value <= info.high
    return above and below and math.isfinite(value)


def finite(value: float) -> float | None:
    """Return `value`, or None where it is infinite or not a number: JSON knows neither."""
    return float(value) if math.isfinite(value) else None


def show(value: Value) -> str:
    """Spell a value as one would type it: `0.001`, `true`, `relu`."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
