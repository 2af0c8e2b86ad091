"""The tables of runs and of their epochs."""

from dataclasses import replace

from fakes import SCORES, TWO_AXES, column, complete, diverged, evidence, failed, make_study, scored

from bncli.analysis.runs import has_learned
from bncli.analysis.tables import basic_metrics
from bncli.tasks.metrics import history_metrics

BASIC, HISTORY = basic_metrics("classification"), history_metrics("accuracy")


def three_seeds(make=scored):
    return evidence(make_study(seeds=(0, 1, 2)), make)


def test_a_run_learned_if_it_went_a_fifth_of_the_way_to_a_perfect_score():
    config = make_study().base
    scores = {0.4: False, 0.5: False, 0.6: False, 0.61: True, 1.0: True}
    assert {score: has_learned(complete(config, (score,)), 0.5) for score in scores} == scores
    assert has_learned(complete(config, (0.3,)), 0.1)
    assert not has_learned(complete(config, (0.9, 0.28)), 0.1)
    assert not has_learned(diverged(config, (0.9, 0.8)), 0.5)
    assert not has_learned(failed(config), 0.5)


def test_the_table_of_runs_has_one_row_per_run_in_order():
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
        *BASIC,
        *("best_val_accuracy", "best_epoch", "stopped_epoch", "params", "seconds"),
    ]


def test_a_failed_run_has_a_row_without_numbers():
    row = evidence(make_study(), failed).runs_table.iloc[0]
    assert row["state"] == "failed"
    assert row[[*BASIC, "best_val_accuracy", "best_epoch", "params"]].isna().all()


def test_the_history_has_one_row_per_run_and_epoch():
    table = three_seeds().history_table
    assert list(table.columns) == ["run_id", "condition", "arm", "seed", "epoch", *HISTORY]
    assert column(table, "epoch") == [1, 2] * 6
    assert column(table, "val_accuracy") == [value for final in SCORES.values() for value in (0.1, final)]


def test_the_history_ends_with_the_epoch_in_which_a_run_diverged():
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
        assert {str(runs[name].dtype) for name in BASIC} == {"float64"}
        assert {str(history[name].dtype) for name in HISTORY} == {"float64"}


def test_by_a_metric_of_population_statistics_a_run_has_learned_whose_averages_only_lag():
    done = complete(make_study().base, (0.5, 0.52))
    lagging = replace(done, metrics=done.metrics | {"population_val_accuracy": 0.99})
    assert not has_learned(lagging, 0.5)
    assert has_learned(lagging, 0.5, "population_val_loss")
