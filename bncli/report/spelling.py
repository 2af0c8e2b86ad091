"""Numbers, intervals and labels as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from bncli.analysis.evidence import Evidence
from bncli.analysis.verdicts import UNDECIDED
from bncli.tasks.metrics import METRICS, TOLERANCE, default_of
from bncli.tasks.scores import SCORES
from bncli.values import show

BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-:=+%#"
"""The bars of a sparkline from low to high, and what stands for them where they can't be shown."""

LONG = 10_000.0
"""Numbers from here on are spelled with an exponent: losses of runs that nearly diverged."""

MAX_EFFECT = 100.0
"""Effect sizes beyond are no measurement: the differences of all pairs are nearly equal."""

SMALL_P = 0.0005
"""Smaller p-values would be 0.000."""

SHORT_VALUE, SMALL_VALUE = 6, 0.001
"""The longest value of a field that is shown as it is, and from where on down others have an exponent."""

KNOWN_BY_VALUE = ("activation", "dataset", "kernel_initializer", "model", "optimizer")
"""Fields whose values need no name beside them."""

NEVER = {math.inf: "baseline never", 0.0: "arm never"}
"""Speed-ups in words where one side of most pairs never reaches the threshold."""


def sparkline(values: Sequence[float], low: float, high: float, width: int = 10) -> str:
    """Spell a curve as a row of bars.

    Args:
        values: The curve; a value that is not finite is a blank.
        low: The value of the lowest bar.
        high: The value of the highest bar.
        width: The most bars; of a longer curve every k-th value is shown, the last one included.

    Example:
        >>> sparkline([0.1, 0.5, 0.9], 0.1, 0.9)
        '▁▅█'
    """
    step = max(1.0, len(values) / width)
    chosen = [values[min(len(values) - 1, int((place + 1) * step) - 1)] for place in range(min(len(values), width))]
    span = high - low or 1.0
    shares = [min(max((value - low) / span, 0.0), 1.0) if math.isfinite(value) else None for value in chosen]
    return "".join(" " if share is None else BARS[round(share * (len(BARS) - 1))] for share in shares)


def number(value: Any, sign: str = "") -> str:
    """Spell a number with three decimals, or a dash if it is missing.

    Args:
        value: The number; None or nan if it is missing.
        sign: `+` to give positive numbers a sign. What rounds to zero never has one.

    Example:
        >>> number(0.91234), number(0.91234, "+"), number(-0.0001, "+"), number(12345), number(None)
        ('0.912', '+0.912', '0.000', '1.23e+04', '-')
    """
    import pandas as pd

    if pd.isna(value):
        return "-"
    if abs(value) >= LONG:
        return f"{value:{sign}.3g}"
    text = f"{value:{sign}.3f}"
    return text if float(text) else "0.000"


def interval(value: Any, low: Any, high: Any, sign: str = "") -> str:
    """Spell a number with its interval, or without if there is none.

    Example:
        >>> interval(0.912, 0.905, 0.920), interval(0.912, math.nan, math.nan, "+"), interval(0.5, 0.5, 0.5)
        ('0.912 [0.905, 0.920]', '+0.912', '0.500 (all equal)')
    """
    if math.isnan(low) or number(value) == "-":
        return number(value, sign)
    if are_equal(low, high):
        return f"{number(value, sign)} (all equal)"
    return f"{number(value, sign)} [{number(low, sign)}, {number(high, sign)}]"


def are_equal(low: float, high: float) -> bool:
    """Return whether both ends of an interval of a mean are one value up to rounding: so are then all seeds'."""
    return math.isclose(low, high, rel_tol=TOLERANCE, abs_tol=TOLERANCE**2)


def effect(value: float, low: float = math.nan, high: float = math.nan) -> str:
    """Spell an effect size with its interval; what nearly equal differences blow up is spelled as a bound.

    Example:
        >>> effect(1.5, 0.6, 2.4), effect(-0.0001), effect(109.4, 70, 150), effect(-2e5), effect(math.nan)
        ('+1.50 [+0.60, +2.40]', '0.00', '> 100', '< -100', '-')
    """
    if abs(value) > MAX_EFFECT:
        return f"> {MAX_EFFECT:g}" if value > 0 else f"< -{MAX_EFFECT:g}"
    ends = "" if math.isnan(low) else f" [{_effect(low)}, {_effect(high)}]"
    return "-" if math.isnan(value) else f"{_effect(value)}{ends}"


def _effect(value: float) -> str:
    text = f"{value:+.2f}"
    return text if float(text) else "0.00"


def p_value(value: float) -> str:
    """Spell a p-value; small ones with their order of magnitude.

    Example:
        >>> p_value(0.03125), p_value(1.2e-7), p_value(math.nan)
        ('0.031', '1e-07', '-')
    """
    return f"{value:.0e}" if value < SMALL_P else number(value)


def ratio(value: float, low: float, high: float) -> str:
    """Spell a speed-up over the baseline with its interval: infinite if only the baseline never gets there.

    An interval from 0 to infinity excludes nothing, so the value in it, whatever it is, says nothing either.

    Example:
        >>> ratio(2, 1.5, 3), ratio(math.inf, math.inf, math.inf), ratio(0, 0, 0), ratio(2, 0, math.inf)
        ('2 [1.5, 3]', 'baseline never', 'arm never', 'undecided')
    """
    if low == 0 and math.isinf(high):
        return UNDECIDED
    if math.isnan(low) or value in NEVER:
        return _ratio(value)
    return f"{_ratio(value)} [{_ratio(low)}, {_ratio(high)}]"


