"""The tables of hit epochs: when runs reach a threshold."""

import math

import numpy as np
import pytest
from fakes import column, complete, diverged, failed, make_study, make_table

from bncli.analysis.hits import gain_level, has_fallen, hit_epochs, hits_table, reached_table
from bncli.analysis.statistics import bootstrap_interval
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
        *("condition", "arm", "baseline", "metric", "threshold", "n", "n_never", "n_fallen"),
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


def test_the_default_threshold_is_95_percent_of_the_baselines_gain():
    """Of four epochs the best single one is the plateau; the gain starts at the first epoch or at the trivial score."""
    none = [SLOW, RISING, (0.5, 0.8, 0.1, 0.1)]
    means = [sum(values) / 3 for values in zip(*none, strict=True)]
    first = means[0] + 0.95 * (max(means) - means[0])
    assert column(hits(none, [RISING] * 3, threshold=None), "threshold") == pytest.approx([first, first])
    chance = 0.2 + 0.95 * (max(means) - 0.2)
    assert column(hits(none, [RISING] * 3, threshold=None, trivial=0.2), "threshold") == pytest.approx([chance] * 2)
    losses = hits([SLOW, RISING], [RISING] * 2, threshold=None, metric="loss", trivial=0.2)
    assert column(losses, "threshold") == pytest.approx([0.8 - 0.95 * 0.6] * 2)


def test_the_plateau_is_the_best_quarter_of_the_epochs():
    rises_and_falls = (0.1, 0.1, 0.6, 0.8, 0.7, 0.3, 0.2, 0.2)
    runs = {0: complete(make_study(epochs=8).base, rises_and_falls)}
    assert gain_level(runs, "val_accuracy", 0.0) == pytest.approx(0.95 * 0.75)
    assert gain_level(runs, "val_loss", 0.0) == pytest.approx(1.9 - 0.95 * (1.9 - 1.25))
    assert math.isnan(gain_level({}, "val_accuracy"))


def test_a_baseline_that_did_not_learn_sets_no_threshold_below_learning():
    table = hits([FLAT] * 3, [RISING] * 3, threshold=None, trivial=0.1)
    assert column(table, "threshold") == pytest.approx([0.28, 0.28])
    assert column(table, "n_never") == [3, 0]
    assert column(hits([RISING] * 3, [SLOW] * 3, threshold=None, trivial=0.1), "threshold") == pytest.approx([0.86] * 2)
    losses = hits([SLOW] * 3, [RISING] * 3, threshold=None, metric="val_loss", trivial=0.1)
    assert column(losses, "threshold") == column(
        hits([SLOW] * 3, [RISING] * 3, threshold=None, metric="val_loss"), "threshold"
    )


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ((0.1, 0.6, 0.1, 0.1, 0.6, 0.7, 0.6, 0.7), 5),
        ((0.1, 0.1, 0.1, 0.7, 0.45, 0.7, 0.45, 0.7), 4),
        ((0.1, 0.1, 0.6, 0.7, 0.6, 0.2, 0.1, 0.1), 3),
        ((0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.6), 8),
        ((0.6, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7), 1),
        ((0.1, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1), math.inf),
    ],
    ids=["a single epoch is noise", "on average", "falls back later", "at the end", "at once", "never for good"],
)
def test_a_run_hits_where_it_passes_the_threshold_on_average(accuracies, expected):
    runs = {3: complete(make_study(epochs=8).base, accuracies)}
    assert hit_epochs(runs, "val_accuracy", 0.5) == {3: expected}
    assert hit_epochs(runs, "val_loss", 1.5) == {3: expected}


@pytest.mark.parametrize("n_epochs", [1, 2, 3])
def test_in_very_short_trainings_the_first_epoch_past_the_threshold_counts(n_epochs):
    for hit in range(n_epochs):
        accuracies = tuple(0.1 + 0.8 * (epoch >= hit) for epoch in range(n_epochs))
        assert hit_epochs({0: complete(make_study().base, accuracies)}, "val_accuracy", 0.5) == {0: hit + 1}


def test_without_noise_it_is_the_first_epoch_past_the_threshold():
    for level in np.linspace(0.11, 0.95, 40):
        curve = tuple(0.97 - 0.87 * np.exp(-np.arange(1, 41) / 8))
        run = complete(make_study(epochs=40).base, curve)
        assert hit_epochs({0: run}, "val_accuracy", level) == {0: hit_epoch(run, "val_accuracy", level)}


