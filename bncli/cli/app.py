"""The command line: parse, build, call, show. Every option that commands share is declared once, in `Flags`."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from bncli import process
from bncli.analysis.evidence import check_choice
from bncli.atomic import replace_file
from bncli.claims.claim import parse_claims
from bncli.claims.judgement import UNMET
from bncli.cli import console
from bncli.cli.progress import track
from bncli.config import DATA_FIELDS, FIELDS, OPTIMIZERS, RunConfig, parse_value
from bncli.data import datasets, sets
from bncli.errors import BncliError, InvalidConfig, StoreError
from bncli.networks import models
from bncli.networks.building import build_model
from bncli.networks.layout import ACTIVATIONS
from bncli.process import interruptible
from bncli.registry import check_name
from bncli.report.exports import records, to_csv, to_json, to_json_line
from bncli.report.spelling import counted
from bncli.study import cluster, lock
from bncli.study.arms import DEFAULT_ARMS, Arm, parse_arm, parse_arms
from bncli.study.axes import parse_axis
from bncli.study.execution import ENGINES, done_runs, execute, share_of
from bncli.study.files import load_study, presets
from bncli.study.folder import RUNS_FILE, Store, default_folder, open_store
from bncli.study.shard import Shard, parse_shard
from bncli.study.study import Plan, Study
from bncli.tasks.metrics import DEFAULT, METRICS
from bncli.values import Value, show

if TYPE_CHECKING:
    from bncli.analysis.evidence import Evidence
    from bncli.claims.judgement import Verdict
    from bncli.claims.verify import Subject
    from bncli.results import RunResult
    from bncli.study.study import Condition


EXIT_FAILED_RUNS, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130

FLAGSHIP, TRAIN = "lr-activation", "train"

app = typer.Typer(
    name="bncli",
    help="Batch-normalization ablation studies: paired seeds, tables, figures, every run on disk.",
    epilog="Start with: bncli sweep   (the learning-rate study on real digits, about a minute)",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _complete(names: Callable[[], Any]) -> Callable[[str], list[str]]:
    return lambda incomplete: [name for name in names() if name.startswith(incomplete)]


def _option(*names: str, help: str, complete: Callable[[], Any] | None = None, metavar: str | None = None) -> Any:
    return typer.Option(
        *names,
        help=help,
        metavar=metavar,
        autocompletion=_complete(complete) if complete else None,
        show_default=False,
    )


MetricOption = Annotated[
    str,
    typer.Option(
        "--metric",
        metavar="NAME",
        help=f"What arms are compared by: {', '.join(METRICS)}.",
        autocompletion=_complete(lambda: METRICS),
    ),
]

ThresholdOption = Annotated[
    float | None,
    _option(
        "--threshold",
        metavar="NUMBER",
        help="Value of the metric to reach; without it, the best of the baseline's mean curve.",
    ),
]


@dataclass(frozen=True)
class Flags:
    """The options that train, compare and sweep share."""

    preset: Annotated[
        str | None,
        _option(
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
        _option(
            "--dataset",
            "-d",
            metavar="NAME|FILE",
            help="Data set: a name (see `bncli dataset`) or a file.",
            complete=lambda: sets.REGISTRY,
        ),
    ] = None
    label: Annotated[str | None, _option("--label", metavar="COLUMN", help="Column of the class in a table.")] = None
    model: Annotated[
        str | None,
        _option(
            "--model",
            "-m",
            metavar="NAME|SPEC",
            help="Model: a name, or a line such as 'conv32 pool flatten dense64'.",
            complete=lambda: models.REGISTRY,
        ),
    ] = None
    activation: Annotated[
        str | None,
        _option(
            "--activation",
            "-a",
            metavar="NAME",
            help="Activation of the hidden layers.",
            complete=lambda: ACTIVATIONS,
        ),
    ] = None
    optimizer: Annotated[
        str | None,
        _option("--optimizer", metavar="NAME", help=f"{', '.join(OPTIMIZERS)}.", complete=lambda: OPTIMIZERS),
    ] = None
    lr: Annotated[str | None, _option("--lr", metavar="NUMBER", help="Learning rate.")] = None
    epochs: Annotated[str | None, _option("--epochs", "-e", metavar="N", help="Passes over the training rows.")] = None
    batch_size: Annotated[str | None, _option("--batch-size", "-b", metavar="N", help="Rows a step.")] = None
    settings: Annotated[
        list[str] | None,
        _option(
            "--set",
            metavar="FIELD=VALUE",
            help="Any other field of a run; may be repeated.",
            complete=lambda: [f"{name}=" for name in FIELDS],
        ),
    ] = None
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            "-s",
            min=1,
            metavar="N",
            show_default=False,
            help="Seeds 0 to N-1: replicates of every condition.",
        ),
    ] = None
    out: Annotated[
        Path | None,
        _option("--out", "-o", metavar="DIR", help="Folder of the study; what is there is continued."),
    ] = None
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Train failed runs of the folder again.")] = False
    restart: Annotated[
        bool, typer.Option("--restart", help="Delete what bncli left in the folder, naming it, and start over.")
    ] = False
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first run that fails.")] = False
    jobs: Annotated[
        str,
        _option("--jobs", "-j", metavar="N|auto", help="Worker processes; auto decides by the work."),
    ] = "1"
    scheduler: Annotated[
        str | None,
        _option("--scheduler", metavar="ADDRESS", help="Train on the workers of a Dask scheduler, tcp://HOST:8786."),
    ] = None
    shard: Annotated[
        str | None,
        _option("--shard", metavar="I/N", help="Train share I of N only, into a journal of its own (job arrays)."),
    ] = None
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="|".join(ENGINES),
            help="auto chooses by the work; stacked always stacks runs in one program; keras is one model.fit a run.",
        ),
    ] = "auto"
    metric: MetricOption = DEFAULT
    threshold: ThresholdOption = None
    format: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            metavar="|".join(console.FORMATS),
            help="What stdout gets.",
            autocompletion=_complete(lambda: console.FORMATS),
        ),
    ] = "table"
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Check everything, print the planned runs, train nothing.")
    ] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; results, notices and errors only.")] = False

    def fields(self) -> dict[str, Value]:
        """The fields of a run that were given, each once."""
        names = ("dataset", "label", "model", "activation", "optimizer", "lr", "epochs", "batch_size")
        given = {name: parse_value(name, getattr(self, name)) for name in names if getattr(self, name) is not None}
        return given | parse_settings(self.settings, given)


def parse_settings(settings: list[str] | None, given: dict[str, Value] | None = None) -> dict[str, Value]:
    """Read `FIELD=VALUE` texts; a field that was already given by an option of its own is refused."""
    fields: dict[str, Value] = {}
    for text in settings or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidConfig(f"--set takes FIELD=VALUE. Received: {text!r}.")
        check_name("field", name, FIELDS)
        if name in fields or name in (given or {}):
            raise InvalidConfig(f"{name} is given twice. Give it once.")
        fields[name] = parse_value(name, value)
    return fields


def takes_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all options of `Flags`, which it receives as its parameter `flags`."""
    own = get_type_hints(command, include_extras=True)
    shared = get_type_hints(Flags, include_extras=True)
    kept = [
        parameter.replace(annotation=own[name])
        for name, parameter in inspect.signature(command).parameters.items()
        if name != "flags"
    ]
    added = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=shared[field.name]
        )
        for field in dataclasses.fields(Flags)
    ]

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        flags = Flags(**{field.name: values.pop(field.name) for field in dataclasses.fields(Flags)})
        command(flags=flags, **values)

    signature = inspect.Signature([*kept, *added])
    wrapper.__signature__ = signature  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in signature.parameters.values()}
    return wrapper


