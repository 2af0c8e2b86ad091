"""Records into tables: every number against numpy."""

import itertools
import math
import time
from dataclasses import replace

import numpy as np
import pytest
from fakes import TWO_AXES, VOID_AXIS, complete, diverged, evidence, failed, make_study

from bncli.analysis.comparisons import differences_table
from bncli.analysis.conditions import conditions_table, points
from bncli.analysis.hits import hits_table, reached_table
from bncli.analysis.rates import lr_table
from bncli.analysis.runs import has_learned, history_table, runs_table
from bncli.analysis.statistics import bootstrap_interval, holm, sign_flip_test
from bncli.errors import UnknownName
from bncli.results import hit_epoch
from bncli.tasks.metrics import HISTORY_METRICS, METRICS

SCORES = {
    ("none", 0): 0.5,
    ("none", 1): 0.75,
    ("none", 2): 0.25,
    ("batch", 0): 0.5,
    ("batch", 1): 1.0,
    ("batch", 2): 0.9,
}


def scored(config):
    return complete(config, (0.1, SCORES[config.norm, config.seed]), params=10 + config.seed, seconds=config.seed)


def one_failed(config):
    """The baseline's seed 0 fails, all else is scored."""
    return failed(config) if (config.norm, config.seed) == ("none", 0) else scored(config)


def three_seeds(make=scored, **fields):
    return evidence(make_study(seeds=(0, 1, 2), **fields), make)


def column(table, name):
    return table[name].tolist()


def test_means_and_sample_standard_deviations_are_those_of_numpy():
    table = three_seeds().conditions_table
    for place, norm in enumerate(("none", "batch")):
        final = np.array([SCORES[norm, seed] for seed in (0, 1, 2)])
        per_metric = {"val_accuracy": final, "accuracy": 0.9 * final, "val_loss": 2 - final, "loss": 1 - final}
        for metric, values in per_metric.items():
            assert table.loc[place, f"mean_{metric}"] == pytest.approx(values.mean(), rel=1e-12)
            assert table.loc[place, f"std_{metric}"] == pytest.approx(values.std(ddof=1), rel=1e-12)
    assert column(table, "std_train_accuracy") == pytest.approx([0.0, 0.0], abs=1e-12)
    assert column(table, "mean_seconds") == [1.0, 1.0]


def test_columns_are_named_as_scikit_learn_names_them():
    kinds = ("mean", "std", "median", "low", "high")
    statistics = [f"{kind}_{metric}" for metric in METRICS for kind in kinds]
    table = evidence(make_study(axes=TWO_AXES)).conditions_table
    assert column(table, "arm") == ["none", "batch:before"] * 4
    assert list(table.columns) == [
        *("arm", "param_activation", "param_lr", "n", "n_diverged", "n_failed", "n_chance", "params"),
        *statistics,
        *("mean_best_val_accuracy", "median_best_epoch", "mean_seconds", "mean_seconds_per_epoch", "best"),
    ]


def test_conditions_come_in_the_order_of_the_study():
    table = evidence(make_study(axes=TWO_AXES)).conditions_table
    assert column(table, "param_activation") == ["sigmoid"] * 4 + ["relu"] * 4
    assert column(table, "param_lr") == [0.01, 0.01, 0.1, 0.1] * 2


def test_one_seed_has_a_mean_and_no_spread():
    table = evidence(make_study(seeds=(0,)), scored).conditions_table
    assert column(table, "mean_val_accuracy") == [0.5, 0.5]
    for metric in METRICS:
        assert all(map(math.isnan, column(table, f"std_{metric}")))


def test_a_diverged_run_counts_with_its_accuracy_and_without_its_loss():
    lost = three_seeds(lambda config: diverged(config, (0.5, 0.1)) if config.seed == 2 else scored(config))
    baseline = lost.conditions_table.iloc[0]
    assert (baseline["n"], baseline["n_diverged"], baseline["n_failed"]) == (3, 1, 0)
    assert baseline["mean_val_accuracy"] == pytest.approx(np.mean([0.5, 0.75, 0.1]))
    assert baseline["std_val_accuracy"] == pytest.approx(np.std([0.5, 0.75, 0.1], ddof=1))
    assert baseline["mean_val_loss"] == pytest.approx(np.mean([1.5, 1.25]))


