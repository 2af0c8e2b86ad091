"""What a study's arms are compared by: a metric, a threshold and a margin, which the folder remembers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bncli.analysis.inside import with_probe
from bncli.analysis.tables import Results, measured_metrics, score_of, task_of
from bncli.data import datasets
from bncli.errors import InvalidConfig, StoreError
from bncli.networks import norms
from bncli.networks.reference import reference_of
from bncli.registry import check_name
from bncli.study import lock
from bncli.study.folder import STUDY_FILE, Store
from bncli.study.opening import STUDY_SECONDS
from bncli.study.study import Plan, data_key
from bncli.tasks.metrics import COMPARED_SCORES, DEFAULT, METRICS, PROBE, Metric, default_of
from bncli.tasks.probes import AVERAGES, PROBES
from bncli.tasks.scores import SCORES
from bncli.tasks.task import CLASSIFICATION, TASKS
from bncli.values import plain_text

CURVE_SCORES = ("loss", *COMPARED_SCORES)
"""The scores that have a curve to reach a threshold, on the validation rows at least."""

KEY, TITLE = "report", "title"
"""Where `study.json` has the choice, and the title of the page."""


Named = str | Sequence[str] | None
"""How a user names metrics: one, several with commas, a list of such texts, or none."""


class Choice(NamedTuple):
    """What arms are compared by.

    Attributes:
        metric: A metric's name; None for the one that fits the data, see `default_metric`.
        threshold: The value of it that runs should reach; None for 95 % of the baseline's gain.
        margin: The smallest difference in it that matters; None if nothing is to be called equivalent.
        more: Other metrics, whose comparisons are corrected together with those of the first.
    """

    metric: str | None = None
    threshold: float | None = None
    margin: float | None = None
    more: tuple[str, ...] = ()


def choice_of(metric: Named, threshold: float | None, margin: float | None = None) -> Choice:
    """Return what the user wants to compare by, and check it.

    Args:
        metric: A metric's name, or several with commas; None for the default one.
        threshold: The value of the first to reach, if one is given.
        margin: The smallest difference in the first that matters, if one is given; 0 for none.

    Raises:
        UnknownName: No such metric.
        InvalidConfig: The metric can't have this value, or is named twice.
    """
    names = metrics_of(metric)
    first = names[0] if names else None
    check_choice(first or DEFAULT, threshold, margin)
    return Choice(first, threshold, margin or None, tuple(names[1:]))


def metrics_of(named: Named) -> list[str]:
    """Return the names of metrics: of one, of several with commas, or of a list of such texts; none for None.

    Raises:
        UnknownName: No such metric.
        InvalidConfig: A metric is named twice.

    >>> metrics_of("val_accuracy,val_loss"), metrics_of(None)
    (['val_accuracy', 'val_loss'], [])
    """
    texts = [named] if isinstance(named, str) else named or []
    names = [name.strip() for text in texts for name in text.split(",")]
    for place, name in enumerate(names):
        check_name("metric", name, METRICS)
        if name in names[:place]:
            raise InvalidConfig(f"The metric {name} is named twice. Name each metric once.")
    return names


def default_metric(data: Iterable[Mapping[str, Any]]) -> str:
    """Return what arms are compared by unless the user says otherwise: the score of the data, on test rows if any.

    Args:
        data: The facts on each data set of a study, see `data.facts.dataset_facts`.
    """
    known = list(data)
    has_test = bool(known) and all(facts.get("test_rows") for facts in known)
    scores = {facts.get("score", TASKS[CLASSIFICATION].score) for facts in known}
    return default_of(scores.pop() if len(scores) == 1 else TASKS[CLASSIFICATION].score, "test" if has_test else "val")


def check_choice(metric: str, threshold: float | None, margin: float | None = None) -> None:
    """Check a metric and a value of it.

    Args:
        metric: A metric's name.
        threshold: The value of it to reach, if one is given.
        margin: The smallest difference in it that matters, if one is given.

    Raises:
        UnknownName: No such metric.
        InvalidConfig: The metric can't have this value.
    """
    check_name("metric", metric, METRICS)
    limits = METRICS[metric]
    if threshold is not None and not _is_within(threshold, limits):
        from_0, to_1 = ("from 0" * (limits.lowest == 0)), ("up to 1" if limits.lowest else "to 1") * limits.is_share
        allowed = " ".join(filter(None, ("a number", from_0, to_1)))
        raise InvalidConfig(f"--threshold must be {allowed} for the metric {metric}. Received: {threshold:g}.")
    if threshold is not None and limits.score not in CURVE_SCORES:
        raise InvalidConfig(
            f"--threshold is a value that runs reach in some epoch, but {metric} is not known after every epoch. Leave "
            f"--threshold out, or try --metric {_with_curve(limits)}."
        )
    if margin is not None and not (margin >= 0 and _is_within(margin, limits)):
        allowed = "a number from 0 to 1" if limits.is_share else "a number from 0"
        raise InvalidConfig(
            f"--margin must be {allowed} for the metric {metric}; 0 calls nothing equivalent. Received: {margin:g}."
        )


def _with_curve(metric: Metric) -> str:
    """Metrics that are known after every epoch, for a message."""
    known = SCORES.get(metric.score)
    return f"{default_of(TASKS[known.task].score)} or val_loss" if known else "val_loss"


def _is_within(value: float, limits: Metric) -> bool:
    """Whether a metric can have a value, which is finite."""
    largest = sys.float_info.max
    return max(limits.lowest, -largest) <= value <= min(limits.highest, largest)


def check_measured_by(plan: Plan, metric: Named, probe: str | None = None) -> None:
    """Check, before anything is trained, that runs will have a metric.

    Args:
        plan: The runs.
        metric: The metric, or several with commas; None for the one that fits the data.
        probe: Which probes are recorded; None for none.

    Raises:
        InvalidConfig: It is of another task, of more classes or of a test part than the data has, or of a probe that
            is not recorded.
    """
    for name in metrics_of(metric):
        _check_one_measured(plan, name, probe)


def _check_one_measured(plan: Plan, metric: str, probe: str | None) -> None:
    task = task_of(dict(plan.runs))
    default, known = default_of(TASKS[task].score), METRICS[metric]
    if metric.startswith(PROBE):
        _check_probe(plan, metric, probe)
        return
    if known.score != "loss" and SCORES[known.score].task != task:
        raise InvalidConfig(f"--metric {metric} is for {SCORES[known.score].task}, but this is {task}. Try {default}.")
    least = SCORES[known.score].least_classes if known.score in SCORES else 1
    for config in {data_key(config): config for config, _ in plan.runs}.values():
        if task == CLASSIFICATION and least > (n_classes := datasets.load(config).n_classes):
            raise InvalidConfig(
                f"--metric {metric} needs {least} classes or more, but {plain_text(config.dataset)} has {n_classes}. "
                f"Try --metric {default}."
            )
        if known.part == "test" and datasets.load(config).y_test is None:
            raise InvalidConfig(
                f"--metric {metric} needs a test part, which {plain_text(config.dataset)} does not have. "
                f"Try --test-size 0.2, or --metric {default}."
            )


def _check_probe(plan: Plan, metric: str, level: str | None) -> None:
    """Check that a probe is recorded, and that there is something in the networks that it is of."""
    probe = PROBES[metric.removeprefix(PROBE)]
    if level is None or (probe.is_full and level != "full"):
        raise InvalidConfig(f"--metric {metric} needs --probe {'full' if probe.is_full else 'light'}.")
    baseline, condition = plan.runs[0]
    has_averages = baseline.norm in norms.OWN or "norm_momentum" in norms.fields(baseline.norm)
    if (probe.of and baseline.norm == norms.NONE) or (probe.of == AVERAGES and not has_averages):
        raise InvalidConfig(
            f"--metric {metric} compares arms with the baseline, but {condition.arm} has no {probe.of}. Put another "
            "arm first, such as --arms batch,..."
        )
    if probe.activations and not any(reference_of(config.model) for config, _ in plan.runs):
        _check_activations(plan, metric, probe.activations)


def _check_activations(plan: Plan, metric: str, wanted: Sequence[str]) -> None:
    activations = {config.activation for config, _ in plan.runs}
    if not activations & {*wanted}:
        raise InvalidConfig(
            f"--metric {metric} is of the activations {' and '.join(wanted)}, but the networks have "
            f"{', '.join(sorted(activations))}."
        )


def measured(metric: str, results: Results, where: str = "") -> str:
    """Return the metric if a run has a value of it; where no run has any value, all having failed, the default one.

    Args:
        metric: The metric to compare by.
        results: The runs.
        where: The place of the runs for the message, as ` in 'DIR'`.

    Raises:
        InvalidConfig: Runs have values, but none of this metric.
    """
    if metric in measured_metrics(results):
        return metric
    default = default_of(score_of(results))
    if any(result.metrics for result in results):
        raise InvalidConfig(f"No run{where} has a value of {metric}. Try --metric {default}.")
    return default


def choose(
    store: Store,
    metric: Named = None,
    threshold: float | None = None,
    margin: float | None = None,
    tell: Callable[[str], None] | None = None,
) -> Choice:
    """Return what a folder's report compares by: what the user gives now, which is remembered, or gave last.

    Whoever gives one of metric and threshold replaces both. A margin is kept until there is another one or another
    metric.

    Args:
        store: The study's folder.
        metric: The metric, or several with commas; None if the user names none, which is the default one if there is a
            threshold.
        threshold: The threshold; None if the user names none.
        margin: The margin; 0 to have none, None if the user names none.
        tell: Called with a note if the folder forgets a threshold or a margin.

    Raises:
        UnknownName: No such metric.
        InvalidConfig: The metric can't have this value, or no run has a value of it.
        StoreError: The folder holds no study, or can't be read or written.
    """
    given = choice_of(metric, threshold)._replace(margin=margin or None)
    content = store.need_study()
    before = remembered(content, store)
    kept = before._replace(margin=None) if margin == 0 else before
    default = default_metric(content["datasets"].values())
    choice = _updated(kept, given, default)
    check_choice(choice.metric or default, choice.threshold, choice.margin)
    if choice != before:
        names = [name for name in (choice.metric or default, *choice.more) if name not in (default, DEFAULT)]
        runs = [result for _, result in store.listed_runs(content)] if names else []
        for name in names:
            measured(name, with_probe(runs, store.folder, *names), f" in {str(store.folder)!r}")
        if tell and (note := _forgotten(kept, choice)):
            tell(note)
        with lock.hold(store.folder / STUDY_FILE, patience=STUDY_SECONDS):
            stored = {name: value for name, value in choice._asdict().items() if name != "more" or value}
            store.write_study(store.need_study() | {KEY: stored})
    return choice


def remember_title(store: Store, title: str) -> None:
    """Have a folder's page carry a title from now on; an empty one takes it away.

    Raises:
        StoreError: The folder holds no study, or can't be written.
    """
    with lock.hold(store.folder / STUDY_FILE, patience=STUDY_SECONDS):
        store.write_study(store.need_study() | {TITLE: title})


def _updated(before: Choice, given: Choice, default: str) -> Choice:
    """The choice that the given one makes of the one before; `default` is the metric if none is named."""
    if given.metric is None and given.threshold is None:
        return before if given.margin is None else before._replace(margin=given.margin)
    choice = given._replace(metric=given.metric or default)
    is_kept = choice.margin is None and choice.metric == before.metric
    return choice._replace(margin=before.margin) if is_kept else choice


def _forgotten(before: Choice, choice: Choice) -> str:
    """Which numbers of the choice before are lost with its metric, and how to keep them; empty for none."""
    pairs = {"--threshold": (before.threshold, choice.threshold), "--margin": (before.margin, choice.margin)}
    lost = {name: f"{name} {old:g}" for name, (old, new) in pairs.items() if old is not None and new is None}
    if not lost:
        return ""
    given = f"{' and '.join(lost.values())} {'was' if len(lost) == 1 else 'were'} given"
    again = f"give {' and '.join(lost)} again if {'it matters' if len(lost) == 1 else 'they matter'}."
    if choice.metric == before.metric:
        return f"{given} in an earlier call and is dropped by --metric {choice.metric} alone; {again}"
    return f"{given} for {before.metric} and {'is' if len(lost) == 1 else 'are'} not used for {choice.metric}; {again}"


def remembered(content: Mapping[str, Any], store: Store) -> Choice:
    """Return the choice that a `study.json` holds; if it holds none, the metric that fits its data.

    Args:
        content: What `study.json` holds.
        store: Its folder, for the message.

    Raises:
        StoreError: It holds something else there.
    """
    found = content.get(KEY, {})
    try:
        choice = Choice(**({"metric": default_metric(content.get("datasets", {}).values())} | found))
        choice = choice._replace(more=tuple(choice.more))
        is_sound = all(name in METRICS for name in (choice.metric, *choice.more)) and _has_numbers(choice)
    except TypeError:
        is_sound = False
    if not is_sound:
        raise StoreError(
            f"{str(store.folder / STUDY_FILE)!r}: {KEY!r} must hold a metric, and may hold a threshold and a margin. "
            f"Received: {plain_text(repr(found))}. Remove it; bncli report --metric NAME writes it again."
        )
    return choice


def _has_numbers(choice: Choice) -> bool:
    limits = METRICS[choice.metric or DEFAULT]
    given = [value for value in (choice.threshold, choice.margin) if value is not None]
    has_margin = choice.margin is None or (type(choice.margin) in (int, float) and choice.margin > 0)
    return has_margin and all(type(value) in (int, float) and _is_within(value, limits) for value in given)