ArmsOption = Annotated[
    str | None,
    _option(
        "--arms",
        metavar="ARM,ARM,...",
        help="Arms, the baseline first: none, batch:before, batch:after+center=false, layer:before, ...",
    ),
]


@app.command()
def dataset(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME|FILE]",
            show_default=False,
            help="One data set; without it, all that there are.",
            autocompletion=_complete(lambda: sets.REGISTRY),
        ),
    ] = None,
    label: Annotated[str | None, _option("--label", metavar="COLUMN", help="Column of the class in a table.")] = None,
    settings: Annotated[
        list[str] | None,
        _option(
            "--set",
            metavar="FIELD=VALUE",
            help="n_samples, noise, data_seed, train_rows, val_rows or scaling; may be repeated.",
        ),
    ] = None,
    plot: Annotated[Path | None, _option("--plot", metavar="FILE", help="Draw it: .png, .svg or .pdf.")] = None,
    export: Annotated[
        str | None, _option("--export", metavar="FILE|-", help="Write it as CSV or NPZ; - is stdout.")
    ] = None,
    export_as: Annotated[
        str | None,
        _option("--export-as", metavar="csv|npz", help="Kind of the export where the name does not tell."),
    ] = None,
    format: Annotated[
        str, typer.Option("--format", "-f", metavar="table|json|csv|md", help="What stdout gets.")
    ] = "table",
) -> None:
    """List the data sets, or describe one: shapes, class balance, moments raw and scaled; draw it, export it."""
    from bncli.data.export import export_dataset
    from bncli.data.facts import catalogue

    check_name("format", format, ("table", "json", "csv", "md"))
    if name is None:
        if plot or export or settings or label:
            raise InvalidConfig(
                "--plot, --export, --label and --set need the name of a data set. "
                "Try bncli dataset digits --plot digits.png."
            )
        _show_catalogue(catalogue(), format)
        return
    config = data_config(name, label, parse_settings(settings))
    data = datasets.load(config)
    if plot:
        _save_plot(data, plot)
    if export:
        export_dataset(data, export, export_as, sys.stdout.buffer)
    if export != "-":
        _show_dataset(config, format)


