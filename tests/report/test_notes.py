"""The notes under a table."""

from dataclasses import replace

import pytest
from fakes import complete, evidence, learned, make_study

from bncli.analysis.lag import Lag
from bncli.report.answer import answer_of
from bncli.report.notes import lag_notice, norm_note, statistics_note, stopped_note
from bncli.report.rows import result_rows, table_caption
from bncli.study.files import load_study

WHAT = "still hold 20% of their initial values (0.99^160). Validation measures that lag: try "


def lag_of(arms, rows=500, axes=(), **fields):
    return statistics_note(evidence(make_study(arms, axes, **fields), learned, training_rows=rows))


def test_the_note_on_lag_has_the_numbers_and_the_remedy():
    assert lag_of("none,batch:before", epochs=10) == (
        f"Note: 160 training steps; the moving averages of batch:before {WHAT}"
        "batch:before+norm_momentum=0.9, or more epochs."
    )


@pytest.mark.parametrize(
    ("arms", "more", "remedy"),
    [
        ("batch:before,batch:after", {}, "batch:before+norm_momentum=0.9, or more epochs."),
        ("batch+norm_momentum=0.99", {}, "norm_momentum 0.9 or less, or more epochs."),
        ("batch", {"axes": (("norm_momentum", (0.99, 0.9)),)}, "norm_momentum 0.9 or less, or more epochs."),
        ("batch", {"epochs": 1}, "batch+norm_momentum=0.5, or more epochs."),
        ("batch", {"epochs": 1, "rows": 20}, "more epochs."),
    ],
)
def test_the_remedy_is_one_that_helps_and_can_be_given(arms, more, remedy):
    assert lag_of(arms, **{"epochs": 10} | more).endswith(f"that lag: try {remedy}")


def test_the_arms_that_lag_are_listed_and_the_worst_case_is_called_so():
    note = lag_of("none,batch:before,batch:after,batch:after+center=false", axes=(("epochs", (10, 100)),))
    assert (
        "the moving averages of batch:before, batch:after and batch:after+center=false still hold up to 20% of" in note
    )


def test_where_nothing_lags_there_is_no_note():
    assert lag_of("none,batch:before", epochs=100) == lag_of("none,layer:before") == ""
    assert statistics_note(evidence(make_study())) == ""


def test_the_lag_is_noted_under_the_table_and_on_the_page():
    shown = evidence(make_study("none,batch:before", epochs=10), training_rows=500)
    note = statistics_note(shown)
    assert table_caption(shown).splitlines()[-1] == note
    assert answer_of(shown).notes[0] == note


def test_an_arm_is_shown_with_the_settings_that_its_label_hides():
    """The flagship's arm is called `batch:before` and is more than that."""
    flagship = load_study("lr-activation").vary(seeds=(0,))
    assert norm_note(evidence(flagship)) == "batch:before here: norm_momentum 0.9, norm_output true"
    assert norm_note(evidence(flagship)) in table_caption(evidence(flagship)).splitlines()


@pytest.mark.parametrize(
    ("arms", "axes", "fields", "note"),
    [
        ("none,batch:before", (), {}, ""),
        ("none,batch:before,batch:after", (), {"center": False}, "batch:before, batch:after here: center false"),
        ("none,batch:before+center=false", (), {"center": False}, ""),
        ("none,batch:before", (("center", (True, False)),), {"center": False}, ""),
        (
            "none,batch:before,layer:before",
            (),
            {"norm_momentum": 0.5, "center": False},
            "batch:before here: center false, norm_momentum 0.5; layer:before here: center false",
        ),
        ("none,batch", (), {"placement": "after"}, "batch here: placement after"),
        ("none", (), {"norm_momentum": 0.5}, ""),
    ],
)
def test_settings_that_a_label_an_axis_or_the_default_shows_are_not_repeated(arms, axes, fields, note):
    assert norm_note(evidence(make_study(arms, axes, **fields))) == note


