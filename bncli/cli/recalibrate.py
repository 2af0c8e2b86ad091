"""`bncli recalibrate`: a saved model with statistics of its batch normalizations that are estimated on data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bncli.atomic import check_replaceable, replace_file
from bncli.cli import console, hints
from bncli.cli.dataset import data_config
from bncli.cli.options import (
    DESCRIPTION_FORMATS,
    DataSettingsOption,
    DescriptionFormatOption,
    LabelOption,
    option,
    parse_settings,
)
from bncli.cli.scaling import scaled_to_fit
from bncli.config import RunConfig
from bncli.data import datasets, sets
from bncli.errors import InvalidConfig, shown
from bncli.fields import parse_value
from bncli.networks.file import FileNetwork
from bncli.networks.network import network_of
from bncli.networks.reference import reference_of
from bncli.report.exports import to_csv, to_json
from bncli.tasks.scores import SCORES
from bncli.values import Value, counted, plain_text

if TYPE_CHECKING:
    from bncli.diagnosis.recalibrate import Recalibration, Score

ENDING = ".keras"


def recalibrate(
    file: Annotated[str, typer.Argument(metavar="FILE.keras", show_default=False, help="The saved model.")],
    dataset: Annotated[
        str | None,
        option(
            "--dataset",
            "-d",
            metavar="NAME|FILE",
            help="The data of its training; the statistics become those of the training rows.",
            complete=lambda: sets.REGISTRY,
        ),
    ] = None,
    out: Annotated[Path | None, option("--out", "-o", metavar="FIXED.keras", help="The file to write.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --out replace the saved model itself.")] = False,
    label: LabelOption = None,
    batch_size: Annotated[
        str, typer.Option("--batch-size", "-b", metavar="N", help="Samples per batch, best that of its training.")
    ] = "32",
    settings: DataSettingsOption = None,
    format: DescriptionFormatOption = "table",
) -> None:
    """Re-estimate the statistics of a saved model's batch normalizations, and write a file with them. Trains nothing.

    They are population statistics: of the training rows, under the weights that the model has, without dropout. Frozen
    layers get theirs, too. Nothing else in the file changes. A curve says how many rows are enough: from there on,
    validation accuracy is within one standard error of that with all rows.
    """
    console.check_format(format, DESCRIPTION_FORMATS)
    network = _network(file)
    target = _target(network, out, force=force)
    if dataset is None:
        raise InvalidConfig("The statistics are those of rows, and no data is named. Add --dataset NAME|FILE.")
    config = _fitted(network, _config(file, dataset, label, settings, batch_size))
    found, is_new = _recalibrated(network, config, target)
    if format in ("table", "md"):
        _print(file, found, format)
    else:
        console.write(to_csv(_records(found)) if format == "csv" else to_json(_facts(file, target, found)))
    _say_what_changed(file, target, found, is_new=is_new)
    of_data = [*(["--label", label] if label else []), *(word for text in settings or [] for word in ("--set", text))]
    hints.say_next(["diagnose", str(target), "--dataset", dataset, *of_data], format)


def _network(file: str) -> FileNetwork:
    """The network of a saved model.

    Raises:
        InvalidConfig: It is no saved model, or can't be read.
    """
    reference = reference_of(file)
    network = network_of(file) if reference and reference.is_file else None
    if not isinstance(network, FileNetwork):
        raise InvalidConfig(
            f"recalibrate takes a saved model, a {ENDING} file. Received: {shown(file)}. Try bncli train --save-model "
            f"FILE{ENDING}."
        )
    return network


def _target(source: FileNetwork, out: Path | None, *, force: bool) -> Path:
    """The file to write, if it can be written and may be.

    Raises:
        BncliError: It can't, or may not.
    """
    if out is None:
        raise InvalidConfig(f"recalibrate writes a new file. Name it: -o FIXED{ENDING}.")
    if out.suffix != ENDING:
        raise InvalidConfig(f"--out needs a name that ends in {ENDING}. Received: {shown(str(out))}.")
    if not force and out.exists() and out.samefile(source.path):
        raise InvalidConfig(f"--out would replace the saved model {shown(str(out))}. Try another name, or --force.")
    check_replaceable(out)
    return out


def _config(file: str, dataset: str, label: str | None, settings: list[str] | None, batch_size: str) -> RunConfig:
    """A run of the saved model as it is, on data.

    Raises:
        BncliError: An option can't be read, or its value is not allowed.
    """
    from bncli.diagnosis.subjects import as_it_is

    given: dict[str, Value] = {"dataset": dataset}
    if label is not None:
        given["label"] = label
    fields: dict[str, Any] = {"model": file, "batch_size": parse_value("batch_size", batch_size)}
    return as_it_is(data_config(dataset, label, parse_settings(settings, given)).replace(**fields))


def _fitted(network: FileNetwork, config: RunConfig) -> RunConfig:
    """The run with rows that are scaled as the model needs them.

    Raises:
        BncliError: Model or data can't be loaded, don't fit each other, or there is nothing to recalibrate.
    """
    from bncli.diagnosis.recalibrate import saved_model

    saved_model(network, config)
    for notice in datasets.load(config).notices:
        console.warn(notice)
    return scaled_to_fit(config) if config.scaling == "auto" else config


def _recalibrated(network: FileNetwork, config: RunConfig, target: Path) -> tuple[Recalibration, bool]:
    """The new statistics, which are written to a file; and whether any differs from before."""
    from bncli.diagnosis.recalibrate import recalibrate_file
    from bncli.networks.archive import changed_weights, copy_with_weights

    found, changed = recalibrate_file(network, config)
    weights = changed_weights(network.path, changed)
    replace_file(target, lambda temporary: copy_with_weights(network.path, weights, temporary))
    return found, bool(changed)


def _print(file: str, found: Recalibration, format: str) -> None:
    count = counted(len(found.statistics), "batch normalization")
    title = f"{plain_text(file)}: {count}, statistics of {counted(found.n_rows, 'training row')}"
    rows = [_row(part, found.before[part], found.after[part], SCORES[found.score_name].label) for part in found.before]
    console.print_rows(rows, title=title, format=format)
    curve = [
        {
            "rows": f"{point.n_rows:,}",
            f"val_{found.score_name}": f"{point.score.score:.3f}",
            "val_loss": f"{point.score.loss:.3f}",
        }
        for point in found.curve
    ]
    _end_table(format)
    console.print_rows(curve, title="with the statistics of the first rows only", format=format)
    _end_table(format)
    console.paragraph(_enough(found))


def _end_table(format: str) -> None:
    if format == "md":
        console.write("")  # else the next line would belong to the table


def _row(part: str, before: Score, after: Score, score: str) -> dict[str, str]:
    row = {"rows": part, f"{score} before": f"{before.score:.3f}", f"{score} after": f"{after.score:.3f}"}
    return row | {"loss before": f"{before.loss:.3f}", "loss after": f"{after.loss:.3f}"}


def _enough(found: Recalibration) -> str:
    """Say how many rows were enough."""
    error, score = f"one standard error ({found.error:.3f})", SCORES[found.score_name].label
    if found.n_enough == found.n_rows:
        return f"No fewer rows were enough: with them, validation {score} is off by more than {error}."
    return (
        f"{counted(found.n_enough, 'row')} were enough: from there on, validation {score} is within {error} of that "
        f"with all {found.n_rows:,}."
    )


def _records(found: Recalibration) -> list[dict[str, Any]]:
    """Every score in a row of its own: with the file's statistics, of the first rows only, and of all rows."""
    curve = [("population", point.n_rows, "val", point.score) for point in found.curve[:-1]]
    before = [("moving", None, part, score) for part, score in found.before.items()]
    after = [("population", found.n_rows, part, score) for part, score in found.after.items()]
    return [
        {"statistics": statistics, "statistics_rows": n_rows, "part": part} | _named(found, score)
        for statistics, n_rows, part, score in (*before, *curve, *after)
    ]