def data_config(name: str, label: str | None, fields: dict[str, Value]) -> RunConfig:
    """A run's data fields, checked; the network is left out of it."""
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


def _save_plot(data: datasets.Dataset, path: Path) -> None:
    from bncli.report.data_figure import draw_dataset

    check_name("ending of a plot", path.suffix, (".png", ".svg", ".pdf"))
    figure = draw_dataset(data)
    replace_file(path, lambda temporary: figure.savefig(temporary))
    console.say(f"Wrote {path}")


def _show_dataset(config: RunConfig, format: str) -> None:
    from bncli.data import facts as known

    data = datasets.load(config)
    facts, balance, moments = (
        known.dataset_facts(data),
        known.balance(data),
        records(known.moments(datasets.load(config.replace(scaling="none")), data)),
    )
    if format == "json":
        console.write(to_json(facts | {"classes": balance, "features": moments}))
    elif format == "csv":
        console.write(to_csv(moments))
    else:
        console.print_rows([{key: str(value) for key, value in facts.items()}], format=format)
        console.print_rows([{key: str(value) for key, value in row.items()} for row in balance[:30]], format=format)
        shown = [
            {key: f"{v:.4g}" if isinstance(v, float) else str(v) for key, v in row.items()} for row in moments[:20]
        ]
        left = f"{len(moments) - 20} more features: --format csv has all" if len(moments) > 20 else ""
        console.print_rows(shown, title="moments over the training rows", caption=left, format=format)


@app.command()
@takes_flags
def train(
    flags: Flags,
    arm: Annotated[
        str | None,
        _option("--arm", metavar="ARM", help="The normalization: none, batch:before, layer:after, ..."),
    ] = None,
    save_model: Annotated[
        Path | None,
        _option("--save-model", metavar="FILE.keras", help="Write the trained model (one run only)."),
    ] = None,
    summary: Annotated[
        bool,
        typer.Option("--summary", help="Print Keras' layer table with the parameter counts, train nothing."),
    ] = False,
) -> None:
    """Train one configuration, for one or many seeds."""
    start = load_study(flags.preset) if flags.preset else Study(TRAIN, RunConfig(), (parse_arm("none"),))
    base = start.vary(flags.fields()).base
    chosen = parse_arm(arm) if arm else base_arm(base)
    seeds = tuple(range(flags.seeds)) if flags.seeds else (base.seed,)
    study = Study(TRAIN, base.replace(seed=0), (chosen,), seeds=seeds, question=start.question, source=start.source)
    if summary:
        _print_summary(study)
        return
    _check_save(save_model, seeds)
    run(study, flags, flags.out, save_model, single=True)


def base_arm(base: RunConfig) -> Arm:
    """The arm that a base run already is: its own norm and placement."""
    return parse_arm("none" if base.norm == "none" else f"{base.norm}:{base.placement}")


