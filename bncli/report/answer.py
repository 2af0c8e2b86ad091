"""The answer of a study in two or three sentences, and the notes that limit it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bncli.analysis.comparisons import is_clear, is_mixed
from bncli.analysis.effects import wilson_interval
from bncli.analysis.seeds import MIN_SEEDS
from bncli.analysis.verdicts import CLEAR, EQUIVALENT, UNDECIDED, VERDICTS, pairs_needed
from bncli.report.interactions import interaction_sentence
from bncli.report.notes import fallen_note, statistics_note, stopped_note
from bncli.report.spelling import (
    are_equal,
    epochs,
    interval,
    number,
    point_label,
    short_number,
    verdict_text,
    within,
)
from bncli.tasks.metrics import METRICS, TOLERANCE, lower_is_better
from bncli.values import counted

if TYPE_CHECKING:
    import pandas as pd

    from bncli.analysis.evidence import Evidence


MAX_POINTS = 3
"""The most points of the axes at which an arm's verdict is told one by one."""


@dataclass(frozen=True)
class Answer:
    """What a study found.

    Attributes:
        sentences: The finding with its numbers, at most three sentences.
        notes: What limits it: too few seeds, or runs that failed or are missing.
    """

    sentences: tuple[str, ...]
    notes: tuple[str, ...] = ()


def answer_of(evidence: Evidence) -> Answer:
    """Return what the study found, in at most three sentences, with notes on what limits it."""
    table = evidence.differences_table
    compared = table[table["mean_difference"].notna()]
    if compared.empty:
        sentences = _scores(evidence)
    elif len(compared) == 1:
        sentences = [_verdict(evidence, compared.iloc[0]), *_hit_epochs(evidence, compared.iloc[0])]
    else:
        sentences = [_tally(evidence, compared), *(_best_rates(evidence) or [_extremes(evidence, compared)])]
    changes = interaction_sentence(evidence)
    return Answer((*sentences, *([changes] if changes else [])), tuple(_notes(evidence, compared)))


def _scores(evidence: Evidence) -> list[str]:
    """What the best and the worst condition score, if there is nothing to compare."""
    metric, table = evidence.metric, evidence.conditions_table
    scored = table[table[f"mean_{metric}"].notna()]
    if scored.empty:
        return [f"No run has a value of {metric}."]
    ordered = scored.sort_values(f"mean_{metric}", ascending=lower_is_better(metric), kind="stable")
    if len(ordered) == 1:
        row = ordered.iloc[0]
        return [f"{row['arm']}{_at(evidence, row)} ends at a {_score(evidence, row)}."]
    words = ("best", "worst") if METRICS[metric].has_direction else ("highest", "lowest")
    ends = zip(words, (ordered.iloc[0], ordered.iloc[-1]), strict=True)
    return [
        f"The {word} condition is {row['arm']}{_at(evidence, row)} with a {_score(evidence, row)}."
        for word, row in ends
    ]


def _score(evidence: Evidence, row: pd.Series[Any]) -> str:
    """Spell `validation accuracy of 0.912 [0.905, 0.920] (3 seeds)`."""
    metric, seeds = evidence.metric, counted(int(row["n"]), "seed")
    mean, low, high = (row[f"{part}_{metric}"] for part in ("mean", "low", "high"))
    if are_equal(low, high):
        return f"{METRICS[metric].label} of {number(mean)} (the same in all {seeds})"
    return f"{METRICS[metric].label} of {interval(mean, low, high)} ({seeds})"


def _at(evidence: Evidence, row: pd.Series[Any]) -> str:
    """Spell the row's point of the axes: ` at lr 0.1`; empty without axes."""
    label = point_label(evidence.axes, [row[f"param_{name}"] for name in evidence.axes])
    return f" at {label}" if label else ""


def _difference(mean: float, low: float, high: float, std: float, n_pairs: int) -> str:
    """Spell a difference with its interval and the number of pairs."""
    value, pairs = number(mean, "+"), counted(n_pairs, "pair")
    if n_pairs > 1 and std <= TOLERANCE * abs(mean):
        return f"{value} (the same in all {pairs} of seeds)"
    if math.isnan(low):
        return f"{value} ({pairs} of seeds, no interval)"
    return f"{value} (95% interval {number(low, '+')} to {number(high, '+')}, {pairs} of seeds)"


def _difference_of(row: pd.Series[Any]) -> str:
    return _difference(row["mean_difference"], row["low"], row["high"], row["std_difference"], int(row["n"]))


