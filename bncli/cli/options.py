"""The options that several commands have, each declared once."""

# No `from __future__ import annotations` here: Typer and shell completion need the annotations as objects.

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from bncli.cli import console
from bncli.config import DATA_FIELDS, FIELDS
from bncli.data import sets
from bncli.data.columns import joined_names
from bncli.data.preparation import ENCODE, IMPUTE
from bncli.data.tables import column_names
from bncli.errors import BncliError, InvalidConfig, shown
from bncli.fields import field_name, parse_value
from bncli.networks import models, norms
from bncli.networks.layout import ACTIVATIONS
from bncli.probes.inside import LEVELS
from bncli.registry import check_name
from bncli.study.execution import ENGINES, Train
from bncli.study.files import presets
from bncli.study.study import parse_seeds
from bncli.tasks.metrics import METRICS
from bncli.training.optimizers import OPTIMIZERS
from bncli.values import Value


def completion(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Return a completion for Typer: a function that returns the names that begin with the typed text."""
    return lambda incomplete: [name for name in names() if name.startswith(incomplete)]


def complete_arms(incomplete: str) -> list[str]:
    """Return completions of the last arm of a list: names of normalizations."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in norms.names() if name.startswith(last)]


def complete_label(context: typer.Context, incomplete: str) -> list[str]:
    """Return the columns of the table that `--dataset` names, if it stands before."""
    try:
        return [name for name in column_names(context.params.get("dataset") or "") if name.startswith(incomplete)]
    except BncliError:
        return []


def option(
    *names: str, help: str, complete: Callable[[], Iterable[str]] | None = None, metavar: str | None = None, **more: Any
) -> Any:
    """Return a Typer option without a default in its help.

    Args:
        names: The option's names, e.g. `--lr`.
        help: Its help text.
        complete: A function that returns the values to complete.
        metavar: The name of its value in the help.
        **more: Passed to `typer.Option`.
    """
    complete_with = completion(complete) if complete else None
    return typer.Option(*names, help=help, metavar=metavar, autocompletion=complete_with, show_default=False, **more)


LabelOption = Annotated[
    str | None,
    typer.Option(
        "--label",
        metavar="COLUMN",
        help="Column of the class or quantity in a table.",
        show_default=False,
        autocompletion=complete_label,
    ),
]
DropOption = Annotated[
    list[str] | None,
    typer.Option(
        "--drop",
        metavar="COLUMN",
        help="Leave out a column of a table; may be repeated.",
        show_default=False,
        autocompletion=complete_label,
    ),
]
EncodeOption = Annotated[
    str | None,
    option(
        "--encode",
        metavar="|".join(ENCODE),
        help="How columns of text become features; by default onehot.",
        complete=lambda: ENCODE,
    ),
]
ImputeOption = Annotated[
    str | None,
    option(
        "--impute",
        metavar="|".join(IMPUTE),
        help="How missing numbers are filled in; by default median.",
        complete=lambda: IMPUTE,
    ),
]
TestSizeOption = Annotated[
    str | None,
    option("--test-size", metavar="SHARE", help="Share of the rows for testing: reported, nothing is chosen on it."),
]
ArmsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--arms",
        metavar="ARM,ARM,...",
        help="Arms, the baseline first: none, batch:before, batch:after+center=false, ...; may be repeated.",
        show_default=False,
        autocompletion=complete_arms,
    ),
]
SettingsOption = Annotated[
    list[str] | None,
    option(
        "--set",
        metavar="FIELD=VALUE",
        help="Set any field of a run; may be repeated.",
        complete=lambda: [f"{name}=" for name in FIELDS],
    ),
]
DataSettingsOption = Annotated[
    list[str] | None,
    option(
        "--set",
        metavar="FIELD=VALUE",
        help="n_samples, noise, data_seed, train_rows, val_rows, scaling, ...; may be repeated.",
        complete=lambda: [f"{name}=" for name in DATA_FIELDS],
    ),
]
MetricOption = Annotated[
    list[str] | None,
    option(
        "--metric",
        metavar="NAME",
        help="Compare arms by this metric, see bncli list metrics; a folder remembers it; may be repeated.",
        complete=lambda: METRICS,
    ),
]
ThresholdOption = Annotated[
    float | None,
    option(
        "--threshold",
        metavar="NUMBER",
        help="Value of the metric to reach; by default 95 % of the baseline's gain; a folder remembers it.",
    ),
]
MarginOption = Annotated[
    float | None,
    option(
        "--margin",
        metavar="NUMBER",
        help="Differences that are surely smaller are called equivalent; 0 for none; a folder remembers it.",
    ),
]
EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="|".join(ENGINES),
        help="auto chooses by the work; stacked always stacks runs in one program; keras calls model.fit for each run.",
        autocompletion=completion(lambda: ENGINES),
    ),
]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="|".join(console.FORMATS),
        help="Format of the result on stdout.",
        autocompletion=completion(lambda: console.FORMATS),
    ),
]
DESCRIPTION_FORMATS = ("table", "json", "csv", "md")
"""The formats of commands that describe one thing."""
DescriptionFormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="|".join(DESCRIPTION_FORMATS),
        help="Format of the result on stdout.",
        autocompletion=completion(lambda: DESCRIPTION_FORMATS),
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print results, notices and errors only.")]
SeedsOption = Annotated[
    str | None,
    option(
        "--seeds", "-s", metavar="N|LIST", help="Train each condition with the seeds 0 to N-1, or a list such as 3,4,5."
    ),
]


