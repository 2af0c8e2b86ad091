"""What a study's arms are compared by: a metric and a threshold, which the folder remembers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from bncli.errors import InvalidConfig, StoreError
from bncli.study import lock
from bncli.study.folder import STUDY_FILE, Store
from bncli.study.opening import STUDY_SECONDS
from bncli.tasks.metrics import DEFAULT, METRICS, lower_is_better
from bncli.values import plain_text

KEY = "report"
"""Where `study.json` has the choice."""


class Choice(NamedTuple):
    """What arms are compared by.

    Attributes:
        metric: A metric's name.
        threshold: The value of it that runs should reach; None for 95 % of the baseline's gain.
    """

    metric: str = DEFAULT
    threshold: float | None = None


def choice_of(metric: str | None, threshold: float | None) -> Choice:
    """Return what the user wants to compare by, and check it.

    Args:
        metric: A metric's name; None for the default one.
        threshold: The value of it to reach, if one is given.

    Raises:
        UnknownName: No such metric.
        InvalidConfig: The metric can't have this value.
    """
    choice = Choice(DEFAULT if metric is None else metric, threshold)
    check_choice(*choice)
    return choice


def check_choice(metric: str, threshold: float | None) -> None:
    """Check a metric and a value of it.

    Args:
        metric: A metric's name.
        threshold: The value of it to reach, if one is given.

    Raises:
        UnknownName: No such metric.
        InvalidConfig: The metric can't have this value.
    """
    is_loss = lower_is_better(metric)
    if threshold is not None and not _can_be(threshold, is_loss):
        allowed = "a number from 0" if is_loss else "a number from 0 to 1"
        raise InvalidConfig(f"--threshold must be {allowed} for the metric {metric}. Received: {threshold:g}.")


def _can_be(threshold: float, is_loss: bool) -> bool:
    return 0 <= threshold <= (sys.float_info.max if is_loss else 1)


def choose(store: Store, metric: str | None = None, threshold: float | None = None) -> Choice:
    """Return what a folder's report compares by: what the user gives now, which is remembered, or gave last.

    Whoever gives one of both replaces both.

    Args:
        store: The study's folder.
        metric: The metric; None if the user names none, which is the default one if there is a threshold.
        threshold: The threshold; None if the user names none.

    Raises:
        UnknownName: No such metric.
        InvalidConfig: The metric can't have this value.
        StoreError: The folder holds no study, or can't be read or written.
    """
    choice = choice_of(metric, threshold)
    before = remembered(store.need_study(), store)
    if metric is None and threshold is None:
        return before
    if choice != before:
        with lock.hold(store.folder / STUDY_FILE, patience=STUDY_SECONDS):
            store.write_study(store.need_study() | {KEY: choice._asdict()})
    return choice


def remembered(content: Mapping[str, Any], store: Store) -> Choice:
    """Return the choice that a `study.json` holds; the default one if it holds none.

    Args:
        content: What `study.json` holds.
        store: Its folder, for the message.

    Raises:
        StoreError: It holds something else there.
    """
    found = content.get(KEY, {})
    try:
        choice = Choice(**found)
        is_sound = choice.metric in METRICS and _is_threshold(choice)
    except TypeError:
        is_sound = False
    if not is_sound:
        raise StoreError(
            f"{str(store.folder / STUDY_FILE)!r}: {KEY!r} must hold a metric and a threshold. "
            f"Received: {plain_text(repr(found))}. Remove it; bncli report --metric NAME writes it again."
        )
    return choice


def _is_threshold(choice: Choice) -> bool:
    value = choice.threshold
    return value is None or (type(value) in (int, float) and _can_be(value, lower_is_better(choice.metric)))
