"""`bncli dataset`: list data sets, or describe, plot and export one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bncli.cli import console, hints
from bncli.cli.options import (
    DESCRIPTION_FORMATS,
    DataSettingsOption,
    DescriptionFormatOption,
    DropOption,
    EncodeOption,
    ImputeOption,
    LabelOption,
    TestSizeOption,
    completion,
    dropped,
    option,
    parse_settings,
)
from bncli.cli.plots import check_plot, save_plot
from bncli.config import DATA_FIELDS, RunConfig
from bncli.data import datasets, sets
from bncli.errors import InvalidConfig, shown
from bncli.fields import parse_value
from bncli.registry import check_name
from bncli.report.exports import records, to_csv, to_json
from bncli.study.folder import STUDY_FILE
from bncli.study.journal import is_journal
from bncli.values import Value, plain_text

MAX_CLASSES, MAX_FEATURES, MAX_CELL = 30, 20, 34
"""Most rows of the tables `table` and `md`, and characters of a cell on a column; `json` and `csv` have all."""


def dataset(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|FILE",
            show_default=False,
            help="The data set to describe; omit to list all data sets.",
            autocompletion=completion(lambda: sets.REGISTRY),
        ),
    ] = None,
    label: LabelOption = None,
    drop: DropOption = None,
    encode: EncodeOption = None,
    impute: ImputeOption = None,
    test_size: TestSizeOption = None,
    settings: DataSettingsOption = None,
    plot: Annotated[Path | None, option("--plot", metavar="FILE", help="Draw it: .png, .svg or .pdf.")] = None,
    export: Annotated[
        str | None, option("--export", metavar="FILE|-", help="Write it as CSV or NPZ; - is stdout.")
    ] = None,
    export_as: Annotated[
        str | None, option("--export-as", metavar="csv|npz", help="Export format, if the file name has no extension.")
    ] = None,
    format: DescriptionFormatOption = "table",
) -> None:
    """List the data sets, or describe one: shapes, class balance, means and variances. Plot it, or export it."""
    from bncli.data.export import export_dataset
    from bncli.data.facts import catalogue

    console.check_format(format, DESCRIPTION_FORMATS)
    check_plot(plot)
    texts = {"encode": encode, "impute": impute, "test_size": test_size}
    given = {field: parse_value(field, text) for field, text in texts.items() if text is not None} | dropped(drop)
    if name is None:
        if plot or export or settings or label or given:
            raise InvalidConfig(
                "--plot, --export, --set and the options of tables and splits need the name of a data set. "
                "Try bncli dataset digits --plot digits.png."
            )
        _show_catalogue(catalogue(), format)
        hints.say_next(["dataset", "digits"], format)
        return
    config = data_config(name, label, given | parse_settings(settings, given))
    data = datasets.load(config)
    for notice in data.notices:
        console.warn(notice)
    if plot:
        from bncli.report.data_figure import draw_dataset

        save_plot(plot, lambda: draw_dataset(data))
    if export:
        check_holds_no_runs(Path(export))
        export_dataset(data, export, export_as, sys.stdout.buffer)
        console.say(f"Wrote {export}", quiet=export == "-")
    if export != "-":
        _show_dataset(config, format)
        repeated = [("--drop", drop or []), ("--set", settings or [])]
        words = {"--label": label, "--encode": encode, "--impute": impute, "--test-size": test_size}
        of_data = [word for option, text in words.items() if text for word in (option, text)]
        of_data += [word for option, texts in repeated for text in texts for word in (option, text)]
        hints.say_next(["compare", "--dataset", name, *of_data], format)


def check_holds_no_runs(path: Path) -> None:
    """Check that an export replaces no file of a study.

    Raises:
        InvalidConfig: It would replace a journal or a `study.json`.
    """
    if (is_journal(path.name) or path.name == STUDY_FILE) and os.path.lexists(path):
        raise InvalidConfig(f"--export would replace {shown(str(path))}, which belongs to a study. Try another name.")


def data_config(name: str, label: str | None, fields: dict[str, Value]) -> RunConfig:
    """Return a run with the given data fields; its other fields are not used.

    Args:
        name: The data set.
        label: The value of `--label`.
        fields: The values of `--set` and of other options.

    Raises:
        BncliError: A field is not a data field, or its value is invalid.
    """
    for field in fields:
        check_name("field of a data set", field, DATA_FIELDS)
    config = RunConfig.from_dict({"dataset": name, "label": label} | fields)
    for field in datasets.ignored_fields(config):
        console.warn(f"{field}={getattr(config, field)} has no effect on {name} and is ignored.")
    return config


def _show_catalogue(rows: list[dict[str, str]], format: str) -> None:
    if format == "json":
        console.write(to_json(rows))
    elif format == "csv":
        console.write(to_csv(rows))
    else:
        console.print_rows(rows, format=format)
        console.say("Also: the path of a .csv, .tsv, .parquet (with --label COLUMN) or .npz file.")


def _show_dataset(config: RunConfig, format: str) -> None:
    from bncli.data.facts import balance, columns, dataset_facts, moments, spread

    data = datasets.load(config)
    facts, classes = dataset_facts(data), balance(data) or spread(data)
    prepared = columns(data) if "columns" in facts else []
    features = records(moments(datasets.load(config.replace(scaling="none")), data))
    if format == "json":
        what = "classes" if data.class_names else "quantity"
        described = {"columns": columns(data)} if data.preparation else {}
        console.write(to_json(facts | described | {what: classes, "features": features}))
    elif format == "csv":
        console.write(to_csv(features))
    else:
        known = {key: value for key, value in facts.items() if not isinstance(value, list | dict)}
        shown_facts = {key.removesuffix("_rows"): str(value) for key, value in known.items()}
        console.print_rows([shown_facts], format=format, spare=("task", "target_sd", "target_mean"))
        shown = [{key: plain_text(str(value)) for key, value in row.items()} for row in classes[:MAX_CLASSES]]
        console.print_rows(shown, format=format)
        _show_columns(prepared, format)
        _show_features(features, format)


def _show_columns(columns: list[dict[str, object]], format: str) -> None:
    """Show what was done to each column of a table, if anything was."""
    if not columns:
        return
    texts = ({key: "" if value is None else str(value) for key, value in row.items()} for row in columns[:MAX_FEATURES])
    rows = [{key: plain_text(text, MAX_CELL) for key, text in row.items()} for row in texts]
    n_left = len(columns) - len(rows)
    caption = f"{n_left} more columns: --format json has all" if n_left else ""
    titles = [{key.replace("_", " "): value for key, value in row.items()} for row in rows]
    console.print_rows(titles, title="columns of the file", caption=caption, format=format)


def _show_features(features: list[dict[str, object]], format: str) -> None:
    rows = [
        {key: f"{value:.4g}" if isinstance(value, float) else plain_text(str(value)) for key, value in row.items()}
        for row in features[:MAX_FEATURES]
    ]
    n_left = len(features) - len(rows)
    caption = f"{n_left} more features: --format csv has all" if n_left else ""
    spare = ("scaled_min", "scaled_max", "min", "max", "scaled_std", "scaled_mean")
    title = "moments over the training rows"
    console.print_rows(rows, title=title, caption=caption, format=format, spare=spare)