def test_where_all_diverged_there_is_no_loss():
    table = three_seeds(diverged).conditions_table
    assert column(table, "n_diverged") == [3, 3]
    assert column(table, "mean_val_accuracy") == pytest.approx([0.1, 0.1])
    assert all(map(math.isnan, column(table, "mean_loss")))


def test_a_failed_run_is_counted_and_nothing_else():
    baseline = three_seeds(one_failed).conditions_table.iloc[0]
    assert (baseline["n"], baseline["n_diverged"], baseline["n_failed"]) == (2, 0, 1)
    assert baseline["mean_val_accuracy"] == 0.5
    assert baseline["mean_seconds"] == 1.5


def test_where_all_failed_there_are_counts_only():
    table = three_seeds(failed).conditions_table
    assert column(table, "n_failed") == [3, 3]
    assert column(table, "n") == [0, 0]
    assert table["params"].isna().all()
    assert table["mean_val_accuracy"].isna().all()
    assert column(table, "best") == [False, False]


def test_a_missing_run_leaves_the_others_of_its_condition():
    table = three_seeds(lambda config: None if config.seed == 1 else scored(config)).conditions_table
    assert column(table, "n") == [2, 2]
    assert column(table, "mean_val_accuracy") == pytest.approx([0.375, 0.7])


def test_counts_stay_whole_numbers_where_some_are_missing():
    shown = three_seeds(one_failed)
    assert column(shown.conditions_table, "params") == [12, 12]
    for name in ("params", "best_epoch"):
        assert str(shown.runs_table[name].dtype) == "Int64"
    axis = evidence(make_study("none,group:before", (("groups", (1, 2)),))).conditions_table
    assert str(axis["param_groups"].dtype) == "Int64"
    assert column(axis[1:], "param_groups") == [1, 2]


def test_medians_and_intervals_are_those_of_the_values():
    seeds = tuple(range(8))
    finals = {norm: np.linspace(0.5, 0.6 + 0.3 * (norm == "batch"), 8) for norm in ("none", "batch")}
    study = make_study(seeds=seeds)
    table = evidence(study, lambda config: complete(config, (0.1, finals[config.norm][config.seed]))).conditions_table
    for place, values in enumerate(finals.values()):
        row = table.iloc[place]
        assert row["median_val_accuracy"] == pytest.approx(np.median(values))
        assert (row["low_val_accuracy"], row["high_val_accuracy"]) == bootstrap_interval(values)
        assert (row["low_val_loss"], row["high_val_loss"]) == bootstrap_interval(2 - values)
    assert column(table, "low_train_accuracy") == column(table, "high_train_accuracy") == [0.8, 0.8]


def test_the_interval_of_an_accuracy_ends_at_0_and_1():
    row = three_seeds().conditions_table.iloc[1]
    values = np.array([0.5, 1.0, 0.9])
    assert bootstrap_interval(values).high > 1
    assert row["low_val_accuracy"] == bootstrap_interval(values).low
    assert row["high_val_accuracy"] == 1.0
    assert row["high_val_loss"] == bootstrap_interval(2 - values).high


def test_the_best_value_its_epoch_and_the_seconds():
    histories = {0: (0.5, 0.9, 0.6), 1: (0.7, 0.6, 0.5), 2: (0.1, 0.2, 0.3)}
    study = make_study("none", seeds=(0, 1, 2))
    make = lambda config: complete(config, histories[config.seed], seconds=3.0 + config.seed)  # noqa: E731
    row = evidence(study, make).conditions_table.iloc[0]
    assert row["mean_best_val_accuracy"] == pytest.approx(np.mean([0.9, 0.7, 0.3]))
    assert row["median_best_epoch"] == 2.0
    assert row["mean_seconds"] == 4.0
    assert row["mean_seconds_per_epoch"] == pytest.approx(4 / 3)


def test_a_run_learned_that_went_a_tenth_of_the_way_to_a_perfect_answer():
    config = make_study().base
    assert [has_learned(complete(config, (value,)), 0.5) for value in (0.4, 0.5, 0.55, 0.56, 1.0)] == [
        *(False, False, False),
        *(True, True),
    ]
    assert has_learned(complete(config, (0.2,)), 0.1)
    assert not has_learned(complete(config, (0.9, 0.19)), 0.1)
    assert not has_learned(diverged(config, (0.9, 0.8)), 0.5)
    assert not has_learned(failed(config), 0.5)


