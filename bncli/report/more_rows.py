"""The rows of tables that only some studies have: comparisons by other metrics, and how classes are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.report.rows import DIFFERENCE, VERDICT, Rows, axis_values
from bncli.report.spelling import interval, p_value
from bncli.values import counted

if TYPE_CHECKING:
    from bncli.analysis.evidence import Evidence


def other_rows(evidence: Evidence) -> Rows:
    """Return the comparisons by the other metrics, whose p-values are corrected together with the first one's."""
    table = evidence.family_table
    return [
        {"metric": str(row["metric"])}
        | axis_values(evidence, row)
        | {
            "arm": str(row["arm"]),
            DIFFERENCE: interval(row["mean_difference"], row["low"], row["high"], sign="+"),
            VERDICT: str(row["verdict"]),
            "p (Holm)": p_value(row["p_holm"]),
            "pairs": str(row["n"]),
        }
        for _, row in table[table["metric"] != evidence.metric].iterrows()
    ]


def other_caption(evidence: Evidence) -> str:
    """Return the caption of `other_rows`."""
    n_metrics, n_tests = 1 + len(evidence.more), counted(len(evidence.family_table), "comparison")
    return f"differences from {evidence.baseline}; p (Holm): corrected over all {n_tests} by {n_metrics} metrics"


def class_rows(evidence: Evidence) -> Rows:
    """Return how classes are answered: by class and arm, the share that is right and how it differs."""
    table = evidence.classes_table
    places = {name: place for place, name in enumerate(dict.fromkeys(table["class"]))}
    return [
        {"class": str(row["class"]), "rows": f"{row['rows']:.0f}"}
        | axis_values(evidence, row)
        | {
            "arm": str(row["arm"]),
            "right": interval(row["recall"], row["low_recall"], row["high_recall"]),
            DIFFERENCE: interval(row["difference"], row["low"], row["high"], sign="+"),
            "n": str(row["n"]),
        }
        for _, row in table.sort_values("class", key=lambda names: names.map(places), kind="stable").iterrows()
    ]
