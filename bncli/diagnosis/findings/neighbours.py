"""Predictions that depend on the other rows of a batch."""

from __future__ import annotations

from collections.abc import Iterator

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import MEASURED, Finding, register


@register("depends-on-batch")
def depends_on_batch(case: Case) -> Iterator[Finding]:
    """In inference mode a row gets another answer alone than among others."""
    readings = case.readings
    if readings is None or not readings.n_changed:
        return
    yield Finding(
        f"{readings.n_changed} of {readings.n_alone} validation rows get other probabilities alone than among the "
        "others, in inference mode: a layer uses the batch.",
        readings.n_changed / readings.n_alone,
        (),
        "Look for a layer that normalizes over the batch without asking for `training`, or is called with "
        "training=True.",
        certainty=MEASURED,
    )
