"""Verdicts on comparisons: both the interval and the corrected test must speak for a side; equivalence by two tests."""

import math

import numpy as np
import pytest
from fakes import complete, diverged, evidence, make_study

from bncli.analysis.learning import learned_pairs
from bncli.analysis.pairs import Differences, paired_differences
from bncli.analysis.statistics import bootstrap_interval, sign_flip_test
from bncli.analysis.verdicts import (
    VERDICTS,
    Finding,
    finding_of,
    finding_where_some_learned,
    is_equivalent,
    verdict_of,
)

METRIC = "val_accuracy"


def differences(values):
    values = np.array(values, dtype=float)
    return Differences(values, bootstrap_interval(values))


def arms(values, others):
    """The runs of two arms with these final accuracies by seed; nan is a run that diverged and ended at 0.1."""
    base = make_study().base

    def run(value):
        return diverged(base, (0.1,)) if math.isnan(value) else complete(base, (value,))

    return [{seed: run(value) for seed, value in enumerate(side)} for side in (values, others)]


def verdict(values, others, trivial=0.1, margin=None):
    """The verdict on a comparison as the table of differences gives it, alone in its family."""
    study = make_study(seeds=range(len(values)))
    both = {"batch": values, "none": others}
    shown = evidence(study, lambda config: complete(config, (both[config.norm][config.seed],)), trivial, margin=margin)
    return shown.differences_table["verdict"].tolist()[0]


def test_a_significant_difference_is_better_or_worse():
    gains = differences(np.linspace(0.01, 0.02, 6))
    assert finding_of(gains, METRIC) == (2 / 64, "better")
    assert finding_of(gains, "val_loss") == (2 / 64, "worse")
    assert verdict_of(Finding(0.03, "better"), 0.03, equivalent=False) == "better"
    assert verdict_of(Finding(0.03, "worse"), 0.04, equivalent=False) == "worse"


@pytest.mark.parametrize(
    ("finding", "p_holm"),
    [(Finding(0.01, "better"), 0.05), (Finding(0.01, ""), 0.01), (Finding(math.nan, "better"), math.nan)],
    ids=["not after the correction", "the interval includes 0", "too few pairs"],
)
def test_what_one_of_both_does_not_show_is_undecided(finding, p_holm):
    assert verdict_of(finding, p_holm, equivalent=False) == "undecided"


def test_differences_that_are_all_equal_are_judged_by_their_test():
    assert finding_of(differences([0.007] * 6), METRIC) == (2 / 64, "better")
    assert finding_of(differences([0.0] * 6), METRIC) == (1.0, "")


def test_below_six_pairs_nothing_is_better_or_worse():
    assert [verdict([0.9] * n, [0.5 + 0.01 * k for k in range(n)]) for n in (2, 5, 6)] == [
        "undecided",
        "undecided",
        "better",
    ]


def test_a_difference_within_the_margin_is_equivalent_significant_or_not():
    others = np.linspace(0.8, 0.9, 10)
    close = others + np.linspace(0.001, 0.002, 10)
    assert [verdict(close, others, margin=margin) for margin in (None, 0.001, 0.01)] == [
        "better",
        "better",
        "equivalent",
    ]
    assert not is_equivalent(np.full(4, 0.001), 0.01)
    assert is_equivalent(np.full(5, 0.001), 0.01)


@pytest.mark.parametrize("n", [5, 10, 30])
def test_a_difference_as_large_as_the_margin_is_equivalent_in_5_percent(n):
    samples = np.random.default_rng(n).normal(0.01, 0.01, (1500, n))
    assert np.mean([is_equivalent(sample, 0.01) for sample in samples]) < 0.07
    close = np.random.default_rng(n).normal(0.0, 0.002, (200, n))
    assert np.mean([is_equivalent(sample, 0.01) for sample in close]) > 0.95


@pytest.mark.parametrize("n", [6, 10, 30])
def test_without_a_difference_few_verdicts_are_better_or_worse(n):
    samples = np.random.default_rng(n).normal(0.0, 0.01, (1500, n))
    found = [finding_of(differences(sample), METRIC) for sample in samples]
    assert np.mean([verdict_of(one, one.p_value, equivalent=False) != "undecided" for one in found]) < 0.06


def test_where_some_seeds_learned_whether_and_how_well_are_two_parts():
    """One of ten dies: the mean is 0.085 lower, and of the nine pairs in which both learned the arm wins all."""
    others = np.linspace(0.96, 0.97, 10)
    values = np.where(np.arange(10) == 3, 0.1, others + 0.01 + 0.001 * np.arange(10))
    runs, baseline = arms(values, others)
    pairs = learned_pairs(runs, baseline, METRIC, 0.1)
    assert (pairs.n, pairs.arm, pairs.baseline, pairs.both, pairs.is_mixed) == (10, 9, 10, 9, True)
    assert finding_of(paired_differences(runs, baseline, METRIC), METRIC).side == ""
    assert finding_where_some_learned(pairs, METRIC) == (2 * sign_flip_test(pairs.differences.values), "better")
    assert verdict(values, others) == "better"


def test_an_arm_that_learns_in_more_seeds_is_better():
    values, others = np.full(10, 0.9), np.where(np.arange(10) < 2, 0.9, 0.1)
    pairs = learned_pairs(*arms(values, others), METRIC, 0.1)
    assert finding_where_some_learned(pairs, METRIC) == (2 * 2 / 2**8, "better")
    assert finding_where_some_learned(learned_pairs(*arms(others, values), METRIC, 0.1), METRIC).side == "worse"


def test_parts_that_contradict_each_other_decide_nothing():
    """The arm learns in all seeds, and where both learn it is worse."""
    others = np.concatenate([np.full(8, 0.1), np.linspace(0.96, 0.97, 8)])
    values = np.concatenate([np.full(8, 0.9), np.linspace(0.90, 0.91, 8)])
    assert finding_where_some_learned(learned_pairs(*arms(values, others), METRIC, 0.1), METRIC).side == ""


def test_if_all_seeds_of_a_side_died_the_mean_is_compared():
    values, others = np.linspace(0.9, 0.95, 6), np.full(6, 0.1)
    pairs = learned_pairs(*arms(values, others), METRIC, 0.1)
    assert not pairs.is_mixed
    assert verdict(values, others) == "better"


def test_with_few_pairs_that_say_anything_there_is_no_p_value():
    values, others = np.array([0.9, 0.9, 0.1, 0.9]), np.array([0.9, 0.8, 0.9, 0.9])
    finding = finding_where_some_learned(learned_pairs(*arms(values, others), METRIC, 0.1), METRIC)
    assert math.isnan(finding.p_value)


@pytest.mark.parametrize("n", [6, 10, 30])
def test_a_share_of_dead_runs_alone_makes_no_arm_better(n):
    """Of both arms a tenth of the runs dies. The mean's interval covers the true difference, 0, all the same."""
    rng, found = np.random.default_rng(n), []
    for _ in range(300):
        sides = np.where(rng.random((2, n)) < 0.1, 0.1, rng.normal(0.97, 0.005, (2, n)))
        runs, baseline = arms(*sides)
        pairs = learned_pairs(runs, baseline, METRIC, 0.1)
        whole = finding_of(paired_differences(runs, baseline, METRIC), METRIC)
        one = finding_where_some_learned(pairs, METRIC) if pairs.is_mixed else whole
        found.append(verdict_of(one, one.p_value, equivalent=False))
    assert set(found) <= set(VERDICTS)
    assert 1 - found.count("undecided") / len(found) < 0.07
