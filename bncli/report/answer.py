"""The answer of a study in two or three sentences, and the notes that limit it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bncli.analysis.comparisons import is_clear, is_mixed
from bncli.analysis.effects import wilson_interval
from bncli.analysis.verdicts import CLEAR, EQUIVALENT, UNDECIDED, VERDICTS, pairs_needed
from bncli.report.interactions import interaction_sentence
from bncli.report.limits import limits
from bncli.report.spelling import (
    are_equal,
    epochs,
    interval,
    number,
    point_label,
    setting_text,
    short_number,
    within,
)
from bncli.tasks.metrics import METRICS, TOLERANCE, lower_is_better
from bncli.values import capital, counted

if TYPE_CHECKING:
    import pandas as pd

    from bncli.analysis.evidence import Evidence


MAX_POINTS = 3
"""The most points of the axes at which an arm's verdict is told one by one."""

MAX_TALLY = 280
"""The most characters of the sentence that does so; beyond, it says at how many points."""


@dataclass(frozen=True)
class Answer:
    """What a study found.

    Attributes:
        sentences: The finding with its numbers, at most four sentences. The first can stand alone.
        notes: What limits it: too few seeds, or runs that failed or are missing.
    """

    sentences: tuple[str, ...]
    notes: tuple[str, ...] = ()


def answer_of(evidence: Evidence) -> Answer:
    """Return what the study found, in at most four sentences, with notes on what limits it."""
    compared = _compared(evidence)
    if compared.empty:
        sentences = _scores(evidence)
    elif len(compared) == 1:
        sentences = [_verdict(evidence, compared.iloc[0]), *_hit_epochs(evidence, compared.iloc[0])]
    else:
        sentences = list(_several(evidence, compared))
    changes = interaction_sentence(evidence)
    return Answer((*sentences, *([changes] if changes else [])), tuple(limits(evidence, compared)))


def headline(evidence: Evidence) -> str:
    """Return the largest clear difference as the title of a figure; empty if there is none."""
    table = evidence.differences_table
    rows = [row for row in _by_size(table[table["verdict"].isin(CLEAR)]) if not is_mixed(row)]
    return _capital(_change(evidence, rows[0])) if rows else ""


def tally(evidence: Evidence) -> str:
    """Return which comparisons are better, worse or equivalent, as the title of a figure; empty if there is one."""
    compared = _compared(evidence)
    return _tally(evidence, compared).removesuffix(".") if len(compared) > 1 else ""


def spans(evidence: Evidence) -> str:
    """Return over how many decades of learning rates two arms learn, as the title of a figure; empty elsewhere."""
    sides = _two_rates(evidence)
    return f"Most seeds learn over {_spans(*sides)}" if sides else ""


def _compared(evidence: Evidence) -> pd.DataFrame:
    table = evidence.differences_table
    return table[table["mean_difference"].notna()]


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
    judged = f", {row['verdict']} than {baseline}" if METRICS[evidence.metric].has_direction else ""
    return f"{_capital(_change(evidence, row))}{judged}: {_difference_of(row)}."


def _change(evidence: Evidence, row: pd.Series[Any]) -> str:
    """Spell `with sigmoid at lr 0.05, batch:before raises validation accuracy from 0.101 to 0.970`."""
    change = _from_to(evidence, row) or f"by {number(abs(row['mean_difference']))}"
    return f"{_begun(evidence, row)} {_raises(row)} {METRICS[evidence.metric].label} {change}"


def _begun(evidence: Evidence, row: pd.Series[Any]) -> str:
    """The beginning of a sentence about a comparison: `with sigmoid at lr 0.05, batch:before`."""
    setting = setting_text(evidence.axes, [row[f"param_{name}"] for name in evidence.axes])
    return f"{setting}, {row['arm']}" if setting else str(row["arm"])


def _capital(sentence: str) -> str:
    """A sentence with a capital, unless it begins with the name of an arm."""
    return capital(sentence) if sentence.startswith(("with ", "at ")) else sentence


