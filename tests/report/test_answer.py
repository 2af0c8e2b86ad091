"""The answer of a study in a few sentences, and its notes."""

import pytest
from fakes import complete, diverged, evidence, failed, gaining, learned, make_study

from bncli.report.answer import answer_of
from bncli.report.rows import hit_rows, table_caption

LR = (("lr", (0.001, 0.01, 0.1)),)
GAINS = (0.1, 0.12, 0.11, 0.1, 0.13, 0.12)
HINT = ". Take this as a hint, and decide now on a number of seeds at which you look again, once."
MORE = (
    "Don't add seeds until an interval excludes 0: with a look every 5 seeds up to 30, 16% of arms without an effect "
    "would get a verdict, not 5%. To go on, judge by the always-valid interval (low_always, high_always in "
    "differences.csv), at any number of seeds from 10."
)
DECIDED = "Better, worse: the 95% interval excludes 0 and p < 0.05 after Holm's correction."
UNCLEAR = (0.1, -0.1, 0.05, 0.0, -0.06, 0.01)


def test_a_clear_difference_has_its_interval_its_pairs_and_its_hit_epochs():
    answer = answer_of(evidence(make_study(seeds=range(6)), gaining(GAINS), 0.4, threshold=0.55))
    assert answer.sentences == (
        "batch:before raises validation accuracy from 0.500 to 0.613, better than none: +0.113 (95% interval +0.102 "
        "to +0.125, 6 pairs of seeds).",
        "Median epoch at which the smoothed val_accuracy reaches 0.550: 2 [2, 2] for batch:before, never for none (0 "
        "of 6 and 6 of 6 seeds never reach it).",
    )
    assert answer.notes == (DECIDED,)


def test_a_lower_loss_is_better():
    answer = answer_of(evidence(make_study(seeds=range(6)), gaining(GAINS), 0.4, metric="val_loss"))
    assert answer.sentences[0].startswith(
        "batch:before lowers validation loss from 1.500 to 1.387, better than none: -0.113"
    )


def test_an_interval_that_includes_0_decides_nothing():
    answer = answer_of(evidence(make_study(seeds=range(6)), gaining(UNCLEAR), 0.2))
    assert answer.sentences[0].startswith(
        "batch:before against none in validation accuracy is undecided: 0.000 (95% interval -0.0"
    )
    assert answer.notes == (MORE,)


@pytest.mark.parametrize(
    ("n", "note"),
    [
        (3, "Too few seeds: 3 pairs can't be significant over 1 comparison, 6 pairs can" + HINT),
        (5, "Too few seeds: 5 pairs can't be significant over 1 comparison, 6 pairs can" + HINT),
    ],
)
def test_too_few_seeds_for_significance_are_noted(n, note):
    assert answer_of(evidence(make_study(seeds=range(n)), gaining(GAINS))).notes == (note,)


def test_one_seed_is_too_few_to_judge():
    answer = answer_of(evidence(make_study(seeds=(0,)), gaining(GAINS)))
    assert answer.sentences[0] == (
        "batch:before differs from none in validation accuracy by +0.100 (1 pair of seeds, no interval): one pair "
        "of seeds is too few to judge."
    )


def test_several_comparisons_are_counted_and_the_extremes_named():
    def make(config):
        gain = {0.01: 0.2, 0.1: -0.1}[config.lr] * (config.norm != "none")
        return complete(config, (0.4, 0.5 + gain + 0.001 * config.seed))

    axes = (("activation", ("relu", "tanh")), ("lr", (0.01, 0.1)))
    answer = answer_of(evidence(make_study(axes=axes, seeds=range(9)), make))
    assert answer.sentences == (
        "With relu at lr 0.01, batch:before raises validation accuracy from 0.504 to 0.704 (9 seeds; the largest of 4 "
        "differences).",
        "Better than none in validation accuracy: batch:before at activation relu, lr 0.01 and at activation tanh, lr "
        "0.01; worse: batch:before at activation relu, lr 0.1 and at activation tanh, lr 0.1.",
        "The smallest clear difference: with tanh at lr 0.1, batch:before lowers validation accuracy from 0.504 to "
        "0.404.",
        "From lr 0.01 to 0.1, batch:before's advantage over none in validation accuracy shrinks by 0.300 (all equal) "
        "with activation relu; the advantage shrinks by 0.300 (all equal) with activation tanh.",
    )
    assert answer.notes == (DECIDED,)


