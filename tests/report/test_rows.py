"""The tables that people read, and the caption of the main one."""

from dataclasses import replace

import pytest
from fakes import complete, diverged, evidence, failed, gaining, learned, make_study

from bncli.report.page import Part
from bncli.report.rows import (
    detail_rows,
    difference_rows,
    hit_rows,
    rate_rows,
    result_rows,
    run_caption,
    run_rows,
    table_caption,
)

LR = (("lr", (0.001, 0.01, 0.1)),)
STAR = "; * better in validation accuracy than every other arm"
FEW_LEARNED = "; learned: runs that end more than a fifth of the way from guessing to 1"
CAPTION = (
    "mean [95% interval] over seeds; difference from none, paired by seed; better, worse: the 95% interval excludes 0 "
    "and p < 0.05 after Holm's correction; hit epoch: median epoch at which the smoothed val_accuracy reaches 95% of "
    "the baseline's gain"
)
SIX = range(6)
GAINS = (0.1, 0.12, 0.11, 0.1, 0.13, 0.12)


def without_seed_one(config):
    return None if config.seed == 1 else learned(config)


def test_a_condition_has_its_difference_its_hit_epoch_and_its_curve():
    shown = evidence(make_study(axes=(("lr", (0.05,)),), seeds=range(6)), gaining(GAINS), 0.2, threshold=0.55)
    assert result_rows(shown) == [
        {
            "lr": "0.05",
            "arm": "none",
            "val_accuracy": "0.500 (all equal)",
            "difference": "-",
            "verdict": "-",
            "hit epoch": "never",
            "curve": "▁▄",
            "n": "6",
        },
        {
            "lr": "0.05",
            "arm": "batch:before *",
            "val_accuracy": "0.613 [0.602, 0.625]",
            "difference": "+0.113 [+0.102, +0.125]",
            "verdict": "better",
            "hit epoch": "2 [2, 2]",
            "curve": "▁█",
            "n": "6",
        },
    ]


def test_diverged_and_failed_runs_have_a_column_only_if_there_are_some():
    row = result_rows(evidence(make_study(), failed))[0]
    assert row == {
        "arm": "none",
        "val_accuracy": "-",
        "difference": "-",
        "verdict": "-",
        "hit epoch": "-",
        "curve": "",
        "n": "0",
        "failed": "2",
    }
    assert result_rows(evidence(make_study(), diverged))[0]["diverged"] == "2"
    assert not {"failed", "diverged"} & set(result_rows(evidence(make_study()))[0])


def test_where_some_seeds_did_not_learn_their_number_and_the_middle_of_the_others_are_shown():
    scores = (0.97, 0.98, 0.1, 0.96, 0.97, 0.98)

    def make(config):
        return complete(config, (0.1, scores[config.seed] if config.norm == "batch" else 0.95 + 0.001 * config.seed))

    shown = evidence(make_study(seeds=SIX), make, 0.1)
    none, batch = result_rows(shown)
    assert (none["learned"], none["median if learned"]) == ("6 of 6", "0.952")
    assert (batch["learned"], batch["median if learned"], batch["verdict"]) == ("5 of 6", "0.970", "undecided")
    (row,) = difference_rows(shown)
    assert (row["both learned"], row["difference of these"]) == ("5", "+0.019 [+0.009, +0.030]")
    assert detail_rows(shown)[1]["P(learn)"] == "0.833 [0.436, 0.970]"
    assert detail_rows(shown)[1]["quartiles"] == "0.970 to 0.980"


