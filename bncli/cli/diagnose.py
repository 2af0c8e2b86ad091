"""`bncli diagnose`: what is wrong with the normalizations of a network, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bncli.cli import console, hints
from bncli.cli.diagnose_study import check_alone, diagnose_study, is_folder
from bncli.cli.findings import csv_of, print_finding, record_of
from bncli.cli.options import (
    DESCRIPTION_FORMATS,
    DescriptionFormatOption,
    LabelOption,
    SettingsOption,
    completion,
    option,
    parse_settings,
)
from bncli.cli.scaling import scaled_to_fit
from bncli.cli.shapes import ClassesOption, InputShapeOption, typed_shapes
from bncli.config import RunConfig
from bncli.data import datasets, sets
from bncli.errors import InvalidConfig
from bncli.fields import parse_value
from bncli.networks import models
from bncli.networks.file import FileNetwork
from bncli.networks.network import network_of
from bncli.registry import check_name
from bncli.report.exports import to_json
from bncli.study.arms import parse_arm
from bncli.study.networks import Shapes, shapes_of
from bncli.study.study import placed
from bncli.tasks.scores import SCORES
from bncli.values import Value, counted, finite

if TYPE_CHECKING:
    from bncli.diagnosis.case import Case
    from bncli.diagnosis.finding import Finding
    from bncli.diagnosis.subjects import Subject

Findings = list[tuple[str, "Finding"]]

EXIT_FOUND = 1
LEVELS = ("problem", "note")


def diagnose(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK|DIR",
            show_default=False,
            help="A .keras file, a function as FILE.py:FUNCTION, a name, a spec, or a study's folder.",
            autocompletion=completion(lambda: models.REGISTRY),
        ),
    ],
    dataset: Annotated[
        str | None,
        option(
            "--dataset",
            "-d",
            metavar="NAME|FILE",
            help="Data to measure the network on, that of its training.",
            complete=lambda: sets.REGISTRY,
        ),
    ] = None,
    label: LabelOption = None,
    arm: Annotated[
        str | None, option("--arm", metavar="ARM", help="How a spec or a function that asks is normalized.")
    ] = None,
    batch_size: Annotated[
        str | None, option("--batch-size", "-b", metavar="N", help="Samples per batch in its training.")
    ] = None,
    epochs: Annotated[str | None, option("--epochs", "-e", metavar="N", help="Epochs of its training.")] = None,
    input_shape: InputShapeOption = None,
    classes: ClassesOption = None,
    settings: SettingsOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if there is a finding of --level.")] = False,
    level: Annotated[
        str,
        typer.Option(
            "--level", metavar="|".join(LEVELS), help="The mildest findings that --strict counts: problems, or all."
        ),
    ] = "problem",
    format: DescriptionFormatOption = "table",
) -> None:
    """Say what is wrong with the normalizations of a network: what, where, how sure, and what to do. Trains nothing."""
    console.check_format(format, DESCRIPTION_FORMATS)
    check_name("level", level, LEVELS)
    if is_folder(network):
        check_alone(
            {"--dataset": dataset, "--label": label, "--arm": arm, "--batch-size": batch_size, "--epochs": epochs}
            | {"--input-shape": input_shape, "--classes": classes, "--set": settings}
        )
        _exit_with(diagnose_study(Path(network), format), level, strict=strict)
        return
    given: dict[str, Value] = {
        name: parse_value(name, value) if name in ("batch_size", "epochs") else value
        for name, value in (("dataset", dataset), ("label", label), ("batch_size", batch_size), ("epochs", epochs))
        if value is not None
    }
    fields = given | parse_settings(settings, given)
    subject = _subject(network, arm, fields, typed_shapes(input_shape, classes, dataset))
    case, found = _diagnosed(subject)
    if format in ("table", "md"):
        _print(network, case, found, format)
    else:
        console.write(_as_text(network, case, found, format))
    if dataset and any(name == "statistics-gap" for name, _ in found) and network.endswith(".keras"):
        named = ["--dataset", dataset, *(["--label", label] if label else [])]
        hints.say_next(["recalibrate", network, *named, "--out", "fixed.keras"], format)
    _exit_with([finding for _, finding in found], level, strict=strict)


def _exit_with(found: Sequence[Finding], level: str, *, strict: bool) -> None:
    """End the command with 1 if findings are to fail it."""
    if strict and any(finding.severity == "problem" or level == "note" for finding in found):
        raise typer.Exit(EXIT_FOUND)


def _subject(network: str, arm: str | None, fields: dict[str, Value], typed: Shapes | None) -> Subject:
    """What the options name; the rows are scaled as a saved model needs them."""
    from bncli.diagnosis.subjects import Subject, as_it_is

    base = RunConfig.from_dict({"model": network} | fields)
    if arm is not None:
        chosen = parse_arm(arm)
        base = placed(chosen, base.replace(**dict(chosen.changes)))
    is_file = isinstance(network_of(network), FileNetwork)
    if arm is not None and is_file:
        raise InvalidConfig("--arm goes with networks that bncli builds. A .keras file is diagnosed as it is.")
    config = as_it_is(base) if arm is None else base
    is_data_given = "dataset" in fields
    shapes = typed or shapes_of(config, is_data_given=is_data_given)
    sizes: dict[str, Any] = {name: fields.get(name) for name in ("epochs", "batch_size")}
    if not is_data_given:
        return Subject(config, shapes.input_shape, shapes.n_classes, None, **sizes)
    if is_file and "scaling" not in fields:
        config = scaled_to_fit(config)
    for notice in shapes.notices:
        console.warn(notice)
    return Subject(config, shapes.input_shape, shapes.n_classes, datasets.load(config), **sizes)


def _diagnosed(subject: Subject) -> tuple[Case, Findings]:
    from bncli.diagnosis.diagnose import diagnose
    from bncli.diagnosis.subjects import case_of

    case = case_of(subject)
    return case, diagnose(case)


def _print(network: str, case: Case, found: Findings, format: str) -> None:
    title = _title(network, case)
    if case.readings and case.is_trained:
        console.print_rows(_score_rows(case), title=title, format=format)
    else:
        console.write(title)
    if not found:
        console.write("Nothing found.")
    for name, finding in found:
        print_finding(name, finding, format)


def _title(network: str, case: Case) -> str:
    norms = len(case.batch_norms)
    parameters = f", {case.model.count_params():,} parameters" if case.model else ""
    steps = (
        f", trained for {counted(case.training.n_steps, 'step')}" if case.is_trained and case.training.n_steps else ""
    )
    trained = steps if case.is_trained else ", not trained"
    return f"{network}: {counted(norms, 'batch normalization')}{parameters}{trained}"


def _score_rows(case: Case) -> list[dict[str, str]]:
    if case.readings is None:
        return []
    label = SCORES[case.readings.score_name].label
    return [
        {"rows": part} | {f"{label}, {name}": f"{score.score:.3f}" for name, score in by_statistics.items()}
        for part, by_statistics in case.readings.scores.items()
    ]


def _as_text(network: str, case: Case, found: Findings, format: str) -> str:
    rows = [record_of(name, finding) for name, finding in found]
    if format == "csv":
        return csv_of(rows)
    return to_json({"network": network} | _facts(case) | {"findings": rows})


def _facts(case: Case) -> dict[str, Any]:
    facts: dict[str, Any] = {"is_trained": case.is_trained, "training": vars(case.training)}
    if case.readings:
        called = case.readings.score_name
        facts["scores"] = {
            part: {name: {called: finite(score.score), "loss": finite(score.loss)} for name, score in scores.items()}
            for part, scores in case.readings.scores.items()
        }
    return facts
