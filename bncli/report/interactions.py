"""Interactions as people read them: the rows of their table, and the sentence about the most telling axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bncli.analysis.comparisons import is_clear
from bncli.analysis.interactions import whole_contrasts
from bncli.analysis.verdicts import SIGNIFICANT, pairs_needed
from bncli.report.spelling import field_value, interval, number, point_label
from bncli.tasks.metrics import METRICS, lower_is_better
from bncli.values import counted

if TYPE_CHECKING:
    import pandas as pd

    from bncli.analysis.evidence import Evidence
    from bncli.report.rows import Rows


NOTE = (
    "How the difference from the baseline changes along an axis: the difference at the second value (to) minus that at "
    "the first (from), a paired difference of differences [95% interval]. p: sign-flip test. p (Holm): corrected for "
    "the number of rows of this table that have a p. Where only some seeds of an arm learned at one of the values, a "
    "mean says little, and the change is left out."
)


def interaction_rows(evidence: Evidence) -> Rows:
    """Return the changes of each arm's difference from the baseline along every axis."""
    return [
        {
            "arm": str(row["arm"]),
            "along": row["axis"],
            "from": field_value(row["from"]),
            "to": field_value(row["to"]),
            "at": _others(evidence, row) or "-",
            "difference there": f"{number(row['from_difference'], '+')} to {number(row['to_difference'], '+')}",
            "change": interval(row["mean_difference"], row["low"], row["high"], sign="+"),
            "p": number(row["p_value"]),
            "p (Holm)": number(row["p_holm"]),
            "seeds": str(row["n"]),
        }
        for _, row in evidence.interactions_table.iterrows()
    ]


def _others(evidence: Evidence, row: pd.Series[Any]) -> str:
    """Spell the values of the other axes: `activation relu`."""
    return point_label(evidence.axes, [row[f"param_{name}"] for name in evidence.axes])


def interaction_sentence(evidence: Evidence) -> str:
    """Return how the difference from the baseline changes along the most telling axis; empty without contrasts.

    That axis, and the arm, are those of the clear change between ends with the smallest p-value, the largest change if
    there are equals; of one between neighbours if none between ends is clear. At several points of the other axes the
    largest and the smallest change are told. Contrasts where only some seeds learned are counted.
    """
    table = evidence.interactions_table
    told = table[table["mean_difference"].notna()]
    return " ".join(filter(None, ("" if told.empty else _change_told(evidence, told), _left_out(evidence))))


def _left_out(evidence: Evidence) -> str:
    """How many contrasts have no change because only some seeds learned; empty if there are none."""
    table = evidence.interactions_table
    n_left_out = int((table["mean_difference"].isna() & (table["n"] > 0)).sum())
    if not n_left_out:
        return ""
    return (
        f"How differences from {evidence.baseline} change along {_listed(evidence)} is left out in {n_left_out} of "
        f"{counted(len(table), 'contrast')}: only some seeds of an arm learned there, and a mean says little."
    )


def _change_told(evidence: Evidence, table: pd.DataFrame) -> str:
    """The sentence on the contrasts that have a change."""
    sizes = table.assign(size=table["mean_difference"].abs())
    clear = sizes[[_is_clear_change(row) for _, row in table.iterrows()]]
    if clear.empty:
        return _nothing_clear(evidence, sizes)
    ends = whole_contrasts(sizes)
    clear_ends = clear[clear.index.isin(ends.index)]
    told_of, found = (sizes, clear) if clear_ends.empty else (ends, clear_ends)
    first = found.sort_values(["p_holm", "size"], ascending=[True, False], kind="stable").iloc[0]
    return _clear_changes(evidence, told_of, first)


