"""The tables of hit epochs: when runs reach a threshold."""

import math

import numpy as np
import pytest
from fakes import column, complete, diverged, failed, make_study, make_table

from bncli.analysis.hits import hits_table, reached_table
from bncli.results import hit_epoch

RISING = (0.3, 0.5, 0.7, 0.9)
SLOW = (0.1, 0.3, 0.5, 0.7)
FLAT = (0.1, 0.1, 0.1, 0.1)


def by_seed(none, batch, seconds=4.0):
    """Runs of two arms, one history per seed, four epochs of one second each."""

    def make(config):
        return complete(config, (none if config.norm == "none" else batch)[config.seed], seconds=seconds)

    return make


def hits(none, batch, threshold=0.5, **arguments):
    study = make_study(seeds=range(len(none)), epochs=4)
    return make_table(hits_table, study, by_seed(none, batch), threshold=threshold, **arguments)


@pytest.mark.parametrize(
    ("metric", "threshold", "expected"),
    [
        ("val_accuracy", 0.5, 2),
        ("val_accuracy", 0.51, 3),
        ("val_accuracy", 0.9, 4),
        ("val_accuracy", 0.91, math.inf),
        ("val_accuracy", 0.0, 1),
        ("accuracy", 0.63, 3),
        ("loss", 0.5, 2),
        ("loss", 0.49, 3),
        ("val_loss", 1.0, math.inf),
    ],
)
def test_the_hit_epoch_is_the_first_at_or_past_the_threshold(metric, threshold, expected):
    assert hit_epoch(complete(make_study().base, RISING), metric, threshold) == expected


def test_a_metric_of_32_bits_reaches_its_own_threshold():
    run = complete(make_study().base, (float(np.float32(0.7)),))
    assert run.history["val_accuracy"][0] < 0.7
    assert hit_epoch(run, "val_accuracy", 0.7) == 1


def test_a_diverged_or_failed_run_hits_only_before_it_ended():
    config = make_study().base
    assert hit_epoch(diverged(config, (0.5, 0.1)), "val_accuracy", 0.5) == 1
    assert hit_epoch(diverged(config, (0.5, 0.1)), "loss", 0.1) == math.inf
    assert hit_epoch(failed(config), "val_accuracy", 0.5) == math.inf


def test_the_table_of_hits():
    table = hits([SLOW] * 5, [RISING] * 5)
    assert list(table.columns) == [
        *("condition", "arm", "baseline", "metric", "threshold", "n", "n_never"),
        *("median_hit_epoch", "low_hit_epoch", "high_hit_epoch", "n_pairs"),
        *("epochs_ratio", "low_epochs_ratio", "high_epochs_ratio"),
        *("seconds_ratio", "low_seconds_ratio", "high_seconds_ratio"),
    ]
    assert column(table, "median_hit_epoch") == [3, 2]
    assert column(table, "threshold") == [0.5, 0.5]
    assert column(table, "n_pairs") == [0, 5]
    assert math.isnan(table.loc[0, "epochs_ratio"])
    assert table.iloc[1][["epochs_ratio", "low_epochs_ratio", "high_epochs_ratio"]].tolist() == [1.5] * 3


def test_seconds_are_counted_up_to_the_hit_epoch():
    """Twice as slow an epoch: three seconds for the baseline's three epochs, four for the two with the norm."""
    study = make_study(seeds=range(5), epochs=4)

    def make(config):
        return complete(config, SLOW, seconds=4.0) if config.norm == "none" else complete(config, RISING, seconds=8.0)

    row = make_table(hits_table, study, make, threshold=0.5).iloc[1]
    assert (row["epochs_ratio"], row["seconds_ratio"], row["low_seconds_ratio"]) == (1.5, 0.75, 0.75)


def test_runs_that_never_hit_are_kept_as_infinite_epochs():
    table = hits([SLOW, SLOW, FLAT, FLAT, FLAT, SLOW, FLAT], [RISING, FLAT, RISING, FLAT, RISING, FLAT, RISING])
    assert column(table, "n") == [7, 7]
    assert column(table, "n_never") == [4, 3]
    assert column(table, "median_hit_epoch") == [math.inf, 2]
    assert column(table, "high_hit_epoch") == [math.inf, math.inf]
    assert column(table, "low_hit_epoch") == [3, 2]
    row = table.iloc[1]  # the ratios: 3 / 2, 3 / never = 0, never / 2 = never, no ratio, never, 0, never
    assert row["n_pairs"] == 6
    assert (row["low_epochs_ratio"], row["high_epochs_ratio"]) == (0, math.inf)


