"""Numbers as people read them: the rows of tables, their captions, and the answer of a study in two sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bncli import console, summary
from bncli.canvas import LABELS, point_label
from bncli.results import lower_is_better
from bncli.stats import MIN_PAIRS
from bncli.study import show

if TYPE_CHECKING:
    import pandas as pd

    from bncli.report import Evidence

LONG = 10_000.0
"""Numbers from here on, the losses of runs that nearly diverged, are shown with an exponent."""

SIGNIFICANT = 0.05

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Answer:
    """What a study found.

    Attributes:
        sentences: The finding with its numbers, two sentences at most.
        notes: What limits it: too few seeds, runs that are missing or failed.
    """

    sentences: tuple[str, ...]
    notes: tuple[str, ...] = ()


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


def _short(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"


def _count(value: Any) -> str:
    import pandas as pd

    return "-" if pd.isna(value) else f"{value:,.0f}"


def _value(value: Any) -> str:
    import pandas as pd

    return "-" if pd.isna(value) else show(value)


def _point(evidence: Evidence, row: pd.Series[Any]) -> dict[str, str]:
    return {name: _value(row[f"param_{name}"]) for name, _ in evidence.study.axes}


def result_rows(evidence: Evidence) -> Rows:
    """The table for people: one row a condition, what it scored, against the baseline, and how it learned."""
    table, metric = evidence.joined_table(), evidence.metric
    several = len(evidence.study.arms) > 1
    curves = _sparklines(evidence)
    rows = []
    for place, row in table.iterrows():
        shown = _point(evidence, row)
        is_best = row["best"] and metric == summary.METRICS[0]
        shown["arm"] = str(row["arm"]) + (console.BEST if is_best else "")
        shown[metric] = interval(row[f"mean_{metric}"], row[f"low_{metric}"], row[f"high_{metric}"])
        if several:
            difference = (row["mean_difference"], row["low_difference"], row["high_difference"])
            shown["difference"] = interval(*difference, sign="+")
        hits = (row["median_hit_epoch"], row["low_hit_epoch"], row["high_hit_epoch"])
        shown |= {"hit epoch": epochs(*hits), "curve": curves.get(place, ""), "n": str(row["n"])}
        for state in ("diverged", "failed"):
            if table[f"n_{state}"].any():
                shown[state] = str(row[f"n_{state}"])
        rows.append(shown)
    return rows


def _sparklines(evidence: Evidence) -> dict[Any, str]:
    """The mean curve of every condition that has one, all on one scale."""
    import numpy as np

    metric = evidence.curve_metric
    parts = evidence.history_table().groupby("condition")
    curves = {place: summary.seed_curves(rows, metric).mean(axis=1) for place, rows in parts}
    means = [value for curve in curves.values() for value in curve if not math.isnan(value)]
    if not means:
        return {}
    low, high = min(means), float(np.quantile(means, 0.95)) if lower_is_better(metric) else max(means)
    return {place: console.sparkline(list(curve), low, high) for place, curve in curves.items()}


def detail_rows(evidence: Evidence) -> Rows:
    """More of every condition: spread, best epoch, runs that never learned, time and size."""
    metric = evidence.metric
    return [
        _point(evidence, row)
        | {
            "arm": str(row["arm"]),
            f"mean {metric}": number(row[f"mean_{metric}"]),
            "sd": number(row[f"std_{metric}"]),
            "median": number(row[f"median_{metric}"]),
            "best val_accuracy": number(row["mean_best_val_accuracy"]),
            "at epoch": _value(row["median_best_epoch"]),
            "n": str(row["n"]),
            "did not learn": _count(row["n_chance"]),
            "diverged": str(row["n_diverged"]),
            "failed": str(row["n_failed"]),
            "seconds": number(row["mean_seconds"]),
            "seconds/epoch": number(row["mean_seconds_per_epoch"]),
            "params": _count(row["params"]),
        }
        for _, row in evidence.conditions_table().iterrows()
    ]


def difference_rows(evidence: Evidence) -> Rows:
    """Every arm against the baseline, paired by seed."""
    return [
        _point(evidence, row)
        | {
            "arm": str(row["arm"]),
            "difference": interval(row["mean_difference"], row["low"], row["high"], sign="+"),
            "p": number(row["p_value"]),
            "p (Holm)": number(row["p_holm"]),
            "wins/ties/losses": f"{row['wins']}/{row['ties']}/{row['losses']}",
            "effect size": number(row["effect_size"], sign="+"),
            "pairs": str(row["n"]),
        }
        for _, row in evidence.differences_table().iterrows()
    ]


def hit_rows(evidence: Evidence) -> Rows:
    """When every arm reaches the threshold, and how much sooner than the baseline."""
    return [
        _point(evidence, row)
        | {
            "arm": str(row["arm"]),
            "threshold": number(row["threshold"]),
            "hit epoch": epochs(row["median_hit_epoch"], row["low_hit_epoch"], row["high_hit_epoch"]),
            "never": f"{row['n_never']} of {row['n']}",
            "speed-up in epochs": _ratio(row, "epochs"),
            "in seconds": _ratio(row, "seconds"),
            "pairs": str(row["n_pairs"]) if row["arm"] != row["baseline"] else "-",
        }
        for _, row in evidence.hits_table().iterrows()
    ]


def _ratio(row: pd.Series[Any], what: str) -> str:
    value, low, high = (row[f"{part}{what}_ratio"] for part in ("", "low_", "high_"))
    ends = "" if math.isnan(low) else f" [{low:.3g}, {high:.3g}]"
    return _short(value) + ends


def rate_rows(evidence: Evidence) -> Rows:
    """What every arm makes of the learning rate, where that is an axis."""
    table = evidence.lr_table()
    if table is None:
        return []
    others = [name for name, _ in evidence.study.axes if name != "lr"]
    return [
        {name: _value(row[f"param_{name}"]) for name in others}
        | {
            "arm": str(row["arm"]),
            "from lr": _value(row["lr_low"]),
            "to lr": _value(row["lr_high"]),
            "decades": _short(row["decades"]),
            "best lr": _value(row["best_lr"]),
            f"{evidence.metric} there": number(row["mean_best"]),
            "difference at own best lr": interval(row["difference"], row["low"], row["high"], sign="+"),
            "at baseline's best lr": interval(
                row["same_lr_difference"], row["same_lr_low"], row["same_lr_high"], sign="+"
            ),
        }
        for _, row in table.iterrows()
    ]


def run_rows(evidence: Evidence) -> Rows:
    """The table for people of single runs: one row a seed."""
    rows = []
    for _, row in evidence.runs_table().iterrows():
        known = {"arm": str(row["arm"]), "seed": str(row["seed"]), "state": str(row["state"])}
        numbers = {metric: number(row[metric]) for metric in summary.METRICS}
        rows.append(known | numbers | {"params": _count(row["params"]), "seconds": f"{row['seconds']:.1f}"})
    return rows


def caption(evidence: Evidence) -> str:
    """What the reader of the table must know: the marks, and what is missing."""
    lines = ["mean [95% interval] over seeds"]
    if len(evidence.study.arms) > 1:
        lines.append(f"difference to {evidence.baseline}, paired by seed")
    lines.append(f"hit epoch: median, {threshold_text(evidence)}")
    if len(evidence.study.arms) > 1 and evidence.metric == summary.METRICS[0]:
        lines.append("* best validation accuracy among the arms")
    if evidence.chance is not None and not lower_is_better(evidence.metric):
        lines.append(f"a constant answer scores {evidence.chance:.3f}")
    missing = evidence.n_planned - len(evidence.results)
    if missing:
        lines.append(f"{missing} of {evidence.n_planned} runs are still missing")
    return "; ".join(lines)


def threshold_text(evidence: Evidence) -> str:
    """Say what counts as a hit: `val_accuracy at or past 0.9`."""
    level = f"the best of {evidence.baseline}'s mean curve" if evidence.threshold is None else f"{evidence.threshold:g}"
    return f"{evidence.curve_metric} at or past {level}"


def answer(evidence: Evidence) -> Answer:
    """Put the study's result into two sentences with numbers; what limits it into notes."""
    table = evidence.differences_table()
    known = table[table["mean_difference"].notna()]
    if known.empty:
        sentences = _levels(evidence)
    elif len(known) == 1:
        sentences = [_verdict(evidence, known.iloc[0]), *_speed(evidence, known.iloc[0])]
    else:
        sentences = [_tally(evidence, known), *(_tolerance(evidence) or [_extremes(evidence, known)])]
    return Answer(tuple(sentences), tuple(_limits(evidence, known)))


