"""Notes under a table: what an arm really is, and what its validation scores suffer from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.analysis.lag import MAX_LEFT, MOMENTUM, Lag
from bncli.config import DEFAULTS, NORM_FIELDS
from bncli.report.spelling import counted
from bncli.values import show

if TYPE_CHECKING:
    from bncli.analysis.evidence import Evidence
    from bncli.study.arms import Arm


SMALLER = (0.9, 0.5)
"""Values of the momentum that a note may suggest, the mildest first."""


def norm_note(evidence: Evidence) -> str:
    """Say which norm settings the arms have that neither their labels nor the axes show; empty if there are none.

    Example: `batch:before here: norm_momentum 0.9, norm_output true`.
    """
    arms: dict[str, list[str]] = {}
    for arm in evidence.study.arms:
        arms.setdefault(_hidden_settings(evidence, arm), []).append(arm.label)
    return "; ".join(f"{', '.join(labels)} here: {settings}" for settings, labels in arms.items() if settings)


def _hidden_settings(evidence: Evidence, arm: Arm) -> str:
    """The norm fields of all runs of an arm that differ from the defaults and that its label does not name."""
    configs = [config for config, condition in evidence.conditions.items() if condition.arm == arm.label]
    shown = {"norm", *dict(arm.changes), *evidence.axes}
    found = {name: {getattr(config, name) for config in configs} for name in NORM_FIELDS if name not in shown}
    settings = {name: values.pop() for name, values in found.items() if len(values) == 1}
    return ", ".join(f"{name} {show(value)}" for name, value in sorted(settings.items()) if value != DEFAULTS[name])


def lag_note(evidence: Evidence) -> str:
    """Say that moving averages still hold much of their initial values, and the remedy; empty if they don't."""
    lag = evidence.lag
    if lag is None:
        return ""
    up_to = "up to " if lag.is_worst else ""
    return (
        f"Note: {counted(lag.n_steps, 'training step')}; the moving averages of {_listed(lag.arms)} still hold "
        f"{up_to}{lag.share:.0%} of their initial values ({lag.momentum:g}^{lag.n_steps}). "
        f"Validation measures that lag: try {_remedy(evidence, lag)}."
    )


def smaller_momentum(lag: Lag) -> float | None:
    """Return the mildest smaller momentum with which nothing lags; None if no value of `SMALLER` is small enough."""
    return next((value for value in SMALLER if value < lag.momentum and value**lag.n_steps <= MAX_LEFT), None)


def _remedy(evidence: Evidence, lag: Lag) -> str:
    momentum, arm = smaller_momentum(lag), lag.arms[0]
    if momentum is None:
        return "more epochs"
    if MOMENTUM in arm or MOMENTUM in evidence.axes:
        return f"{MOMENTUM} {momentum:g} or less, or more epochs"
    return f"{arm}+{MOMENTUM}={momentum:g}, or more epochs"


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
