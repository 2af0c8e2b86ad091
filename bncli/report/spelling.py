"""Numbers and intervals as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bncli.analysis.evidence import Evidence
from bncli.values import show

_BARS = "▁▂▃▄▅▆▇█"


def counted(number: int, noun: str) -> str:
    """Spell `1 run`, `2 runs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def sparkline(values: Sequence[float], low: float, high: float, width: int = 10) -> str:
    """Spell a curve as one bar a value, at most `width`, on the scale `low` to `high`; a blank where it has none."""
    step = max(1.0, len(values) / width)
    chosen = [values[min(len(values) - 1, int((place + 1) * step) - 1)] for place in range(min(len(values), width))]
    span = high - low or 1.0
    shares = [min(max((value - low) / span, 0.0), 1.0) if math.isfinite(value) else None for value in chosen]
    return "".join(" " if share is None else _BARS[round(share * (len(_BARS) - 1))] for share in shares)


LONG = 10_000.0
"""Numbers from here on, the losses of runs that nearly diverged, are shown with an exponent."""


def number(value: Any, sign: str = "") -> str:
    """Spell `0.912`, `1.2e+04`, `never` for an infinite epoch, a dash where there is no value."""
    import pandas as pd

    if pd.isna(value):
        return "-"
    if math.isinf(value):
        return "never" if value > 0 else "-inf"
    return f"{value:{sign}.3f}" if abs(value) < LONG else f"{value:{sign}.3g}"


def interval(value: Any, low: Any, high: Any, sign: str = "") -> str:
    """Spell `0.912 [0.905, 0.920]`; without the interval where there is none."""
    if math.isnan(low) or number(value) == "-":
        return number(value, sign)
    return f"{number(value, sign)} [{number(low, sign)}, {number(high, sign)}]"


def epochs(value: float, low: float, high: float) -> str:
    """Spell `5 [4, 7]` or `never`; an end that no half of the seeds reaches is `never`."""
    if math.isnan(value) or math.isinf(value):
        return number(value)
    ends = "" if math.isnan(low) else f" [{_whole(low)}, {_whole(high)}]"
    return _whole(value) + ends


def _whole(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:g}"


def short_number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"


def count_of(value: Any) -> str:
    import pandas as pd

    return "-" if pd.isna(value) else f"{value:,.0f}"


def value_of(value: Any) -> str:
    import pandas as pd

    return "-" if pd.isna(value) else show(value)


def threshold_text(evidence: Evidence) -> str:
    """Say what counts as a hit: `val_accuracy at or past 0.9`."""
    level = f"the best of {evidence.baseline}'s mean curve" if evidence.threshold is None else f"{evidence.threshold:g}"
    return f"{evidence.curve_metric} at or past {level}"
