"""The rows of the tables that people read: one function per table, from evidence to texts by column."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from bncli.analysis.comparisons import mixed_arms
from bncli.analysis.runs import seed_curves
from bncli.analysis.verdicts import pairs_needed
from bncli.report.notes import fallen_note, norm_note, site_note, statistics_note, stopped_note
from bncli.report.spelling import (
    effect,
    epochs,
    field_value,
    interval,
    learned_text,
    number,
    p_value,
    ratio,
    short_number,
    sparkline,
    threshold_text,
    trivial_answer,
    verdict_text,
    whole_number,
)
from bncli.report.splits import split_note
from bncli.tasks.metrics import METRICS, TOLERANCE, default_of, lower_is_better, population_of

if TYPE_CHECKING:
    import pandas as pd

    from bncli.analysis.evidence import Evidence


BEST = " *"
"""Ends the name of an arm that is clearly the best, see `analysis.conditions.clear_winner`."""

LEARNED, MIDDLE, VERDICT = "learned", "median if learned", "verdict"
"""Columns of the main table; the first where some runs did not learn, the second where some of a condition did not."""

POPULATION_COLUMN = "population"
"""The column of the main table for the same metric with population statistics, where a gap is worth a sentence."""

HIT_EPOCH, DIFFERENCE = "hit epoch", "difference"
"""Columns of the main table that its caption explains."""

INTERVAL = " [interval]"
"""Behind the name of a column, this names the intervals in it, which a narrow terminal leaves out before the column."""

Rows = list[dict[str, str]]


def axis_values(evidence: Evidence, row: pd.Series[Any]) -> dict[str, str]:
    """Return the values of the axes in a row of a table, spelled."""
    return {name: field_value(row[f"param_{name}"]) for name in evidence.axes}


def result_rows(evidence: Evidence) -> Rows:
    """Return the main table: per condition its score, its difference from the baseline, and how it learned."""
    table, metric = evidence.joined_table, evidence.metric
    states = [state for state in ("diverged", "failed") if table[f"n_{state}"].any()]
    twin = population_of(metric) if evidence.gap else None
    curves, shares = _sparklines(evidence), evidence.conditions_table["p_learn"]
    rows = []
    for place, row in table.iterrows():
        cells = axis_values(evidence, row) | {"arm": str(row["arm"]) + (BEST if row["best"] else "")}
        cells[metric] = interval(row[f"mean_{metric}"], row[f"low_{metric}"], row[f"high_{metric}"])
        if twin:
            cells[POPULATION_COLUMN] = number(row[f"mean_{twin}"])
        if (shares < 1).any():
            cells[LEARNED] = _learned(row)
        if _is_mixed(shares):
            cells[MIDDLE] = number(row["median_if_learned"])
        if len(evidence.arms) > 1:
            cells[DIFFERENCE] = _difference(row, row["low_difference"], row["high_difference"])
            cells[VERDICT] = "-" if math.isnan(row["mean_difference"]) else field_value(row["verdict"])
        cells |= {HIT_EPOCH: _hit_epoch(row), "curve": curves.get(place, ""), "n": str(row["n"])}
        rows.append(cells | {state: str(row[f"n_{state}"]) for state in states})
    return rows


def _is_mixed(shares: pd.Series[Any]) -> bool:
    """Whether in some condition some runs learned and others did not."""
    return bool(((shares > 0) & (shares < 1)).any())


def _learned(row: pd.Series[Any]) -> str:
    return "-" if math.isnan(row["p_learn"]) else f"{row['n_learned']} of {row['n']}"


def _difference(row: pd.Series[Any], low: float, high: float) -> str:
    """A mean difference with its interval; differences that are all equal have none."""
    if row["std_difference"] <= TOLERANCE * abs(row["mean_difference"]):
        low = high = row["mean_difference"]
    return interval(row["mean_difference"], low, high, sign="+")


def _hit_epoch(row: pd.Series[Any]) -> str:
    return epochs(row["median_hit_epoch"], row["low_hit_epoch"], row["high_hit_epoch"])


def _sparklines(evidence: Evidence) -> dict[Any, str]:
    """The mean curve of every condition that has one, all on one scale, by the condition's row."""
    import numpy as np
    import pandas as pd

    metric = evidence.curve_metric
    parts = evidence.history_table.groupby("condition")
    curves = pd.DataFrame({place: seed_curves(rows, metric).mean(axis=1) for place, rows in parts}).ffill()
    means = [value for curve in curves.to_numpy().T for value in curve if not math.isnan(value)]
    if not means:
        return {}
    low, high = (float(np.quantile(means, share)) for share in _scale_ends(metric))
    return {place: sparkline(list(curve), low, high) for place, curve in curves.items()}


