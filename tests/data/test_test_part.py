"""The test part: which rows it has, and what becomes of the other parts; and data that follow the seed."""

import numpy as np
import pytest
from datafiles import error_text, is_same, load, needs_files, write_npz, write_table, write_text
from hypothesis import given, settings
from hypothesis import strategies as st

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.data.splits import RawDataset, with_test_part
from bncli.errors import InvalidConfig
from bncli.resolution import resolve

DRAWN = ["digits", "circles", "moons", "breast_cancer"]


def rows_of(*arrays):
    """The rows of arrays as sorted tuples, so that they can be compared as sets."""
    return sorted(tuple(row.ravel().tolist()) for array in arrays for row in array)


@pytest.mark.parametrize("name", DRAWN)
def test_every_row_is_in_one_part(name):
    whole, data = load(name, scaling="none"), load(name, scaling="none", test_size=0.2)
    assert rows_of(data.x_train, data.x_val, data.x_test) == rows_of(whole.x_train, whole.x_val)
    n_rows = len(whole.y_train) + len(whole.y_val)
    assert len(data.y_test) == round(0.2 * n_rows)
    assert len(data.y_train) == pytest.approx(0.8 * len(whole.y_train), abs=1 + data.n_classes)


@pytest.mark.parametrize("name", DRAWN)
def test_the_other_parts_keep_their_rows_and_their_order(name):
    whole, data = load(name, scaling="none"), load(name, scaling="none", test_size=0.3)
    for part in ("train", "val"):
        before = [row.tobytes() for row in getattr(whole, f"x_{part}")]
        places = iter(before)
        assert all(row.tobytes() in places for row in getattr(data, f"x_{part}"))


@pytest.mark.parametrize("name", DRAWN)
def test_the_test_part_is_stratified(name):
    data = load(name, test_size=0.25)
    for number in range(data.n_classes):
        counts = [int((y == number).sum()) for y in (data.y_train, data.y_val, data.y_test)]
        assert counts[2] == pytest.approx(0.25 * sum(counts), abs=2)


@pytest.mark.parametrize("name", [*DRAWN, "mnist"])
def test_without_a_test_part_nothing_changes(name):
    if name == "mnist":
        needs_files(name)
    whole, data = load(name, train_rows=":400"), load(name, train_rows=":400", test_size=0)
    assert data is whole
    assert data.x_test is None
    assert data.y_test is None
    assert RunConfig(dataset=name, test_size=0).run_id == RunConfig(dataset=name).run_id


@pytest.mark.parametrize("name", DRAWN)
def test_the_data_seed_draws_the_test_part(name):
    one, same, other = (load(name, test_size=0.2, data_seed=seed) for seed in (3, 3, 4))
    assert one is same
    assert not np.array_equal(one.x_test, other.x_test)


def test_the_test_part_is_scaled_with_the_numbers_of_the_training_rows():
    raw, data = (load("breast_cancer", test_size=0.2, scaling=scaling) for scaling in ("none", "standard"))
    mean, sd = raw.x_train.mean(axis=0, dtype="float64"), raw.x_train.std(axis=0, dtype="float64")
    np.testing.assert_allclose(data.x_test, (raw.x_test - mean) / sd, rtol=1e-3, atol=1e-4)
    assert (data.x_test.dtype, data.y_test.dtype) == ("float32", "int32")
    with pytest.raises(ValueError, match="read-only"):
        data.x_test[0] = 0


@pytest.mark.parametrize(
    ("n_samples", "test_size", "expected"),
    [
        (8, 0.25, ["3 training, 3 validation and 2 test rows"]),
        (8, 0.5, ["2 training, 2 validation and 4 test rows"]),
        (20, 0.2, []),
    ],
)
def test_parts_of_a_row_or_two_are_told(n_samples, test_size, expected):
    data = load("moons", n_samples=n_samples, test_size=test_size)
    assert list(data.notices) == [
        f"test_size={test_size} splits 'moons' into {parts}: a part with fewer than two rows a class says little."
        for parts in expected
    ]


