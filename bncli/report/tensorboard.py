"""A study for TensorBoard: curves, settings, figures, what probes saw, the answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bncli.analysis.evidence import Evidence
from bncli.analysis.runs import seed_curves
from bncli.errors import StoreError
from bncli.report import figure as drawing
from bncli.report.answer import answer_of
from bncli.report.latex import LEFT_OUT
from bncli.report.rows import result_rows, table_caption
from bncli.report.style import own_style
from bncli.study.study import Condition
from bncli.tasks.metrics import history_metrics
from bncli.values import plain_text, show

if TYPE_CHECKING:
    import pandas as pd


def write_tensorboard(evidence: Evidence, folder: Path, *, by_run: bool = False, replace: bool = False) -> list[str]:
    """Write what TensorBoard shows of a study, and return the names of its TensorBoard runs.

    Every condition is a TensorBoard run with its mean curves over seeds, its settings (HParams), and
    the distribution of each probe over layers and seeds. The run `study` has the answer, the table and the figures.

    Args:
        evidence: The study with its results.
        folder: Where to write; TensorBoard's `--logdir`.
        by_run: Write each seed of a condition as a run of its own, not their mean.
        replace: Whether to delete the events that the folder has: it is bncli's own.

    Raises:
        StoreError: The folder has such runs already, or can't be written.
    """
    parts = {"study": partial(_write_study, evidence)} | dict(_runs(evidence, by_run=by_run))
    try:
        _make_room(folder, parts, replace=replace)
        for name, write in parts.items():
            write(folder / name)
    except OSError as error:
        raise StoreError(f"Can't write {str(folder)!r}: {error.strerror or error}.") from error
    return [*parts]


def _make_room(folder: Path, names: Iterable[str], *, replace: bool) -> None:
    """Delete the event files of earlier calls, or refuse to write beside those of runs of these names."""
    folder.mkdir(parents=True, exist_ok=True)
    if replace:
        for file in sorted(folder.rglob("events.out.tfevents.*")):
            file.unlink()
    for name in names:
        for _ in (folder / name).glob("events.out.tfevents.*"):
            raise StoreError(
                f"{str(folder)!r} has a run {name!r} already, and TensorBoard would mix both. Try another --out."
            )


def _runs(evidence: Evidence, *, by_run: bool) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """The name of each condition, or of each of its seeds, with what writes it."""
    inside, history = evidence.inside_table, evidence.history_table
    conditions = list(dict.fromkeys(evidence.conditions.values()))
    for place, row in evidence.conditions_table.iterrows():
        own, name = history[history["condition"] == place], _folder_name(conditions[int(str(place))])
        seen = inside[inside["condition"] == place] if len(inside) else inside
        for seed, rows in own.groupby("seed") if by_run else ():
            curves = {metric: rows.set_index("epoch")[metric] for metric in _metrics(evidence, rows)}
            probes = seen[seen["seed"] == seed] if len(seen) else seen
            settings = _settings(evidence, row) | {"seed": int(str(seed))}
            yield f"{name}/seed-{seed}", partial(_write_run, settings, curves, probes)
        if len(own) and not by_run:
            curves = {metric: seed_curves(own, metric).mean(axis=1) for metric in _metrics(evidence, own)}
            yield name, partial(_write_run, _settings(evidence, row), curves, seen)


def _metrics(evidence: Evidence, rows: pd.DataFrame) -> list[str]:
    return [metric for metric in history_metrics(evidence.score) if metric in rows]


def _folder_name(condition: Condition) -> str:
    """A condition as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9=.,+:_-]+", "_", str(condition).replace(" ", ","))


def _write_run(
    settings: dict[str, Any], curves: dict[str, pd.Series[float]], probes: pd.DataFrame, folder: Path
) -> None:
    """Write the curves of a condition or run, its settings, and what probes saw."""
    from tensorboard.plugins.hparams import api

    from bncli.backend import tf

    with tf.summary.create_file_writer(str(folder)).as_default():
        api.hparams(settings, trial_id=folder.name)
        for name, curve in curves.items():
            for epoch, value in curve.dropna().items():
                tf.summary.scalar(name, float(value), step=int(str(epoch)))
        for (probe, epoch), values in probes.groupby(["probe", "epoch"], observed=True):
            tf.summary.histogram(f"probes/{probe}", values["value"].to_numpy(), step=int(str(epoch)))


def _settings(evidence: Evidence, row: pd.Series[Any]) -> dict[str, Any]:
    """The arm and the values of the axes, as HParams takes them."""
    values = {name: row[f"param_{name}"] for name in evidence.axes}
    plain = {name: value.item() if hasattr(value, "item") else value for name, value in values.items()}
    return {"arm": str(row["arm"])} | {
        name: value if isinstance(value, bool | int | float) else show(value) if value is not None else "none"
        for name, value in plain.items()
    }


def _write_study(evidence: Evidence, folder: Path) -> None:
    """Write the answer, the main table and the figures."""
    from bncli.backend import tf

    with tf.summary.create_file_writer(str(folder)).as_default():
        answer = answer_of(evidence)
        tf.summary.text("answer", "\n\n".join([*answer.sentences, *answer.notes]), step=0)
        tf.summary.text("results", f"{_markdown(result_rows(evidence))}\n\n{table_caption(evidence)}", step=0)
        with own_style():
            for name, figure in drawing.draw_all(evidence).items():
                tf.summary.image(name, _pixels(figure), step=0)


def _markdown(rows: Iterable[dict[str, str]]) -> str:
    from tabulate import tabulate

    kept = [{name: plain_text(cell, None) for name, cell in row.items() if name not in LEFT_OUT} for row in rows]
    return tabulate(kept, headers="keys", tablefmt="github", disable_numparse=True)


def _pixels(figure: Any) -> Any:
    """A figure as an image of shape (1, height, width, 3)."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[None, :, :, :3]  # type: ignore[no-untyped-call]
