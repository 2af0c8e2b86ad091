"""Studies of simulated final values, for tables that are made of whole studies."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bncli.config import RunConfig
from bncli.results import RunResult
from bncli.study.arms import parse_arms
from bncli.study.study import Study

if TYPE_CHECKING:
    import pandas as pd

    from bncli.study.study import Plan


def study_of_rates(arms: str, rates: tuple[float, ...], n_seeds: int) -> Plan:
    """Return the runs of a small study over learning rates."""
    base = RunConfig(dataset="circles", n_samples=40, model="dense4", epochs=3)
    return Study("calibration", base, parse_arms(arms), (("lr", rates),), tuple(range(n_seeds))).plan()


def table_of_values(
    function: Callable[..., pd.DataFrame], plan: Plan, value: Callable[[RunConfig], float], **arguments: float
) -> pd.DataFrame:
    """Return the table that an analysis makes of the plan's runs when they end with these validation accuracies."""
    results = [RunResult(config, "complete", metrics={"val_accuracy": value(config)}) for config, _ in plan.runs]
    return function(results, dict(plan.runs), **arguments)
