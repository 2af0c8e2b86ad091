"""Tables, captions and answers as people read them."""

import math

import pytest
from fakes import complete, diverged, evidence, failed, learned, make_study

from bncli.report.answer import answer_of
from bncli.report.rows import (
    BEST,
    _sparklines,
    difference_rows,
    hit_rows,
    rate_rows,
    result_rows,
    run_rows,
    table_caption,
)
from bncli.report.spelling import epochs, interval, number

LR = (("lr", (0.001, 0.01, 0.1)),)
GAINS = (0.1, 0.12, 0.11, 0.1, 0.13, 0.12)
UNCLEAR = (0.1, -0.1, 0.05, 0.0, -0.06, 0.01)


def gaining(gains):
    """The arm ends that much above the baseline, seed by seed; both pass 0.4 in the first epoch."""
    return lambda config: complete(config, (0.4, 0.5 + (gains[config.seed] if config.norm != "none" else 0.0)))


def without_seed_one(config):
    return None if config.seed == 1 else learned(config)


# Numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.91234, "0.912"),
        (math.nan, "-"),
        (None, "-"),
        (math.inf, "never"),
        (9999.0, "9999.000"),
        (1.5e30, "1.5e+30"),
        (0.0, "0.000"),
    ],
)
def test_a_number_is_spelled_short(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("parts", "sign", "text"),
    [
        ((0.5, 0.4, 0.6), "", "0.500 [0.400, 0.600]"),
        ((0.5, -0.4, 0.6), "+", "+0.500 [-0.400, +0.600]"),
        ((0.5, math.nan, math.nan), "+", "+0.500"),
        ((math.nan, math.nan, math.nan), "", "-"),
    ],
)
def test_a_number_carries_its_interval(parts, sign, text):
    assert interval(*parts, sign=sign) == text


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((5.0, 4.0, 6.5), "5 [4, 6.5]"),
        ((5.0, 4.0, math.inf), "5 [4, never]"),
        ((math.inf, 3.0, math.inf), "never"),
        ((5.0, math.nan, math.nan), "5"),
        ((math.nan, math.nan, math.nan), "-"),
    ],
)
def test_an_epoch_that_never_comes_is_never(parts, text):
    assert epochs(*parts) == text


# Tables


def test_a_condition_is_shown_with_its_difference_its_hit_epoch_and_its_curve():
    shown = evidence(make_study(axes=(("lr", (0.05,)),), seeds=range(6)), gaining(GAINS), threshold=0.55)
    assert result_rows(shown) == [
        {
            "lr": "0.05",
            "arm": "none",
            "val_accuracy": "0.500 [0.500, 0.500]",
            "difference": "-",
            "hit epoch": "never",
            "curve": "▁▄",
            "n": "6",
        },
        {
            "lr": "0.05",
            "arm": "batch:before *",
            "val_accuracy": "0.613 [0.602, 0.625]",
            "difference": "+0.113 [+0.102, +0.125]",
            "hit epoch": "2 [2, 2]",
            "curve": "▁█",
            "n": "6",
        },
    ]


def test_runs_that_diverged_or_failed_have_a_column_only_where_there_are_some():
    row = result_rows(evidence(make_study(), failed))[0]
    assert row == {
        "arm": "none",
        "val_accuracy": "-",
        "difference": "-",
        "hit epoch": "-",
        "curve": "",
        "n": "0",
        "failed": "2",
    }
    assert result_rows(evidence(make_study(), diverged))[0]["diverged"] == "2"
    assert not {"failed", "diverged"} & set(result_rows(evidence(make_study()))[0])


def test_a_single_arm_has_no_difference():
    assert "difference" not in result_rows(evidence(make_study("none")))[0]


def test_void_axes_are_dashes_and_values_are_spelled_as_typed():
    shown = evidence(make_study("none,group:before", (("groups", (1, 2)), ("center", (False, True)), ("lr", (1e-5,)))))
    cells = [(row["groups"], row["center"], row["lr"]) for row in result_rows(shown)]
    assert cells == [("-", "-", "1e-05"), *((g, c, "1e-05") for g in "12" for c in ("false", "true"))]


@pytest.mark.parametrize("metric", ["val_loss", "train_accuracy"])
def test_another_metric_has_no_mark_of_the_best_accuracy(metric):
    shown = evidence(make_study(), metric=metric)
    rows = result_rows(shown)
    assert metric in rows[0]
    assert not any(row["arm"].endswith(BEST) for row in rows)
    assert "best validation accuracy" not in table_caption(shown)
    assert ("a constant answer" in table_caption(shown)) == (metric == "train_accuracy")