def _scale_ends(metric: str) -> tuple[float, float]:
    """The quantiles of all values at which the scale of curves ends: where no value is worst, a few may lie far off."""
    is_loss = lower_is_better(metric)
    return (0.0 if METRICS[metric].lowest == 0 else 0.05), (0.95 if is_loss else 1.0)


def detail_rows(evidence: Evidence) -> Rows:
    """Return more about every condition: spread, best epoch, runs that did not learn, time and size."""
    metric, default = evidence.metric, default_of(evidence.score)
    return [
        axis_values(evidence, row)
        | {
            "arm": str(row["arm"]),
            f"mean {metric}": number(row[f"mean_{metric}"]),
            "sd": number(row[f"std_{metric}"]),
            "median": number(row[f"median_{metric}"]),
            f"best {default}": number(row[f"mean_best_{default}"]),
            "at epoch": field_value(row["median_best_epoch"]),
            "n": str(row["n"]),
            "P(learn)": interval(row["p_learn"], row["low_p_learn"], row["high_p_learn"]),
            "median if learned": number(row["median_if_learned"]),
            "quartiles": _range(row["q25_if_learned"], row["q75_if_learned"]),
            "diverged": str(row["n_diverged"]),
            "failed": str(row["n_failed"]),
            "seconds": number(row["mean_seconds"]),
            "seconds/epoch": number(row["mean_seconds_per_epoch"]),
            "params": whole_number(row["params"]),
        }
        for _, row in evidence.conditions_table.iterrows()
    ]


def _range(low: float, high: float) -> str:
    return "-" if math.isnan(low) else f"{number(low)} to {number(high)}"


def difference_rows(evidence: Evidence) -> Rows:
    """Return the comparisons of every arm with the baseline, paired by seed."""
    is_mixed = _is_mixed(evidence.conditions_table["p_learn"])
    sides = "wins/ties/losses" if METRICS[evidence.metric].has_direction else "higher/equal/lower"
    return [
        axis_values(evidence, row)
        | {
            "arm": str(row["arm"]),
            "difference": _difference(row, row["low"], row["high"]),
            VERDICT: row["verdict"] if row["n"] else "-",
            "p": p_value(row["p_value"]),
            "p (Holm)": p_value(row["p_holm"]),
            sides: f"{row['wins']}/{row['ties']}/{row['losses']}",
            "effect size": effect(row["effect_size"], row["low_effect_size"], row["high_effect_size"]),
            "pairs": str(row["n"]),
        }
        | (_both_learned(row) if is_mixed else {})
        for _, row in evidence.differences_table.iterrows()
    ]


def _both_learned(row: pd.Series[Any]) -> dict[str, str]:
    """The comparison of the pairs in which both sides learned."""
    among = (row["both_learned_difference"], row["low_both_learned"], row["high_both_learned"])
    return {"both learned": whole_number(row["n_both_learned"]), "difference of these": interval(*among, sign="+")}


def hit_rows(evidence: Evidence) -> Rows:
    """Return when every arm reaches the threshold, and how much sooner than the baseline."""
    has_fallen = evidence.hits_table["n_fallen"].any()
    return [
        axis_values(evidence, row)
        | {
            "arm": str(row["arm"]),
            "threshold": number(row["threshold"]),
            "hit epoch": _hit_epoch(row),
            "never": f"{row['n_never']} of {row['n']}",
        }
        | ({"fell back": str(row["n_fallen"])} if has_fallen else {})
        | {
            "speed-up in epochs": _ratio(row, "epochs"),
            "in seconds": _ratio(row, "seconds"),
            "pairs": str(row["n_pairs"]) if row["arm"] != row["baseline"] else "-",
        }
        for _, row in evidence.hits_table.iterrows()
    ]