def _check_save(path: Path | None, seeds: tuple[int, ...]) -> None:
    if path and len(seeds) > 1:
        raise InvalidConfig(f"--save-model writes one model, but {len(seeds)} seeds are asked for. Try --seeds 1.")
    if path and path.suffix != ".keras":
        raise InvalidConfig(f"--save-model needs a name that ends in .keras. Received: {str(path)!r}.")
    if path and not path.parent.is_dir():
        raise InvalidConfig(f"--save-model: there is no folder {str(path.parent)!r}.")


def _print_summary(study: Study) -> None:
    config = study.plan().runs[0][0]
    data = datasets.load(config)
    importlib.import_module("bncli.engines.backend")
    model = build_model(config, data.input_shape, data.n_classes, config.seed)
    model.summary(print_fn=lambda text, line_break=False: console.write(text), line_length=80)


@app.command()
@takes_flags
def compare(flags: Flags, arms: ArmsOption = None) -> None:
    """Train arms side by side, all else fixed, paired by seed.

    The arms are none, batch:before and batch:after unless --arms or a preset says otherwise.
    """
    study, is_preset = build_study("compare", flags, arms, [], None)
    if study.axes:
        axis = study.axes[0][0]
        raise InvalidConfig(
            f"compare holds everything but the arms fixed, and study {study.name!r} varies {axis}. "
            f"Try bncli sweep --preset {flags.preset}, or fix it: --set {axis}=VALUE."
        )
    run(study, flags, flags.out or default_folder(study, is_preset=is_preset))


@app.command()
@takes_flags
def sweep(
    flags: Flags,
    axes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FIELD=VALUES]...",
            show_default=False,
            help="Axes: lr=0.001,0.01, lr=log:1e-4:1:9, norm_momentum=lin:0:0.99:5, ...",
        ),
    ] = None,
    arms: ArmsOption = None,
) -> None:
    """Train axes x arms x seeds; what the folder already holds is not trained again.

    Bare `bncli sweep` is the flagship: learning rate x1 and x10, sigmoid and ReLU, without and with batch
    normalization, on the digits.
    """
    study, is_preset = build_study("sweep", flags, arms, axes or [], None if axes else FLAGSHIP)
    run(study, flags, flags.out or default_folder(study, is_preset=is_preset))


def build_study(name: str, flags: Flags, arms: str | None, axes: list[str], fallback: str | None) -> tuple[Study, bool]:
    """Put a study together from preset and options; also tell whether it is a preset as shipped."""
    preset = flags.preset or fallback
    start = load_study(preset) if preset else Study(name, RunConfig(), tuple(map(parse_arm, DEFAULT_ARMS)))
    fields, parsed = flags.fields(), [parse_axis(text) for text in axes]
    if "seed" in fields:
        raise InvalidConfig("Studies pair their runs by seed. Try --seeds N for the seeds 0 to N-1.")
    if len({axis for axis, _ in parsed}) < len(parsed):
        raise InvalidConfig(f"An axis is given twice. Received: {' '.join(axes)}.")
    seeds = tuple(range(flags.seeds)) if flags.seeds else None
    study = start.vary(fields, arms=parse_arms(arms) if arms else None, axes=parsed, seeds=seeds)
    return study, preset in presets() and study.base == start.base and study.axes == start.axes


def run(study: Study, flags: Flags, out: Path | None, save_model: Path | None = None, *, single: bool = False) -> None:
    """Plan a study, train what is missing, show the result; exit with 1 if runs failed, 130 if interrupted.

    A study of a `single` condition is shown run by run.
    """
    console.check_format(flags.format)
    check_name("engine", flags.engine, ENGINES)
    check_choice(flags.metric, flags.threshold)
    cluster.parse_jobs(flags.jobs)
    shard = _check_shard(flags, out)
    parse_claims(study)
    _warm_up(study, flags, out)
    plan = study.plan()
    for notice in plan.notices:
        console.warn(notice)
    if flags.dry_run:
        _show_plan(study, plan, flags)
        return
    store = None
    try:
        with interruptible(), _folder(out, shard, flags):
            store = open_store(out, study, plan, shard, anew=flags.restart) if out else None
            results = _train(study, plan, store, flags, save_model, shard)
            if shard:
                _show_share(results, share_of(plan, shard), shard, out)
            else:
                _show(study, plan, results, store, flags, single=single)
    except KeyboardInterrupt as interrupt:
        raise _interrupted(interrupt, store, plan, out) from None
    _check_failed(results)


