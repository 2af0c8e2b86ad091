"""What limits the answer of a study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bncli.analysis.comparisons import is_mixed
from bncli.analysis.seeds import MIN_SEEDS
from bncli.analysis.verdicts import UNDECIDED, pairs_needed
from bncli.report.notes import fallen_note, statistics_note, stopped_note
from bncli.report.spelling import verdict_text
from bncli.tasks.scores import SCORES
from bncli.values import capital, counted

if TYPE_CHECKING:
    import pandas as pd

    from bncli.analysis.evidence import Evidence


def limits(evidence: Evidence, compared: pd.DataFrame) -> Iterator[str]:
    """Yield what limits the answer of a study: too few seeds, or runs that failed or are missing.

    Args:
        evidence: The study with its results.
        compared: The rows of its differences that have a value.
    """
    yield from filter(None, (statistics_note(evidence), fallen_note(evidence), stopped_note(evidence)))
    too_few = _too_few_seeds(int(compared["n"].min()), len(evidence.family_table)) if len(compared) else ""
    if too_few:
        yield too_few
    if (compared["verdict"] != UNDECIDED).any():
        text = verdict_text(evidence)
        yield f"{capital(text)}."
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
        label = SCORES[evidence.score].label
        yield f"{counted(n_diverged, 'run')} diverged: as {label} the trivial score counts, and a loss is missing."
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
        "Don't add seeds until an interval excludes 0: with a look every 5 seeds up to 30, 16% of arms without an "
        "effect would get a verdict, not 5%. To go on, judge by the always-valid interval (low_always, high_always in "
        f"differences.csv), at any number of seeds from {MIN_SEEDS}."
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
