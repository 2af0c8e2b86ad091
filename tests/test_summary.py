"""Records into tables: every number against numpy."""

import math

import numpy as np
import pytest
from fakes import TWO_AXES, VOID_AXIS, complete, diverged, evidence, failed, make_study

from bncli.results import HISTORY_METRICS
from bncli.summary import METRICS, points

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
    table = three_seeds().conditions_table()
    for place, norm in enumerate(("none", "batch")):
        final = np.array([SCORES[norm, seed] for seed in (0, 1, 2)])
        per_metric = {"val_accuracy": final, "accuracy": 0.9 * final, "val_loss": 2 - final, "loss": 1 - final}
        for metric, values in per_metric.items():
            assert table.loc[place, f"mean_{metric}"] == pytest.approx(values.mean(), rel=1e-12)
            assert table.loc[place, f"std_{metric}"] == pytest.approx(values.std(ddof=1), rel=1e-12)
    assert column(table, "std_train_accuracy") == pytest.approx([0.0, 0.0], abs=1e-12)
    assert column(table, "mean_seconds") == [1.0, 1.0]


def test_columns_are_named_as_scikit_learn_names_them():
    statistics = [f"{kind}_{metric}" for metric in METRICS for kind in ("mean", "std")]
    table = evidence(make_study(axes=TWO_AXES)).conditions_table()
    assert column(table, "arm") == ["none", "batch:before"] * 4
    assert list(table.columns) == [
        *("arm", "param_activation", "param_lr", "n", "n_diverged", "n_failed", "params"),
        *statistics,
        *("mean_seconds", "best"),
    ]


def test_conditions_come_in_the_order_of_the_study():
    table = evidence(make_study(axes=TWO_AXES)).conditions_table()
    assert column(table, "param_activation") == ["sigmoid"] * 4 + ["relu"] * 4
    assert column(table, "param_lr") == [0.01, 0.01, 0.1, 0.1] * 2


def test_one_seed_has_a_mean_and_no_spread():
    table = evidence(make_study(seeds=(0,)), scored).conditions_table()
    assert column(table, "mean_val_accuracy") == [0.5, 0.5]
    for metric in METRICS:
        assert all(map(math.isnan, column(table, f"std_{metric}")))


def test_a_diverged_run_counts_with_its_accuracy_and_without_its_loss():
    lost = three_seeds(lambda config: diverged(config, (0.5, 0.1)) if config.seed == 2 else scored(config))
    baseline = lost.conditions_table().iloc[0]
    assert (baseline["n"], baseline["n_diverged"], baseline["n_failed"]) == (3, 1, 0)
    assert baseline["mean_val_accuracy"] == pytest.approx(np.mean([0.5, 0.75, 0.1]))
    assert baseline["std_val_accuracy"] == pytest.approx(np.std([0.5, 0.75, 0.1], ddof=1))
    assert baseline["mean_val_loss"] == pytest.approx(np.mean([1.5, 1.25]))


def test_where_all_diverged_there_is_no_loss():
    table = three_seeds(diverged).conditions_table()
    assert column(table, "n_diverged") == [3, 3]
    assert column(table, "mean_val_accuracy") == pytest.approx([0.1, 0.1])
    assert all(map(math.isnan, column(table, "mean_loss")))


def test_a_failed_run_is_counted_and_nothing_else():
    baseline = three_seeds(one_failed).conditions_table().iloc[0]
    assert (baseline["n"], baseline["n_diverged"], baseline["n_failed"]) == (2, 0, 1)
    assert baseline["mean_val_accuracy"] == 0.5
    assert baseline["mean_seconds"] == 1.5


def test_where_all_failed_there_are_counts_only():
    table = three_seeds(failed).conditions_table()
    assert column(table, "n_failed") == [3, 3]
    assert column(table, "n") == [0, 0]
    assert table["params"].isna().all()
    assert table["mean_val_accuracy"].isna().all()
    assert column(table, "best") == [False, False]


def test_a_missing_run_leaves_the_others_of_its_condition():
    table = three_seeds(lambda config: None if config.seed == 1 else scored(config)).conditions_table()
    assert column(table, "n") == [2, 2]
    assert column(table, "mean_val_accuracy") == pytest.approx([0.375, 0.7])


def test_counts_stay_whole_numbers_where_some_are_missing():
    shown = three_seeds(one_failed)
    assert column(shown.conditions_table(), "params") == [12, 12]
    for name in ("params", "best_epoch"):
        assert str(shown.runs_table()[name].dtype) == "Int64"
    axis = evidence(make_study("none,group:before", (("groups", (1, 2)),))).conditions_table()
    assert str(axis["param_groups"].dtype) == "Int64"
    assert column(axis[1:], "param_groups") == [1, 2]


# The best arm


def by_table(means):
    """Results whose validation accuracy is looked up by arm and axis values."""

    def make(config):
        key = (config.norm, config.placement, config.lr, config.norm_momentum)
        return complete(config, (0.0, next(value for place, value in means.items() if set(place) <= set(key))))

    return make