def test_what_is_decided_comes_before_what_is_not():
    """The arm layer is clearly better by less than batch may be, which is undecided."""

    def make(config):
        gain = {"none": 0.0, "batch": 0.3 * (-1) ** config.seed + 0.08, "layer": 0.05 + 0.001 * config.seed}
        return complete(config, (0.4, 0.6 + gain[config.norm]))

    answer = answer_of(evidence(make_study("none,batch:before,layer:before", seeds=range(8)), make, 0.1))
    assert answer.sentences == (
        "layer:before raises validation accuracy from 0.600 to 0.654 (8 seeds; the only clear one of 2 differences).",
        "Better than none in validation accuracy: layer:before; undecided: 1 of 2 comparisons.",
    )


def test_many_points_of_an_arm_are_counted():
    rates = (0.001, 0.01, 0.05, 0.1, 0.2)

    def make(config):
        gain = 0.0 if config.norm == "none" else UNCLEAR[config.seed % 6] if config.lr == 0.2 else -0.1
        return complete(config, (0.4, 0.6 + gain))

    shown = evidence(make_study(axes=(("lr", rates),), seeds=range(9)), make, 0.1)
    assert answer_of(shown).sentences[:2] == (
        "At lr 0.001, batch:before lowers validation accuracy from 0.600 to 0.500 (9 seeds; the largest clear one of 5 "
        "differences).",
        "Worse than none in validation accuracy: batch:before (4 of 5 comparisons); undecided: 1 of 5 comparisons.",
    )


def test_where_points_make_a_long_sentence_they_are_counted():
    arms = ["batch:before", "layer:before", "group:before", "rms:before", "batch:after"]
    rates = (0.001, 0.002, 0.01, 0.05)

    def make(config):
        gain = 0.0 if config.norm == "none" or config.lr == 0.05 else 0.1
        return complete(config, (0.4, 0.6 + gain))

    def tally(n_arms):
        study = make_study(",".join(["none", *arms[:n_arms]]), (("lr", rates),), range(10))
        return answer_of(evidence(study, make, 0.1)).sentences[1]

    points = "at lr 0.001 and at lr 0.002 and at lr 0.01"
    assert tally(2) == (
        f"Better than none in validation accuracy: batch:before {points}, layer:before {points}; undecided: 2 of 8 "
        "comparisons."
    )
    counts = ", ".join(f"{arm} (3 of 4 comparisons)" for arm in arms)
    assert tally(5) == f"Better than none in validation accuracy: {counts}; undecided: 5 of 20 comparisons."


def test_runs_that_reach_the_threshold_and_fall_back_are_noted():
    """Two of six runs with the norm are the fastest, and end at chance."""

    def make(config):
        if config.norm == "none":
            return complete(config, (0.1, 0.5, 0.9))
        return complete(config, (0.1, 0.9, 0.1) if config.seed < 2 else (0.1, 0.9, 0.9))

    note = (
        "Note: runs that reach the threshold and end below it: batch:before 2 of 6. Their hit epochs and speed-ups "
        "count all the same."
    )
    shown = evidence(make_study(seeds=range(6)), make, 0.1, threshold=0.8)
    assert answer_of(shown).notes[0] == note
    assert table_caption(shown).splitlines()[1:] == [note]
    assert len(table_caption(shown, ["hit epoch"]).splitlines()) == 1
    assert [row["fell back"] for row in hit_rows(shown)] == ["0", "2"]
    loss = evidence(make_study(seeds=range(6)), make, 0.1, threshold=1.2, metric="val_loss")
    assert answer_of(loss).notes[0] == note.replace("below", "above")
    assert "fell back" not in hit_rows(evidence(make_study(seeds=range(6)), gaining(GAINS)))[0]


def test_a_difference_within_the_margin_is_equivalent():
    gains = (0.001, 0.002, 0.001, 0.002, 0.003, 0.001)
    shown = evidence(make_study(seeds=range(6)), gaining(gains), 0.2, margin=0.01)
    assert answer_of(shown).sentences[0] == (
        "batch:before is equivalent to none in validation accuracy, between -0.01 and +0.01: +0.002 (95% interval "
        "+0.001 to +0.003, 6 pairs of seeds)."
    )
    several = evidence(make_study(axes=LR, seeds=range(9)), gaining((*gains, *gains)), 0.2, margin=0.01)
    assert answer_of(several).sentences[0] == "batch:before is equivalent to none in all 3 comparisons."