EPOCHS = np.arange(1, 61)
CURVES = {
    "plateau": 0.97 - 0.87 * np.exp(-EPOCHS / 5),
    "still rising": 0.97 - 0.87 * np.exp(-EPOCHS / 30),
    "jump": np.where(EPOCHS < 3, 0.3, 0.97),
    "falls back": 0.97 - 0.87 * np.exp(-EPOCHS / 4) - 0.4 * np.clip((EPOCHS - 20) / 40, 0, 1),
}


@pytest.mark.parametrize("ratio", [1, 5])
@pytest.mark.parametrize("name", CURVES)
def test_a_noisier_arm_with_the_same_mean_curve_is_not_faster(name, ratio):
    """By the first epoch past the best of the baseline's mean curve, the plateau gave a median speed-up of 1.5."""
    rng, found, n_excluded, n_never = np.random.default_rng(1), [], 0, 0
    for _ in range(40):
        shift = rng.normal(0, 0.003, (10, 1))
        arms = [CURVES[name] + shift + rng.normal(0, noise, (10, 60)) for noise in (0.002, 0.002 * ratio)]
        base = make_study(epochs=60).base
        none, arm = ({seed: complete(base, tuple(run)) for seed, run in enumerate(runs)} for runs in arms)
        level = gain_level(none, "val_accuracy", 0.1)
        baseline = np.array([*hit_epochs(none, "val_accuracy", level).values()])
        ratios = baseline / np.array([*hit_epochs(arm, "val_accuracy", level).values()])
        low, high = bootstrap_interval(ratios, "median")
        found.append(np.median(ratios))
        n_excluded += low > 1 or high < 1
        n_never += np.isinf(np.median(baseline))
    assert np.median(found) == pytest.approx(1, abs=0.02)
    assert n_excluded <= 4
    assert n_never == 0


def test_runs_of_zero_seconds_have_no_ratio_of_seconds():
    table = make_table(hits_table, make_study(seeds=(0, 1)), by_seed([SLOW] * 2, [RISING] * 2, 0.0), threshold=0.5)
    assert table.loc[1, "epochs_ratio"] == 1.5
    assert math.isnan(table.loc[1, "seconds_ratio"])


@pytest.mark.parametrize(
    ("curve", "fallen"),
    [
        ((0.1, 0.6, 0.1, 0.1), True),
        ((0.1, 0.6, 0.6, 0.4), True),
        ((0.1, 0.6, 0.4, 0.6), False),
        ((0.1, 0.1, 0.1, 0.6), False),
        ((0.1, 0.1, 0.1, 0.1), False),
        ((*[0.1] * 9, 0.6, 0.5, 0.5), False),
        ((*[0.6] * 9, 0.6, 0.4, 0.45), True),
        ((*[0.1] * 11, 0.9), False),
    ],
    ids=["collapsed", "below-at-the-end", "dip", "late", "never", "late-of-12", "last-quarter-of-12", "last-of-12"],
)
def test_a_run_has_fallen_if_its_last_quarter_is_below_the_threshold(curve, fallen):
    run = complete(make_study().base, curve)
    (hit,) = hit_epochs({0: run}, "val_accuracy", 0.5).values()
    assert has_fallen(run, "val_accuracy", 0.5, hit) is fallen


def test_a_run_that_diverged_after_it_hit_has_fallen():
    run = diverged(make_study().base, (0.1, 0.6, 0.6))
    assert has_fallen(run, "val_accuracy", 0.5, 2.0)
    assert not has_fallen(run, "val_accuracy", 0.9, math.inf)


def test_fallen_runs_are_counted_and_keep_their_hit_epochs():
    table = hits([(0.1, 0.6, 0.6, 0.6), (0.1, 0.6, 0.1, 0.1)], [RISING] * 2)
    assert (column(table, "n_fallen"), column(table, "median_hit_epoch")) == ([1, 0], [2, 2])


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


@pytest.mark.parametrize(("seconds", "is_known"), [(10.0, True), (0.1, False)])
def test_short_trainings_have_no_speed_up_in_seconds(seconds, is_known):
    def make(config):
        return complete(config, (0.1, 0.9, 0.9) if config.norm != "none" else (0.1, 0.2, 0.9), seconds=seconds)

    row = make_table(hits_table, make_study(), make, threshold=0.8).iloc[1]
    assert row["epochs_ratio"] > 1
    assert math.isnan(row["seconds_ratio"]) != is_known
