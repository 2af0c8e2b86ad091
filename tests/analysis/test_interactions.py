"""The table of interactions."""

import math

import numpy as np
import pytest
from fakes import IGNORED_AXIS, TWO_AXES, column, complete, diverged, evidence, make_study, make_table

from bncli.analysis.comparisons import differences_table
from bncli.analysis.interactions import interactions_table, whole_contrasts, with_interactions

LR = (("lr", (0.1, 0.001, 0.01)),)
GROWTH = {0.001: 0.0, 0.01: 0.05, 0.1: 0.2}


def growing(config):
    """The arm's lead over the baseline is 0.1 at the lowest rate and grows; kernels and rates matter to both."""
    lead = (0.1 + GROWTH[config.lr] + 0.001 * config.seed) * (config.norm != "none")
    return complete(config, (0.3, 0.4 + 0.02 * config.seed - config.lr + lead))


def contrasts(study, make=growing, **arguments):
    return make_table(interactions_table, study, make, **arguments)


def test_neighbours_and_ends_of_an_axis_of_numbers_in_their_order():
    table = contrasts(make_study(axes=LR, seeds=range(6)))
    assert column(table, "from") == [0.001, 0.01, 0.001]
    assert column(table, "to") == [0.01, 0.1, 0.1]
    assert column(table, "mean_difference") == pytest.approx([0.05, 0.15, 0.2])
    assert column(table, "from_difference") == pytest.approx([0.1025, 0.1525, 0.1025])
    assert column(table, "to_difference") == pytest.approx([0.1525, 0.3025, 0.3025])
    assert column(table, "p_value") == [0.03125] * 3
    assert column(table, "p_holm") == pytest.approx([0.09375] * 3)
    assert list(table.columns) == [
        *("arm", "baseline", "axis", "from", "to", "param_lr", "metric", "n", "from_difference", "to_difference"),
        *("mean_difference", "low", "high", "p_value", "p_holm"),
    ]
    assert whole_contrasts(table)["to"].tolist() == [0.1]


def test_values_that_are_no_numbers_are_contrasted_with_the_first():
    study = make_study(axes=(("activation", ("relu", "tanh", "elu")), ("lr", (0.01, 0.1))), seeds=range(3))
    table = contrasts(study)
    found = list(table[["axis", "from", "to", "param_activation", "param_lr"]].itertuples(index=False, name=None))
    expected = [("lr", 0.01, 0.1, name, None) for name in ("relu", "tanh", "elu")]
    expected += [("activation", "relu", name, None, lr) for lr in (0.01, 0.1) for name in ("tanh", "elu")]
    plain = [tuple(None if value != value else value for value in row) for row in found]
    assert sorted(plain, key=str) == sorted(expected, key=str)
    assert len(whole_contrasts(table)) == 7


def test_only_seeds_with_all_four_runs_count_and_a_diverged_run_has_no_loss():
    def lossy(config):
        if (config.lr, config.norm, config.seed) == (0.01, "none", 2):
            return diverged(config)
        return None if (config.lr, config.norm, config.seed) == (0.1, "batch", 0) else growing(config)

    study = make_study(axes=(("lr", (0.01, 0.1)),), seeds=range(6))
    assert column(contrasts(study, lossy, metric="val_loss"), "n") == [4]
    assert column(contrasts(study, lossy), "n") == [5]
    assert math.isnan(contrasts(study, lossy, metric="val_loss")["p_value"].iloc[0])
    assert contrasts(study, lambda config: None if config.lr == 0.1 else growing(config)).empty


def test_an_axis_without_effect_on_an_arm_has_no_contrasts_there():
    def make(config):
        return complete(config, (0.3, 0.4 + 0.1 * (config.norm == "batch") * (config.norm_momentum or 0)))

    table = contrasts(make_study("none,batch:before,layer:before", IGNORED_AXIS, seeds=range(3)), make)
    assert table.groupby(["arm", "axis"]).size().to_dict() == {
        ("batch:before", "lr"): 2,
        ("batch:before", "norm_momentum"): 2,
        ("layer:before", "lr"): 1,
    }
    along = table[table["axis"] == "norm_momentum"]
    assert column(along, "mean_difference") == pytest.approx([0.009] * 2)


def test_an_interval_holds_no_impossible_change():
    def make(config):
        lead = (config.norm != "none") * (config.lr == 0.1) * (1.0 if config.seed else 0.2)
        return complete(config, (0.0, 0.0 + lead))

    row = contrasts(make_study(axes=(("lr", (0.01, 0.1)),), seeds=range(3)), make).iloc[0]
    assert 0 <= row["low"] < row["mean_difference"] < row["high"] <= 1


def test_without_axes_or_other_arms_there_are_no_contrasts():
    assert contrasts(make_study(), complete).empty
    assert contrasts(make_study("none", LR)).empty
    assert with_interactions(make_table(differences_table, make_study()), contrasts(make_study(), complete))[
        "kind"
    ].tolist() == ["difference"]


def test_in_one_table_with_the_differences_which_stay_as_they_are():
    study = make_study(axes=TWO_AXES, seeds=range(6))
    differences = make_table(differences_table, study, growing)
    both = with_interactions(differences, contrasts(study))
    assert both["kind"].tolist() == ["difference"] * 4 + ["interaction"] * 4
    assert list(both.columns[: len(differences.columns)]) == list(differences.columns)
    kept = both.loc[:3, list(differences.columns)]
    assert kept.astype(object).equals(differences.astype(object))
    assert both.loc[4:, "condition"].isna().all()


def simulated(rng, n_seeds, change, sd=0.01):
    """A study of three arms and three rates; the first arm's lead changes by `change` from the first rate on."""
    kernels = rng.normal(0, 0.03, n_seeds)  # what the arms of a seed share
    noise = dict(np.ndenumerate(rng.normal(0, sd, (3, 3, n_seeds))))

    def make(config):
        arm, rate = ("none", "batch", "layer").index(config.norm), (0.001, 0.01, 0.1).index(config.lr)
        lead = 0.05 * arm - 0.02 * rate + change * (arm == 1 and rate > 0)
        return complete(config, (0.5, 0.6 + kernels[config.seed] + noise[arm, rate, config.seed] + lead))

    return make


def shares(change, n_studies, n_seeds=8):
    """How often any contrast is significant, and how often the interval of the first one covers the change."""
    study, found, covered = make_study("none,batch:before,layer:before", LR, range(n_seeds)), 0, 0
    for number in range(n_studies):
        table = contrasts(study, simulated(np.random.default_rng(number), n_seeds, change))
        found += bool((table["p_holm"] < 0.05).any())
        first = table.iloc[0]
        covered += first["low"] <= change <= first["high"]
    return found / n_studies, covered / n_studies


@pytest.mark.slow
def test_a_known_change_is_found_and_covered_and_none_is_found_where_there_is_none():
    found, covered = shares(0.05, 100)
    assert found > 0.9
    assert 0.88 <= covered <= 0.99
    found, covered = shares(0.0, 300)
    assert found <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 300)
    assert 0.9 <= covered <= 0.99


def test_draws_of_the_data_are_no_axis_along_which_differences_change():
    axes = (("data_seed", (1, 2, 3)), ("lr", (0.01, 0.1)))
    assert set(evidence(make_study(axes=axes)).interactions_table["axis"]) == {"lr"}