def _raises(row: pd.Series[Any]) -> str:
    return "raises" if row["mean_difference"] > 0 else "lowers"


def _from_to(evidence: Evidence, row: pd.Series[Any]) -> str:
    """Spell `from 0.101 to 0.970`; empty where the means are not over the pairs of the difference."""
    sides = _sides(evidence, evidence.conditions_table, row)
    if {side["n"] for side in sides} != {row["n"]}:
        return ""
    baseline, arm = (number(side[f"mean_{evidence.metric}"]) for side in sides)
    return f"from {baseline} to {arm}"


def _sides(evidence: Evidence, table: pd.DataFrame, row: pd.Series[Any]) -> list[pd.Series[Any]]:
    """The rows of the baseline and the arm of a comparison in a table of conditions; empty if one is missing."""
    import pandas as pd

    for name in evidence.axes:
        value, column = row[f"param_{name}"], table[f"param_{name}"]
        if not pd.isna(value):
            table = table[column.isna() | (column == value)]
    sides = {side["arm"]: side for _, side in table.iterrows()}
    names = [row["baseline"], row["arm"]]
    return [sides[name] for name in names] if set(names) <= set(sides) else []


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
    sides = _sides(evidence, evidence.hits_table, row)[::-1]
    if not sides:
        return []
    medians = [epochs(*(side[f"{part}_hit_epoch"] for part in ("median", "low", "high"))) for side in sides]
    never = [f"{side['n_never']} of {side['n']}" for side in sides]
    level = number(sides[0]["threshold"])
    return [
        f"Median epoch at which the smoothed {evidence.curve_metric} reaches {level}: {medians[0]} for "
        f"{row['arm']}, {medians[1]} for {row['baseline']} ({never[0]} and {never[1]} seeds never reach it)."
    ]


def _several(evidence: Evidence, compared: pd.DataFrame) -> Iterator[str]:
    """The largest clear difference, how many there are of each kind, and the smallest or each arm at its best rate."""
    clear = _by_size(compared[compared["verdict"].isin(CLEAR)])
    told = [row for row in clear if not is_mixed(row)]
    if told:
        seeds = counted(int(told[0]["n"]), "seed")
        yield f"{_capital(_change(evidence, told[0]))} ({seeds}; {_which(len(told), len(clear), len(compared))})."
    yield _tally(evidence, compared)
    rates = _best_rates(evidence)
    if rates or not clear:
        yield from rates or _extremes(evidence, compared)
    elif len(told) > 1:
        yield f"The smallest clear difference: {_change(evidence, told[-1])}."


def _which(n_told: int, n_clear: int, n: int) -> str:
    """Which of all differences one is; those where only some seeds learned are not compared by their means."""
    if n_told < n_clear:
        return f"one of {n_clear} clear differences of {n}"
    if n_clear == n:
        return f"the largest of {n} differences"
    return f"the {'largest' if n_clear > 1 else 'only'} clear one of {n} differences"


def _by_size(compared: pd.DataFrame) -> list[pd.Series[Any]]:
    """Comparisons by the size of their difference, the largest first."""
    sizes = compared["mean_difference"].abs().sort_values(ascending=False, kind="stable")
    return [compared.loc[place] for place in sizes.index]


def _tally(evidence: Evidence, compared: pd.DataFrame) -> str:
    """Which arms are better, worse or equivalent, and how many comparisons are undecided."""
    label, n = METRICS[evidence.metric].label, len(compared)
    verdicts = {word: compared[compared["verdict"] == word] for word in VERDICTS if word != UNDECIDED}
    found = {word: rows for word, rows in verdicts.items() if len(rows)}
    if not found:
        every = "Both" if n == 2 else f"All {n}"
        few = _too_few(evidence, compared)
        return f"{every} comparisons with {evidence.baseline} in {label} are undecided{few}."
    word = next(iter(found))
    than = f"{'to' if word == EQUIVALENT else 'than'} {evidence.baseline} in"
    if len(found[word]) == n and compared["arm"].nunique() == 1:
        both = "both" if n == 2 else f"all {n}"
        return f"{compared['arm'].iloc[0]} is {word} {than} {both} comparisons."
    n_undecided = n - sum(map(len, found.values()))
    undecided = [f"undecided: {n_undecided} of {counted(n, 'comparison')}"] if n_undecided else []
    for most in (MAX_POINTS, 0):
        first, *others = [f"{word}: {_named(evidence, rows, compared, most)}" for word, rows in found.items()]
        text = f"{word.capitalize()} {than} {label}:{'; '.join([first.partition(':')[2], *others, *undecided])}."
        if len(text) <= MAX_TALLY:
            break
    return text