def _ratio(row: pd.Series[Any], what: str) -> str:
    return ratio(*(row[f"{part}{what}_ratio"] for part in ("", "low_", "high_")))


def rate_rows(evidence: Evidence) -> Rows:
    """Return where each arm learns and its best learning rate; no rows if the learning rate is not an axis."""
    table = evidence.lr_table
    if table is None:
        return []
    others = [name for name in evidence.axes if name != "lr"]
    return [
        {name: field_value(row[f"param_{name}"]) for name in others}
        | {
            "arm": str(row["arm"]),
            "from lr": field_value(row["lr_low"]),
            "to lr": field_value(row["lr_high"]),
            "decades": _decades(row),
            "best lr": field_value(row["best_lr"]),
            f"{evidence.metric} there": number(row["mean_best"]),
            "difference at own best lr": interval(row["difference"], row["low"], row["high"], sign="+"),
            "at baseline's best lr": interval(
                row["same_lr_difference"], row["same_lr_low"], row["same_lr_high"], sign="+"
            ),
        }
        for _, row in table.iterrows()
    ]


def _decades(row: pd.Series[Any]) -> str:
    text = short_number(row["decades"])
    if math.isnan(row["decades"]) or math.isnan(row["low_decades"]):
        return text
    return f"{text} [{row['low_decades']:.3g}, {row['high_decades']:.3g}]"


def run_rows(evidence: Evidence) -> Rows:
    """Return one row per run, for a study of a single condition, and below several runs a row of their means."""
    rows = [
        {"arm": str(row["arm"]), "seed": str(row["seed"]), "state": str(row["state"])}
        | {metric: number(row[metric]) for metric in _shown(evidence)}
        | {"params": whole_number(row["params"]), "seconds": f"{row['seconds']:.1f}"}
        for _, row in evidence.runs_table.iterrows()
    ]
    return rows + [_mean_row(evidence, row) for _, row in evidence.conditions_table.iterrows() if row["n"] > 1]


def _shown(evidence: Evidence) -> list[str]:
    """The main metrics that a run has, and the one that arms are compared by."""
    wanted = [name for name, metric in METRICS.items() if metric.is_main or name == evidence.metric]
    return [name for name in wanted if name in evidence.runs_table]


def _mean_row(evidence: Evidence, row: pd.Series[Any]) -> dict[str, str]:
    """The means over the seeds of a condition; that of the metric with its interval, as in the main table."""
    metric = evidence.metric
    means = {name: number(row[f"mean_{name}"]) for name in _shown(evidence)}
    means[metric] = interval(row[f"mean_{metric}"], row[f"low_{metric}"], row[f"high_{metric}"])
    sizes = {"params": whole_number(row["params"]), "seconds": f"{row['mean_seconds']:.1f}"}
    return {"arm": str(row["arm"]), "seed": "mean", "state": f"of {row['n']}"} | means | sizes


def run_caption(evidence: Evidence, left_out: Collection[str] = ()) -> str:
    """Return the caption of the table of runs: what the last row is, what the arm is, what its scores suffer from.

    Args:
        evidence: The study with its results.
        left_out: What the table does not show, see `table_caption`.
    """
    has_mean = (evidence.conditions_table["n"] > 1).any()
    mean = _mean("mean", evidence.metric, left_out)
    notes = (norm_note(evidence), site_note(evidence), statistics_note(evidence), stopped_note(evidence))
    lines = (f"{mean} over seeds" if has_mean else "", *notes)
    return "\n".join(line for line in lines if line)


def _mean(word: str, column: str, left_out: Collection[str]) -> str:
    """A word for a mean, with a mention of its interval if that is shown."""
    return word if f"{column}{INTERVAL}" in left_out else f"{word} [95% interval]"


