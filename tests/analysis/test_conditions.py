"""The table of conditions: every number against numpy."""

import math
from dataclasses import replace

import numpy as np
import pytest
from fakes import SCORES, TWO_AXES, column, complete, diverged, evidence, failed, make_study, scored

from bncli.analysis.conditions import conditions_table
from bncli.analysis.effects import wilson_interval
from bncli.analysis.statistics import bootstrap_interval
from bncli.analysis.tables import basic_metrics

SEVEN = range(7)
"""The fewest seeds for a clear winner among three arms: 2 / 2**6 times two comparisons is above 0.05."""

BASIC = basic_metrics("classification")


def one_failed(config):
    """The baseline's seed 0 fails, all others are scored."""
    return failed(config) if (config.norm, config.seed) == ("none", 0) else scored(config)


def three_seeds(make=scored):
    return evidence(make_study(seeds=(0, 1, 2)), make)


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


def test_columns_are_named_as_in_scikit_learn():
    kinds = ("mean", "std", "median", "low", "high")
    statistics = [f"{kind}_{metric}" for metric in BASIC for kind in kinds]
    table = evidence(make_study(axes=TWO_AXES)).conditions_table
    assert column(table, "arm") == ["none", "batch:before"] * 4
    assert list(table.columns) == [
        *("arm", "param_activation", "param_lr", "n", "n_diverged", "n_failed", "n_chance", "params"),
        *statistics,
        *("mean_best_val_accuracy", "median_best_epoch", "mean_seconds", "mean_seconds_per_epoch"),
        *("n_learned", "p_learn", "low_p_learn", "high_p_learn"),
        *("median_if_learned", "q25_if_learned", "q75_if_learned", "best"),
    ]


def test_conditions_are_in_the_order_of_the_study():
    table = evidence(make_study(axes=TWO_AXES)).conditions_table
    assert column(table, "param_activation") == ["sigmoid"] * 4 + ["relu"] * 4
    assert column(table, "param_lr") == [0.01, 0.01, 0.1, 0.1] * 2


def test_one_seed_has_a_mean_and_no_spread():
    table = evidence(make_study(seeds=(0,)), scored).conditions_table
    assert column(table, "mean_val_accuracy") == [0.5, 0.5]
    for metric in BASIC:
        assert all(map(math.isnan, column(table, f"std_{metric}")))


def test_a_diverged_run_counts_with_its_accuracy_and_without_its_loss():
    lost = three_seeds(lambda config: diverged(config, (0.5, 0.1)) if config.seed == 2 else scored(config))
    baseline = lost.conditions_table.iloc[0]
    assert (baseline["n"], baseline["n_diverged"], baseline["n_failed"]) == (3, 1, 0)
    assert baseline["mean_val_accuracy"] == pytest.approx(np.mean([0.5, 0.75, 0.1]))
    assert baseline["std_val_accuracy"] == pytest.approx(np.std([0.5, 0.75, 0.1], ddof=1))
    assert baseline["mean_val_loss"] == pytest.approx(np.mean([1.5, 1.25]))


def test_if_all_runs_diverged_there_is_no_loss():
    table = three_seeds(diverged).conditions_table
    assert column(table, "n_diverged") == [3, 3]
    assert column(table, "mean_val_accuracy") == pytest.approx([0.1, 0.1])
    assert all(map(math.isnan, column(table, "mean_loss")))


def test_a_failed_run_is_only_counted():
    baseline = three_seeds(one_failed).conditions_table.iloc[0]
    assert (baseline["n"], baseline["n_diverged"], baseline["n_failed"]) == (2, 0, 1)
    assert baseline["mean_val_accuracy"] == 0.5
    assert baseline["mean_seconds"] == 1.5


def test_if_all_runs_failed_there_are_only_counts():
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


def test_the_interval_of_an_accuracy_is_clipped_to_0_and_1():
    row = three_seeds().conditions_table.iloc[1]
    values = np.array([0.5, 1.0, 0.9])
    assert bootstrap_interval(values).high > 1
    assert row["low_val_accuracy"] == bootstrap_interval(values).low
    assert row["high_val_accuracy"] == 1.0
    assert row["high_val_loss"] == bootstrap_interval(2 - values).high


def test_the_interval_of_a_loss_is_clipped_at_0():
    losses = (0.01, 0.01, 0.2)
    row = evidence(make_study("none", seeds=(0, 1, 2)), lambda c: complete(c, (2 - losses[c.seed],))).conditions_table
    assert bootstrap_interval(losses).low < 0
    assert column(row, "low_val_loss") == [0.0]