def test_single_runs_are_shown_a_row_a_seed():
    states = (complete, diverged, failed)
    rows = run_rows(evidence(make_study("none", seeds=(3, 4, 5)), lambda c: states[c.seed % 3](c)))
    assert [(row["seed"], row["state"], row["val_loss"]) for row in rows[1:]] == [
        ("4", "diverged", "-"),
        ("5", "failed", "-"),
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


def test_the_table_of_differences_counts_its_pairs():
    (row,) = difference_rows(evidence(make_study(seeds=range(6)), gaining(GAINS)))
    assert row == {
        "arm": "batch:before",
        "difference": "+0.113 [+0.102, +0.125]",
        "p": "0.031",
        "p (Holm)": "0.031",
        "wins/ties/losses": "6/0/0",
        "effect size": "+9.358",
        "pairs": "6",
    }


def test_below_five_pairs_there_is_no_p_value():
    (row,) = difference_rows(evidence(make_study(seeds=range(4)), gaining(GAINS)))
    assert (row["p"], row["p (Holm)"], row["pairs"]) == ("-", "-", "4")


def test_the_table_of_hits_counts_who_never_gets_there():
    rows = hit_rows(evidence(make_study(seeds=range(6)), gaining(GAINS), threshold=0.55))
    assert [(row["never"], row["speed-up in epochs"], row["pairs"]) for row in rows] == [
        ("6 of 6", "-", "-"),
        ("0 of 6", "inf [inf, inf]", "6"),
    ]


def test_only_a_study_of_the_learning_rate_has_a_table_of_it():
    assert rate_rows(evidence(make_study())) == []
    rows = rate_rows(evidence(make_study(axes=LR, seeds=range(6)), gaining(GAINS)))
    assert [(row["from lr"], row["to lr"], row["decades"]) for row in rows] == [("-", "-", "-"), ("0.001", "0.1", "2")]


# The caption


@pytest.mark.parametrize(
    ("make", "chance", "more"),
    [
        (learned, 0.5, "; a constant answer scores 0.500"),
        (learned, None, ""),
        (without_seed_one, 0.102, "; a constant answer scores 0.102; 2 of 4 runs are still missing"),
    ],
)
def test_the_caption_tells_the_marks_and_what_is_missing(make, chance, more):
    expected = (
        "mean [95% interval] over seeds; difference to none, paired by seed; hit epoch: median, val_accuracy at or "
        "past the best of none's mean curve; * best validation accuracy among the arms"
    )
    assert table_caption(evidence(make_study(), make, chance)) == expected + more


# The answer


def test_a_clear_difference_is_told_with_interval_n_and_speed():
    answer = answer_of(evidence(make_study(seeds=range(6)), gaining(GAINS), threshold=0.55))
    assert answer.sentences == (
        "batch:before is better than none in validation accuracy: +0.113 (95% interval +0.102 to +0.125, 6 pairs of "
        "seeds).",
        "It reaches val_accuracy 0.550 at a median epoch of 2 [2, 2], none at never (0 of 6 and 6 of 6 seeds never).",
    )
    assert answer.notes == ("1 of 1 is significant at 0.05 (sign-flip test of pairs, Holm's correction).",)


def test_a_lower_loss_is_better():
    answer = answer_of(evidence(make_study(seeds=range(6)), gaining(GAINS), metric="val_loss"))
    assert answer.sentences[0].startswith("batch:before is better than none in validation loss: -0.113")


def test_an_interval_that_holds_0_is_no_clear_difference():
    answer = answer_of(evidence(make_study(seeds=range(6)), gaining(UNCLEAR)))
    assert answer.sentences[0].startswith(
        "batch:before shows no clear difference to none in validation accuracy: +0.000 (95% interval -0.0"
    )
    assert answer.notes == ("0 of 1 are significant at 0.05 (sign-flip test of pairs, Holm's correction).",)


@pytest.mark.parametrize(
    ("n", "note"),
    [
        (3, "Too few seeds: 3 pairs of seeds can't be significant over 1 comparison, 6 can. Take this as a hint."),
        (5, "Too few seeds: 5 pairs of seeds can't be significant over 1 comparison, 6 can. Take this as a hint."),
    ],
)
def test_too_few_seeds_are_called_so(n, note):
    assert answer_of(evidence(make_study(seeds=range(n)), gaining(GAINS))).notes == (note,)


def test_one_seed_settles_nothing():
    answer = answer_of(evidence(make_study(seeds=(0,)), gaining(GAINS)))
    assert answer.sentences[0] == (
        "batch:before differs from none in validation accuracy by +0.100 (1 pair of seeds, no interval): one pair "
        "settles nothing."
    )


def test_several_comparisons_are_counted_and_the_extremes_told():
    def make(config):
        gain = {0.01: 0.2, 0.1: -0.1}[config.lr] * (config.norm != "none")
        return complete(config, (0.4, 0.5 + gain + 0.001 * config.seed))

    axes = (("activation", ("relu", "tanh")), ("lr", (0.01, 0.1)))
    answer = answer_of(evidence(make_study(axes=axes, seeds=range(9)), make))
    assert answer.sentences == (
        "Of 4 comparisons with none in validation accuracy, 2 come out better, 2 worse and 0 without a clear "
        "difference (a 95% interval that holds 0).",
        "The largest is that of batch:before at activation relu, lr 0.01, +0.200 (95% interval +0.200 to +0.200, 9 "
        "pairs of seeds); the smallest that of batch:before at activation tanh, lr 0.1, -0.100 (95% interval -0.100 to "
        "-0.100, 9 pairs of seeds).",
    )
    assert answer.notes == ("4 of 4 are significant at 0.05 (sign-flip test of pairs, Holm's correction).",)


def test_over_learning_rates_each_arm_is_also_told_at_its_own_best():
    answer = answer_of(evidence(make_study(axes=LR, seeds=range(9)), gaining(GAINS * 2)))
    assert answer.sentences[1].startswith("Each at its own best learning rate, batch:before differs from none by +0.11")
    assert answer.sentences[1].endswith(
        "; at least 90% of seeds learn over 2 decades of rates, with none over no range."
    )


@pytest.mark.parametrize(
    ("axes", "make", "expected"),
    [
        ((), complete, ("none ends at a validation accuracy of 0.700 [0.700, 0.700] (2 seeds).",)),
        (
            LR,
            learned,
            (
                "The best condition is none at lr 0.01 with a validation accuracy of ",
                "The worst condition is none at lr 0.1 with a validation accuracy of ",
            ),
        ),
        ((), failed, ("No run has a value of val_accuracy.",)),
    ],
)
def test_a_single_arm_is_told_by_what_it_scores(axes, make, expected):
    sentences = answer_of(evidence(make_study("none", axes), make)).sentences
    assert len(sentences) == len(expected)
    assert all(map(str.startswith, sentences, expected))


def test_the_only_comparison_that_is_done_names_its_point():
    """What an interrupted sweep leaves: both arms at one value, the baseline alone at the next."""
    axes = (("activation", ("relu", "sigmoid")),)

    def make(config):
        there = config.activation == "relu" or config.norm == "none"
        return gaining(GAINS)(config) if there else None

    answer = answer_of(evidence(make_study(axes=axes, seeds=range(6)), make, threshold=0.55))
    assert answer.sentences[0].startswith(
        "batch:before is better than none in validation accuracy at activation relu: +0.113"
    )
    assert answer.sentences[1] == (
        "It reaches val_accuracy 0.550 at a median epoch of 2 [2, 2], none at never (0 of 6 and 6 of 6 seeds never)."
    )


def test_each_at_its_best_rate_finds_the_baseline_by_name_and_needs_a_best():
    def without_first_rate(config):
        return failed(config) if config.lr == 0.001 and config.norm == "none" else gaining(GAINS * 2)(config)

    study = make_study(axes=LR, seeds=range(9))
    sentence = answer_of(evidence(study, without_first_rate)).sentences[1]
    assert sentence.startswith("Each at its own best learning rate, batch:before differs from none by +0.11")

    def diverging(config):
        return diverged(config) if config.seed == 0 else gaining(GAINS * 2)(config)

    sentences = answer_of(evidence(study, diverging, metric="val_loss")).sentences
    assert sentences[1].startswith("The largest is that of batch:before at lr 0.001")


def test_the_spark_of_a_run_that_diverged_stays_at_its_last_value():
    def make(config):
        return diverged(config, (0.1,)) if config.seed == 0 else complete(config, (0.1, 0.9, 0.9))

    shown = evidence(make_study("none", seeds=(0, 1)), make)
    assert _sparklines(shown) == {0: "▁██"}
    even = evidence(make_study(seeds=(0, 1)), lambda c: make(c) if c.norm == "none" else complete(c, (0.1, 0.9, 0.9)))
    assert _sparklines(even) == {0: "▁▅▅", 1: "▁██"}


def test_failed_and_missing_runs_limit_the_answer():
    makes = {0: failed, 1: lambda config: None}
    shown = evidence(make_study(seeds=range(8)), lambda config: makes.get(config.seed, learned)(config))
    assert answer_of(shown).notes[1:] == ("2 runs failed and enter no number.", "2 of 16 runs are still missing.")
