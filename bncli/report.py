"""Everything that is derived from a study's records: tables, files and figures, made again without TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bncli import console, plots, summary
from bncli.config import RunConfig
from bncli.errors import BncliError, StoreError
from bncli.results import RunResult
from bncli.store import RUNS_FILE, Store
from bncli.study import Condition, Study, condition_id, show, study_from_dict

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LONG = 10_000.0
"""Numbers from here on, the losses of runs that nearly diverged, are shown with an exponent."""


@dataclass(frozen=True)
class Evidence:
    """A study with the results that it has so far.

    Attributes:
        study: The study as last asked for.
        results: Its results, in the study's order.
        conditions: The condition of every run.
        n_planned: How many runs the study has in all.
        chance: Accuracy of the best constant answer; None where data sets differ in it.
    """

    study: Study
    results: Sequence[RunResult]
    conditions: Mapping[RunConfig, Condition]
    n_planned: int
    chance: float | None = None

    def conditions_table(self) -> pd.DataFrame:
        """`summary.conditions_table` of these results."""
        return summary.conditions_table(self.results, self.conditions)

    def runs_table(self) -> pd.DataFrame:
        """`summary.runs_table` of these results."""
        return summary.runs_table(self.results, self.conditions)

    def history_table(self) -> pd.DataFrame:
        """`summary.history_table` of these results."""
        return summary.history_table(self.results, self.conditions)

    def picture(self) -> plots.Picture:
        """What the figures are drawn from."""
        return plots.Picture(
            title=self.study.name,
            arms=tuple(arm.label for arm in self.study.arms),
            axes=tuple(name for name, _ in self.study.axes),
            conditions=self.conditions_table(),
            history=self.history_table(),
            chance=self.chance,
        )


def read(folder: Path) -> Evidence:
    """Read a study and its results back from its folder; neither the data nor TensorFlow is needed.

    Raises:
        StoreError: There is no study, or no result yet, or the files are damaged.
    """
    store = Store(folder)
    content = store.read_study()
    if content is None:
        raise StoreError(
            f"{str(folder)!r} holds no study (no study.json). Give the --out folder of a compare or sweep."
        )
    try:
        study = study_from_dict(content["study"])
    except BncliError as error:
        raise StoreError(f"{str(folder)!r}: the study in study.json can't be read ({error})") from error
    known = {entry["id"]: _condition(entry) for entry in content["conditions"]}
    stored = [(condition_id(result.config), result) for result in store.read_runs().values()]
    found = [(known[key], result) for key, result in stored if key in known and result.config.seed in study.seeds]
    if not found:
        raise StoreError(f"{str(folder)!r} holds no finished run of its study (nothing in {RUNS_FILE}).")
    places = {condition: place for place, condition in enumerate(known.values())}
    turns = {seed: turn for turn, seed in enumerate(study.seeds)}
    found.sort(key=lambda pair: (places[pair[0]], turns[pair[1].config.seed]))
    return Evidence(
        study,
        [result for _, result in found],
        {result.config: condition for condition, result in found},
        len(known) * len(study.seeds),
        _chance(content["datasets"]),
    )


def _condition(entry: Mapping[str, Any]) -> Condition:
    return Condition(entry["arm"], tuple(entry["values"].items()))


def _chance(data: Mapping[str, Any]) -> float | None:
    levels = {facts["chance"] for facts in data.values()}
    return levels.pop() if len(levels) == 1 else None


def write_files(evidence: Evidence, store: Store) -> list[str]:
    """Write `summary.csv`, `history.csv` and the figures into the study's folder; return their names.

    Figures that an earlier state of the study had and this one has not are removed.
    """
    tables = {"summary.csv": evidence.conditions_table(), "history.csv": evidence.history_table()}
    for name, table in tables.items():
        store.write_text(name, console.to_csv(console.records(table), list(table.columns)))
    figures = plots.draw_all(evidence.picture())
    for name, figure in figures.items():
        store.write_with(f"figures/{name}.png", partial(_save, figure))
    for name in set(plots.REGISTRY) - set(figures):
        store.remove(f"figures/{name}.png")
    return [*tables, *(f"figures/{name}.png" for name in figures)]


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Software": None})


def result_rows(evidence: Evidence) -> list[dict[str, str]]:
    """The table for people: one row a condition, mean and sd over seeds, the best arm of each point marked."""
    table = evidence.conditions_table()
    rows = []
    for _, row in table.iterrows():
        shown = {name: _cell(row[f"param_{name}"]) for name, _ in evidence.study.axes}
        shown["arm"] = str(row["arm"]) + (console.BEST if row["best"] else "")
        for metric in ("val_accuracy", "train_accuracy", "val_loss"):
            shown[metric] = mean_sd(row[f"mean_{metric}"], row[f"std_{metric}"])
        shown |= {"n": str(row["n"]), "diverged": str(row["n_diverged"])}
        if table["n_failed"].any():
            shown["failed"] = str(row["n_failed"])
        rows.append(shown | {"params": _count(row["params"])})
    return rows


def run_rows(evidence: Evidence) -> list[dict[str, str]]:
    """The table for people of single runs: one row a seed."""
    rows = []
    for _, row in evidence.runs_table().iterrows():
        numbers = {metric: mean_sd(row[metric], float("nan")) for metric in summary.METRICS}
        known = {"arm": str(row["arm"]), "seed": str(row["seed"]), "state": str(row["state"])}
        rows.append(known | numbers | {"params": _count(row["params"]), "seconds": f"{row['seconds']:.1f}"})
    return rows


def caption(evidence: Evidence) -> str:
    """What the reader of the table must know: the marks, and what is missing."""
    lines = ["mean ± sd over seeds; * best validation accuracy among the arms"]
    if evidence.chance is not None:
        lines.append(f"a constant answer scores {evidence.chance:.3f}")
    missing = evidence.n_planned - len(evidence.results)
    if missing:
        lines.append(f"{missing} of {evidence.n_planned} runs are still missing")
    return "; ".join(lines)


def mean_sd(mean: float, sd: float) -> str:
    """Spell `0.912 ± 0.014`; without a spread where there is one value, a dash where there is none."""
    if math.isnan(mean):
        return "-"
    return _number(mean) if math.isnan(sd) else f"{_number(mean)} ± {_number(sd)}"


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < LONG else f"{value:.3g}"


def _cell(value: Any) -> str:
    import pandas as pd

    return "-" if pd.isna(value) else show(value)


def _count(number: Any) -> str:
    import pandas as pd

    return "-" if pd.isna(number) else f"{number:,}"


def as_json(evidence: Evidence) -> dict[str, Any]:
    """The study's result as one JSON object: question, settings that all runs share, one entry a condition."""
    study = evidence.study.to_dict()
    return {
        "study": study["name"],
        "question": study["question"],
        "source": study["source"],
        "baseline": study["arms"][0],
        "arms": study["arms"],
        "axes": study["axes"],
        "seeds": study["seeds"],
        "n_planned": evidence.n_planned,
        "n_recorded": len(evidence.results),
        "chance": evidence.chance,
        "conditions": console.records(evidence.conditions_table()),
        "run": study["run"],
    }