def test_the_caption_says_what_a_verdict_rests_on_where_only_some_seeds_learned():
    def make(config):
        dies = (config.norm, config.seed) in (("batch", 2), ("none", 4), ("none", 5))
        return complete(config, (0.1, 0.1 if dies else 0.97))

    shown = evidence(make_study("none,batch:before,layer:before", seeds=SIX), make, 0.1)
    assert [row["verdict"] for row in result_rows(shown)] == ["-", "undecided", "undecided"]
    assert table_caption(shown) == (
        "mean [95% interval] over seeds; difference from none, paired by seed; better, worse: the 95% interval "
        "excludes 0 and p < 0.05 after Holm's correction; better or worse takes 7 pairs or more here; where only some "
        "seeds of an arm learned (none, "
        "batch:before), the verdict rests on whether runs learn, and on the seeds in which both arms did; hit epoch: "
        "median epoch at which the smoothed val_accuracy reaches 95% of the baseline's gain; learned: runs that end "
        "more than a fifth of the way from guessing to 1; always guessing the commonest class scores 0.100"
    )


def test_where_all_seeds_of_an_arm_did_not_learn_there_is_no_middle():
    rows = result_rows(evidence(make_study(seeds=SIX), gaining(GAINS), 0.4))
    assert [row["learned"] for row in rows] == ["0 of 6", "6 of 6"]
    assert "median if learned" not in rows[0]
    assert "both learned" not in difference_rows(evidence(make_study(seeds=SIX), gaining(GAINS), 0.4))[0]


def test_differences_that_are_all_equal_are_said_to_be_so():
    shown = evidence(make_study(seeds=SIX), gaining((0.1,) * 6), 0.2)
    assert result_rows(shown)[1]["difference"] == difference_rows(shown)[0]["difference"] == "+0.100 (all equal)"
    assert difference_rows(shown)[0]["verdict"] == "better"


def test_a_margin_is_named_in_the_caption():
    shown = evidence(make_study(seeds=SIX), gaining(GAINS), 0.2, margin=0.2)
    assert "; equivalent: the 90% interval lies between -0.2 and +0.2; hit epoch" in table_caption(shown)
    assert difference_rows(shown)[0]["verdict"] == "equivalent"


def test_a_single_arm_has_no_difference():
    assert "difference" not in result_rows(evidence(make_study("none")))[0]


def test_axes_without_effect_are_dashes_and_values_are_spelled_as_typed():
    shown = evidence(make_study("none,group:before", (("groups", (1, 2)), ("center", (False, True)), ("lr", (1e-5,)))))
    cells = [(row["groups"], row["center"], row["lr"]) for row in result_rows(shown)]
    assert cells == [("-", "-", "1e-05"), *((g, c, "1e-05") for g in "12" for c in ("false", "true"))]


@pytest.mark.parametrize(
    ("metric", "label"),
    [("val_loss", "validation loss"), ("accuracy", "training accuracy (as fit reports it)")],
)
def test_the_best_arm_is_marked_by_the_metric_of_the_comparison(metric, label):
    shown = evidence(make_study(seeds=SIX), gaining(GAINS), 0.2, metric=metric)
    assert [row["arm"] for row in result_rows(shown)] == ["none", "batch:before *"]
    trivial = "" if metric == "val_loss" else "; always guessing the commonest class scores 0.200"
    caption = CAPTION.replace("val_accuracy", metric)
    assert table_caption(shown) == f"{caption}; * better in {label} than every other arm{trivial}"


def test_an_arm_that_is_better_in_validation_alone_is_not_marked_by_another_metric():
    shown = evidence(make_study(seeds=SIX), gaining(GAINS), 0.2, metric="train_accuracy")
    assert [row["arm"] for row in result_rows(shown)] == ["none", "batch:before"]
    assert table_caption(shown) == f"{CAPTION}; always guessing the commonest class scores 0.200"


def test_single_runs_have_one_row_per_seed():
    states = (complete, diverged, failed)
    rows = run_rows(evidence(make_study("none", seeds=(3, 4, 5)), lambda c: states[c.seed % 3](c)))
    assert [(row["seed"], row["state"], row["val_accuracy"], row["val_loss"]) for row in rows[1:]] == [
        ("4", "diverged", "0.100", "-"),
        ("5", "failed", "-", "-"),
        ("mean", "of 2", "0.400 [0.000, 1.000]", "1.300"),
    ]
    assert rows[0] == {
        "arm": "none",
        "seed": "3",
        "state": "complete",
        "val_accuracy": "0.700",
        "train_accuracy": "0.800",
        "accuracy": "0.630",
        "val_loss": "1.300",
        "loss": "0.300",
        "params": "12",
        "seconds": "1.0",
    }


