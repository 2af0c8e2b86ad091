"""Batches that are too small for statistics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bncli.diagnosis.case import Case
from bncli.diagnosis.finding import LIKELY, NOTE, PROBLEM, Finding, register

SMALL = 8
"""Samples per batch below which batch normalization loses accuracy: Wu and He (2018, arXiv 1803.08494, figure 1) find
an error of 24.7 % at 8 images, 27.3 % at 4 and 34.7 % at 2, against 23.6 % at 32."""

LAST = 8
"""A last batch counts as small if it is smaller than so many, and than an eighth of the others."""


@register("small-batches")
def small_batches(case: Case) -> Iterator[Finding]:
    """Batches have so few samples that their statistics are mostly chance."""
    size = case.training.batch_size
    layers = [layer for layer in case.batch_norms if layer.trainable]
    if not layers or size is None or size >= SMALL:
        return
    flat = [layer for layer in layers if _is_flat(layer)]
    if size == 1 and flat:
        yield Finding(
            f"With one sample per batch, {len(flat)} batch normalizations output nothing but beta in training.",
            size,
            tuple(layer.name for layer in flat),
            "More samples per batch, or layer or group normalization.",
        )
        return
    yield Finding(
        f"{size} samples per batch: the mean and variance of {len(layers)} batch normalizations are mostly chance.",
        size,
        tuple(layer.name for layer in layers),
        "At least 16 samples per batch, or group or layer normalization: bncli compare --arms as-is,group,layer.",
        PROBLEM if size < SMALL // 2 else NOTE,
        LIKELY,
    )


@register("last-batch")
def last_batch(case: Case) -> Iterator[Finding]:
    """The last batch of an epoch has so few rows that its statistics are chance."""
    size, rows = case.training.batch_size, case.training.n_rows
    layers = [layer for layer in case.batch_norms if layer.trainable]
    left = rows % size if size and rows and size > 1 else 0
    if not layers or not left or rows is None or size is None or left >= LAST or left * 8 > size or rows < size:
        return
    count = -(-rows // size)
    alone = [layer for layer in layers if _is_flat(layer)] if left == 1 else []
    what = f"{rows:,} training rows are {count - 1:,} batches of {size} and one of {left}, which counts as much in the "
    yield Finding(
        f"{what}moving averages as each other: 1 of {count:,}."
        + (" Of a single row nothing is left but beta." if alone else ""),
        left,
        tuple(layer.name for layer in alone or layers),
        f"Leave it out (tf.data: drop_remainder=True), or another batch size, such as {_better(rows, size)}.",
        PROBLEM if alone else NOTE,
    )


def _better(rows: int, size: int) -> int:
    """The batch size nearest to `size` whose last batch is at least half full."""
    near = sorted(range(max(2, size // 2), size * 2 + 1), key=lambda other: abs(other - size))
    return next((other for other in near if rows % other == 0 or rows % other * 2 >= other), size)


def _is_flat(layer: Any) -> bool:
    """Whether a layer normalizes one value per sample and channel."""
    shape = (layer.get_build_config() or {}).get("input_shape") or ()
    return len(shape) == 2
