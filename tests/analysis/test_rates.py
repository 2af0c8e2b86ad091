"""The table of learning rates."""

import dataclasses
import math

import numpy as np
import pytest
from fakes import column, complete, diverged, make_study, make_table

from bncli.analysis.rates import lr_table

RATES = (0.001, 0.01, 0.1, 1.0)


def by_rate(levels, spread=0.0):
    """Runs whose final validation accuracy is looked up by normalization and learning rate; inf is a diverged one."""

    def make(config):
        level = levels[config.norm][RATES.index(config.lr)]
        return diverged(config) if math.isinf(level) else complete(config, (0.5, level + spread * config.seed))

    return make


LEVELS = {"none": (0.65, 0.9, 0.5, math.inf), "batch": (0.7, 0.8, 0.95, 0.65)}


def rates(make=None, n=3, **arguments):
    study = make_study(axes=(("lr", RATES),), seeds=range(n))
    return make_table(lr_table, study, make or by_rate(LEVELS), **arguments)


def test_the_range_of_rates_at_which_seeds_learn():
    table = rates(trivial=0.5)
    assert column(table, "arm") == ["none", "batch:before"]
    assert column(table, "lr_low") == [0.001, 0.001]
    assert column(table, "lr_high") == [0.01, 1.0]
    assert column(table, "decades") == pytest.approx([1.0, 3.0])


def test_a_range_ends_at_a_rate_that_fails():
    levels = LEVELS | {"none": (0.9, 0.5, 0.9, 0.9), "batch": (0.5, 0.9, 0.5, 0.9)}
    table = rates(by_rate(levels), trivial=0.5)
    assert column(table, "lr_low") == [0.1, 0.01]
    assert column(table, "lr_high") == [1.0, 0.01]
    assert column(table, "decades") == pytest.approx([1.0, 0.0])


def test_the_widest_range_is_the_widest_in_decades():
    """From 0.001 to 0.1 is two decades, from 1 to 2 a third of one."""
    learns = {0.001: True, 0.01: True, 0.1: True, 0.5: False, 1.0: True, 2.0: True}
    study = make_study("none", (("lr", tuple(learns)),))
    make = lambda config: complete(config, (0.9 if learns[config.lr] else 0.5,))  # noqa: E731
    row = make_table(lr_table, study, make, trivial=0.5).iloc[0]
    assert (row["lr_low"], row["lr_high"]) == (0.001, 0.1)


def test_if_nothing_learns_there_is_no_range():
    table = rates(by_rate({"none": (0.5,) * 4, "batch": (math.inf,) * 4}), trivial=0.5)
    assert table[["lr_low", "lr_high", "decades"]].isna().all(axis=None)
    assert rates()[["lr_low", "lr_high", "decades"]].isna().all(axis=None)  # the trivial score is not known


def test_most_seeds_are_enough():
    for n_lost, width in ((4, 3.0), (5, 1.0)):
        lost = lambda config, n=n_lost: complete(config, (0.5 if config.lr == 0.1 and config.seed < n else 0.9,))  # noqa: E731
        assert column(rates(lost, n=10, trivial=0.5), "decades") == pytest.approx([width, width])


def test_differences_at_each_arms_best_rate_and_at_the_baselines():
    table = rates(n=6)
    assert column(table, "best_lr") == [0.01, 0.1]
    assert column(table, "mean_best") == pytest.approx([0.9, 0.95])
    row = table.iloc[1]
    assert (row["n"], row["same_lr_n"]) == (6, 6)
    assert row[["difference", "low", "high"]].tolist() == pytest.approx([0.05] * 3)
    assert row[["same_lr_difference", "same_lr_low", "same_lr_high"]].tolist() == pytest.approx([-0.1] * 3)
    assert table.loc[0, "n"] == 0
    assert table.iloc[0][["difference", "low", "same_lr_difference"]].isna().all()


def test_a_rate_at_which_a_run_has_no_loss_is_not_the_best():
    def make(config):
        return diverged(config) if config.lr == 0.1 and config.seed == 0 else by_rate(LEVELS)(config)

    assert column(rates(make, metric="val_loss"), "best_lr") == [0.01, 0.01]
    assert column(rates(diverged, metric="val_loss"), "best_lr") == pytest.approx([math.nan] * 2, nan_ok=True)


