"""The grammar of axes: `lr=0.001,0.01`, `lr=log:1e-4:1:9`."""

from __future__ import annotations

import math
from typing import Any

from bncli.config import FIELDS, parse_value
from bncli.errors import InvalidConfig
from bncli.registry import check_name
from bncli.values import Value

MAX_RUNS = 1_000_000


def parse_axis(text: str) -> tuple[str, tuple[Value, ...]]:
    """Read an axis: `lr=0.001,0.01`, `lr=log:1e-4:1:9` or `norm_momentum=lin:0:0.99:5`.

    Raises:
        UnknownName: No such field.
        InvalidConfig: No values, or a range that is none.
    """
    name, equals, values = text.partition("=")
    if not equals or not values.strip():
        raise InvalidConfig(f"An axis is FIELD=VALUE,VALUE,... or FIELD=log:LOW:HIGH:COUNT. Received: {text!r}.")
    name = name.strip()
    check_name("axis", name, FIELDS)
    return name, axis_values(name, values)


def axis_values(name: str, values: str | list[Any]) -> tuple[Value, ...]:
    """Return the values of an axis from a text such as `0.1,0.2` or `log:1e-4:1:9`, or from a list."""
    if not isinstance(values, str):
        return tuple(values)
    if values.startswith(("log:", "lin:")):
        return _spaced(name, values)
    return tuple(parse_value(name, value) for value in values.split(","))


def _spaced(name: str, text: str) -> tuple[Value, ...]:
    """Values of `log:LOW:HIGH:COUNT` or `lin:LOW:HIGH:COUNT`, rounded to six digits, whole for whole fields."""
    scale, *parts = text.split(":")
    try:
        low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
        is_range = len(parts) == 3 and 2 <= count <= MAX_RUNS and math.isfinite(high - low)
    except (ValueError, IndexError):
        is_range = False
    if not is_range or FIELDS[name].kind not in ("whole", "number") or (scale == "log" and min(low, high) <= 0):
        raise InvalidConfig(
            f"{name}={text}: a range is log:LOW:HIGH:COUNT (both above 0) or lin:LOW:HIGH:COUNT, with a COUNT of 2 "
            "or more, for a field that holds numbers."
        )
    ends = (math.log10(low), math.log10(high)) if scale == "log" else (low, high)
    points = [ends[0] + (ends[1] - ends[0]) * i / (count - 1) for i in range(count)]
    numbers = [float(f"{10**point if scale == 'log' else point:.6g}") for point in points]
    return tuple(dict.fromkeys(round(number) for number in numbers)) if FIELDS[name].kind == "whole" else tuple(numbers)
