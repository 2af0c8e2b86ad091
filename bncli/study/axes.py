"""Axes: fields that a study varies, written as `lr=0.001,0.01` or `lr=log:1e-4:1:9`."""

from __future__ import annotations

import math
from typing import Any

from bncli.config import FIELDS
from bncli.errors import InvalidConfig, shown
from bncli.fields import field_name, parse_value
from bncli.registry import check_name
from bncli.values import Value, plain_text, read_number, read_whole

MAX_RUNS = 1_000_000
"""Most runs of a study that can be asked for, as in every version: a folder of so many has to go on."""


def check_count(*counts: int) -> None:
    """Check the number of runs of a study, before any of them is made.

    Args:
        *counts: The numbers of arms, of seeds and of values of each axis, or some of them.

    Raises:
        InvalidConfig: Their product is more than `MAX_RUNS`.
    """
    if math.prod(counts) > MAX_RUNS:
        raise InvalidConfig(
            f"The study has {_spelled(math.prod(counts))} runs. Allowed: at most {MAX_RUNS:,}. "
            "Try fewer seeds, arms or values, or several studies."
        )


def _spelled(number: int) -> str:
    return f"{number:,}" if number < 10**15 else "over 10^15"


def parse_axis(text: str) -> tuple[str, tuple[Value, ...]]:
    """Parse an axis: `FIELD=VALUE,VALUE,...` or `FIELD=log:LOW:HIGH:COUNT` or `FIELD=lin:LOW:HIGH:COUNT`.

    Returns:
        The field and its values.

    Raises:
        UnknownName: There is no such field.
        InvalidConfig: There are no values, a value can't be converted, or the range is invalid.

    >>> parse_axis("lr=0.001,0.01")
    ('lr', (0.001, 0.01))
    >>> parse_axis("batch_size=log:8:128:5")
    ('batch_size', (8, 16, 32, 64, 128))
    """
    name, equals, values = text.partition("=")
    if not equals or not values.strip():
        raise InvalidConfig(f"An axis is FIELD=VALUE,VALUE,... or FIELD=log:LOW:HIGH:COUNT. Received: {shown(text)}.")
    name = field_name(name)
    if name in ("arm", "arms"):
        raise InvalidConfig(
            f"Arms are no axis, because they are compared with each other. Try --arms {plain_text(values)}."
        )
    check_name("axis", name, FIELDS)
    return name, axis_values(name, values)


def axis_values(name: str, values: str | list[Any]) -> tuple[Value, ...]:
    """Return the values of an axis, which are given as a text or as a list.

    Args:
        name: The field.
        values: A range or comma-separated values, as in `parse_axis`; or a list, which is returned unchecked.

    Raises:
        InvalidConfig: A value can't be converted, or the range is invalid.
    """
    if not isinstance(values, str):
        return tuple(values)
    if values.startswith(("log:", "lin:")):
        return _range(name, values)
    return tuple(parse_value(name, value) for value in values.split(","))


def _range(name: str, text: str) -> tuple[Value, ...]:
    """The values of `log:LOW:HIGH:COUNT` or `lin:LOW:HIGH:COUNT`, rounded to six digits; integers for whole fields."""
    scale, *parts = text.split(":")
    try:
        low, high, count = read_number(parts[0]), read_number(parts[1]), read_whole(parts[2], 2)
        is_valid = len(parts) == 3 and math.isfinite(high - low)
    except (ValueError, IndexError):
        is_valid = False
    if not is_valid or FIELDS[name].kind not in ("whole", "number") or (scale == "log" and min(low, high) <= 0):
        raise InvalidConfig(
            f"{name}={plain_text(text)}: a range is log:LOW:HIGH:COUNT (both above 0) or lin:LOW:HIGH:COUNT, with a "
            "COUNT of 2 or more, for a numeric field."
        )
    check_count(count)
    for end in (low, high):
        FIELDS[name].check(name, round(end) if FIELDS[name].kind == "whole" else end)
    ends = (math.log10(low), math.log10(high)) if scale == "log" else (low, high)
    steps = [ends[0] + (ends[1] - ends[0]) * i / (count - 1) for i in range(count)]
    numbers = [float(f"{10**step if scale == 'log' else step:.6g}") for step in steps]
    return tuple(dict.fromkeys(map(round, numbers))) if FIELDS[name].kind == "whole" else tuple(numbers)