def table_caption(evidence: Evidence, left_out: Collection[str] = ()) -> str:
    """Return the caption of the main table, in lines: what columns and marks mean, what arms are, what they lack.

    Args:
        evidence: The study with its results.
        left_out: What the table does not show, for want of width: names of columns, with `INTERVAL` behind a name only
            the intervals in it.
    """
    fallen = "" if HIT_EPOCH in left_out else fallen_note(evidence)
    notes = (
        norm_note(evidence),
        site_note(evidence),
        statistics_note(evidence),
        fallen,
        stopped_note(evidence),
        split_note(evidence),
    )
    lines = (columns_caption(evidence, left_out), *notes)
    return "\n".join(line for line in lines if line)


def columns_caption(evidence: Evidence, left_out: Collection[str] = ()) -> str:
    """Return what the columns and marks of the main table mean, and which runs are missing.

    Args:
        evidence: The study with its results.
        left_out: What the table does not show, see `table_caption`.
    """
    parts = {
        "mean": f"{_mean('mean', evidence.metric, left_out)} over seeds",
        **_comparison_captions(evidence, left_out),
        **_learning_captions(evidence),
        "trivial": _trivial_caption(evidence),
        "missing": f"{evidence.n_missing} of {evidence.n_planned} runs are still missing" if evidence.n_missing else "",
    }
    return "; ".join(text for part, text in parts.items() if text and part not in left_out)


def _comparison_captions(evidence: Evidence, left_out: Collection[str]) -> dict[str, str]:
    """What the columns of the comparison with the baseline mean, by column."""
    if len(evidence.arms) < 2:
        return {}
    is_first = f"{evidence.metric}{INTERVAL}" in left_out  # to have intervals
    difference = _mean(DIFFERENCE, DIFFERENCE, left_out) if is_first else DIFFERENCE
    return {
        DIFFERENCE: f"{difference} from {evidence.baseline}, paired by seed",
        VERDICT: "; ".join(filter(None, (verdict_text(evidence), _few_caption(evidence), _mixed_caption(evidence)))),
    }


def _few_caption(evidence: Evidence) -> str:
    """How many pairs it takes to be better or worse, if no comparison has as many."""
    compared = evidence.differences_table
    needed = pairs_needed(max(1, len(evidence.family_table)))
    if (compared["n"] >= needed).any():
        return ""
    words = "better or worse" if METRICS[evidence.metric].has_direction else "higher or lower"
    return f"{words} takes {needed} pairs or more here"


def _mixed_caption(evidence: Evidence) -> str:
    """What verdicts rest on where a mean over all seeds says little, and of which arms; empty if there are none."""
    mixed = {name for _, row in evidence.differences_table.iterrows() for name in mixed_arms(row)}
    arms = ", ".join(arm for arm in evidence.arms if arm in mixed)
    if not arms:
        return ""
    return (
        f"where only some seeds of an arm learned ({arms}), the verdict rests on whether runs learn, and on the "
        "seeds in which both arms did"
    )


def _learning_captions(evidence: Evidence) -> dict[str, str]:
    """What the columns and the mark on how a condition learned mean, by column."""
    table = evidence.conditions_table
    parts = {HIT_EPOCH: f"hit epoch: median epoch at which {threshold_text(evidence)}"}
    if evidence.gap and population_of(evidence.metric):
        text = "mean with statistics that are re-estimated after training in place of moving averages"
        parts = {POPULATION_COLUMN: f"population: {text}"} | parts
    if table["best"].any():
        parts[BEST] = f"* better in {METRICS[evidence.metric].label} than every other arm"
    if (table["p_learn"] < 1).any():
        parts[LEARNED] = f"learned: runs {learned_text(evidence)}"
    return parts


def _trivial_caption(evidence: Evidence) -> str:
    trivial = evidence.trivial_score(evidence.metric)
    return "" if trivial is None else f"always {trivial_answer(evidence.metric)} scores {number(trivial)}"