@dataclass(frozen=True)
class Options:
    """The values of the options of `train`, `compare` and `sweep`.

    Attributes:
        trainer: The argument of `app.main`, which is not an option.
    """

    preset: Annotated[
        str | None,
        option(
            "--preset",
            "--config",
            "-p",
            metavar="NAME|FILE.toml",
            help="Start from a shipped study or a study file.",
            complete=presets,
        ),
    ] = None
    dataset: Annotated[
        str | None,
        option(
            "--dataset",
            "-d",
            metavar="NAME|FILE",
            help="Data set: a name (see `bncli dataset`), a file, openml:NAME@VERSION or images:FOLDER.",
            complete=lambda: sets.REGISTRY,
        ),
    ] = None
    label: LabelOption = None
    drop: DropOption = None
    encode: EncodeOption = None
    impute: ImputeOption = None
    test_size: TestSizeOption = None
    vary_data: Annotated[
        bool, typer.Option("--vary-data", help="Every seed draws its own split, or generates its own data.")
    ] = False
    model: Annotated[
        str | None,
        option(
            "--model",
            "-m",
            metavar="NAME|SPEC|FILE",
            help="Model: a name, a spec such as 'conv32 pool flatten dense64', a function as FILE.py:FUNCTION, or a "
            ".keras file.",
            complete=lambda: models.REGISTRY,
        ),
    ] = None
    keep_weights: Annotated[
        bool, typer.Option("--keep-weights", help="Start from the weights of a .keras file (fine-tuning).")
    ] = False
    activation: Annotated[
        str | None,
        option(
            "--activation", "-a", metavar="NAME", help="Activation of the hidden layers.", complete=lambda: ACTIVATIONS
        ),
    ] = None
    optimizer: Annotated[
        str | None,
        option("--optimizer", metavar="NAME", help=f"{', '.join(OPTIMIZERS)}.", complete=lambda: OPTIMIZERS),
    ] = None
    lr: Annotated[str | None, option("--lr", metavar="NUMBER", help="Learning rate.")] = None
    epochs: Annotated[str | None, option("--epochs", "-e", metavar="N", help="Passes over the training rows.")] = None
    batch_size: Annotated[str | None, option("--batch-size", "-b", metavar="N", help="Samples per batch.")] = None
    settings: Annotated[
        list[str] | None,
        option(
            "--set",
            metavar="FIELD=VALUE",
            help="Set any other field of a run; may be repeated.",
            complete=lambda: [f"{name}=" for name in FIELDS],
        ),
    ] = None
    seeds: SeedsOption = None
    out: Annotated[
        Path | None,
        option("--out", "-o", metavar="DIR", help="Folder of the study; runs that it already has are reused."),
    ] = None
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Train failed runs of the folder again.")] = False
    restart: Annotated[
        bool, typer.Option("--restart", help="Delete bncli's files in the folder (listed first), then start over.")
    ] = False
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first run that fails.")] = False
    jobs: Annotated[
        str, option("--jobs", "-j", metavar="N|auto", help="Number of worker processes; auto decides by the work.")
    ] = "1"
    scheduler: Annotated[
        str | None,
        option("--scheduler", metavar="ADDRESS", help="Train on the workers of a Dask scheduler, tcp://HOST:8786."),
    ] = None
    shard: Annotated[
        str | None,
        option("--shard", metavar="I/N", help="Train share I of N only, into a journal of its own (job arrays)."),
    ] = None
    engine: EngineOption = "auto"
    probe: Annotated[
        str | None,
        option(
            "--probe",
            metavar="|".join(LEVELS),
            help="Record what happens inside the network in every epoch, by layer.",
            complete=lambda: LEVELS,
        ),
    ] = None
    metric: MetricOption = None
    threshold: ThresholdOption = None
    margin: MarginOption = None
    format: FormatOption = "table"
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Check everything, print the planned runs, train nothing.")
    ] = False
    quiet: QuietOption = False
    trainer: Train | None = None

    def fields(self) -> dict[str, Value]:
        """Return the fields of a run that are given by options of their own or by `--set`.

        Raises:
            InvalidConfig: A field is given twice, or its value can't be converted.
            UnknownName: There is no such field.
        """
        data, network = ("dataset", "label", "encode", "impute", "test_size"), ("model", "activation")
        names = (*data, *network, "optimizer", "lr", "epochs", "batch_size")
        given = {name: parse_value(name, getattr(self, name)) for name in names if getattr(self, name) is not None}
        given |= dropped(self.drop)
        given |= {name: True for name in ("vary_data", "keep_weights") if getattr(self, name)}
        return given | parse_settings(self.settings, given)

    def seed_list(self) -> tuple[int, ...] | None:
        """Return the seeds of `--seeds`; None without the option."""
        return None if self.seeds is None else parse_seeds(self.seeds)


