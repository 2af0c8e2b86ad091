"""A note on what the data's draws add to the spread of differences."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from bncli.analysis.variance import AXIS, Share, difference_shares
from bncli.values import counted

if TYPE_CHECKING:
    from bncli.analysis.evidence import Evidence


MAX_SHARES = 4
"""How many shares a note tells one by one."""


def split_note(evidence: Evidence) -> str:
    """Say how much of the differences' variance lies between draws of the data, or that this can't be told.

    Example: `Between 4 values of data_seed lies 62% [12%, 96%] of the variance of batch:before's difference (8 seeds on
    each).` The note is empty for a study on one draw.
    """
    if not evidence.study.base.vary_data:
        return _shares(evidence) if AXIS in evidence.axes else ""
    return (
        "Every seed has its own draw of the data (vary_data): intervals and differences include the variance between "
        f"draws. A sweep of {AXIS} without vary_data tells its share."
    )


def _shares(evidence: Evidence) -> str:
    found = difference_shares(evidence.results, evidence.conditions, evidence.metric, evidence.baseline)
    if len(found) > MAX_SHARES:
        values = sorted(share.value for share in found.values())
        return (
            f"Between the values of {AXIS} lies {values[0]:.0%} to {values[-1]:.0%} (median {median(values):.0%}) of "
            f"the variance of the {len(found)} differences from {evidence.baseline}."
        )
    return " ".join(
        f"Between {share.n_draws} values of {AXIS} lies {share.value:.0%} {_interval(share)} "
        f"of the variance of {condition}'s difference from {evidence.baseline} "
        f"({counted(share.n_seeds, 'seed')} on each)."
        for condition, share in found.items()
    )


def _interval(share: Share) -> str:
    """Spell an interval; where its upper end is 0 too, the draws differ by less than chance allows, and it has none."""
    return f"[{share.low:.0%}, {share.high:.0%}]" if share.high > 0 else "(no interval)"
