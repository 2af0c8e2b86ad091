"""Notes under a table: what an arm really is, and what its validation scores suffer from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bncli.analysis.gap import Gap, has_population
from bncli.analysis.lag import MAX_LEFT, MOMENTUM, Lag, n_steps
from bncli.config import DEFAULTS, NORM_FIELDS
from bncli.networks.layout import IN_PLACE
from bncli.networks.norms import AS_IS, fields
from bncli.report.spelling import number, point_label
from bncli.tasks.metrics import METRICS, lower_is_better
from bncli.values import counted, show

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


def site_note(evidence: Evidence) -> str:
    """Say which arms move only some of the normalizations of a user's model; empty if none does.

    Example: `batch:before: normalized there at 3 of 5 sites, elsewhere in place`.
    """
    notes = [
        f"{arm}: normalized there at {changed} of {counted(n_sites, 'site')}, elsewhere in place"
        for arm, (changed, n_sites) in evidence.sites.items()
        if arm in evidence.arms
    ]
    return "; ".join(notes)


def _hidden_settings(evidence: Evidence, arm: Arm) -> str:
    """The norm fields of all runs of an arm that differ from the defaults and that its label does not name."""
    configs = [config for config, condition in evidence.conditions.items() if condition.arm == arm.label]
    shown = {"norm", *dict(arm.changes), *evidence.axes}
    used = {name for name in NORM_FIELDS if name != "groups" or all(name in fields(config.norm) for config in configs)}
    found = {name: {getattr(config, name) for config in configs} for name in NORM_FIELDS if name in used - shown}
    settings = {name: values.pop() for name, values in found.items() if len(values) == 1}
    kept = {name: value for name, value in settings.items() if value not in (DEFAULTS[name], IN_PLACE)}
    return ", ".join(f"{name} {show(value)}" for name, value in sorted(kept.items()))


def statistics_note(evidence: Evidence) -> str:
    """Say what scores lose to moving averages, and the remedy; empty if they lose nothing.

    Runs of bncli 0.1 were not scored with population statistics: of these, say what the averages still hold.
    """
    if not has_population(evidence.results):
        return lag_note(evidence.lag, evidence)
    gap = evidence.gap
    if gap is None:
        return ""
    label = METRICS[gap.metric].label
    numbers = f"{number(gap.moving)} with moving, {number(gap.population)} with population statistics"
    if not gap.is_loss:
        return f"Note: {_place(evidence, gap)} scores a {label} of {numbers}{_others(gap)}."
    if METRICS[gap.metric].lower_is_better:
        lost = f"has {number(gap.size)} more {label} because of"
    else:
        lost = f"loses {number(gap.size)} of its {label} to"
    steps = _steps(evidence, gap)
    return (
        f"Note: {_place(evidence, gap)} {lost} {_averages(gap, steps)}: {numbers}{_others(gap)}; "
        f"try {_remedy(evidence, gap.condition.arm, gap.config.norm_momentum, steps)}."
    )


def _steps(evidence: Evidence, gap: Gap) -> int:
    """The training steps of a run; 0 if its rows are not known."""
    return n_steps(gap.config, evidence.training_rows) if evidence.training_rows else 0


def _place(evidence: Evidence, gap: Gap) -> str:
    label = point_label(evidence.axes, [value for _, value in gap.condition.values])
    return f"{gap.condition.arm} at {label}" if label else gap.condition.arm


def _others(gap: Gap) -> str:
    """Which runs the numbers are of, unless it is all of the only such condition: a table has the mean of all."""
    n, n_all = len(gap.runs), gap.n_runs
    runs = [f"mean of the {n} of {n_all} runs that learn by these"] if n < n_all else []
    gaps = [f"the largest of {gap.n_gaps} such gaps"] if gap.n_gaps > 1 else []
    return f" ({'; '.join([*runs, *gaps])})" if runs or gaps else ""


def _averages(gap: Gap, steps: int) -> str:
    if gap.config.norm == AS_IS:  # whose momentum is not a field of the run
        return "averages that lag behind the weights"
    share = gap.config.norm_momentum**steps if steps else 0.0
    if share > MAX_LEFT:
        return f"averages that still hold {share:.0%} of their initial values after {counted(steps, 'step')}"
    return f"averages that lag behind the weights (momentum {gap.config.norm_momentum:g})"


def fallen_note(evidence: Evidence) -> str:
    """Say how many runs reached the threshold and did not stay there; empty if all did.

    Example: `Note: runs that reach the threshold and end below it: none 1 of 9, batch:before 2 of 10. Their hit epochs
    and speed-ups count all the same.`
    """
    table = evidence.hits_table
    hits = table.assign(n_hits=table["n"] - table["n_never"]).groupby("arm", sort=False)[["n_fallen", "n_hits"]].sum()
    parts = [f"{arm} {row['n_fallen']} of {row['n_hits']}" for arm, row in hits.iterrows() if row["n_fallen"]]
    if not parts:
        return ""
    past = "above" if lower_is_better(evidence.curve_metric) else "below"
    return (
        f"Note: runs that reach the threshold and end {past} it: {', '.join(parts)}. Their hit epochs and speed-ups "
        "count all the same."
    )


def stopped_note(evidence: Evidence) -> str:
    """Say how many runs their patience stopped, and what that means for their numbers; empty if it stopped none.

    Example: `Note: runs that stopped early because their validation loss no longer fell: none 3 of 5, batch 5 of 5,
    in epoch 12 (median). Their scores are those of their last epoch, and mean curves go on with their last value.`
    """
    import statistics

    stopped = [(evidence.conditions[result.config].arm, result.stopped_epoch) for result in evidence.results]
    arms = [arm for arm, _ in stopped]
    by_arm = {arm: sum(1 for other, epoch in stopped if other == arm and epoch) for arm in dict.fromkeys(arms)}
    epochs = [epoch for _, epoch in stopped if epoch]
    if not epochs:
        return ""
    parts = ", ".join(f"{arm} {n_stopped} of {arms.count(arm)}" for arm, n_stopped in by_arm.items() if n_stopped)
    return (
        f"Note: runs that stopped early because their validation loss no longer fell: {parts}, in "
        f"epoch {statistics.median(epochs):g} (median). Their scores are those of their last epoch, and mean curves "
        "go on with their last value."
    )


def lag_note(lag: Lag | None, evidence: Evidence) -> str:
    """Say that moving averages still hold much of their initial values, and the remedy; empty if they don't."""
    if lag is None:
        return ""
    up_to = "up to " if lag.is_worst else ""
    return (
        f"Note: {counted(lag.n_steps, 'training step')}; the moving averages of {_listed(lag.arms)} still hold "
        f"{up_to}{lag.share:.0%} of their initial values ({lag.momentum:g}^{lag.n_steps}). "
        f"Validation measures that lag: try {_remedy(evidence, lag.arms[0], lag.momentum, lag.n_steps)}."
    )