def dropped(names: list[str] | None) -> dict[str, Value]:
    """Return the field that `--drop` sets, if it is given.

    >>> dropped(["id", "price, net"])
    {'drop': 'id,"price, net"'}
    """
    return {"drop": joined_names(names)} if names else {}


OPTIONS = [field for field in dataclasses.fields(Options) if field.name != "trainer"]


def parse_settings(settings: list[str] | None, given: dict[str, Value] | None = None) -> dict[str, Value]:
    """Parse the values of `--set`.

    Args:
        settings: Texts of the form `FIELD=VALUE`.
        given: Fields that are already given by other options.

    Raises:
        InvalidConfig: A text has no `=`, a field is given twice, or a value can't be converted.
        UnknownName: There is no such field.

    >>> parse_settings(["momentum=0.9", "shuffle=false"])
    {'momentum': 0.9, 'shuffle': False}
    """
    fields: dict[str, Value] = {}
    for text in settings or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidConfig(f"--set takes FIELD=VALUE. Received: {shown(text)}.")
        name = field_name(name)
        check_name("field", name, FIELDS)
        if name in fields or name in (given or {}):
            raise InvalidConfig(f"{name} is given twice. Give it once.")
        fields[name] = parse_value(name, value)
    return fields


def takes_options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command: it gets every option of `Options`, and is called with them as the argument `options`."""
    own = get_type_hints(command, include_extras=True)
    kept = [
        parameter.replace(annotation=own[name])
        for name, parameter in inspect.signature(command).parameters.items()
        if name != "options"
    ]
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    added = [
        inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type)
        for field in OPTIONS
    ]

    @functools.wraps(command)
    def wrapper(context: typer.Context, **values: Any) -> None:
        options = Options(**{field.name: values.pop(field.name) for field in OPTIONS}, trainer=context.obj)
        command(options=options, **values)

    signature = inspect.Signature([*kept, context, *added])
    wrapper.__signature__ = signature  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in signature.parameters.values()}
    return wrapper