def test_the_fingerprint_covers_the_test_part():
    raw = load("circles", test_size=0.2)
    no_test = datasets.Dataset("x", raw.x_train, raw.y_train, raw.x_val, raw.y_val, ("0", "1"), (), "none")
    with_test = datasets.Dataset(
        "x",
        raw.x_train,
        raw.y_train,
        raw.x_val,
        raw.y_val,
        ("0", "1"),
        (),
        "none",
        x_test=raw.x_test,
        y_test=raw.y_test,
    )
    assert no_test.fingerprint() != with_test.fingerprint() == raw.fingerprint()


def test_slices_select_of_what_is_left():
    whole, part = load("circles", test_size=0.2), load("circles", test_size=0.2, train_rows=":50")
    np.testing.assert_array_equal(part.x_train, whole.x_train[:50])
    np.testing.assert_array_equal(part.x_test, whole.x_test)


@pytest.mark.parametrize("name", ["mnist", pytest.param("fashion_mnist", marks=pytest.mark.slow)])
def test_published_test_images_become_the_test_part(name):
    needs_files(name)
    published, data = load(name, scaling="none"), load(name, scaling="none", test_size=0.1)
    np.testing.assert_array_equal(data.x_test, published.x_val)
    assert (len(data.y_train), len(data.y_val), len(data.y_test)) == (54_000, 6_000, 10_000)
    shares = np.bincount(data.y_val) / np.bincount(published.y_train)
    np.testing.assert_allclose(shares, 0.1, atol=2e-4)
    resolved, _ = resolve(RunConfig(dataset=name, test_size=0.1))
    assert resolved.data_seed == 0
    assert datasets.ignored_fields(RunConfig(dataset=name, data_seed=5)) == ["data_seed"]


def test_keras_test_rows_of_an_archive_become_the_test_part(tmp_path):
    x, y = np.arange(40.0)[:, None], np.array([0, 1] * 20)
    path = write_npz(tmp_path, x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:])
    assert load(path, scaling="none").x_val[:, 0].tolist() == x[30:, 0].tolist()
    data = load(path, scaling="none", test_size=0.2)
    assert data.x_test[:, 0].tolist() == x[30:, 0].tolist()
    assert rows_of(data.x_train, data.x_val) == rows_of(x[:30])
    assert np.bincount(data.y_val).tolist() == [3, 3]


def test_an_archive_with_three_parts_is_taken_as_it_is(tmp_path):
    parts = {f"x_{part}": [[start], [start + 1.0]] for part, start in (("train", 0), ("val", 2), ("test", 4))}
    path = write_npz(tmp_path, **parts, y_train=[0, 1], y_val=[1, 0], y_test=[1, 1])
    data = load(path, scaling="none")
    assert [x.tolist() for x in (data.x_train, data.x_val, data.x_test)] == [[[0], [1]], [[2], [3]], [[4], [5]]]
    assert data.y_test.tolist() == [1, 1]


def test_a_table_with_train_and_test_rows_has_validation_rows_drawn(tmp_path):
    path = write_table(tmp_path, ["x", "y"] * 20, a=np.arange(40), split=["train"] * 32 + ["test"] * 8)
    data = load(path, label="label", scaling="none")
    assert data.x_test[:, 0].tolist() == list(range(32, 40))
    assert (len(data.y_train), len(data.y_val)) == (24, 8)


def refused(path, part):
    return (
        f"test_size=0.2 draws a test part, but {path!r} names its {part} rows. "
        "Leave test_size out, or name the rows of all parts in the file."
    )


@pytest.mark.parametrize(("last", "part"), [("test", "test"), ("validation", "validation")])
def test_no_test_part_is_drawn_from_a_given_split(tmp_path, last, part):
    path = write_table(tmp_path, ["x", "y"] * 20, a=np.arange(40), split=["train"] * 32 + [last] * 8)
    assert error_text(InvalidConfig, load, path, label="label", test_size=0.2) == refused(path, part)


def test_too_few_rows_for_a_test_part(tmp_path):
    path = write_table(tmp_path, ["x", "y"] * 4)
    expected = f"test_size=0.9 leaves {path!r} without training or validation rows."
    assert error_text(InvalidConfig, load, path, label="label", test_size=0.9) == expected