def _too_few(evidence: Evidence, compared: pd.DataFrame) -> str:
    """That no outcome of so few seeds could decide, where that is so."""
    n, needed = int(compared["n"].max()), pairs_needed(len(evidence.family_table))
    return f": {counted(n, 'seed')} can't decide so many, {needed} can" if n < needed else ""


def _named(evidence: Evidence, rows: pd.DataFrame, compared: pd.DataFrame, most: int) -> str:
    """The arms of some comparisons, each with its points of the axes; with their number if all, or more than `most`."""
    texts = []
    for arm, own in rows.groupby("arm", sort=False):
        n_all = int((compared["arm"] == arm).sum())
        if n_all > 1 and (len(own) > most or len(own) == n_all):
            count = f"all {n_all}" if len(own) == n_all else f"{len(own)} of {n_all}"
            texts.append(f"{arm} ({count} comparisons)")
        else:
            texts.append(f"{arm}{' and'.join(_at(evidence, row) for _, row in own.iterrows())}")
    return ", ".join(texts)


def _extremes(evidence: Evidence, compared: pd.DataFrame) -> Iterator[str]:
    """The largest and the smallest difference, regardless of sign, of those whose means say something."""
    rows = [row for row in _by_size(compared) if not is_mixed(row)]
    if rows:
        yield f"Largest difference: {_spelled(evidence, rows[0])}."
    if len(rows) > 1:
        yield f"Smallest: {_spelled(evidence, rows[-1])}."


def _spelled(evidence: Evidence, row: pd.Series[Any]) -> str:
    """A comparison in a list: its arm, its setting, its difference."""
    return f"{row['arm']}{_at(evidence, row)}, {_difference_of(row)}"


def _best_rates(evidence: Evidence) -> list[str]:
    """Each arm at its best learning rate, if that is the only axis and one arm is compared with the baseline."""
    sides = _two_rates(evidence)
    if not sides:
        return []
    arm, baseline = sides
    difference = interval(arm["difference"], arm["low"], arm["high"], sign="+")
    clear = "" if is_clear(arm) else " (no clear difference)"
    return [
        f"With each arm at its own best learning rate, {arm['arm']} differs from {baseline['arm']} by "
        f"{difference}{clear}; most seeds learn over {_spans(*sides)}."
    ]


def _two_rates(evidence: Evidence) -> list[pd.Series[Any]]:
    """The learning rates of the only compared arm and of the baseline; empty if there are others."""
    table = evidence.lr_table
    if table is None or len(table) != 2 or len(evidence.axes) > 1:
        return []
    is_baseline = table["arm"] == table["baseline"]
    sides = [table[~is_baseline].iloc[0], table[is_baseline].iloc[0]]
    return [] if math.isnan(sides[0]["difference"]) else sides


def _spans(arm: pd.Series[Any], baseline: pd.Series[Any]) -> str:
    """Spell `2 decades of learning rates with batch:before, over no range with none`."""
    spans = [_span(row["decades"]) for row in (arm, baseline)]
    return f"{spans[0]} of learning rates with {arm['arm']}, over {spans[1]} with {baseline['arm']}"


def _span(decades: float) -> str:
    """Spell a range of learning rates."""
    if math.isnan(decades):
        return "no range"
    return "1 decade" if decades == 1 else f"{short_number(decades)} decades"
