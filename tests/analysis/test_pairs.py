"""Paired values, and intervals that hold nothing impossible."""

import math

import numpy as np
import pytest
from fakes import complete, diverged, make_study
from hypothesis import given
from hypothesis import strategies as st

from bncli.analysis.pairs import final_values, mean_interval, paired_differences, paired_values
from bncli.analysis.statistics import bootstrap_interval

METRICS = ("val_accuracy", "val_loss")

accuracies = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8)


def sides(pairs):
    """The runs of two arms with these final accuracies by seed; inf diverged. The validation loss is 2 minus them."""
    (config, _), *_ = make_study(seeds=(0,)).plan().runs

    def run(seed, value):
        return diverged(config, (0.1,)) if math.isinf(value) else complete(config, (value,))

    return [{seed: run(seed, pair[side]) for seed, pair in enumerate(pairs)} for side in (0, 1)]


def test_values_are_paired_by_the_seeds_that_both_have():
    values, others = paired_values({3: 0.1, 1: 0.2, 5: 0.3}, {5: 0.4, 3: 0.6})
    assert (values.tolist(), others.tolist()) == ([0.1, 0.3], [0.6, 0.4])


def test_a_diverged_run_has_no_loss_and_makes_no_pair():
    runs, others = sides([(math.inf, 0.5), (0.75, 0.5), (0.5, math.inf)])
    assert math.isnan(final_values(runs, "val_loss")[0])
    assert paired_differences(runs, others, "val_loss").values.tolist() == [-0.25]
    assert len(paired_differences(runs, others, "val_accuracy").values) == 3


def test_without_a_pair_there_is_no_interval():
    runs, others = sides([(math.inf, 0.5)])
    differences, interval = paired_differences(runs, others, "val_loss")
    assert len(differences) == 0
    assert all(map(math.isnan, interval))
    assert all(map(math.isnan, paired_differences({}, {}, "val_accuracy").interval))


@pytest.mark.parametrize("metric", METRICS)
@given(pairs=accuracies)
def test_an_interval_holds_the_mean_and_nothing_impossible(metric, pairs):
    differences, (low, high) = paired_differences(*sides(pairs), metric)
    raw = bootstrap_interval(differences)
    if len(pairs) == 1:
        assert math.isnan(low)
        return
    assert low - 1e-9 <= differences.mean() <= high + 1e-9
    assert raw.low <= low <= high <= raw.high or high - low < 1e-12
    if metric == "val_accuracy":
        assert low >= -1
        assert high <= 1


def test_what_both_means_allow_is_narrower_than_the_metric():
    """The reviewed case: two of three runs that diverged gave -0.235 [-1.639, +1.170]."""
    pairs = [(0.95, 0.98), (0.3, 0.98), (0.96, 0.98)]
    assert bootstrap_interval([one - other for one, other in pairs]).high > 0.02
    _, interval = paired_differences(*sides(pairs), "val_accuracy")
    assert interval == pytest.approx((-0.98, 0.02))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=6, max_size=12))
def test_from_six_pairs_on_the_interval_is_the_bootstraps_digit_for_digit(pairs):
    differences, interval = paired_differences(*sides(pairs), "val_accuracy")
    assert interval == bootstrap_interval(differences)


def test_the_interval_of_a_mean_is_clipped_to_what_the_metric_can_be():
    few = np.array([0.99, 0.99, 0.7])
    assert mean_interval(few, "val_accuracy") == (bootstrap_interval(few).low, 1.0)
    assert mean_interval(np.array([0.01, 0.4]), "val_loss") == (0.0, bootstrap_interval([0.01, 0.4]).high)
    assert all(map(math.isnan, mean_interval(few[:1], "val_accuracy")))