def _clear_changes(evidence: Evidence, sizes: pd.DataFrame, first: pd.Series[Any]) -> str:
    """The largest and the smallest of the changes that differ from the first in the point of the other axes only."""
    same = sizes[(sizes[["arm", "axis", "from", "to"]] == first[["arm", "axis", "from", "to"]]).all(axis=1)]
    ordered = same.sort_values("size", ascending=False, kind="stable")
    told = ordered.iloc[[0, -1]] if len(ordered) > 1 else ordered
    changes = "; ".join(_change(evidence, row, is_first=row.name == told.index[0]) for _, row in told.iterrows())
    return f"From {first['axis']} {field_value(first['from'])} to {field_value(first['to'])}, {changes}."


def _is_clear_change(row: pd.Series[Any]) -> bool:
    """Whether the corrected test and the interval both exclude a change of 0."""
    return bool(row["p_holm"] < SIGNIFICANT and is_clear(row))


def _nothing_clear(evidence: Evidence, sizes: pd.DataFrame) -> str:
    """The change with the smallest p-value; of equals, the largest for the width of its interval."""
    widths = sizes["high"] - sizes["low"]
    ratios = (sizes["size"] / widths).fillna(0.0)
    ordered = sizes.assign(ratio=ratios).sort_values(["p_value", "ratio"], ascending=[True, False], kind="stable")
    row = ordered.iloc[0]
    at = _others(evidence, row)
    change = interval(row["mean_difference"], row["low"], row["high"], sign="+")
    return (
        f"{_why_nothing_clear(evidence, sizes, row['baseline'])}; the clearest is that of {row['arm']} from "
        f"{row['axis']} {field_value(row['from'])} to {field_value(row['to'])}{f' at {at}' if at else ''}, by {change}."
    )


def _why_nothing_clear(evidence: Evidence, sizes: pd.DataFrame, baseline: str) -> str:
    """Whether no change was found, or none could be: so few seeds reach no p-value that survives the correction."""
    n_seeds, n_contrasts = int(sizes["n"].max()), len(sizes)
    if n_seeds < pairs_needed(n_contrasts):
        few, contrasts = counted(n_seeds, "seed"), counted(n_contrasts, "contrast")
        return (
            f"{few} can't show a clear change of differences from {baseline} over {contrasts} along {_listed(evidence)}"
        )
    return f"Differences from {baseline} show no clear change along {_listed(evidence)}"


def _listed(evidence: Evidence) -> str:
    return " or ".join(dict.fromkeys(evidence.interactions_table["axis"]))


def _change(evidence: Evidence, row: pd.Series[Any], is_first: bool) -> str:
    """Spell `batch's advantage over none in validation accuracy grows by 0.840 [0.810, 0.860] with lr 0.1`."""
    if not METRICS[evidence.metric].has_direction:
        return _undirected_change(evidence, row, is_first)
    side = -1 if lower_is_better(evidence.metric) else 1
    gains = [side * row["from_difference"], side * row["to_difference"]]
    noun, to = ("advantage", "over") if max(gains) > 0 else ("disadvantage", "against")
    subject = f"the {noun}"
    if is_first:
        subject = f"{row['arm']}'s {noun} {to} {row['baseline']} in {METRICS[evidence.metric].label}"
    others = _others(evidence, row)
    at = f" with {others}" if others else ""
    if not _is_clear_change(row):
        return f"{subject} does not clearly change{at} ({number(row['mean_difference'], '+')})"
    verb = "grows" if (gains[1] > gains[0]) == (noun == "advantage") else "shrinks"
    ends = sorted(abs(end) for end in (row["low"], row["high"]))
    return f"{subject} {verb} by {interval(abs(row['mean_difference']), *ends)}{at}"


def _undirected_change(evidence: Evidence, row: pd.Series[Any], is_first: bool) -> str:
    """The same by a metric of which no value is better."""
    subject = "the difference"
    if is_first:
        subject = f"{row['arm']}'s difference from {row['baseline']} in {METRICS[evidence.metric].label}"
    others = _others(evidence, row)
    at = f" with {others}" if others else ""
    if not _is_clear_change(row):
        return f"{subject} does not clearly change{at} ({number(row['mean_difference'], '+')})"
    return f"{subject} changes by {interval(row['mean_difference'], row['low'], row['high'], sign='+')}{at}"