def _verdict(evidence: Evidence, row: pd.Series[Any]) -> str:
    arm, baseline, label = row["arm"], row["baseline"], METRICS[evidence.metric].label + _at(evidence, row)
    if is_mixed(row):
        return _verdict_where_some_learned(evidence, row)
    if row["n"] == 1:
        return (
            f"{arm} differs from {baseline} in {label} by {_difference_of(row)}: one pair of seeds is too few to judge."
        )
    if row["verdict"] == UNDECIDED:
        return f"{arm} against {baseline} in {label} is undecided: {_difference_of(row)}."
    if row["verdict"] == EQUIVALENT and evidence.margin is not None:
        same = f"equivalent to {baseline} in {label}, {within(evidence.margin)}"
        return f"{arm} is {same}: {_difference_of(row)}."
    return f"{arm} is {row['verdict']} than {baseline} in {label}: {_difference_of(row)}."


def _verdict_where_some_learned(evidence: Evidence, row: pd.Series[Any]) -> str:
    """How many seeds learned on both sides, and how the arms differ where both did: a mean over all says little."""
    n, n_both = int(row["wins"] + row["ties"] + row["losses"]), int(row["n_both_learned"])
    shares = [wilson_interval(int(row[name]), n) for name in ("n_learned", "n_baseline_learned")]
    sides = [
        f"{int(row[name])} of {n} seeds (95% interval {low:.2f} to {high:.2f})"
        for name, (low, high) in zip(("n_learned", "n_baseline_learned"), shares, strict=True)
    ]
    among = (row["both_learned_difference"], row["low_both_learned"], row["high_both_learned"])
    label = METRICS[evidence.metric].label
    difference = (
        f"where both learned, the difference in {label} is {_difference(*among, math.nan, n_both)}"
        if n_both
        else "in no seed did both learn"
    )
    return (
        f"{row['arm']} learns in {sides[0]}, {row['baseline']} in {sides[1]}{_at(evidence, row)}; {difference}: "
        f"{row['verdict']}."
    )


def _hit_epochs(evidence: Evidence, row: pd.Series[Any]) -> list[str]:
    """When the only compared arm and the baseline reach the threshold, at the same point of the axes."""
    import pandas as pd

    table = evidence.hits_table
    for name in evidence.axes:
        value, column = row[f"param_{name}"], table[f"param_{name}"]
        if not pd.isna(value):
            table = table[column.isna() | (column == value)]
    hits = {side["arm"]: side for _, side in table.iterrows()}
    if not {row["arm"], row["baseline"]} <= set(hits):
        return []
    sides = [hits[row["arm"]], hits[row["baseline"]]]
    medians = [epochs(*(side[f"{part}_hit_epoch"] for part in ("median", "low", "high"))) for side in sides]
    never = [f"{side['n_never']} of {side['n']}" for side in sides]
    level = number(sides[0]["threshold"])
    return [
        f"Median epoch at which the smoothed {evidence.curve_metric} reaches {level}: {medians[0]} for "
        f"{row['arm']}, {medians[1]} for {row['baseline']} ({never[0]} and {never[1]} seeds never reach it)."
    ]


def _tally(evidence: Evidence, compared: pd.DataFrame) -> str:
    """Which arms are better, worse or equivalent, and how many comparisons are undecided."""
    label, n = METRICS[evidence.metric].label, len(compared)
    found = {word: compared[compared["verdict"] == word] for word in VERDICTS if word != UNDECIDED}
    parts = [f"{word}: {_named(evidence, rows, compared)}" for word, rows in found.items() if len(rows)]
    n_undecided = n - sum(map(len, found.values()))
    if not parts:
        return f"All {n} comparisons with {evidence.baseline} in {label} are undecided."
    first, *others = [*parts, f"undecided: {n_undecided} of {counted(n, 'comparison')}"]
    word, _, names = first.partition(":")
    than = "to" if word == EQUIVALENT else "than"
    return f"{word.capitalize()} {than} {evidence.baseline} in {label}:{'; '.join([names, *others])}."


def _named(evidence: Evidence, rows: pd.DataFrame, compared: pd.DataFrame) -> str:
    """The arms of some comparisons, each with its points of the axes, or with their number if they are many or all."""
    texts = []
    for arm, own in rows.groupby("arm", sort=False):
        n_all = int((compared["arm"] == arm).sum())
        if len(own) > MAX_POINTS or len(own) == n_all > 1:
            count = f"all {n_all}" if len(own) == n_all else f"{len(own)} of {n_all}"
            texts.append(f"{arm} ({count} comparisons)")
        else:
            texts.append(f"{arm}{' and'.join(_at(evidence, row) for _, row in own.iterrows())}")
    return ", ".join(texts)