def test_runs_that_never_learned_are_counted_diverged_ones_among_them():
    def make(config):
        return {0: failed, 1: diverged, 2: lambda c: complete(c, (0.9, 0.5)), 3: complete}[config.seed](config)

    shown = evidence(make_study(seeds=(0, 1, 2, 3)), make)
    table = conditions_table(shown.results, shown.conditions, 0.5)
    assert (column(table, "n"), column(table, "n_diverged"), column(table, "n_chance")) == ([3, 3], [1, 1], [2, 2])
    assert conditions_table(shown.results, shown.conditions)["n_chance"].isna().all()


# The best arm


def by_table(means):
    """Results whose validation accuracy is looked up by arm and axis values."""

    def make(config):
        key = (config.norm, config.placement, config.lr, config.norm_momentum)
        return complete(config, (0.0, next(value for place, value in means.items() if set(place) <= set(key))))

    return make


def best_rows(study, means):
    table = evidence(study, by_table(means)).conditions_table
    return [place for place, is_best in enumerate(table["best"]) if is_best]


def test_the_best_arm_is_marked_at_each_point_of_the_axes():
    means = {("none", 0.01): 0.9, ("none", 0.1): 0.2, ("batch", 0.01): 0.8, ("batch", 0.1): 0.7}
    assert best_rows(make_study(axes=(("lr", (0.01, 0.1)),)), means) == [0, 3]


def test_without_axes_one_arm_is_the_best():
    means = {("none",): 0.5, ("before", "batch"): 0.6, ("after", "batch"): 0.7}
    assert best_rows(make_study("none,batch:before,batch:after"), means) == [2]


def test_of_equal_arms_the_first_is_marked():
    assert best_rows(make_study("none,batch:before"), {("none",): 0.5, ("batch",): 0.5}) == [0]


def test_a_single_arm_is_not_the_best_of_anything():
    assert best_rows(make_study("none", (("lr", (0.01, 0.1)),)), {("none",): 0.5}) == []


def test_an_arm_without_numbers_does_not_make_the_other_the_best():
    table = three_seeds(lambda config: failed(config) if config.norm == "batch" else scored(config))
    assert column(table.conditions_table, "best") == [False, False]


@pytest.mark.parametrize(
    ("baseline", "low", "high", "expected"),
    [(0.9, 0.5, 0.6, [0]), (0.1, 0.5, 0.6, [1, 2]), (0.55, 0.5, 0.6, [0, 2])],
)
def test_an_arm_on_which_the_axis_is_void_is_compared_at_every_point(baseline, low, high, expected):
    means = {("none",): baseline, ("batch", 0.9): low, ("batch", 0.95): high}
    assert best_rows(make_study(axes=(("norm_momentum", (0.9, 0.95)),)), means) == expected


# The points of the axes


def test_without_axes_there_is_one_point():
    assert points(evidence(make_study()).conditions_table) == {(): [0, 1]}


def test_every_arm_stands_at_every_point():
    assert points(evidence(make_study(axes=TWO_AXES)).conditions_table) == {
        ("sigmoid", 0.01): [0, 1],
        ("sigmoid", 0.1): [2, 3],
        ("relu", 0.01): [4, 5],
        ("relu", 0.1): [6, 7],
    }


def test_an_arm_on_which_an_axis_is_void_stands_at_all_its_points():
    table = evidence(make_study(axes=VOID_AXIS)).conditions_table
    assert len(table) == 6
    assert points(table) == {(0.9, 0.01): [0, 1], (0.9, 0.1): [2, 3], (0.99, 0.01): [0, 4], (0.99, 0.1): [2, 5]}


def test_an_axis_that_no_arm_feels_at_a_value_of_another_leaves_a_point():
    study = make_study("none", (("optimizer", ("sgd", "adam")), ("momentum", (0.5, 0.9))))
    table = evidence(study).conditions_table
    assert points(table) == {("sgd", 0.5): [0], ("sgd", 0.9): [1], ("adam", None): [2]}


def test_an_axis_that_no_arm_feels_at_all_leaves_one_point():
    table = evidence(make_study("none", (("norm_momentum", (0.5, 0.9)),))).conditions_table
    assert points(table) == {(None,): [0]}