def measured(moving, population, name="val_accuracy"):
    def make(config):
        done = complete(config, (0.5, 0.8))
        scores = {name: moving, f"population_{name}": population} if config.norm == "batch" else {}
        return replace(done, metrics=done.metrics | {"population_val_accuracy": 0.8} | scores)

    return make


def note_of(moving, population, metric="val_accuracy", rows=500, axes=(), **fields):
    study, make = make_study("none,batch:before", axes, **fields), measured(moving, population, metric)
    return statistics_note(evidence(study, make, metric=metric, training_rows=rows))


def test_what_a_score_loses_to_averages_that_began_at_0_and_1_is_said_with_the_remedy():
    assert note_of(0.78, 0.99, epochs=10) == (
        "Note: batch:before loses 0.210 of its validation accuracy to averages that still hold 20% of their initial "
        "values after 160 steps: 0.780 with moving, 0.990 with population statistics; "
        "try batch:before+norm_momentum=0.9, or more epochs."
    )


def test_averages_may_lag_although_nothing_of_their_initial_values_is_left():
    assert note_of(0.78, 0.99, epochs=100).startswith(
        "Note: batch:before loses 0.210 of its validation accuracy to averages that lag behind the weights "
        "(momentum 0.99): "
    )


def test_a_loss_has_more_and_a_better_score_is_no_loss():
    assert note_of(0.5, 0.25, "val_loss", epochs=100).startswith(
        "Note: batch:before has 0.250 more validation loss because of averages that lag behind the weights "
    )
    assert note_of(0.9, 0.8) == (
        "Note: batch:before scores a validation accuracy of 0.900 with moving, 0.800 with population statistics."
    )


def test_the_place_on_the_axes_and_the_number_of_gaps_are_said():
    note = note_of(0.7, 0.9, axes=(("lr", (0.01, 0.1)),), epochs=100)
    assert note.startswith("Note: batch:before at lr 0.01 loses 0.200")
    assert "population statistics (the largest of 2 such gaps); try " in note


def test_numbers_of_some_runs_alone_say_so():
    def make(config):
        done = complete(config, (0.5, 0.7 if config.seed else 0.5))
        return replace(done, metrics=done.metrics | {"population_val_accuracy": 0.9 if config.seed else 0.5})

    shown = evidence(make_study("batch:before", seeds=(0, 1, 2), epochs=100), make, training_rows=500)
    assert "population statistics (mean of the 2 of 3 runs that learn by these); try " in statistics_note(shown)


def test_where_nothing_is_lost_nothing_is_said_however_much_the_averages_hold():
    assert note_of(0.8, 0.8, epochs=1) == ""


def test_the_table_has_a_column_of_the_metric_with_population_statistics_where_there_is_a_gap():
    for moving, has_column in ((0.6, True), (0.9, False)):
        shown = evidence(make_study(), measured(moving, 0.9), training_rows=500)
        assert (result_rows(shown)[1].get("population") == "0.900") is has_column
        assert ("population: mean with statistics that" in table_caption(shown)) is has_column


def test_before_training_the_notice_says_what_averages_will_hold():
    lag = Lag(("batch:before", "batch:after"), 0.99, 160, 0.2003, is_worst=True)
    assert lag_notice(lag) == (
        "After 160 training steps the moving averages of batch:before and batch:after will still hold up to 20% of "
        "their initial values (0.99^160), and validation will measure that; metrics with population statistics will "
        "not. Try norm_momentum=0.9, or more epochs."
    )


def test_runs_that_their_patience_stopped_are_counted_by_arm():
    lengths = {("none", 0): 3, ("none", 1): 2, ("batch", 0): 1, ("batch", 1): 1}
    study = make_study(patience=1, epochs=3)
    shown = evidence(study, lambda config: complete(config, (0.5, 0.6, 0.7)[: lengths[config.norm, config.seed]]))
    assert stopped_note(shown) == (
        "Note: runs that stopped early because their validation loss no longer fell: none 1 of 2, batch:before 2 of 2, "
        "in epoch 1 (median). Their scores are those of their last epoch, and mean curves go on with their last "
        "value."
    )
    assert stopped_note(evidence(make_study(epochs=3), complete)) == ""