def lag_notice(lag: Lag) -> str:
    """Say before training what the moving averages will still hold after it."""
    up_to = "up to " if lag.is_worst else ""
    momentum = None if set(lag.arms) == {AS_IS} else smaller_momentum(lag.momentum, lag.n_steps)
    remedy = f"{MOMENTUM}={momentum:g}, or more epochs" if momentum else "more epochs"
    return (
        f"After {counted(lag.n_steps, 'training step')} the moving averages of {_listed(lag.arms)} will still hold "
        f"{up_to}{lag.share:.0%} of their initial values ({lag.momentum:g}^{lag.n_steps}), and validation will "
        f"measure that; metrics with population statistics will not. Try {remedy}."
    )


def smaller_momentum(momentum: float, steps: int) -> float | None:
    """Return the mildest smaller momentum with which nothing lags; None if no value of `SMALLER` is small enough."""
    return next((value for value in SMALLER if value < momentum and value**steps <= MAX_LEFT), None)


def _remedy(evidence: Evidence, arm: str, momentum: float, steps: int) -> str:
    smaller = smaller_momentum(momentum, steps)
    if smaller is None or arm == AS_IS:
        return "more epochs"
    if MOMENTUM in arm or MOMENTUM in evidence.axes:
        return f"{MOMENTUM} {smaller:g} or less, or more epochs"
    return f"{arm}+{MOMENTUM}={smaller:g}, or more epochs"


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