# One row a run, and one row a run and epoch


def test_the_table_of_runs_has_a_row_a_run_in_order():
    shown = three_seeds()
    table = shown.runs_table
    assert column(table, "run_id") == [result.config.run_id for result in shown.results]
    assert column(table, "condition") == [0, 0, 0, 1, 1, 1]
    assert column(table, "seed") == [0, 1, 2, 0, 1, 2]
    assert column(table, "val_accuracy") == list(SCORES.values())
    assert column(table, "best_val_accuracy") == list(SCORES.values())
    assert column(table, "best_epoch") == [2] * 6
    assert column(table, "params") == [10, 11, 12, 10, 11, 12]


def test_the_columns_of_the_table_of_runs():
    assert list(evidence(make_study(axes=TWO_AXES)).runs_table.columns) == [
        *("run_id", "condition", "arm", "param_activation", "param_lr", "seed", "state"),
        *METRICS,
        *("best_val_accuracy", "best_epoch", "params", "seconds"),
    ]


def test_a_failed_run_has_a_row_without_numbers():
    row = three_seeds(one_failed).runs_table.iloc[0]
    assert row["state"] == "failed"
    assert row[[*METRICS, "best_val_accuracy", "best_epoch", "params"]].isna().all()


def test_the_history_has_a_row_a_run_and_epoch():
    table = three_seeds().history_table
    assert list(table.columns) == ["run_id", "condition", "arm", "seed", "epoch", *HISTORY_METRICS]
    assert column(table, "epoch") == [1, 2] * 6
    assert column(table, "val_accuracy") == [value for final in SCORES.values() for value in (0.1, final)]


def test_the_history_ends_where_a_run_diverged():
    table = evidence(make_study(seeds=(0,)), diverged).history_table
    assert column(table, "epoch") == [1, 2, 1, 2]
    assert column(table, "val_accuracy") == [0.5, 0.1] * 2
    assert table["loss"].isna().tolist() == [False, True] * 2


def test_a_history_of_failed_runs_is_empty_and_has_its_columns():
    study = make_study(axes=TWO_AXES)
    lost, full = (evidence(study, make).history_table for make in (failed, complete))
    assert lost.empty
    assert list(lost.columns) == list(full.columns)


def test_metrics_are_floats_whatever_is_missing():
    for make in (complete, diverged, failed):
        shown = three_seeds(make)
        runs, history = shown.runs_table, shown.history_table
        assert {str(runs[name].dtype) for name in METRICS} == {"float64"}
        assert {str(history[name].dtype) for name in HISTORY_METRICS} == {"float64"}


# Arms against the baseline


def make_table(function, study, make=scored, **arguments):
    shown = evidence(study, make)
    return function(shown.results, shown.conditions, **arguments)


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
    assert row["effect_size"] == pytest.approx(differences.mean() / differences.std(ddof=1))


def test_of_a_loss_the_smaller_one_wins():
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
        *("low", "high", "p_value", "p_holm", "wins", "ties", "losses", "effect_size"),
    ]
    assert column(table, "condition") == [1, 3, 5, 7]
    assert column(table, "param_lr") == [0.01, 0.1, 0.01, 0.1]


@pytest.mark.parametrize(("n", "has_p"), [(4, False), (5, True)])
def test_a_p_value_takes_five_pairs(n, has_p):
    row = make_table(differences_table, make_study(seeds=range(n)), finals(SIX)).iloc[0]
    assert (row["n"], not math.isnan(row["p_value"]), not math.isnan(row["p_holm"])) == (n, has_p, has_p)
    assert row["low"] < row["mean_difference"] < row["high"]


def test_p_values_are_corrected_over_all_rows_shown():
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


def test_a_diverged_run_loses_with_the_accuracy_of_a_constant_answer():
    lost = SIX | {"batch:before": (math.inf, *SIX["batch:before"][1:])}
    row = make_table(differences_table, make_study(seeds=range(6)), finals(lost)).iloc[0]
    assert (row["n"], row["wins"], row["ties"], row["losses"]) == (6, 3, 1, 2)
    assert row["mean_difference"] == pytest.approx(np.mean([0.1 - 0.5, 0.2, 0.0, 0.3, 0.1, -0.1]))


def test_a_diverged_run_loses_without_a_loss():
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