def _warm_up(study: Study, flags: Flags, out: Path | None) -> None:
    """Import TensorFlow and load the data side by side where both are sure to be needed.

    A user's own file comes first and alone: what is wrong with it shall not take longer to say.
    """
    config, trains_here = study.base, (flags.jobs, flags.scheduler, flags.dry_run) == ("1", None, False)
    is_new = flags.restart or not (out and Store(out).has_study())
    if trains_here and is_new and config.dataset in sets.REGISTRY and process.can_fork():
        try:
            with datasets.loading(config), interruptible():
                importlib.import_module("bncli.engines.backend")
        except KeyboardInterrupt as interrupt:
            raise _interrupted(interrupt, None, None, out) from None


def _check_shard(flags: Flags, out: Path | None) -> Shard | None:
    if not flags.shard:
        return None
    if flags.restart:
        raise InvalidConfig("--restart deletes the runs of all shards. Give it once, without --shard.")
    if not out:
        raise InvalidConfig("--shard records its share in the study's folder. Try --out DIR.")
    return parse_shard(flags.shard)


@contextmanager
def _folder(out: Path | None, shard: Shard | None, flags: Flags) -> Iterator[None]:
    """Hold the journal of the study's folder, if there is a folder; empty it first on --restart."""
    with lock.hold(out / (shard.journal if shard else RUNS_FILE)) if out else nullcontext():
        if out and flags.restart:
            _check_scheduler(flags)
            _delete(out)
        yield


def _check_scheduler(flags: Flags) -> None:
    """Connect once before anything is deleted: a wrong address must lose no runs."""
    if flags.scheduler:
        with cluster.connect(1, flags.scheduler):
            pass


def _delete(folder: Path) -> None:
    """Delete bncli's own files in a study's folder, while no shard writes to it, and say which."""
    from bncli.report.files import derived_files

    store = Store(folder)
    names = store.own_files(derived_files())
    if names and not store.has_study():
        raise StoreError(
            f"--restart deletes nothing in {str(folder)!r}, which holds {names[0]} but no study (no study.json). "
            "Try --out with a new or empty folder."
        )
    with ExitStack() as held:
        for journal in sorted({*store.journals(), *lock.journals(folder)} - {store.journal}):
            held.enter_context(lock.hold(journal))
        if names:
            console.warn(f"--restart deletes in {folder}: {', '.join(names)}")
        for name in names:
            store.remove(name)


def _check_failed(results: list[RunResult]) -> None:
    """Exit with 1 if runs failed, and name the first one's error."""
    failed = [result for result in results if result.state == "failed"]
    if failed:
        first = (failed[0].error or "").splitlines()[0]
        console.error(f"{len(failed)} of {len(results)} runs failed, the first with {first}")
        raise typer.Exit(EXIT_FAILED_RUNS)


def _show_share(results: list[RunResult], share: list[RunConfig], shard: Shard, out: Path | None) -> None:
    """A shard has no result of its own: say how far it is and what reads all of them."""
    n_done, n_runs = len(results), len(share)
    state = "is done" if n_done == n_runs else f"stopped after {n_done} of its {n_runs} runs"
    console.say(f"Share {shard.number} of {shard.count} {state}. bncli report {out} shows what all shares have so far.")


def _show_plan(study: Study, plan: Plan, flags: Flags) -> None:
    from bncli.analysis.runs import condition_columns

    rows = [
        {"run_id": config.run_id, **condition_columns(condition), "seed": config.seed}
        for config, condition in plan.runs
    ]
    _write_rows(rows, _plan_rows(study, plan), flags.format, title=study.name, caption=_size(study, plan))


def _size(study: Study, plan: Plan) -> str:
    conditions, seeds = counted(len(plan.conditions), "condition"), counted(len(study.seeds), "seed")
    return f"{counted(len(plan.runs), 'run')}: {conditions} x {seeds}"


def _plan_rows(study: Study, plan: Plan) -> list[dict[str, str]]:
    """A plan for people: one row a condition."""
    seeds = ", ".join(map(str, study.seeds)) if len(study.seeds) < 6 else f"{study.seeds[0]} to {study.seeds[-1]}"
    rows = []
    for condition in plan.conditions:
        values = {name: "-" if value is None else show(value) for name, value in condition.values}
        rows.append(values | {"arm": condition.arm, "seeds": seeds})
    return rows


