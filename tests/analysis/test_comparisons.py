"""The table of differences: every arm against the baseline, paired by seed."""

import math

import numpy as np
import pytest
from fakes import IGNORED_AXIS, TWO_AXES, column, complete, diverged, failed, make_study, make_table

from bncli.analysis.comparisons import differences_table
from bncli.analysis.effects import hedges_g
from bncli.analysis.hits import hits_table, reached_table
from bncli.analysis.statistics import bootstrap_interval, holm, sign_flip_test


def finals(by_arm):
    """Runs whose final validation accuracy is looked up by arm and seed; None is a failed run, inf a diverged one."""

    def make(config):
        label = config.norm if config.norm == "none" else f"{config.norm}:{config.placement}"
        value = by_arm[label][config.seed]
        if value is None:
            return failed(config)
        return diverged(config, (0.6, 0.1)) if math.isinf(value) else complete(config, (0.1, value))

    return make


SIX = {"none": (0.5, 0.6, 0.7, 0.5, 0.6, 0.7), "batch:before": (0.6, 0.8, 0.7, 0.8, 0.7, 0.6)}


def test_differences_are_paired_by_seed():
    table = make_table(differences_table, make_study(seeds=range(6)), finals(SIX))
    differences = np.subtract(SIX["batch:before"], SIX["none"])
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["condition"], row["arm"], row["baseline"], row["metric"]) == (1, "batch:before", "none", "val_accuracy")
    assert (row["n"], row["wins"], row["ties"], row["losses"]) == (6, 4, 1, 1)
    assert row["mean_difference"] == pytest.approx(differences.mean())
    assert (row["low"], row["high"]) == bootstrap_interval(differences)
    assert row["p_value"] == row["p_holm"] == sign_flip_test(differences)
    assert row["std_difference"] == pytest.approx(differences.std(ddof=1))
    assert (row["effect_size"], (row["low_effect_size"], row["high_effect_size"])) == hedges_g(differences)
    assert row["verdict"] == "undecided"


def test_a_smaller_loss_wins():
    table = make_table(differences_table, make_study(seeds=range(6)), finals(SIX), metric="val_loss")
    row = table.iloc[0]
    assert row["mean_difference"] == pytest.approx(-np.subtract(SIX["batch:before"], SIX["none"]).mean())
    assert (row["wins"], row["ties"], row["losses"]) == (4, 1, 1)


def test_metrics_that_differ_in_the_last_of_32_bits_are_tied():
    rounded = SIX | {"batch:before": tuple(float(np.float32(value)) for value in SIX["none"])}
    assert set(rounded["batch:before"]).isdisjoint({0.6, 0.7})
    row = make_table(differences_table, make_study(seeds=range(6)), finals(rounded)).iloc[0]
    assert (row["wins"], row["ties"], row["losses"]) == (0, 6, 0)


def test_columns_of_the_table_of_differences():
    table = make_table(differences_table, make_study(axes=TWO_AXES), complete)
    assert list(table.columns) == [
        *("condition", "arm", "baseline", "param_activation", "param_lr", "metric", "n", "mean_difference"),
        *("low", "high", "std_difference", "p_value", "p_holm", "wins", "ties", "losses"),
        *("effect_size", "low_effect_size", "high_effect_size"),
        *("n_learned", "n_baseline_learned", "n_both_learned"),
        *("both_learned_difference", "low_both_learned", "high_both_learned", "verdict"),
        *("low_always", "high_always"),
    ]
    assert column(table, "condition") == [1, 3, 5, 7]
    assert column(table, "param_lr") == [0.01, 0.1, 0.01, 0.1]


@pytest.mark.parametrize(("n", "has_p"), [(4, False), (5, True)])
def test_a_p_value_needs_five_pairs(n, has_p):
    row = make_table(differences_table, make_study(seeds=range(n)), finals(SIX)).iloc[0]
    assert (row["n"], not math.isnan(row["p_value"]), not math.isnan(row["p_holm"])) == (n, has_p, has_p)
    assert row["low"] < row["mean_difference"] < row["high"]


