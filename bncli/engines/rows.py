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


def evaluation_chunks(x: np.ndarray, y: np.ndarray) -> list[Chunk]:
    """Return rows in chunks of `EVALUATION_ROWS`, so that one compiled evaluation serves all data.

    The last chunk is filled up with copies of the first row, which don't count.
    """
    chunks = []
    for start in range(0, len(y), EVALUATION_ROWS):
        part = slice(start, start + EVALUATION_ROWS)
        n_missing = EVALUATION_ROWS - len(y[part])
        counts = np.concatenate([np.ones(len(y[part]), "float32"), np.zeros(n_missing, "float32")])
        filled = (np.concatenate([a[part], np.repeat(a[:1], n_missing, axis=0)]) for a in (x, y))
        chunks.append((*map(tf.constant, filled), counts))
    return chunks


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


def batch_orders(configs: Sequence[RunConfig], n_rows: int) -> Iterator[tf.Tensor]:
    """Yield each epoch's order of the training rows for every run, shape (runs, rows).

    A thread draws the next epoch's orders while the caller trains on this one's.
    """

    def draw(epoch: int) -> np.ndarray:
        seeds = dict.fromkeys(config.seed for config in configs)
        drawn = {seed: batch_order(seed, epoch, n_rows, shuffle=configs[0].shuffle) for seed in seeds}
        return np.stack([drawn[config.seed] for config in configs])

    with ThreadPoolExecutor(1) as pool:
        ahead: Future[np.ndarray] = pool.submit(draw, 0)
        for epoch in range(configs[0].epochs):
            orders = ahead.result()
            if epoch + 1 < configs[0].epochs:
                ahead = pool.submit(draw, epoch + 1)
            yield tf.constant(orders)