def _train(
    study: Study,
    plan: Plan,
    store: Store | None,
    flags: Flags,
    save_model: Path | None,
    shard: Shard | None = None,
    *,
    meanwhile: Callable[[], None] | None = None,
) -> list[RunResult]:
    """Train what is missing of the study, or of its share, while progress shows.

    Call `meanwhile` once the first epoch has ended: from then on Python has little to do.
    """
    done = done_runs(plan, store, retry_failed=flags.retry_failed)
    share = share_of(plan, shard)
    pending = [config for config in share if config.run_id not in done]
    if save_model and store and not pending:
        raise StoreError(
            f"--save-model needs a run that is trained now, but this one is done already in {str(store.folder)!r}. "
            "Try without --out."
        )
    _announce(study, plan, share, len(share) - len(pending), store, flags, shard)
    conditions, streams = dict(plan.runs), flags.format == "jsonl"
    if streams:
        for config in share:
            if config.run_id in done:
                _stream(done[config.run_id], conditions[config])

    def on_epoch(configs: Sequence[RunConfig], epoch: int) -> None:
        nonlocal meanwhile
        if meanwhile:
            meanwhile()
            meanwhile = None
        tracker.epoch(str(conditions[configs[0]]), len(configs))

    def on_result(result: RunResult, condition: Condition) -> None:
        tracker.run(str(condition), result.config.epochs - len(result.history.get("loss", [])))
        if result.state == "failed":
            console.warn(f"{condition} seed={result.config.seed} failed: {(result.error or '').splitlines()[0]}")
        if streams:
            _stream(result, condition)

    with (
        _workers(flags, pending, in_process=save_model is not None) as workers,
        track(len(pending), sum(config.epochs for config in pending), quiet=flags.quiet) as tracker,
    ):
        results = execute(
            plan,
            store,
            on_epoch=on_epoch,
            engine=flags.engine,
            on_result=on_result,
            on_model=(lambda config, model: replace_file(save_model, model.save)) if save_model else None,
            retry_failed=flags.retry_failed,
            fail_fast=flags.fail_fast,
            shard=shard,
            cluster=workers,
            done=done,
        )
    ids = {config.run_id for config in share}
    return [result for result in results if result.config.run_id in ids]


@contextmanager
def _workers(flags: Flags, pending: list[RunConfig], *, in_process: bool) -> Iterator[cluster.Cluster | None]:
    """The worker processes that the options ask for; None where this process trains."""
    alone = in_process or not pending
    jobs = 1 if alone else cluster.choose_jobs(cluster.parse_jobs(flags.jobs), pending, flags.engine)
    if alone or (jobs == 1 and not flags.scheduler):
        yield None
        return
    with cluster.connect(jobs, flags.scheduler) as workers:
        where = f"the Dask scheduler {flags.scheduler}" if flags.scheduler else f"{jobs} worker processes"
        console.say(f"Training on {where}", quiet=flags.quiet)
        yield workers


def _announce(
    study: Study,
    plan: Plan,
    share: list[RunConfig],
    n_done: int,
    store: Store | None,
    flags: Flags,
    shard: Shard | None,
) -> None:
    if study.question:
        console.say(study.question, quiet=flags.quiet)
    text = _size(study, plan) + (f"; share {shard.number} of {shard.count} has {len(share)}" if shard else "")
    console.say(text + (f"; {n_done} are done already" if n_done else ""), quiet=flags.quiet)
    if store:
        console.say(f"Folder: {store.folder}", quiet=flags.quiet)


def _stream(result: RunResult, condition: Condition) -> None:
    from bncli.analysis.runs import condition_columns

    console.write(to_json_line(condition_columns(condition) | result.to_record()))


def _interrupted(interrupt: KeyboardInterrupt, store: Store | None, plan: Plan | None, out: Path | None) -> typer.Exit:
    """Say what is saved, and return the end of the process, with the status that tells of the signal."""
    if store and plan:
        n_done = len(done_runs(plan, store))
        console.say(
            f"Interrupted. {n_done} of {len(plan.runs)} runs are saved in {store.folder}; the same command continues."
        )
    elif out:
        console.say("Interrupted before the first run; the same command starts again.")
    else:
        console.say("Interrupted. Nothing is saved: give --out DIR to keep finished runs.")
    return typer.Exit(getattr(interrupt, "status", EXIT_INTERRUPTED))


