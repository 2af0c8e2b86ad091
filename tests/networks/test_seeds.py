"""Seeds by purpose, and the order of batches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bncli.networks.seeds import batch_order, derive


def test_derived_seeds_are_pinned_so_that_stored_runs_stay_comparable():
    assert derive(0, "kernel", 0) == 890865178
    assert derive(1, "order", 2) == 695404726


@given(st.integers(0, 2**31 - 1), st.integers(0, 1000))
def test_a_derived_seed_fits_31_bits_and_depends_on_every_part(seed, number):
    first = derive(seed, "kernel", number)
    assert 0 <= first < 2**31
    others = (derive(seed, "kernel", number + 1), derive(seed, "order", number), derive(seed + 1, "kernel", number))
    assert len({first, *others}) == 4


@given(st.integers(0, 100), st.integers(0, 50), st.integers(1, 200))
def test_an_epoch_visits_every_row_once(seed, epoch, n_rows):
    assert sorted(batch_order(seed, epoch, n_rows)) == list(range(n_rows))


def test_order_depends_on_seed_and_epoch():
    orders = {tuple(batch_order(seed, epoch, 50)) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4
    assert np.array_equal(batch_order(3, 4, 50), batch_order(3, 4, 50))


def test_without_shuffling_rows_keep_their_order():
    assert np.array_equal(batch_order(7, 3, 5, shuffle=False), [0, 1, 2, 3, 4])