def _levels(evidence: Evidence) -> list[str]:
    """What the arms score, where there is nothing to compare."""
    metric, table = evidence.metric, evidence.conditions_table()
    known = table[table[f"mean_{metric}"].notna()]
    if known.empty:
        return [f"No run has a value of {metric}."]
    ordered = known.sort_values(f"mean_{metric}", ascending=lower_is_better(metric), kind="stable")
    words = ["best", "worst"] if len(ordered) > 1 else [""]
    rows = [ordered.iloc[0], ordered.iloc[-1]][: len(words)]
    return [_level(evidence, row, word) for row, word in zip(rows, words, strict=True)]


def _level(evidence: Evidence, row: pd.Series[Any], word: str) -> str:
    metric = evidence.metric
    ends = interval(row[f"mean_{metric}"], row[f"low_{metric}"], row[f"high_{metric}"])
    lead = f"The {word} condition is {row['arm']}" if word else str(row["arm"])
    label = LABELS[metric]
    joint = " with a" if word else " ends at a"
    return f"{lead}{_at(evidence, row)}{joint} {label} of {ends} ({console.count(int(row['n']), 'seed')})."


def _at(evidence: Evidence, row: pd.Series[Any]) -> str:
    names = [name for name, _ in evidence.study.axes if f"param_{name}" in row]
    label = point_label(names, [row[f"param_{name}"] for name in names])
    return f" at {label}" if label else ""