@pytest.mark.parametrize("value", [-0.1, 0.95, 1])
def test_test_size_is_a_share(value):
    expected = f"test_size must be a number from 0 to 0.9. Received: {value}."
    assert error_text(InvalidConfig, RunConfig, test_size=value) == expected


@given(st.lists(st.integers(0, 3), min_size=20, max_size=80), st.floats(0.05, 0.6), st.integers(0, 99))
@settings(deadline=None)
def test_every_group_has_its_share_up_to_one_row(classes, share, seed):
    y = np.array(classes)
    half = len(y) // 2
    x = np.arange(len(y))[:, None]
    raw = RawDataset(x[:half], y[:half], x[half:], y[half:], ("a", "b", "c", "d"), "none")
    raw = with_test_part("x", raw, share, seed)
    n_test = max(1, round(share * len(y)))
    assert len(raw.y_test) == n_test
    drawn = set(raw.x_test[:, 0].tolist())
    for part in (range(half), range(half, len(y))):
        for number in range(4):
            rows = {place for place in part if y[place] == number}
            assert abs(len(rows & drawn) - len(rows) * n_test / len(y)) < 1 + 1e-9


def test_every_row_is_drawn_equally_often():
    """1000 draws of 6 of 30 rows: each row is drawn 200 times, with a standard deviation of 12.6."""
    x, y = np.arange(30)[:, None], np.repeat([0, 1, 2], [4, 13, 13])
    order = np.argsort(np.arange(30) % 2, kind="stable")
    raw = RawDataset(x[order][:15], y[order][:15], x[order][15:], y[order][15:], ("a", "b", "c"), "none")
    drawn = [with_test_part("x", raw, 0.2, seed).x_test[:, 0] for seed in range(1000)]
    counts = np.bincount(np.concatenate(drawn), minlength=30)
    assert counts.sum() == 6000
    groups = y + 3 * (order.argsort() >= 15)
    for group in np.unique(groups):
        within = counts[groups == group]
        assert np.abs(within - within.mean()).max() < 5 * 12.6


@pytest.mark.parametrize("name", DRAWN)
def test_with_vary_data_a_seed_has_the_data_of_the_sum_of_both_seeds(name):
    for data_seed, seed in ((5, 0), (5, 3)):
        varied = load(name, vary_data=True, data_seed=data_seed, seed=seed, test_size=0.2)
        assert is_same(varied, load(name, data_seed=data_seed + seed, test_size=0.2))


def test_parts_have_the_same_sizes_for_any_seed():
    sizes = {tuple(map(len, load("circles", vary_data=True, seed=seed, test_size=0.2).arrays)) for seed in range(20)}
    assert sizes == {(400, 400, 400, 400, 200, 200)}


def test_without_vary_data_the_seed_does_not_change_the_data():
    assert load("digits", seed=3) is load("digits")


def test_vary_data_of_a_published_data_set_draws_validation_rows(tmp_path):
    x, y = np.arange(40.0)[:, None], np.array([0, 1] * 20)
    path = write_npz(tmp_path, x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:])
    one, other = (load(path, vary_data=True, test_size=0.2, scaling="none", seed=seed) for seed in (0, 1))
    assert not np.array_equal(one.x_val, other.x_val)
    np.testing.assert_array_equal(one.x_test, other.x_test)
    expected = (
        f"vary_data=true draws another split for every seed, but the validation rows of {path!r} are given. "
        "Try: test_size=0.2 draws one from the training rows."
    )
    assert error_text(InvalidConfig, load, path, vary_data=True) == expected


def test_vary_data_of_a_given_split(tmp_path):
    path = write_text(tmp_path, "a,split,label\n1,train,x\n2,train,y\n3,validation,x\n")
    expected = (
        f"vary_data=true draws another split for every seed, but the validation rows of {path!r} are given. "
        "Try: leave vary_data out."
    )
    assert error_text(InvalidConfig, load, path, label="label", vary_data=True) == expected