@pytest.mark.parametrize("axes", [(), (("lr", (0.01, 0.1)),)])
def test_an_arm_that_dies_in_some_seeds_is_not_called_worse_for_its_mean(axes):
    """One of ten seeds dies; the others are as good as the baseline."""

    def make(config):
        dies = config.norm == "batch" and config.seed == 4
        noise = 0.002 * (-1) ** config.seed * (config.norm == "batch")
        return complete(config, (0.1, 0.1 if dies else 0.97 + 0.001 * config.seed + noise))

    shown = evidence(make_study(axes=axes, seeds=range(10)), make, 0.1)
    answer = answer_of(shown)
    if axes:
        assert answer.sentences[0] == "Both comparisons with none in validation accuracy are undecided."
        assert answer.notes[-1].startswith("In 2 comparisons only some seeds learned: there the verdict rests on ")
        return
    assert answer.sentences[0] == (
        "batch:before learns in 9 of 10 seeds (95% interval 0.60 to 0.98), none in 10 of 10 seeds (95% interval 0.72 "
        "to 1.00); where both learned, the difference in validation accuracy is 0.000 (95% interval -0.002 to +0.001, "
        "9 pairs of seeds): undecided."
    )


def test_with_the_axis_lr_the_arms_are_compared_at_their_best_rates():
    answer = answer_of(evidence(make_study(axes=LR, seeds=range(9)), gaining(GAINS * 2)))
    assert answer.sentences[1].startswith(
        "With each arm at its own best learning rate, batch:before differs from none by +0.11"
    )
    assert answer.sentences[1].endswith(
        "; most seeds learn over 2 decades of learning rates with batch:before, over no range with none."
    )


@pytest.mark.parametrize(
    ("axes", "make", "expected"),
    [
        ((), complete, ("none ends at a validation accuracy of 0.700 (the same in all 2 seeds).",)),
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
def test_a_single_arm_is_described_by_its_scores(axes, make, expected):
    sentences = answer_of(evidence(make_study("none", axes), make)).sentences
    assert len(sentences) == len(expected)
    assert all(map(str.startswith, sentences, expected))


def test_the_only_finished_comparison_names_its_point():
    """As an interrupted sweep leaves it: both arms at one value, the baseline alone at the next."""
    axes = (("activation", ("relu", "sigmoid")),)

    def make(config):
        there = config.activation == "relu" or config.norm == "none"
        return gaining(GAINS)(config) if there else None

    answer = answer_of(evidence(make_study(axes=axes, seeds=range(6)), make, 0.4, threshold=0.55))
    assert answer.sentences[0].startswith(
        "With relu, batch:before raises validation accuracy from 0.500 to 0.613, better than none: +0.113"
    )
    assert answer.sentences[1] == (
        "Median epoch at which the smoothed val_accuracy reaches 0.550: 2 [2, 2] for batch:before, never for none (0 "
        "of 6 and 6 of 6 seeds never reach it)."
    )


def test_best_rates_are_compared_with_the_baseline_by_name_and_need_a_best_one():
    def without_first_rate(config):
        return failed(config) if config.lr == 0.001 and config.norm == "none" else gaining(GAINS * 2)(config)

    study = make_study(axes=LR, seeds=range(9))
    sentence = answer_of(evidence(study, without_first_rate)).sentences[1]
    assert sentence.startswith("With each arm at its own best learning rate, batch:before differs from none by +0.11")

    def diverging(config):
        return diverged(config) if config.seed == 0 else gaining(GAINS * 2)(config)

    sentences = answer_of(evidence(study, diverging, metric="val_loss")).sentences
    assert not any("best learning rate" in sentence or "Largest" in sentence for sentence in sentences)


def test_failed_and_missing_runs_limit_the_answer():
    makes = {0: failed, 1: lambda config: None}
    shown = evidence(make_study(seeds=range(8)), lambda config: makes.get(config.seed, learned)(config))
    assert answer_of(shown).notes[1:] == ("2 runs failed and count in no number.", "2 of 16 runs are still missing.")


def test_runs_that_diverged_are_counted_in_the_notes():
    notes = answer_of(evidence(make_study(), diverged)).notes
    assert "4 runs diverged: as accuracy the trivial score counts, and a loss is missing." in notes
