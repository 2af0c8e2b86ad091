"""Recorded runs that diverged."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import Finding, register
from bncli.diagnosis.wording import some_of


@register("diverged")
def diverged(case: Case) -> Iterator[Finding]:
    """Recorded runs of a study diverged: their loss became infinite or not a number."""
    runs = [run for run in case.runs if run.state != "failed"]
    lost = [run for run in runs if run.state == "diverged"]
    if lost:
        seeds = ", ".join(str(run.config.seed) for run in lost[:MAX_SEEDS])
        more = f" and {len(lost) - MAX_SEEDS} more" if len(lost) > MAX_SEEDS else ""
        yield Finding(
            f"{some_of(len(lost), len(runs), 'run')} diverged: seed{'s' if len(lost) > 1 else ''} {seeds}{more}.",
            len(lost),
            (),
            "A lower lr, clipnorm=1, a warm-up, or a normalization before each activation.",
        )


MAX_SEEDS = 10
"""The most seeds that a sentence lists."""