def test_if_no_run_ever_hits_there_is_no_ratio():
    table = hits([FLAT] * 5, [FLAT] * 5)
    assert column(table, "n_never") == [5, 5]
    assert column(table, "median_hit_epoch") == column(table, "low_hit_epoch") == [math.inf] * 2
    assert column(table, "n_pairs") == [0, 0]
    assert table["epochs_ratio"].isna().all()


def test_the_default_threshold_is_the_best_of_the_baselines_mean_curve():
    table = hits([SLOW, RISING, (0.5, 0.8, 0.1, 0.1)], [RISING] * 3, threshold=None)
    best = max(sum(values) / 3 for values in zip(SLOW, RISING, (0.5, 0.8, 0.1, 0.1), strict=True))
    assert column(table, "threshold") == pytest.approx([best, best])
    losses = hits([SLOW, RISING], [RISING] * 2, threshold=None, metric="loss")
    assert column(losses, "threshold") == pytest.approx([0.2, 0.2])


def test_a_baseline_that_did_not_learn_sets_no_threshold_below_learning():
    table = hits([FLAT] * 3, [RISING] * 3, threshold=None, trivial=0.1)
    assert column(table, "threshold") == pytest.approx([0.19, 0.19])
    assert column(table, "n_never") == [3, 0]
    assert column(hits([RISING] * 3, [SLOW] * 3, threshold=None, trivial=0.1), "threshold") == pytest.approx([0.9, 0.9])
    losses = hits([SLOW] * 3, [RISING] * 3, threshold=None, metric="val_loss", trivial=0.1)
    assert column(losses, "threshold") == column(
        hits([SLOW] * 3, [RISING] * 3, threshold=None, metric="val_loss"), "threshold"
    )


def test_a_single_baseline_hits_its_own_best():
    for best in np.linspace(0.1, 0.99, 23):
        table = hits([(0.0, best, 0.0, best)] * 3, [FLAT] * 3, threshold=None)
        assert column(table, "median_hit_epoch") == [2, math.inf if best > 0.1 else 1]


def test_runs_of_zero_seconds_have_no_ratio_of_seconds():
    table = make_table(hits_table, make_study(seeds=(0, 1)), by_seed([SLOW] * 2, [RISING] * 2, 0.0), threshold=0.5)
    assert table.loc[1, "epochs_ratio"] == 1.5
    assert math.isnan(table.loc[1, "seconds_ratio"])


def test_failed_runs_are_left_out_of_hits():
    make = by_seed([SLOW] * 3, [RISING] * 3)
    study = make_study(seeds=range(3), epochs=4)
    lost = lambda config: failed(config) if config.seed == 1 and config.norm != "none" else make(config)  # noqa: E731
    table = make_table(hits_table, study, lost, threshold=0.5)
    assert (column(table, "n"), column(table, "n_never"), column(table, "n_pairs")) == ([3, 2], [0, 0], [0, 2])


def test_the_share_of_seeds_past_the_threshold_by_epoch():
    study = make_study(seeds=range(4), epochs=4)
    table = make_table(reached_table, study, by_seed([SLOW, SLOW, RISING, FLAT], [RISING] * 4), threshold=0.5)
    assert list(table.columns) == ["condition", "arm", "epoch", "share"]
    assert column(table, "epoch") == [1, 2, 3, 4] * 2
    assert column(table, "share") == [0.0, 0.25, 0.75, 0.75, 0.0, 1.0, 1.0, 1.0]


def test_a_run_that_stopped_early_keeps_its_state():
    study = make_study("none", seeds=(0, 1), epochs=4)
    make = lambda config: complete(config, FLAT) if config.seed else diverged(config, (0.6, 0.1))  # noqa: E731
    assert column(make_table(reached_table, study, make, threshold=0.5), "share") == [0.5] * 4