def _ratio(value: float) -> str:
    return NEVER.get(value, short_number(value))


def epochs(value: float, low: float, high: float) -> str:
    """Spell a median hit epoch with its interval, `never` for an infinite one.

    Example:
        >>> epochs(5, 4, 6.5), epochs(5, 4, math.inf), epochs(math.inf, 4, math.inf)
        ('5 [4, 6.5]', '5 [4, never]', 'never')
    """
    if math.isnan(value):
        return "-"
    if math.isnan(low) or math.isinf(value):
        return _epoch(value)
    return f"{_epoch(value)} [{_epoch(low)}, {_epoch(high)}]"


def _epoch(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:g}"


def short_number(value: float) -> str:
    """Spell a number with three significant digits, or a dash if it is missing.

    Example:
        >>> short_number(1.2345), short_number(-0.0), short_number(math.nan)
        ('1.23', '0', '-')
    """
    return "-" if math.isnan(value) else f"{value or 0.0:.3g}"


def whole_number(value: Any) -> str:
    """Spell a whole number, or a dash if it is missing.

    Example:
        >>> whole_number(12345), whole_number(None)
        ('12,345', '-')
    """
    import pandas as pd

    return "-" if pd.isna(value) else f"{value:,.0f}"


def field_value(value: Any) -> str:
    """Spell the value of a field as a user types it, or a dash if the field has no effect.

    Example:
        >>> field_value(True), field_value(0.001), field_value("relu"), field_value(None)
        ('true', '0.001', 'relu', '-')
    """
    import pandas as pd

    return "-" if pd.isna(value) else short_value(value)


def short_value(value: Any) -> str:
    """Spell the value of a field with up to four digits, as tables and figures have room for.

    Example:
        >>> short_value(0.000316228), short_value(31.6227766), short_value(0.05), short_value(1797), short_value("relu")
        ('3.162e-4', '31.62', '0.05', '1797', 'relu')
    """
    if not isinstance(value, float) or len(show(value)) <= SHORT_VALUE:
        return show(value)
    text = f"{value:.4g}" if abs(value) >= SMALL_VALUE else f"{value:.3e}"
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"


def point_label(axes: Iterable[str], values: Iterable[Any]) -> str:
    """Spell a point of the axes, without axes that have no effect there.

    Example:
        >>> point_label(["activation", "lr"], ["relu", 0.05]), point_label(["optimizer", "momentum"], ["adam", None])
        ('activation relu, lr 0.05', 'optimizer adam')
    """
    import pandas as pd

    pairs = zip(axes, values, strict=True)
    return ", ".join(f"{name} {short_value(value)}" for name, value in pairs if not pd.isna(value))


def setting_text(axes: Iterable[str], values: Iterable[Any]) -> str:
    """Spell a point of the axes within a sentence; names such as `relu` stand for themselves.

    Example:
        >>> setting_text(["activation", "lr"], ["relu", 0.05]), setting_text(["lr", "scaling"], [0.1, "none"])
        ('with relu at lr 0.05', 'at lr 0.1, scaling none')
    """
    import pandas as pd

    pairs = [(name, value) for name, value in zip(axes, values, strict=True) if not pd.isna(value)]
    names = ", ".join(str(value) for name, value in pairs if name in KNOWN_BY_VALUE)
    numbers = ", ".join(f"{name} {short_value(value)}" for name, value in pairs if name not in KNOWN_BY_VALUE)
    return " ".join(f"{word} {text}" for word, text in (("with", names), ("at", numbers)) if text)


def within(margin: float) -> str:
    """Spell the range of differences that don't matter.

    Example:
        >>> within(0.01)
        'between -0.01 and +0.01'
    """
    return f"between -{margin:g} and +{margin:g}"


def trivial_answer(metric: str) -> str:
    """Spell the best constant answer by a metric.

    Example:
        >>> trivial_answer("val_accuracy"), trivial_answer("val_mae"), trivial_answer("val_auc")
        ('guessing the commonest class', 'guessing the median', 'giving the same answer')
    """
    score = METRICS[metric].score
    known = {"accuracy": "guessing the commonest class", "mae": "guessing the median"}
    return known.get(score, "guessing the mean" if score in ("r2", "mse", "rmse") else "giving the same answer")


def learned_text(evidence: Evidence) -> str:
    """Say which runs learned: `that end more than a fifth of the way from guessing to 1`."""
    usual = METRICS[default_of(evidence.score)]
    share = SCORES[usual.score].learned
    way = f"more than {'a fifth' if share == 0.2 else f'{share:.0%}'} of the way from guessing to 1"
    is_compared = METRICS[evidence.metric].score == usual.score
    return f"that end {way}" if is_compared else f"whose {usual.label} ends {way}"


def verdict_text(evidence: Evidence) -> str:
    """Say what the verdicts of the comparisons mean."""
    words = "better, worse" if METRICS[evidence.metric].has_direction else "higher, lower"
    text = f"{words}: the 95% interval excludes 0 and p < 0.05 after Holm's correction"
    if evidence.margin is None:
        return text
    return f"{text}; equivalent: the 90% interval lies {within(evidence.margin)}"


def threshold_text(evidence: Evidence) -> str:
    """Say what makes an epoch the hit epoch: `the smoothed val_accuracy reaches 0.9`."""
    level = "95% of the baseline's gain" if evidence.threshold is None else f"{evidence.threshold:g}"
    return f"the smoothed {evidence.curve_metric} reaches {level}"