def test_below_several_runs_there_is_a_row_of_means_like_that_of_the_main_table():
    shown = evidence(make_study("batch", seeds=(0, 1, 2)), learned, metric="val_loss")
    (main,), mean = result_rows(shown), run_rows(shown)[3]
    assert (mean["seed"], mean["state"], mean["params"], mean["seconds"]) == ("mean", "of 3", "102", "1.0")
    assert mean["val_loss"] == main["val_loss"]
    assert mean["val_loss"].endswith("]")
    assert mean["val_accuracy"] == f"{shown.runs_table['val_accuracy'].mean():.3f}"
    assert run_caption(shown) == "mean [95% interval] over seeds"


def test_a_table_of_runs_has_the_metric_that_was_asked_for():
    def with_brier(config):
        result = learned(config)
        return replace(result, metrics=result.metrics | {"val_brier": 0.25})

    rows = run_rows(evidence(make_study("none", seeds=(0, 1)), with_brier, metric="val_brier"))
    assert [row["val_brier"] for row in rows] == ["0.250", "0.250", "0.250 (all equal)"]
    assert [list(row) for row in rows] == [list(rows[0])] * 3


def test_a_single_run_has_no_row_of_means():
    shown = evidence(make_study("none", seeds=(3,)))
    assert [row["seed"] for row in run_rows(shown)] == ["3"]
    assert run_caption(shown) == ""


def test_runs_have_the_notes_of_their_arm():
    shown = evidence(make_study("batch:before", seeds=(0,), norm_output=True), training_rows=30)
    norm, lag = run_caption(shown).split("\n")
    assert norm == "batch:before here: norm_output true"
    assert lag.startswith("Note: 3 training steps; the moving averages of batch:before still hold 97% of their initial")


def test_the_table_of_differences_counts_its_pairs():
    (row,) = difference_rows(evidence(make_study(seeds=range(6)), gaining(GAINS), 0.2))
    assert row == {
        "arm": "batch:before",
        "difference": "+0.113 [+0.102, +0.125]",
        "verdict": "better",
        "p": "0.031",
        "p (Holm)": "0.031",
        "wins/ties/losses": "6/0/0",
        "effect size": "+7.87 [+3.75, +15.04]",
        "pairs": "6",
    }


def test_below_five_pairs_there_is_no_p_value():
    (row,) = difference_rows(evidence(make_study(seeds=range(4)), gaining(GAINS)))
    assert (row["p"], row["p (Holm)"], row["pairs"]) == ("-", "-", "4")


def test_the_table_of_hits_counts_runs_that_never_reach_the_threshold():
    rows = hit_rows(evidence(make_study(seeds=range(6)), gaining(GAINS), threshold=0.55))
    assert [(row["never"], row["speed-up in epochs"], row["pairs"]) for row in rows] == [
        ("6 of 6", "-", "-"),
        ("0 of 6", "baseline never", "6"),
    ]


def test_a_speed_up_that_may_be_anything_is_undecided_as_a_number_in_its_column():
    def make(config):
        never = (config.norm, config.seed) in {*(("batch", seed) for seed in range(3)), ("none", 3), ("none", 4)}
        return complete(config, (0.1, 0.1 if never else 0.9))

    _, row = hit_rows(evidence(make_study(seeds=range(6)), make, 0.1, threshold=0.5))
    cells = (row["hit epoch"], row["speed-up in epochs"], row["in seconds"], row["pairs"])
    assert cells == ("never", "undecided", "undecided", "6")
    assert "speed-up in epochs" in Part("", [row]).numeric


def test_quartiles_of_no_run_are_one_dash():
    rows = detail_rows(evidence(make_study(seeds=SIX), gaining(GAINS), 0.4))
    assert [row["quartiles"] for row in rows] == ["-", "0.603 to 0.620"]


