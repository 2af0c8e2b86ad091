"""The rows of the tables that people read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bncli.analysis.runs import seed_curves
from bncli.report.spelling import count_of, epochs, interval, number, short_number, sparkline, threshold_text, value_of
from bncli.tasks import metrics
from bncli.tasks.metrics import lower_is_better

if TYPE_CHECKING:
    import pandas as pd

    from bncli.analysis.evidence import Evidence


BEST = " *"
"""What the name of the best arm ends in."""

Rows = list[dict[str, str]]


def _point(evidence: Evidence, row: pd.Series[Any]) -> dict[str, str]:
    return {name: value_of(row[f"param_{name}"]) for name, _ in evidence.study.axes}


def result_rows(evidence: Evidence) -> Rows:
    """The table for people: one row a condition, what it scored, against the baseline, and how it learned."""
    table, metric = evidence.joined_table, evidence.metric
    several = len(evidence.study.arms) > 1
    curves = _sparklines(evidence)
    rows = []
    for place, row in table.iterrows():
        shown = _point(evidence, row)
        is_best = row["best"] and metric == metrics.DEFAULT
        shown["arm"] = str(row["arm"]) + (BEST if is_best else "")
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
    parts = evidence.history_table.groupby("condition")
    curves = {place: seed_curves(rows, metric).mean(axis=1) for place, rows in parts}
    means = [value for curve in curves.values() for value in curve if not math.isnan(value)]
    if not means:
        return {}
    low, high = min(means), float(np.quantile(means, 0.95)) if lower_is_better(metric) else max(means)
    return {place: sparkline(list(curve), low, high) for place, curve in curves.items()}


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
            "at epoch": value_of(row["median_best_epoch"]),
            "n": str(row["n"]),
            "did not learn": count_of(row["n_chance"]),
            "diverged": str(row["n_diverged"]),
            "failed": str(row["n_failed"]),
            "seconds": number(row["mean_seconds"]),
            "seconds/epoch": number(row["mean_seconds_per_epoch"]),
            "params": count_of(row["params"]),
        }
        for _, row in evidence.conditions_table.iterrows()
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
        for _, row in evidence.differences_table.iterrows()
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
        for _, row in evidence.hits_table.iterrows()
    ]


def _ratio(row: pd.Series[Any], what: str) -> str:
    value, low, high = (row[f"{part}{what}_ratio"] for part in ("", "low_", "high_"))
    ends = "" if math.isnan(low) else f" [{low:.3g}, {high:.3g}]"
    return short_number(value) + ends


def rate_rows(evidence: Evidence) -> Rows:
    """What every arm makes of the learning rate, where that is an axis."""
    table = evidence.lr_table
    if table is None:
        return []
    others = [name for name, _ in evidence.study.axes if name != "lr"]
    return [
        {name: value_of(row[f"param_{name}"]) for name in others}
        | {
            "arm": str(row["arm"]),
            "from lr": value_of(row["lr_low"]),
            "to lr": value_of(row["lr_high"]),
            "decades": short_number(row["decades"]),
            "best lr": value_of(row["best_lr"]),
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
    for _, row in evidence.runs_table.iterrows():
        known = {"arm": str(row["arm"]), "seed": str(row["seed"]), "state": str(row["state"])}
        numbers = {metric: number(row[metric]) for metric in metrics.METRICS}
        rows.append(known | numbers | {"params": count_of(row["params"]), "seconds": f"{row['seconds']:.1f}"})
    return rows


def table_caption(evidence: Evidence) -> str:
    """What the reader of the table must know: the marks, and what is missing."""
    lines = ["mean [95% interval] over seeds"]
    if len(evidence.study.arms) > 1:
        lines.append(f"difference to {evidence.baseline}, paired by seed")
    lines.append(f"hit epoch: median, {threshold_text(evidence)}")
    if len(evidence.study.arms) > 1 and evidence.metric == metrics.DEFAULT:
        lines.append("* best validation accuracy among the arms")
    if evidence.trivial is not None and not lower_is_better(evidence.metric):
        lines.append(f"a constant answer scores {evidence.trivial:.3f}")
    missing = evidence.n_planned - len(evidence.results)
    if missing:
        lines.append(f"{missing} of {evidence.n_planned} runs are still missing")
    return "; ".join(lines)