def test_the_best_value_its_epoch_and_the_seconds():
    histories = {0: (0.5, 0.9, 0.6), 1: (0.7, 0.6, 0.5), 2: (0.1, 0.2, 0.3)}
    study = make_study("none", seeds=(0, 1, 2))
    make = lambda config: complete(config, histories[config.seed], seconds=3.0 + config.seed)  # noqa: E731
    row = evidence(study, make).conditions_table.iloc[0]
    assert row["mean_best_val_accuracy"] == pytest.approx(np.mean([0.9, 0.7, 0.3]))
    assert row["median_best_epoch"] == 2.0
    assert row["mean_seconds"] == 4.0
    assert row["mean_seconds_per_epoch"] == pytest.approx(4 / 3)


def test_runs_that_did_not_learn_are_counted_diverged_ones_included():
    def make(config):
        return {0: failed, 1: diverged, 2: lambda c: complete(c, (0.9, 0.5)), 3: complete}[config.seed](config)

    shown = evidence(make_study(seeds=(0, 1, 2, 3)), make)
    table = conditions_table(shown.results, shown.conditions, 0.5)
    assert (column(table, "n"), column(table, "n_diverged"), column(table, "n_chance")) == ([3, 3], [1, 1], [2, 2])
    assert conditions_table(shown.results, shown.conditions)["n_chance"].isna().all()


def test_the_share_of_runs_that_learned_has_wilsons_interval_and_they_have_their_own_middle():
    scores = (0.9, 0.1, 0.8, 0.7, 0.6, 0.9, 0.9, 0.9, 0.9, 0.1)
    shown = evidence(make_study("none", seeds=range(10)), lambda c: complete(c, (0.1, scores[c.seed])), 0.1)
    row = shown.conditions_table.iloc[0]
    assert (row["n"], row["n_learned"], row["n_chance"], row["p_learn"]) == (10, 8, 2, 0.8)
    assert (row["low_p_learn"], row["high_p_learn"]) == wilson_interval(8, 10)
    middle = np.quantile([score for score in scores if score > 0.19], (0.5, 0.25, 0.75))
    assert row[["median_if_learned", "q25_if_learned", "q75_if_learned"]].tolist() == pytest.approx(middle.tolist())
    by_loss = conditions_table(shown.results, shown.conditions, 0.1, "val_loss")
    assert by_loss.loc[0, "median_if_learned"] == pytest.approx(2 - middle[0])


def test_without_runs_that_learned_they_have_no_middle():
    shown = evidence(make_study("none", seeds=range(2)), lambda c: complete(c, (0.1, 0.1)), 0.1)
    assert shown.conditions_table.loc[0, "p_learn"] == 0
    assert math.isnan(shown.conditions_table.loc[0, "median_if_learned"])
    unknown = conditions_table(shown.results, shown.conditions)
    assert unknown[["n_learned", "p_learn", "low_p_learn", "median_if_learned"]].isna().all(axis=None)


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
    assert best_rows(make_study(axes=(("lr", (0.01, 0.1)),), seeds=SEVEN), means) == [0, 3]


def test_without_axes_one_arm_is_the_best():
    means = {("none",): 0.6, ("before", "batch"): 0.7, ("after", "batch"): 0.8}
    assert best_rows(make_study("none,batch:before,batch:after", seeds=SEVEN), means) == [2]


def finals(values):
    """Runs by norm and seed; inf is a diverged one that ended at 0.1."""

    def make(config):
        value = values[config.norm][config.seed]
        return diverged(config) if math.isinf(value) else complete(config, (0.0, value))

    return make


@pytest.mark.parametrize(
    ("none", "batch", "expected"),
    [
        ((0.7, 0.8, 0.9) * 2, (0.8, 0.9, 0.95) * 2, [False, True]),
        ((0.7, 0.8, 0.9), (0.8, 0.9, 0.95), [False, False]),
        ((0.9, 0.9, 0.9), (0.9, 0.9, 0.9), [False, False]),
        ((0.9, 0.9, 0.9), (0.95, 0.95, 0.89), [False, False]),
        ((0.101, 0.101, 0.101), (0.1, 0.1, 0.1), [False, False]),
        ((math.inf, math.inf, 0.9), (0.1, 0.1, 0.1), [False, False]),
        ((math.inf, 0.9, 0.9), (math.inf, 0.8, 0.8), [False, False]),
        ((0.9,), (0.8,), [False, False]),
    ],
    ids=[
        "clear",
        "too-few-seeds",
        "tie",
        "interval-includes-0",
        "chance",
        "most-diverged",
        "tie-of-diverged",
        "one-seed",
    ],
)
def test_only_a_clear_winner_that_learned_is_marked(none, batch, expected):
    shown = evidence(make_study(seeds=range(len(none))), finals({"none": none, "batch": batch}), 0.102)
    assert column(shown.conditions_table, "best") == expected