def test_p_values_are_corrected_over_all_rows():
    better = {"none": np.full(6, 0.5), "batch:before": np.linspace(0.6, 0.7, 6), "batch:after": SIX["batch:before"]}
    study = make_study("none,batch:before,batch:after", seeds=range(6))
    table = make_table(differences_table, study, finals(better))
    assert column(table, "p_value") == [2 / 64, 2 / 64]
    assert column(table, "p_holm") == [4 / 64, 4 / 64]
    assert column(table, "p_holm") == holm(column(table, "p_value"))


def test_a_failed_run_makes_no_pair():
    lost = SIX | {"none": (None, *SIX["none"][1:]), "batch:before": (*SIX["batch:before"][:5], None)}
    row = make_table(differences_table, make_study(seeds=range(6)), finals(lost)).iloc[0]
    assert row["n"] == 4
    assert row["mean_difference"] == pytest.approx(np.mean([0.2, 0.0, 0.3, 0.1]))


def test_a_diverged_run_counts_with_the_accuracy_that_it_has():
    lost = SIX | {"batch:before": (math.inf, *SIX["batch:before"][1:])}
    row = make_table(differences_table, make_study(seeds=range(6)), finals(lost)).iloc[0]
    assert (row["n"], row["wins"], row["ties"], row["losses"]) == (6, 3, 1, 2)
    assert row["mean_difference"] == pytest.approx(np.mean([0.1 - 0.5, 0.2, 0.0, 0.3, 0.1, -0.1]))


def test_a_diverged_run_has_no_loss_and_loses_its_pair():
    """Seed 0 diverges in both arms, 1 with the norm, 2 without: a tie, a loss and a win, none in the mean."""
    lost = {
        "none": (math.inf, 0.6, math.inf, 0.5, 0.6, 0.7),
        "batch:before": (math.inf, math.inf, 0.7, 0.8, 0.7, 0.6),
    }
    table = make_table(differences_table, make_study(seeds=range(6)), finals(lost), metric="val_loss")
    row = table.iloc[0]
    assert (row["n"], row["wins"], row["ties"], row["losses"]) == (3, 3, 1, 2)
    assert row["mean_difference"] == pytest.approx(-np.mean([0.3, 0.1, -0.1]))
    assert math.isnan(row["p_value"])


def test_without_a_pair_of_numbers_there_is_no_difference():
    lost = {"none": (math.inf,) * 6, "batch:before": SIX["batch:before"]}
    row = make_table(differences_table, make_study(seeds=range(6)), finals(lost), metric="loss").iloc[0]
    assert (row["n"], row["wins"]) == (0, 6)
    assert row[["mean_difference", "low", "high", "p_value", "p_holm", "effect_size"]].isna().all()


def test_a_baseline_on_which_an_axis_has_no_effect_is_compared_at_all_its_values():
    table = make_table(differences_table, make_study(axes=IGNORED_AXIS), complete)
    assert column(table, "condition") == [1, 3, 4, 5]
    assert column(table, "param_norm_momentum") == [0.9, 0.9, 0.99, 0.99]


def test_an_axis_without_effect_on_both_sides_makes_one_comparison():
    study = make_study("none,layer:before,batch:before", (("norm_momentum", (0.9, 0.99)),))
    table = make_table(differences_table, study, complete)
    assert column(table, "arm") == ["layer:before", "batch:before", "batch:before"]
    assert [None if math.isnan(value) else value for value in table["param_norm_momentum"]] == [None, 0.9, 0.99]


def test_the_baseline_can_be_named():
    study = make_study("none,batch:before,batch:after", seeds=range(6))
    better = SIX | {"batch:after": SIX["none"]}
    table = make_table(differences_table, study, finals(better), baseline="batch:before")
    assert column(table, "arm") == ["none", "batch:after"]
    assert column(table, "wins") == [1, 1]


def test_without_the_baseline_there_is_no_comparison():
    study = make_study(seeds=range(3))
    for function in (differences_table, hits_table, reached_table):
        full = make_table(function, study, complete)
        assert list(make_table(function, study, complete, baseline="layer:before").columns) == list(full.columns)
    only_norm = lambda config: None if config.norm == "none" else complete(config)  # noqa: E731
    assert make_table(differences_table, study, only_norm).empty
    assert make_table(hits_table, study, only_norm).empty
    assert len(make_table(hits_table, study, only_norm, threshold=0.5)) == 1
