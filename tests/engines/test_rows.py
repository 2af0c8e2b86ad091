"""Evaluation in chunks of one size, and batch orders drawn ahead."""

import numpy as np

from bncli.config import RunConfig
from bncli.engines.method import EVALUATION_ROWS
from bncli.engines.rows import evaluation_chunks, order_chunks
from bncli.networks.seeds import batch_order


def test_chunks_hold_every_row_once_and_are_filled_up_with_rows_that_do_not_count():
    n_rows = 2 * EVALUATION_ROWS + 3
    x, y = np.arange(n_rows, dtype="float32")[:, None], np.arange(n_rows, dtype="int32")
    chunks = list(evaluation_chunks(x, y))
    assert [(part.shape[0], counts.sum()) for part, _, counts in chunks] == [
        (EVALUATION_ROWS, EVALUATION_ROWS),
        (EVALUATION_ROWS, EVALUATION_ROWS),
        (EVALUATION_ROWS, 3),
    ]
    for values, place in ((x[:, 0], 0), (y, 1)):
        counted = [np.asarray(chunk[place]).reshape(-1)[chunk[2] > 0] for chunk in chunks]
        assert np.array_equal(np.concatenate(counted), values)


def test_every_epoch_has_each_runs_own_order():
    runs = [RunConfig(seed=seed, lr=lr, epochs=3) for seed, lr in ((0, 0.1), (1, 0.1), (0, 0.2))]
    expected = [[batch_order(run.seed, epoch, 10).tolist() for run in runs] for epoch in range(3)]
    assert [(first, orders.numpy().tolist()) for first, orders in order_chunks(runs, 10, 2)] == [
        (0, expected[:2]),
        (2, [expected[2], np.zeros([3, 10]).tolist()]),
    ]


def test_without_shuffling_the_order_is_that_of_the_file():
    ((_, orders),) = order_chunks([RunConfig(shuffle=False, epochs=1)], 4, 1)
    assert orders.numpy().tolist() == [[[0, 1, 2, 3]]]