def _show(
    study: Study, plan: Plan, results: list[RunResult], store: Store | None, flags: Flags, *, single: bool
) -> None:
    from bncli.analysis.evidence import Evidence
    from bncli.data.facts import dataset_facts

    levels = {dataset_facts(datasets.load(config))["chance"] for config, _ in plan.runs}
    chance = levels.pop() if len(levels) == 1 else None
    evidence = Evidence(study, results, dict(plan.runs), len(plan.runs), chance, flags.metric, flags.threshold)
    if flags.format != "jsonl":
        show_evidence(evidence, flags.format, single=single)
    if store:
        _write_files(evidence, store, flags.quiet)


def _write_files(evidence: Evidence, store: Store, quiet: bool) -> None:
    """Write what is derived from the records, and say where the page is that a person opens."""
    from bncli.report.files import REPORT_FILE, write_files

    names = [name for name in write_files(evidence, store) if not name.endswith((".svg", REPORT_FILE))]
    console.say(f"Wrote {', '.join(names)} in {store.folder}", quiet=quiet)
    console.say(f"Report: {store.folder / REPORT_FILE}", quiet=quiet)


def show_evidence(evidence: Evidence, format: str, *, single: bool = False) -> None:
    """Write a study's result to stdout: one row a condition, or one row a run where there is a `single` condition."""
    from bncli.report.exports import as_json
    from bncli.report.rows import result_rows, run_rows, table_caption

    if format == "json":
        runs = {"runs": records(evidence.runs_table)} if single else {}
        console.write(to_json(as_json(evidence) | runs))
    elif format == "jsonl":
        for result in evidence.results:
            _stream(result, evidence.conditions[result.config])
    elif format == "csv":
        table = evidence.runs_table if single else evidence.joined_table
        console.write(to_csv(table))
    elif single:
        console.print_rows(run_rows(evidence), format=format)
    else:
        console.print_rows(
            result_rows(evidence),
            title=evidence.study.name,
            caption=table_caption(evidence),
            format=format,
        )


@app.command()
def report(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", show_default=False, help="The --out folder of a compare or sweep."),
    ],
    metric: MetricOption = DEFAULT,
    threshold: ThresholdOption = None,
    format: Annotated[
        str, typer.Option("--format", "-f", metavar="|".join(console.FORMATS), help="What stdout gets.")
    ] = "table",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Results, notices and errors only.")] = False,
) -> None:
    """Make tables, figures and report.html again from stored runs, without TensorFlow."""
    from bncli.analysis.evidence import read_evidence

    console.check_format(format)
    check_choice(metric, threshold)
    evidence = read_evidence(folder, metric, threshold)
    show_evidence(evidence, format, single=_is_of_train(evidence.study))
    _write_files(evidence, Store(folder), quiet)


def _is_of_train(study: Study) -> bool:
    """Whether `bncli train` made this study: one arm, no axes, its name."""
    return (study.name, len(study.arms), study.axes) == (TRAIN, 1, ())


@app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PRESET|FILE.toml]...",
            show_default=False,
            help="Studies whose claims are checked; without any, all presets, less what takes MNIST.",
            autocompletion=_complete(presets),
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All presets, those that train on MNIST (hours) among them.")
    ] = False,
    ids: Annotated[list[str] | None, _option("--claim", metavar="ID", help="Only this claim; may be repeated.")] = None,
    list_only: Annotated[
        bool, typer.Option("--list", "-l", help="Say of every claim how it is tested, or why not; train nothing.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if a claim is contradicted or not reproduced.")
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", "-s", min=1, metavar="N", show_default=False, help="Seeds 0 to N-1 in every study."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Holds a folder for each study; what is there counts.")
    ] = Path("studies"),
    engine: Annotated[
        str, typer.Option("--engine", metavar="|".join(ENGINES), help="What trains, as in sweep.")
    ] = "auto",
    format: Annotated[
        str, typer.Option("--format", "-f", metavar="|".join(console.FORMATS), help="What stdout gets.")
    ] = "table",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Results, notices and errors only.")] = False,
) -> None:
    """Run the shipped studies and give verdicts on the claims that are published.

    A verdict is reproduced, direction only, not reproduced, contradicted, exact, inconclusive, not testable or
    skipped. Whatever it is, the exit status is 0, unless --strict.
    """
    from bncli.claims import verify

    console.check_format(format)
    check_name("engine", engine, ENGINES)
    chosen = verify.subjects(names or (), ids or (), everything=everything or list_only)
    if list_only:
        _show_claims(chosen, format)
        return
    flags = Flags(engine=engine, quiet=quiet, seeds=seeds)
    found: list[tuple[str, Verdict]] = []
    trained: list[RunResult] = []
    for subject in chosen:
        results, conditions = _runs_of(subject, out / subject.study.name, flags)
        judged = [(subject.study.name, verdict) for verdict in verify.judge(subject, results, conditions)]
        if format == "jsonl":
            _show_verdicts(judged, format)
        found += judged
        trained += results
    if format != "jsonl":
        _show_verdicts(verify.in_order(found), format)
    if not (names or ids or everything):
        _say_left_out(verify.left_out(chosen), quiet)
    _check_failed(trained)
    if strict and any(verdict.verdict in UNMET for _, verdict in found):
        raise typer.Exit(EXIT_FAILED_RUNS)