def is_clear(row: pd.Series[Any]) -> bool:
    """Whether a difference's 95 % interval leaves 0 out."""
    return bool(row["low"] > 0 or row["high"] < 0)


def _numbers(row: pd.Series[Any]) -> str:
    """Spell a difference with its interval and n."""
    mean, pairs = number(row["mean_difference"], "+"), console.count(int(row["n"]), "pair")
    if math.isnan(row["low"]):
        return f"{mean} ({pairs} of seeds, no interval)"
    return f"{mean} (95% interval {number(row['low'], '+')} to {number(row['high'], '+')}, {pairs} of seeds)"


def _verdict(evidence: Evidence, row: pd.Series[Any]) -> str:
    arm, baseline, label = row["arm"], row["baseline"], LABELS[evidence.metric] + _at(evidence, row)
    if math.isnan(row["low"]):
        return f"{arm} differs from {baseline} in {label} by {_numbers(row)}: one pair settles nothing."
    if not is_clear(row):
        return f"{arm} shows no clear difference to {baseline} in {label}: {_numbers(row)}."
    return f"{arm} is {_side(evidence, row)} than {baseline} in {label}: {_numbers(row)}."


def _side(evidence: Evidence, row: pd.Series[Any]) -> str:
    return "better" if (row["mean_difference"] > 0) != lower_is_better(evidence.metric) else "worse"


def _speed(evidence: Evidence, row: pd.Series[Any]) -> list[str]:
    """How soon the only arm reaches the threshold, beside the baseline at the same point of the axes."""
    import pandas as pd

    table = evidence.hits_table()
    for name, _ in evidence.study.axes:
        if not pd.isna(row[f"param_{name}"]):
            table = table[table[f"param_{name}"].isna() | (table[f"param_{name}"] == row[f"param_{name}"])]
    hits = {side["arm"]: side for side in _records(table)}
    if not {row["arm"], row["baseline"]} <= set(hits):
        return []
    ours, theirs = hits[row["arm"]], hits[row["baseline"]]
    told = [epochs(*(side[f"{part}_hit_epoch"] for part in ("median", "low", "high"))) for side in (ours, theirs)]
    never = f"{ours['n_never']} of {ours['n']} and {theirs['n_never']} of {theirs['n']} seeds never"
    level = f"{evidence.curve_metric} {number(ours['threshold'])}"
    return [f"It reaches {level} at a median epoch of {told[0]}, {row['baseline']} at {told[1]} ({never})."]


