"""Which rows of the data a step or an evaluation takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from bncli.backend import tf
from bncli.config import RunConfig
from bncli.engines.method import EVALUATION_ROWS
from bncli.networks.seeds import batch_order
from bncli.probes.population import n_batches

Chunk = tuple[tf.Tensor, tf.Tensor, np.ndarray]
"""Rows, their classes, and 1 for each row that counts, 0 for each that only fills the chunk up."""


def evaluation_chunks(x: np.ndarray, y: np.ndarray) -> Iterator[Chunk]:
    """Yield rows in chunks of `EVALUATION_ROWS`, so that one compiled evaluation serves all data.

    The last chunk is filled up with copies of the first row, which don't count.
    """
    for start in range(0, len(y), EVALUATION_ROWS):
        part = slice(start, start + EVALUATION_ROWS)
        n_missing = EVALUATION_ROWS - len(y[part])
        counts = np.concatenate([np.ones(len(y[part]), "float32"), np.zeros(n_missing, "float32")])
        filled = (np.concatenate([a[part], np.repeat(a[:1], n_missing, axis=0)]) for a in (x, y))
        features, labels = map(tf.constant, filled)
        yield features, labels, counts


def population_batches(configs: Sequence[RunConfig], n_rows: int) -> tf.Tensor:
    """Return the batches over which population statistics are estimated: row numbers, shape (batches, runs, rows).

    They are shuffled by the runs' seeds, even where training is not: a batch of sorted rows would be no sample.

    Args:
        configs: Runs with equal batch size and epochs.
        n_rows: Number of training rows.
    """
    batch_size, epochs = min(configs[0].batch_size, n_rows), configs[0].epochs
    orders = {config.seed: batch_order(config.seed, epochs, n_rows) for config in configs}
    count = n_batches(n_rows, batch_size, epochs)
    taken = np.stack([orders[config.seed][: count * batch_size] for config in configs])
    return tf.constant(taken.reshape(len(configs), count, batch_size).swapaxes(0, 1))


def order_chunks(configs: Sequence[RunConfig], n_rows: int, n_epochs: int) -> Iterator[tuple[int, tf.Tensor]]:
    """Yield the orders of the training rows of some epochs for every run, shape (epochs, runs, rows).

    Behind the last epoch are zeros. A thread draws the next orders while the caller trains on these.

    Args:
        configs: Runs with equal epochs and `shuffle`.
        n_rows: Number of training rows.
        n_epochs: For how many epochs at a time.

    Yields:
        The number of the first epoch, from 0, and the orders.
    """
    seeds, last, shuffle = [config.seed for config in configs], configs[0].epochs, configs[0].shuffle

    def draw(first: int) -> np.ndarray:
        found = np.zeros([n_epochs, len(configs), n_rows], "int32")
        for place, epoch in enumerate(range(first, min(first + n_epochs, last))):
            drawn = {seed: batch_order(seed, epoch, n_rows, shuffle=shuffle) for seed in dict.fromkeys(seeds)}
            found[place] = [drawn[seed] for seed in seeds]
        return found

    with ThreadPoolExecutor(1) as pool:
        ahead: Future[np.ndarray] = pool.submit(draw, 0)
        for first in range(0, last, n_epochs):
            orders = ahead.result()
            if first + n_epochs < last:
                ahead = pool.submit(draw, first + n_epochs)
            yield first, tf.constant(orders)