def test_the_winner_is_found_by_the_metric_of_the_comparison():
    def make(config):
        gain = 0.1 * (config.norm == "batch")
        return complete(config, (0.0, 0.8 + gain), train_accuracy=0.9 - gain)

    study = make_study(seeds=SEVEN)
    best = {
        name: column(evidence(study, make, 0.5, metric=name).conditions_table, "best")
        for name in ("val_accuracy", "train_accuracy", "val_loss")
    }
    assert best == {"val_accuracy": [False, True], "train_accuracy": [True, False], "val_loss": [False, True]}


def test_an_arm_whose_verdict_is_undecided_because_some_seeds_did_not_learn_is_not_marked():
    """Its mean loss is the best among runs that have one, but three of nine diverged."""
    values = {"none": (0.7,) * 9, "batch": (*(math.inf,) * 3, *(0.71, 0.71, 0.72, 0.71, 0.72, 0.71))}
    shown = evidence(make_study(seeds=range(9)), finals(values), 0.5, metric="val_loss")
    assert column(shown.differences_table, "verdict") == ["undecided"]
    assert column(shown.conditions_table, "best") == [False, False]


def test_the_winner_must_beat_every_other_arm_not_the_baseline_alone():
    study = make_study("none,batch:before,layer:before", seeds=SEVEN)
    rest = (0.9, 0.9, 0.9)
    values = {"none": (0.5,) * 7, "batch": (0.9, 0.9, 0.9, 0.91, *rest), "layer": (0.91, 0.91, 0.88, 0.88, *rest)}
    assert column(evidence(study, finals(values)).conditions_table, "best") == [False] * 3
    ahead = values | {"layer": (0.8, 0.8, 0.8, 0.81, 0.8, 0.8, 0.8)}
    assert column(evidence(study, finals(ahead)).conditions_table, "best") == [False, True, False]


def test_the_winner_is_clear_after_the_correction_for_the_number_of_arms():
    """With six seeds p is 2 / 2**6: below 0.05 against one other arm, and not against two."""
    means = {("none",): 0.6, ("before", "batch"): 0.7, ("after", "batch"): 0.8}
    assert best_rows(make_study("none,batch:after", seeds=range(6)), means) == [1]
    assert best_rows(make_study("none,batch:before,batch:after", seeds=range(6)), means) == []


@pytest.mark.parametrize(("points", "more"), [((0.01,), ("val_loss",)), ((0.01, 0.1), ())])
def test_the_winner_of_a_point_is_not_marked_where_the_correction_for_all_verdicts_leaves_it_undecided(points, more):
    def make(config):
        gain = 0.1 * (config.norm == "batch") * (config.lr == 0.01)
        return complete(config, (0.0, 0.8 + gain + 0.001 * config.seed))

    for count, expected in ((6, []), (7, [1])):
        study = make_study(axes=(("lr", points),), seeds=range(count))
        shown = evidence(study, make, more=more)
        verdicts = column(shown.differences_table, "verdict")
        assert verdicts[0] == ("better" if expected else "undecided")
        best = column(shown.conditions_table, "best")
        assert [place for place, is_best in enumerate(best) if is_best] == expected


def test_a_single_arm_is_never_the_best():
    assert best_rows(make_study("none", (("lr", (0.01, 0.1)),)), {("none",): 0.5}) == []


def test_an_arm_without_numbers_does_not_make_the_other_the_best():
    table = three_seeds(lambda config: failed(config) if config.norm == "batch" else scored(config))
    assert column(table.conditions_table, "best") == [False, False]


@pytest.mark.parametrize(
    ("baseline", "low", "high", "expected"),
    [(0.9, 0.6, 0.7, [0]), (0.1, 0.65, 0.7, [1, 2]), (0.65, 0.6, 0.7, [2])],
)
def test_an_arm_on_which_the_axis_has_no_effect_is_best_where_it_wins_at_every_point(baseline, low, high, expected):
    means = {("none",): baseline, ("batch", 0.9): low, ("batch", 0.95): high}
    assert best_rows(make_study(axes=(("norm_momentum", (0.9, 0.95)),), seeds=SEVEN), means) == expected


def test_a_record_without_the_number_of_parameters_counts_all_the_same():
    def unsized(config):
        return replace(scored(config), params={})

    table = three_seeds(unsized).conditions_table
    assert table["n"].tolist() == [3, 3]
    assert table["params"].isna().all()