def _extremes(evidence: Evidence, compared: pd.DataFrame) -> str:
    """The largest and the smallest difference, regardless of sign, of those that are better or worse if any are."""
    clear = compared[compared["verdict"].isin(CLEAR)]
    told, kind = (compared, "") if clear.empty else (clear, " clear")
    sizes = told["mean_difference"].abs().sort_values(ascending=False, kind="stable")
    largest, smallest = (
        f"{row['arm']}{_at(evidence, row)}, {_difference_of(row)}"
        for row in (told.loc[sizes.index[0]], told.loc[sizes.index[-1]])
    )
    if len(told) == 1:
        return f"The clear difference: {largest}."
    return f"Largest{kind} difference: {largest}. Smallest: {smallest}."


def _best_rates(evidence: Evidence) -> list[str]:
    """Each arm at its best learning rate, if that is the only axis and one arm is compared with the baseline."""
    table = evidence.lr_table
    if table is None or len(table) != 2 or len(evidence.axes) > 1:
        return []
    is_baseline = table["arm"] == table["baseline"]
    arm, baseline = table[~is_baseline].iloc[0], table[is_baseline].iloc[0]
    if math.isnan(arm["difference"]):
        return []
    difference = interval(arm["difference"], arm["low"], arm["high"], sign="+")
    clear = "" if is_clear(arm) else " (no clear difference)"
    spans = [
        f"{short_number(row['decades'])} decades" if row["decades"] >= 0 else "no range" for row in (arm, baseline)
    ]
    return [
        f"With each arm at its own best learning rate, {arm['arm']} differs from {baseline['arm']} by "
        f"{difference}{clear}; most seeds learn over {spans[0]} of learning rates with {arm['arm']}, over "
        f"{spans[1]} with {baseline['arm']}."
    ]


def _notes(evidence: Evidence, compared: pd.DataFrame) -> Iterator[str]:
    """What limits the answer."""
    yield from filter(None, (statistics_note(evidence), fallen_note(evidence), stopped_note(evidence)))
    too_few = _too_few_seeds(int(compared["n"].min()), len(evidence.family_table)) if len(compared) else ""
    if too_few:
        yield too_few
    if len(compared) and not too_few:
        text = verdict_text(evidence)
        yield f"{text[0].upper()}{text[1:]}."
    n_mixed = sum(is_mixed(row) for _, row in compared.iterrows())
    if n_mixed and len(compared) > 1:
        yield (
            f"In {counted(n_mixed, 'comparison')} only some seeds learned: there the verdict rests on whether "
            "runs learn, and on the seeds in which both arms did."
        )
    more = _more_seeds_note(compared)
    if more and not too_few:
        yield more
    n_diverged = sum(result.state == "diverged" for result in evidence.results)
    if n_diverged:
        yield f"{counted(n_diverged, 'run')} diverged: as accuracy the trivial score counts, and a loss is missing."
    n_failed = sum(result.state == "failed" for result in evidence.results)
    if n_failed:
        yield f"{counted(n_failed, 'run')} failed and count in no number."
    if evidence.n_missing:
        yield f"{evidence.n_missing} of {evidence.n_planned} runs are still missing."


def _more_seeds_note(compared: pd.DataFrame) -> str:
    """How to go on where a comparison is undecided, so that its error stays at 5 %; else an empty text."""
    if not any(row["verdict"] == UNDECIDED and not is_mixed(row) for _, row in compared.iterrows()):
        return ""
    return (
        "Adding seeds until an interval excludes 0 makes an error of 5% one of 16% (a look every 5 seeds up to 30). To "
        "go on, judge by the always-valid interval (low_always, high_always in differences.csv), at any number of "
        f"seeds from {MIN_SEEDS}."
    )


def _too_few_seeds(n_pairs: int, n_tests: int) -> str:
    """Say so if no outcome of so few pairs can be significant, and how many pairs it takes; else an empty text."""
    needed = pairs_needed(n_tests)
    if n_pairs >= needed:
        return ""
    pairs, tests = counted(n_pairs, "pair"), counted(n_tests, "comparison")
    return (
        f"Too few seeds: {pairs} can't be significant over {tests}, {needed} pairs can. Take this as a hint, "
        "and decide now on a number of seeds at which you look again, once."
    )
