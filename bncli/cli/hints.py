"""`Next: bncli ...`: the next command worth typing, as one line on stderr.

Like git's advice, it goes to stderr whether or not that is a terminal. Output for programs (another format than
`table`) and `--quiet` have none.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from bncli.analysis.gap import has_population
from bncli.analysis.lag import MOMENTUM
from bncli.cli import console
from bncli.cli.options import OPTIONS, Options
from bncli.config import FIELDS
from bncli.fields import field_name
from bncli.networks.norms import NONE
from bncli.report.notes import smaller_momentum
from bncli.study.files import load_study
from bncli.study.study import Study
from bncli.tasks.metrics import COMPARED_SCORES, default_of
from bncli.values import plain_text

if TYPE_CHECKING:
    from bncli.analysis.evidence import Evidence

OF_THE_STUDY = (
    "preset",
    "dataset",
    "label",
    "drop",
    "encode",
    "impute",
    "test_size",
    "vary_data",
    "model",
    "keep_weights",
    "activation",
    "optimizer",
    "lr",
    "epochs",
    "batch_size",
    "settings",
    "seeds",
    "engine",
    "probe",
    "metric",
    "threshold",
    "margin",
)
"""The options that the next command takes over from the last one: what is trained, and what it is compared by."""


def say_next(words: Sequence[str], format: str, *, quiet: bool = False) -> None:
    """Write the next command to stderr, unless the output is for a program.

    Args:
        words: Its words, without `bncli`; none for no line. There is no line either for a word that is very long,
            or that a terminal can't show safely.
        format: The value of `--format`.
        quiet: The value of `--quiet`.
    """
    if words and format == "table" and all(plain_text(word) == word for word in words):
        console.say(f"Next: {shlex.join(['bncli', *words])}", quiet=quiet)


def say_after(words: Sequence[str], options: Options) -> None:
    """Write the next command after one that takes `options`; a share of a study, which is only a part, has none."""
    if not options.shard:
        say_next(words, options.format, quiet=options.quiet)


def typed(options: Options, names: Iterable[str]) -> list[str]:
    """Return the words of those of the named options that differ from their defaults."""
    words: list[str] = []
    wanted = set(names)
    for field in OPTIONS:
        value, name = getattr(options, field.name), _name(get_args(field.type)[1])
        if field.name not in wanted or value == field.default:
            continue
        values = value if isinstance(value, list) else [value]
        words += [name] if value is True else [word for each in values for word in (name, _word(each))]
    return words


def _word(value: Any) -> str:
    """A value as a user types it: `0`, not `0.0`; texts, such as the name of a folder, stay as they are."""
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _name(option: Any) -> str:
    """The shortest name of an option; Typer keeps the first one as the default of an annotation."""
    return min((name for name in (option.default, *option.param_decls) if isinstance(name, str)), key=len)


def again(command: str, own: Sequence[str], options: Options) -> list[str]:
    """Return the same command without `--dry-run`.

    Args:
        command: Its name.
        own: The words that are no common options.
        options: The others.
    """
    return [command, *own, *typed(options, (field.name for field in OPTIONS if field.name != "dry_run"))]


def has_diverged(evidence: Evidence | None) -> bool:
    """Return whether any run diverged."""
    return evidence is not None and any(result.state == "diverged" for result in evidence.results)


def after_train(study: Study, options: Options, own: Sequence[str] = (), *, diverged: bool = False) -> list[str]:
    """Return a comparison of the trained arm with no normalization; a sweep if the study's preset has axes.

    Args:
        study: The study of `train`.
        options: Its options.
        own: The words of `--arm`.
        diverged: Whether a run diverged: then the same training at a tenth of the learning rate is next.
    """
    if diverged:
        same = typed(_without_fields(options, "lr"), [name for name in OF_THE_STUDY if name not in ("lr", "probe")])
        return ["train", *own, "--lr", f"{0.1 * study.base.lr:g}", *same]
    (arm,) = study.arms
    arms = [] if arm.label == NONE else ["--arms", f"{NONE},{arm.label}"]
    has_axes = bool(options.preset) and bool(load_study(str(options.preset)).vary(options.fields()).axes)
    names = [name for name in OF_THE_STUDY if name != "seeds" or len(study.seeds) > 1]
    words = typed(_without_fields(options, "seed", "norm", "placement"), names)
    return ["sweep" if has_axes else "compare", *arms, *words]


def after_compare(evidence: Evidence, arms: Sequence[str], options: Options) -> list[str]:
    """Return the same comparison with a momentum at which nothing lags, or else a sweep of the learning rate.

    Where runs diverged, it is a sweep of smaller learning rates.

    Args:
        evidence: The result of the comparison.
        arms: The words of `--arms`.
        options: The other options.
    """
    diverged = has_diverged(evidence)
    lag = evidence.lag if not diverged and (evidence.gap or not has_population(evidence.results)) else None
    momentum = smaller_momentum(lag.momentum, lag.n_steps) if lag else None
    if momentum and not any(MOMENTUM in label for label in evidence.arms):
        same = typed(_without_fields(options, MOMENTUM), OF_THE_STUDY)
        return ["compare", *arms, *same, "--set", f"{MOMENTUM}={momentum:g}"]
    rate, allowed = evidence.study.base.lr, FIELDS["lr"]
    factors = (0.01, 0.1, 1) if diverged else (0.1, 1, 10)
    rates = [rate * factor for factor in factors if rate * factor <= allowed.high]
    axis = f"lr={','.join(f'{value:g}' for value in rates)}"
    names = [name for name in OF_THE_STUDY if name != "lr"]
    return ["sweep", axis, *arms, *typed(_without_fields(options, "lr"), names)]


def of_arms(arms: Sequence[str] | None) -> list[str]:
    """Return the words of `--arms`."""
    return ["--arms", ",".join(arms)] if arms else []


def _without_fields(options: Options, *fields: str) -> Options:
    """The options without fields that `--set` gives."""
    settings = [text for text in options.settings or [] if field_name(text.partition("=")[0]) not in fields]
    return replace(options, settings=settings or None)


def by_another_metric(folder: Path, metric: str, score: str) -> list[str]:
    """Return the report of a folder by another metric than the present one, which fits its data."""
    return ["report", str(folder), "--metric", "val_loss" if is_usual(metric) else default_of(score)]


def is_usual(metric: str) -> bool:
    """Return whether arms are compared by a metric unless the user names another."""
    return metric in (default_of(score, part) for score in COMPARED_SCORES for part in ("val", "test"))


def after_sweep(folder: Path, metric: str, score: str, *, diverged: bool) -> list[str]:
    """Return the report of a folder by another metric; its state, which says where runs diverged, if any did."""
    return ["status", str(folder)] if diverged else by_another_metric(folder, metric, score)


def after_report(folder: Path, evidence: Evidence) -> list[str]:
    """Return the state of a folder that lacks runs; else its report by another metric, or as CSV after that."""
    if evidence.n_missing:
        return ["status", str(folder)]
    if is_usual(evidence.metric):
        return by_another_metric(folder, evidence.metric, evidence.score)
    return ["report", str(folder), "--format", "csv"]