def test_where_no_pair_has_a_number_there_is_none():
    lost = {"none": (math.inf,) * 6, "batch:before": SIX["batch:before"]}
    row = make_table(differences_table, make_study(seeds=range(6)), finals(lost), metric="loss").iloc[0]
    assert (row["n"], row["wins"]) == (0, 6)
    assert row[["mean_difference", "low", "high", "p_value", "p_holm", "effect_size"]].isna().all()


def test_an_arm_on_which_an_axis_is_void_is_compared_at_every_point():
    table = make_table(differences_table, make_study(axes=VOID_AXIS), complete)
    assert column(table, "condition") == [1, 3, 4, 5]
    assert column(table, "param_norm_momentum") == [0.9, 0.9, 0.99, 0.99]


def test_where_an_axis_is_void_for_both_there_is_one_comparison():
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


# Hit epochs


RISING = (0.3, 0.5, 0.7, 0.9)
SLOW = (0.1, 0.3, 0.5, 0.7)
FLAT = (0.1, 0.1, 0.1, 0.1)


def by_seed(none, batch, seconds=4.0):
    """Runs with one history a seed for each of two arms, four epochs of a second each."""

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


def test_seconds_are_those_until_the_hit_epoch():
    """Twice as slow an epoch: three seconds for the baseline's three epochs, four for the two with the norm."""
    study = make_study(seeds=range(5), epochs=4)

    def make(config):
        return complete(config, SLOW, seconds=4.0) if config.norm == "none" else complete(config, RISING, seconds=8.0)

    row = make_table(hits_table, study, make, threshold=0.5).iloc[1]
    assert (row["epochs_ratio"], row["seconds_ratio"], row["low_seconds_ratio"]) == (1.5, 0.75, 0.75)


def test_runs_that_never_hit_are_censored_not_dropped():
    table = hits([SLOW, SLOW, FLAT, FLAT, FLAT, SLOW, FLAT], [RISING, FLAT, RISING, FLAT, RISING, FLAT, RISING])
    assert column(table, "n") == [7, 7]
    assert column(table, "n_never") == [4, 3]
    assert column(table, "median_hit_epoch") == [math.inf, 2]
    assert column(table, "high_hit_epoch") == [math.inf, math.inf]
    assert column(table, "low_hit_epoch") == [3, 2]
    row = table.iloc[1]  # the ratios: 3 / 2, 3 / never = 0, never / 2 = never, no ratio, never, 0, never
    assert row["n_pairs"] == 6
    assert (row["low_epochs_ratio"], row["high_epochs_ratio"]) == (0, math.inf)


def test_where_no_run_ever_hits():
    table = hits([FLAT] * 5, [FLAT] * 5)
    assert column(table, "n_never") == [5, 5]
    assert column(table, "median_hit_epoch") == column(table, "low_hit_epoch") == [math.inf] * 2
    assert column(table, "n_pairs") == [0, 0]
    assert table["epochs_ratio"].isna().all()


def test_the_threshold_is_the_best_of_the_baselines_mean_curve_where_none_is_given():
    table = hits([SLOW, RISING, (0.5, 0.8, 0.1, 0.1)], [RISING] * 3, threshold=None)
    best = max(sum(values) / 3 for values in zip(SLOW, RISING, (0.5, 0.8, 0.1, 0.1), strict=True))
    assert column(table, "threshold") == pytest.approx([best, best])
    losses = hits([SLOW, RISING], [RISING] * 2, threshold=None, metric="loss")
    assert column(losses, "threshold") == pytest.approx([0.2, 0.2])


def test_a_baseline_that_did_not_learn_sets_no_threshold_below_learning():
    table = hits([FLAT] * 3, [RISING] * 3, threshold=None, chance=0.1)
    assert column(table, "threshold") == pytest.approx([0.19, 0.19])
    assert column(table, "n_never") == [3, 0]
    assert column(hits([RISING] * 3, [SLOW] * 3, threshold=None, chance=0.1), "threshold") == pytest.approx([0.9, 0.9])
    losses = hits([SLOW] * 3, [RISING] * 3, threshold=None, metric="val_loss", chance=0.1)
    assert column(losses, "threshold") == column(
        hits([SLOW] * 3, [RISING] * 3, threshold=None, metric="val_loss"), "threshold"
    )


