"""Batches that are too small for statistics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import LIKELY, NOTE, PROBLEM, Finding, register
from bncli.diagnosis.wording import agreed, some_of, within
from bncli.values import counted

SMALL = 8
"""Samples per batch below which batch normalization loses accuracy: Wu and He (2018, arXiv 1803.08494, figure 1) find
an error of 24.7 % at 8 images, 27.3 % at 4 and 34.7 % at 2, against 23.6 % at 32."""

VERY_SMALL = 4
"""Samples per batch below which that is a problem, not a note."""

LAST = 0.1
"""By how many standard deviations the last batch of an epoch, which is also the last of training, may move a mean."""

SHARE = 4
"""A last batch is small where it has at most this part, a quarter, of the rows of the others."""

RARE = 20
"""A last batch of a single row is a problem where it is one of fewer batches than these, else a note."""


@register("small-batches")
def small_batches(case: Case) -> Iterator[Finding]:
    """Batches, or the chunks of ghost normalization, have so few samples that their statistics are mostly chance."""
    size = case.training.batch_size
    layers = [layer for layer in case.live_norms if not getattr(layer, "renorm", False)]  # made for small batches
    sizes = {id(layer): min(size, getattr(layer, "ghost", size)) for layer in layers} if size else {}
    small = [layer for layer in layers if sizes and sizes[id(layer)] < SMALL]
    if not small:
        return
    least = min(sizes[id(layer)] for layer in small)
    flat = [layer for layer in small if is_flat(layer)]
    if least == 1 and flat:
        who = within(len(flat), len(case.batch_norms))
        yield Finding(
            f"With one sample per batch {who} {agreed(len(flat), 'outputs', 'output')} nothing but beta in training.",
            least,
            case.names(flat),
            "More samples per batch, or layer or group normalization.",
        )
        return
    yield Finding(
        f"{some_of(len(small), len(case.batch_norms))} {agreed(len(small), 'takes its', 'take their')} statistics of "
        f"{counted(least, 'sample')}. {_how_bad(least, has_flat=bool(flat))}",
        least,
        case.names(small),
        "At least 16 samples, or group or layer normalization: bncli compare --arms as-is,group,layer.",
        PROBLEM if least < VERY_SMALL else NOTE,
        LIKELY,
    )


def _how_bad(size: int, *, has_flat: bool) -> str:
    if has_flat:
        return f"The mean of so few is off by {size**-0.5:.2f} standard deviations, as chance has it in every batch."
    return "ResNet-50 on ImageNet errs in 23.6 % with 32, in 24.7 % with 8 and in 34.7 % with 2 (arXiv 1803.08494)."


@register("last-batch")
def last_batch(case: Case) -> Iterator[Finding]:
    """The last batch of an epoch has so few rows that its statistics are chance."""
    size, rows = case.training.batch_size, case.training.n_rows
    left = rows % size if size and rows and 1 < size <= rows else 0
    if not left or rows is None or size is None:
        return
    alone = [layer for layer in case.live_norms if left == 1 and is_flat(layer)]
    moved = [layer for layer in case.live_norms if (1 - float(layer.momentum)) * left**-0.5 > LAST]
    layers = alone or (moved if left * SHARE <= size else [])
    if not layers:
        return
    count, most = -(-rows // size), max(1 - float(layer.momentum) for layer in layers)
    what = f"{rows:,} training rows are {count - 1:,} batches of {size} and one of {left}, the last of training too"
    effect = (
        f"of a single row {within(len(alone), len(case.batch_norms))} {agreed(len(alone), 'leaves', 'leave')} nothing "
        "but beta"
        if alone
        else f"it has {most:.0%} of the averages"
    )
    yield Finding(
        f"{what}: {effect}.",
        left,
        case.names(layers),
        f"Leave it out (tf.data: drop_remainder=True), or another batch size, such as {_better(rows, size)}.",
        PROBLEM if alone and count < RARE else NOTE,
    )


def _better(rows: int, size: int) -> int:
    """The batch size nearest to `size` whose last batch is at least half full."""
    near = sorted(range(max(2, size // 2), size * 2 + 1), key=lambda other: abs(other - size))
    return next((other for other in near if rows % other == 0 or rows % other * 2 >= other), size)


def is_flat(layer: Any) -> bool:
    """Return whether a layer normalizes one value per sample and channel."""
    shape = (layer.get_build_config() or {}).get("input_shape") or ()
    return len(shape) == 2