def _named(found: Recalibration, score: Score) -> dict[str, float]:
    return {found.score_name: score.score, "loss": score.loss}


def _facts(file: str, target: Path, found: Recalibration) -> dict[str, Any]:
    return {
        "model": file,
        "out": str(target),
        "batch_normalizations": len(found.statistics),
        "rows": found.n_rows,
        "rows_enough": found.n_enough,
        "standard_error": found.error,
        "before": {part: _named(found, score) for part, score in found.before.items()},
        "after": {part: _named(found, score) for part, score in found.after.items()},
        "curve": [{"rows": point.n_rows} | _named(found, point.score) for point in found.curve],
    }


def _say_what_changed(file: str, target: Path, found: Recalibration, *, is_new: bool) -> None:
    before, after = found.before["val"].score, found.after["val"].score
    if after < before:
        size = "within" if before - after <= found.error else "by more than"
        console.warn(
            f"Validation {SCORES[found.score_name].label} falls from {before:.3f} to {after:.3f}, {size} one standard "
            f"error ({found.error:.3f}). Are these the rows, and the scaling, of its training?"
        )
    if not is_new:
        console.warn(f"{plain_text(file)} has these statistics already.")
    but = " but for its moving means and variances" if is_new else ""
    console.say(f"Wrote {plain_text(str(target))}: equal to {plain_text(file)}{but}")