def test_every_point_of_the_other_axes_has_its_rows():
    study = make_study(axes=(("activation", ("relu", "sigmoid")), ("lr", RATES)))
    table = make_table(lr_table, study, by_rate(LEVELS))
    assert column(table, "param_activation") == ["relu", "relu", "sigmoid", "sigmoid"]
    assert column(table, "best_lr") == [0.01, 0.1] * 2
    assert list(table.columns) == [
        *("arm", "baseline", "param_activation", "metric", "lr_low", "lr_high", "decades", "low_decades"),
        *("high_decades", "best_lr", "mean_best", "n", "difference", "low", "high"),
        *("same_lr_n", "same_lr_difference", "same_lr_low", "same_lr_high"),
    ]


def test_a_baseline_on_which_another_axis_has_no_effect_is_compared_at_all_its_values():
    study = make_study(axes=(("norm_momentum", (0.9, 0.99)), ("lr", RATES)))
    table = make_table(lr_table, study, by_rate(LEVELS))
    assert column(table, "arm") == ["none", "batch:before"] * 2
    assert column(table, "param_norm_momentum") == [0.9, 0.9, 0.99, 0.99]
    assert column(table, "n") == [0, 2, 0, 2]


def test_without_the_axis_lr_the_table_is_empty():
    assert make_table(lr_table, make_study(), complete).empty


def test_the_range_has_an_interval_over_resampled_seeds():
    def lost(config):
        return complete(config, (0.5 if config.lr == 0.1 and config.seed < 4 else 0.9,))

    row = rates(lost, n=10, trivial=0.5).iloc[0]
    assert row[["decades", "low_decades", "high_decades"]].tolist() == pytest.approx([3.0, 1.0, 3.0])
    few = rates(lost, n=4, trivial=0.5).iloc[0]
    assert few[["low_decades", "high_decades"]].isna().all()
    none = rates(by_rate({"none": (0.5,) * 4, "batch": (0.5,) * 4}), n=6, trivial=0.5).iloc[0]
    assert none[["low_decades", "high_decades"]].tolist() == [0, 0]


def test_each_half_of_the_seeds_is_reported_at_the_rate_that_the_other_half_chose():
    """On even seeds the first rate is best, on odd ones the second: each is reported at its worse one."""

    def make(config):
        level = 0.9 if RATES.index(config.lr) == config.seed % 2 else 0.6
        return complete(config, (level if config.norm != "none" else 0.5,))

    row = rates(make, n=4).iloc[1]
    assert row["mean_best"] == pytest.approx(0.6)
    assert (row["n"], row["difference"]) == (4, pytest.approx(0.1))
    assert rates(make, n=1).iloc[1]["n"] == 0  # nothing to choose on


def test_a_test_metric_is_reported_at_the_rate_that_is_best_in_validation():
    def make(config):
        done = by_rate(LEVELS)(config)
        score = {0.001: 0.99, 0.01: 0.7, 0.1: 0.8, 1.0: 0.1}[config.lr]
        return dataclasses.replace(done, metrics=dict(done.metrics) | {"test_accuracy": score})

    table = rates(make, n=3, metric="test_accuracy")
    assert column(table, "best_lr") == [0.01, 0.1]
    assert column(table, "mean_best") == pytest.approx([0.7, 0.8])
    assert table.loc[1, ["n", "difference", "same_lr_difference"]].tolist() == pytest.approx([3, 0.1, 0.0])


def flat_and_peaked(rng, n_seeds):
    """A baseline that is good at one rate, and an arm that is as good at all of them."""
    noise = rng.normal(0, 0.01, (2, len(RATES), n_seeds))

    def make(config):
        place, is_arm = RATES.index(config.lr), config.norm != "none"
        level = 0.8 if is_arm or place == 0 else 0.6
        return complete(config, (level + noise[int(is_arm), place, config.seed],))

    return make


@pytest.mark.slow
def test_equal_arms_at_their_best_rates_differ_by_nothing():
    rows = [rates(flat_and_peaked(np.random.default_rng(seed), 6), n=6).iloc[1] for seed in range(200)]
    assert abs(np.mean([row["difference"] for row in rows])) < 3 * 0.01 * math.sqrt(2 * 1.36 / 6 / 200)
    assert np.mean([row["low"] > 0 or row["high"] < 0 for row in rows]) <= 0.05 + 2.5 * math.sqrt(0.0475 / 200)