def test_a_single_baseline_hits_its_own_best():
    for best in np.linspace(0.1, 0.99, 23):
        table = hits([(0.0, best, 0.0, best)] * 3, [FLAT] * 3, threshold=None)
        assert column(table, "median_hit_epoch") == [2, math.inf if best > 0.1 else 1]


def test_a_clock_that_stood_still_gives_no_ratio():
    table = make_table(hits_table, make_study(seeds=(0, 1)), by_seed([SLOW] * 2, [RISING] * 2, 0.0), threshold=0.5)
    assert table.loc[1, "epochs_ratio"] == 1.5
    assert math.isnan(table.loc[1, "seconds_ratio"])


def test_failed_runs_have_no_part_in_hits():
    make = by_seed([SLOW] * 3, [RISING] * 3)
    study = make_study(seeds=range(3), epochs=4)
    lost = lambda config: failed(config) if config.seed == 1 and config.norm != "none" else make(config)  # noqa: E731
    table = make_table(hits_table, study, lost, threshold=0.5)
    assert (column(table, "n"), column(table, "n_never"), column(table, "n_pairs")) == ([3, 2], [0, 0], [0, 2])


def test_the_share_that_reached_the_threshold_rises_with_the_epochs():
    study = make_study(seeds=range(4), epochs=4)
    table = make_table(reached_table, study, by_seed([SLOW, SLOW, RISING, FLAT], [RISING] * 4), threshold=0.5)
    assert list(table.columns) == ["condition", "arm", "epoch", "share"]
    assert column(table, "epoch") == [1, 2, 3, 4] * 2
    assert column(table, "share") == [0.0, 0.25, 0.75, 0.75, 0.0, 1.0, 1.0, 1.0]


def test_a_run_that_stopped_early_stays_what_it_was():
    study = make_study("none", seeds=(0, 1), epochs=4)
    make = lambda config: complete(config, FLAT) if config.seed else diverged(config, (0.6, 0.1))  # noqa: E731
    assert column(make_table(reached_table, study, make, threshold=0.5), "share") == [0.5] * 4


# Tolerance of the learning rate


RATES = (0.001, 0.01, 0.1, 1.0)


def by_rate(levels, spread=0.0):
    """Runs whose final validation accuracy is looked up by normalization and learning rate; inf is a diverged one."""

    def make(config):
        level = levels[config.norm][RATES.index(config.lr)]
        return diverged(config) if math.isinf(level) else complete(config, (0.5, level + spread * config.seed))

    return make


LEVELS = {"none": (0.6, 0.9, 0.5, math.inf), "batch": (0.7, 0.8, 0.95, 0.6)}


def rates(make=None, n=3, **arguments):
    study = make_study(axes=(("lr", RATES),), seeds=range(n))
    return make_table(lr_table, study, make or by_rate(LEVELS), **arguments)


def test_the_range_of_rates_at_which_seeds_learn():
    table = rates(chance=0.5)
    assert column(table, "arm") == ["none", "batch:before"]
    assert column(table, "lr_low") == [0.001, 0.001]
    assert column(table, "lr_high") == [0.01, 1.0]
    assert column(table, "decades") == pytest.approx([1.0, 3.0])


def test_a_range_does_not_reach_over_a_rate_that_fails():
    levels = LEVELS | {"none": (0.9, 0.5, 0.9, 0.9), "batch": (0.5, 0.9, 0.5, 0.9)}
    table = rates(by_rate(levels), chance=0.5)
    assert column(table, "lr_low") == [0.1, 0.01]
    assert column(table, "lr_high") == [1.0, 0.01]
    assert column(table, "decades") == pytest.approx([1.0, 0.0])


def test_the_widest_range_is_the_widest_in_decades():
    """From 0.001 to 0.1 is two decades, from 1 to 2 a third of one."""
    learns = {0.001: True, 0.01: True, 0.1: True, 0.5: False, 1.0: True, 2.0: True}
    study = make_study("none", (("lr", tuple(learns)),))
    make = lambda config: complete(config, (0.9 if learns[config.lr] else 0.5,))  # noqa: E731
    row = make_table(lr_table, study, make, chance=0.5).iloc[0]
    assert (row["lr_low"], row["lr_high"]) == (0.001, 0.1)


