"""`bncli list`: list presets, models, arms, metrics, or the studies below a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bncli.cli import console, hints, output
from bncli.cli.options import FormatOption, completion
from bncli.errors import InvalidConfig, shown
from bncli.networks import models, norms
from bncli.networks.spec import spec_of
from bncli.registry import check_name
from bncli.study import places
from bncli.study.files import load_study
from bncli.study.files import presets as known_presets
from bncli.tasks.metrics import HISTORY_METRICS, METRICS


def presets() -> list[dict[str, Any]]:
    """Return a row for each preset."""
    studies = {name: load_study(name) for name in known_presets()}
    return [
        {"preset": name, "data": study.base.dataset, "runs": study.n_runs, "question": study.question}
        for name, study in studies.items()
    ]


def registered_models() -> list[dict[str, Any]]:
    """Return a row for each registered model."""
    return [
        {"model": name, "spec": spec_of(name), "what it is": models.REGISTRY.description(name)}
        for name in models.REGISTRY
    ]


def arms() -> list[dict[str, Any]]:
    """Return a row for each normalization."""
    found = {name: norms.description(name) for name in norms.names()} | norms.OWN
    return [
        {"arm": name, "what it computes": text, "fields": " ".join(norms.fields(name))} for name, text in found.items()
    ]


def metrics() -> list[dict[str, Any]]:
    """Return a row for each metric."""
    return [
        {
            "metric": name,
            "what it is": metric.label,
            "better": ("lower" if metric.lower_is_better else "higher") if metric.has_direction else "-",
            "known": "every epoch" if name in HISTORY_METRICS else "at the end",
        }
        for name, metric in METRICS.items()
    ]


KINDS = {"presets": presets, "models": registered_models, "arms": arms, "metrics": metrics}
STUDIES = "studies"

FOLLOWING = {
    "presets": ["sweep", "--preset", "circles-placement"],
    "models": ["compare", "--model", "cnn"],
    "arms": ["compare", "--arms", "none,batch,layer"],
    "metrics": ["compare", "--metric", "val_loss"],
}
"""The command to try after each list."""


def list_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="|".join([*KINDS, STUDIES]),
            show_default=False,
            help="What to list.",
            autocompletion=completion(lambda: [*KINDS, STUDIES]),
        ),
    ],
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", show_default=False, help=f"Where to look for studies; {places.ROOT} if omitted."),
    ] = None,
    format: FormatOption = "table",
) -> None:
    """List presets, models, arms or metrics, or the studies below a folder.

    Of each study: its arms and axes, how many of its runs are done, and when the last one ended.
    """
    console.check_format(format)
    check_name("kind of list", kind, [*KINDS, STUDIES])
    if kind != STUDIES and folder:
        raise InvalidConfig(f"list {kind} takes no folder. Received: {shown(str(folder))}. Try bncli list studies DIR.")
    rows = list(places.studies(folder or places.ROOT)) if kind == STUDIES else KINDS[kind]()
    texts = [{name: output.shown(value) for name, value in row.items()} for row in rows]
    if rows or format == "json":
        output.write_rows(rows, texts, format, spare=("runs", "data", "fields", "last_run", "failed", "study"))
    if not rows:
        console.say(f"There are no studies below {folder or places.ROOT}.")
    hints.say_next(_after_studies(rows) if kind == STUDIES else FOLLOWING[kind], format)


def _after_studies(rows: list[dict[str, Any]]) -> list[str]:
    """What lacks runs, else the report of the newest study, else a first study."""
    started = [row for row in rows if row["done"]]
    if lacking := [row for row in started if row["done"] < row["planned"]]:
        return ["status", lacking[0]["folder"]]
    if started:
        return ["report", max(started, key=lambda row: str(row["last_run"]))["folder"]]
    return [] if rows else ["sweep"]
