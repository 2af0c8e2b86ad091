"""The answer of a study in two sentences, and what limits it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bncli.analysis.statistics import MIN_PAIRS
from bncli.report.spelling import counted, epochs, interval, number, short_number
from bncli.report.style import point_label
from bncli.tasks.metrics import METRICS, lower_is_better

if TYPE_CHECKING:
    import pandas as pd

    from bncli.analysis.evidence import Evidence


SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Answer:
    """What a study found.

    Attributes:
        sentences: The finding with its numbers, two sentences at most.
        notes: What limits it: too few seeds, runs that are missing or failed.
    """

    sentences: tuple[str, ...]
    notes: tuple[str, ...] = ()


def answer_of(evidence: Evidence) -> Answer:
    """Put the study's result into two sentences with numbers; what limits it into notes."""
    table = evidence.differences_table
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
    metric, table = evidence.metric, evidence.conditions_table
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
    label = METRICS[metric].label
    joint = " with a" if word else " ends at a"
    return f"{lead}{_at(evidence, row)}{joint} {label} of {ends} ({counted(int(row['n']), 'seed')})."


def _at(evidence: Evidence, row: pd.Series[Any]) -> str:
    names = [name for name, _ in evidence.study.axes if f"param_{name}" in row]
    label = point_label(names, [row[f"param_{name}"] for name in names])
    return f" at {label}" if label else ""


def is_clear(row: pd.Series[Any]) -> bool:
    """Whether a difference's 95 % interval leaves 0 out."""
    return bool(row["low"] > 0 or row["high"] < 0)


def _numbers(row: pd.Series[Any]) -> str:
    """Spell a difference with its interval and n."""
    mean, pairs = number(row["mean_difference"], "+"), counted(int(row["n"]), "pair")
    if math.isnan(row["low"]):
        return f"{mean} ({pairs} of seeds, no interval)"
    return f"{mean} (95% interval {number(row['low'], '+')} to {number(row['high'], '+')}, {pairs} of seeds)"


def _verdict(evidence: Evidence, row: pd.Series[Any]) -> str:
    arm, baseline, label = row["arm"], row["baseline"], METRICS[evidence.metric].label + _at(evidence, row)
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

    table = evidence.hits_table
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
    of = f"Of {len(known)} comparisons with {evidence.baseline} in {METRICS[evidence.metric].label}"
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
    table = evidence.lr_table
    if table is None or len(table) != 2 or len(evidence.study.axes) > 1:
        return []
    (theirs,), (ours,) = (list(_records(side)) for _, side in table.groupby(table["arm"] != table["baseline"]))
    if math.isnan(ours["difference"]):
        return []
    ends = interval(ours["difference"], ours["low"], ours["high"], sign="+")
    clear = "" if is_clear(ours) else ", no clear difference"
    spans = [
        f"{short_number(side['decades'])} decades" if side["decades"] >= 0 else "no range" for side in (ours, theirs)
    ]
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
        yield f"{counted(failed, 'run')} failed and enter no number."
    missing = evidence.n_planned - len(evidence.results)
    if missing:
        yield f"{missing} of {evidence.n_planned} runs are still missing."


def _few_seeds(n_pairs: int, n_tests: int) -> Sequence[str]:
    """Tell where no outcome whatsoever of so few pairs could be significant, and how many could."""
    needed = max(MIN_PAIRS, math.ceil(math.log2(2 * n_tests / SIGNIFICANT)))
    if n_pairs >= needed:
        return []
    pairs, tests = counted(n_pairs, "pair"), counted(n_tests, "comparison")
    return [f"Too few seeds: {pairs} of seeds can't be significant over {tests}, {needed} can. Take this as a hint."]