def best_rows(study, means):
    table = evidence(study, by_table(means)).conditions_table()
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
    assert column(table.conditions_table(), "best") == [False, False]


@pytest.mark.parametrize(
    ("baseline", "low", "high", "expected"),
    [(0.9, 0.5, 0.6, [0]), (0.1, 0.5, 0.6, [1, 2]), (0.55, 0.5, 0.6, [0, 2])],
)
def test_an_arm_on_which_the_axis_is_void_is_compared_at_every_point(baseline, low, high, expected):
    means = {("none",): baseline, ("batch", 0.9): low, ("batch", 0.95): high}
    assert best_rows(make_study(axes=(("norm_momentum", (0.9, 0.95)),)), means) == expected


# The points of the axes


def test_without_axes_there_is_one_point():
    assert points(evidence(make_study()).conditions_table()) == {(): [0, 1]}


def test_every_arm_stands_at_every_point():
    assert points(evidence(make_study(axes=TWO_AXES)).conditions_table()) == {
        ("sigmoid", 0.01): [0, 1],
        ("sigmoid", 0.1): [2, 3],
        ("relu", 0.01): [4, 5],
        ("relu", 0.1): [6, 7],
    }


def test_an_arm_on_which_an_axis_is_void_stands_at_all_its_points():
    table = evidence(make_study(axes=VOID_AXIS)).conditions_table()
    assert len(table) == 6
    assert points(table) == {(0.9, 0.01): [0, 1], (0.9, 0.1): [2, 3], (0.99, 0.01): [0, 4], (0.99, 0.1): [2, 5]}


def test_an_axis_that_no_arm_feels_at_a_value_of_another_leaves_a_point():
    study = make_study("none", (("optimizer", ("sgd", "adam")), ("momentum", (0.5, 0.9))))
    table = evidence(study).conditions_table()
    assert points(table) == {("sgd", 0.5): [0], ("sgd", 0.9): [1], ("adam", None): [2]}


def test_an_axis_that_no_arm_feels_at_all_leaves_one_point():
    table = evidence(make_study("none", (("norm_momentum", (0.5, 0.9)),))).conditions_table()
    assert points(table) == {(None,): [0]}


# One row a run, and one row a run and epoch


def test_the_table_of_runs_has_a_row_a_run_in_order():
    shown = three_seeds()
    table = shown.runs_table()
    assert column(table, "run_id") == [result.config.run_id for result in shown.results]
    assert column(table, "condition") == [0, 0, 0, 1, 1, 1]
    assert column(table, "seed") == [0, 1, 2, 0, 1, 2]
    assert column(table, "val_accuracy") == list(SCORES.values())
    assert column(table, "best_val_accuracy") == list(SCORES.values())
    assert column(table, "best_epoch") == [2] * 6
    assert column(table, "params") == [10, 11, 12, 10, 11, 12]


def test_the_columns_of_the_table_of_runs():
    assert list(evidence(make_study(axes=TWO_AXES)).runs_table().columns) == [
        *("run_id", "condition", "arm", "param_activation", "param_lr", "seed", "state"),
        *METRICS,
        *("best_val_accuracy", "best_epoch", "params", "seconds"),
    ]


def test_a_failed_run_has_a_row_without_numbers():
    row = three_seeds(one_failed).runs_table().iloc[0]
    assert row["state"] == "failed"
    assert row[[*METRICS, "best_val_accuracy", "best_epoch", "params"]].isna().all()


def test_the_history_has_a_row_a_run_and_epoch():
    table = three_seeds().history_table()
    assert list(table.columns) == ["run_id", "condition", "arm", "seed", "epoch", *HISTORY_METRICS]
    assert column(table, "epoch") == [1, 2] * 6
    assert column(table, "val_accuracy") == [value for final in SCORES.values() for value in (0.1, final)]


def test_the_history_ends_where_a_run_diverged():
    table = evidence(make_study(seeds=(0,)), diverged).history_table()
    assert column(table, "epoch") == [1, 2, 1, 2]
    assert column(table, "val_accuracy") == [0.5, 0.1] * 2
    assert table["loss"].isna().tolist() == [False, True] * 2


def test_a_history_of_failed_runs_is_empty_and_has_its_columns():
    study = make_study(axes=TWO_AXES)
    lost, full = (evidence(study, make).history_table() for make in (failed, complete))
    assert lost.empty
    assert list(lost.columns) == list(full.columns)


def test_metrics_are_floats_whatever_is_missing():
    for make in (complete, diverged, failed):
        shown = three_seeds(make)
        runs, history = shown.runs_table(), shown.history_table()
        assert {str(runs[name].dtype) for name in METRICS} == {"float64"}
        assert {str(history[name].dtype) for name in HISTORY_METRICS} == {"float64"}