def _runs_of(subject: Subject, folder: Path, flags: Flags) -> tuple[list[RunResult], dict[RunConfig, Condition]]:
    """Train what the claims of a study still need; where the data is absent, take what the folder holds."""
    from bncli.claims.verify import part_of, stored

    if not subject.trains:
        return [], {}
    if subject.absent:
        results, conditions = stored(folder)
        return list(results), dict(conditions)
    study = subject.study.vary(seeds=tuple(range(flags.seeds)) if flags.seeds else None)
    plan, store = study.plan(), None
    part = part_of(plan, subject.claims)
    try:
        with interruptible(), _folder(folder, None, flags):
            store = open_store(folder, study, plan)
            return _train(study, part, store, flags, None), dict(part.runs)
    except KeyboardInterrupt as interrupt:
        raise _interrupted(interrupt, store, part, folder) from None


def _say_left_out(counts: dict[str, int], quiet: bool) -> None:
    if counts:
        console.say(
            f"Left out: {counted(sum(counts.values()), 'claim')} that take MNIST. "
            f"Try bncli verify --all (hours), or one of: {', '.join(counts)}",
            quiet=quiet,
        )


def _show_claims(chosen: Sequence[Subject], format: str) -> None:
    from bncli.claims import verify

    pairs = [(subject.study.name, claim) for subject in chosen for claim in subject.claims]
    _write_rows([verify.columns(*pair) for pair in pairs], [verify.listed(*pair) for pair in pairs], format)


def _show_verdicts(found: Sequence[tuple[str, Verdict]], format: str) -> None:
    from bncli.claims import verify

    _write_rows([verify.record(*pair) for pair in found], [verify.row(*pair) for pair in found], format)


def _write_rows(
    records: list[dict[str, Any]], rows: list[dict[str, str]], format: str, *, title: str = "", caption: str = ""
) -> None:
    """Write the same rows for programs (`records`) or for people (`rows`)."""
    if format == "json":
        console.write(to_json(records))
    elif format == "jsonl":
        console.write("\n".join(map(to_json_line, records)))
    elif format == "csv":
        console.write(to_csv(records))
    else:
        console.print_rows(rows, title=title, caption=caption, format=format)


@app.command()
def status(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", show_default=False, help="The --out folder of a compare or sweep."),
    ],
    format: Annotated[
        str, typer.Option("--format", "-f", metavar="|".join(console.FORMATS), help="What stdout gets.")
    ] = "table",
) -> None:
    """Count the runs of a study by condition: complete, diverged, failed, pending; also while it trains."""
    from bncli.study.status import status_rows, status_totals, writers

    console.check_format(format)
    rows = status_rows(folder)
    shown = [{name.removeprefix("param_"): _text(value) for name, value in row.items()} for row in rows]
    _write_rows(rows, shown, format, caption=status_totals(rows))
    for text in writers(folder):
        console.say(text)


def _text(value: Value) -> str:
    return "-" if value is None else show(value)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        console.write(f"bncli {version('bncli')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; a user's mistake is one message and exit status 2. Typer ends a closed pipe with 1."""
    try:
        app(prog_name="bncli")
    except BncliError as mistake:
        console.error(str(mistake))
        sys.exit(EXIT_USAGE)