def _tally(evidence: Evidence, known: pd.DataFrame) -> str:
    """How many comparisons came out which way."""
    sides = [_side(evidence, row) if is_clear(row) else "without a clear difference" for row in _records(known)]
    counts = [sides.count(side) for side in ("better", "worse", "without a clear difference")]
    of = f"Of {len(known)} comparisons with {evidence.baseline} in {LABELS[evidence.metric]}"
    come = f"{counts[0]} {'comes' if counts[0] == 1 else 'come'} out better, {counts[1]} worse"
    return f"{of}, {come} and {counts[2]} without a clear difference (a 95% interval that holds 0)."


def _records(table: pd.DataFrame) -> Iterator[pd.Series[Any]]:
    for _, row in table.iterrows():
        yield row


def _extremes(evidence: Evidence, known: pd.DataFrame) -> str:
    """The difference that is farthest from 0, and the one nearest to it."""
    ordered = known.loc[known["mean_difference"].abs().sort_values(ascending=False, kind="stable").index]
    first, last = ordered.iloc[0], ordered.iloc[-1]
    largest = f"The largest is that of {first['arm']}{_at(evidence, first)}, {_numbers(first)}"
    return f"{largest}; the smallest that of {last['arm']}{_at(evidence, last)}, {_numbers(last)}."


def _tolerance(evidence: Evidence) -> list[str]:
    """Where the learning rate is the only axis and there is one arm beside the baseline: each at its best rate."""
    table = evidence.lr_table()
    if table is None or len(table) != 2 or len(evidence.study.axes) > 1:
        return []
    (theirs,), (ours,) = (list(_records(side)) for _, side in table.groupby(table["arm"] != table["baseline"]))
    if math.isnan(ours["difference"]):
        return []
    ends = interval(ours["difference"], ours["low"], ours["high"], sign="+")
    clear = "" if is_clear(ours) else ", no clear difference"
    spans = [f"{_short(side['decades'])} decades" if side["decades"] >= 0 else "no range" for side in (ours, theirs)]
    best = f"Each at its own best learning rate, {ours['arm']} differs from {theirs['arm']} by {ends}{clear}"
    return [f"{best}; at least 90% of seeds learn over {spans[0]} of rates, with {theirs['arm']} over {spans[1]}."]


def _limits(evidence: Evidence, known: pd.DataFrame) -> Iterator[str]:
    """What a reader must hold against the answer."""
    few = _few_seeds(int(known["n"].min()), len(known)) if len(known) else []
    yield from few
    tested = known["p_holm"].notna()
    if tested.any() and not few:
        significant = int((known["p_holm"] < SIGNIFICANT).sum())
        verb = "is" if significant == 1 else "are"
        yield (
            f"{significant} of {int(tested.sum())} {verb} significant at {SIGNIFICANT:g} "
            "(sign-flip test of pairs, Holm's correction)."
        )
    failed = sum(result.state == "failed" for result in evidence.results)
    if failed:
        yield f"{console.count(failed, 'run')} failed and enter no number."
    missing = evidence.n_planned - len(evidence.results)
    if missing:
        yield f"{missing} of {evidence.n_planned} runs are still missing."


def _few_seeds(n_pairs: int, n_tests: int) -> Sequence[str]:
    """Tell where no outcome whatsoever of so few pairs could be significant, and how many could."""
    needed = max(MIN_PAIRS, math.ceil(math.log2(2 * n_tests / SIGNIFICANT)))
    if n_pairs >= needed:
        return []
    pairs, tests = console.count(n_pairs, "pair"), console.count(n_tests, "comparison")
    return [f"Too few seeds: {pairs} of seeds can't be significant over {tests}, {needed} can. Take this as a hint."]