def test_only_a_study_with_the_axis_lr_has_a_table_of_rates():
    assert rate_rows(evidence(make_study())) == []
    rows = rate_rows(evidence(make_study(axes=LR, seeds=range(6)), gaining(GAINS), 0.4))
    assert [(row["from lr"], row["to lr"], row["decades"]) for row in rows] == [
        ("-", "-", "-"),
        ("0.001", "0.1", "2 [2, 2]"),
    ]


def test_a_diverged_run_keeps_its_last_value_in_the_mean_curve():
    def make(config):
        return diverged(config, (0.1,)) if config.seed == 0 else complete(config, (0.1, 0.9, 0.9))

    shown = evidence(make_study("none", seeds=(0, 1)), make)
    assert [row["curve"] for row in result_rows(shown)] == ["▁██"]
    even = evidence(make_study(seeds=(0, 1)), lambda c: make(c) if c.norm == "none" else complete(c, (0.1, 0.9, 0.9)))
    assert [row["curve"] for row in result_rows(even)] == ["▁▅▅", "▁██"]


@pytest.mark.parametrize(
    ("make", "chance", "star", "more"),
    [
        (lambda config: complete(config, (0.7, 0.7)), 0.5, "", "; always guessing the commonest class scores 0.500"),
        (learned, None, STAR, ""),
        (learned, 0.55, STAR, f"{FEW_LEARNED}; always guessing the commonest class scores 0.550"),
    ],
)
def test_the_caption_explains_columns_and_marks_and_says_what_is_missing(make, chance, star, more):
    assert table_caption(evidence(make_study(seeds=SIX), make, chance)) == CAPTION + star + more


def test_the_caption_says_how_many_pairs_a_verdict_takes_where_there_are_fewer():
    caption = table_caption(evidence(make_study(seeds=SIX), without_seed_one, 0.102))
    assert "after Holm's correction; better or worse takes 6 pairs or more here; hit" in caption
    assert caption.endswith("; always guessing the commonest class scores 0.102; 2 of 12 runs are still missing")


def test_what_a_narrow_table_leaves_out_is_not_explained():
    shown = evidence(make_study(seeds=SIX), learned, 0.55)
    left_out = ["curve", "n", "hit epoch", "learned", "val_accuracy [interval]"]
    assert table_caption(shown, left_out) == (
        "mean over seeds; difference [95% interval] from none, paired by seed; better, worse: the 95% interval "
        "excludes 0 and p < 0.05 after Holm's correction" + STAR + "; always guessing the commonest class scores 0.550"
    )
    assert table_caption(shown, [*left_out, "difference [interval]", "verdict"]) == (
        "mean over seeds; difference from none, paired by seed"
        + STAR
        + "; always guessing the commonest class scores 0.550"
    )
    assert run_caption(evidence(make_study("none")), ["val_accuracy [interval]"]) == "mean over seeds"


def test_a_study_of_one_arm_has_a_caption_without_comparisons():
    shown = evidence(make_study("none"), chance=None, threshold=0.9)
    expected = "mean [95% interval] over seeds; hit epoch: median epoch at which the smoothed val_accuracy reaches 0.9"
    assert table_caption(shown) == expected


def test_the_details_of_a_condition():
    make = {0: lambda config: complete(config, (0.5, 0.7, 0.6), seconds=3.0), 1: diverged, 2: failed}
    (row,) = detail_rows(evidence(make_study("none", seeds=(0, 1, 2)), lambda config: make[config.seed](config), 0.4))
    assert row == {
        "arm": "none",
        "mean val_accuracy": "0.350",
        "sd": "0.354",
        "median": "0.350",
        "best val_accuracy": "0.600",
        "at epoch": "1.5",
        "n": "2",
        "P(learn)": "0.500 [0.095, 0.905]",
        "median if learned": "0.600",
        "quartiles": "0.600 to 0.600",
        "diverged": "1",
        "failed": "1",
        "seconds": "2.000",
        "seconds/epoch": "0.750",
        "params": "12",
    }