def test_where_nothing_learns_there_is_no_range():
    table = rates(by_rate({"none": (0.5,) * 4, "batch": (math.inf,) * 4}), chance=0.5)
    assert table[["lr_low", "lr_high", "decades"]].isna().all(axis=None)
    assert rates()[["lr_low", "lr_high", "decades"]].isna().all(axis=None)  # nobody says what chance is


def test_nine_of_ten_seeds_are_enough():
    for n_lost, width in ((1, 3.0), (2, 1.0)):
        lost = lambda config, n=n_lost: complete(config, (0.5 if config.lr == 0.1 and config.seed < n else 0.9,))  # noqa: E731
        assert column(rates(lost, n=10, chance=0.5), "decades") == pytest.approx([width, width])


def test_each_arm_at_its_own_best_rate_beside_both_at_the_baselines():
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


def test_other_axes_stay_apart():
    study = make_study(axes=(("activation", ("relu", "sigmoid")), ("lr", RATES)))
    table = make_table(lr_table, study, by_rate(LEVELS))
    assert column(table, "param_activation") == ["relu", "relu", "sigmoid", "sigmoid"]
    assert column(table, "best_lr") == [0.01, 0.1] * 2
    assert list(table.columns) == [
        *("arm", "baseline", "param_activation", "metric", "lr_low", "lr_high", "decades", "best_lr", "mean_best"),
        *("n", "difference", "low", "high", "same_lr_n", "same_lr_difference", "same_lr_low", "same_lr_high"),
    ]


def test_a_baseline_on_which_another_axis_is_void_is_compared_at_each_of_its_values():
    study = make_study(axes=(("norm_momentum", (0.9, 0.99)), ("lr", RATES)))
    table = make_table(lr_table, study, by_rate(LEVELS))
    assert column(table, "arm") == ["none", "batch:before"] * 2
    assert column(table, "param_norm_momentum") == [0.9, 0.9, 0.99, 0.99]
    assert column(table, "n") == [0, 2, 0, 2]


def test_where_the_learning_rate_is_no_axis_there_is_nothing_to_tell():
    assert make_table(lr_table, make_study(), complete).empty


# Names and sizes


@pytest.mark.parametrize("function", [differences_table, lr_table])
def test_a_metric_that_is_none(function):
    with pytest.raises(UnknownName) as caught:
        make_table(function, make_study(), complete, metric="val_acuracy")
    assert str(caught.value) == (
        "Unknown metric 'val_acuracy'. Allowed: loss, accuracy, val_loss, val_accuracy, train_accuracy. "
        "Did you mean 'val_accuracy'?"
    )


@pytest.mark.parametrize("function", [hits_table, reached_table])
def test_a_metric_that_has_no_history(function):
    with pytest.raises(UnknownName) as caught:
        make_table(function, make_study(), complete, metric="train_accuracy")
    assert str(caught.value) == (
        "Unknown metric of a history 'train_accuracy'. Allowed: loss, accuracy, val_loss, val_accuracy. "
        "Did you mean 'val_accuracy'?"
    )


def test_tables_of_stored_runs_are_those_of_the_runs():
    study = make_study(axes=(("lr", RATES),), seeds=range(6))
    shown = evidence(study, lambda config: replace(complete(config, RISING), seconds=1 / 3 + config.seed / 7))
    stored = [type(result).from_record(result.to_record()) for result in shown.results]
    for function in (conditions_table, differences_table, hits_table, lr_table):
        assert function(stored, shown.conditions).equals(function(shown.results, shown.conditions))


def test_a_thousand_runs_take_no_time():
    """100 conditions x 10 seeds x 50 epochs, all tables: half a second of a core, with room for a slow one."""
    lrs = tuple(round(10**-exponent, 6) for exponent in np.linspace(0, 4, 50))
    study = make_study(axes=(("lr", lrs),), seeds=range(10), epochs=50)
    curve = tuple(np.linspace(0.1, 0.9, 50).tolist())
    shown = evidence(study, lambda config: complete(config, (*curve[:-1], 0.8 + 0.01 * config.seed)))
    assert len(shown.results) == 1000
    tables = (runs_table, history_table, conditions_table, differences_table)
    timed = (hits_table, reached_table, lr_table)
    before = time.process_time()
    for function in itertools.chain(tables, timed):
        assert not function(shown.results, shown.conditions).empty
    assert time.process_time() - before < 4.0
