"""The notes under a table."""

import pytest
from fakes import evidence, learned, make_study

from bncli.report.answer import answer_of
from bncli.report.notes import lag_note, norm_note
from bncli.report.rows import table_caption
from bncli.study.files import load_study

WHAT = "still hold 20% of their initial values (0.99^160). Validation measures that lag: try "


def lag_of(arms, rows=500, axes=(), **fields):
    return lag_note(evidence(make_study(arms, axes, **fields), learned, training_rows=rows))


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
    assert lag_note(evidence(make_study())) == ""


def test_the_lag_is_noted_under_the_table_and_on_the_page():
    shown = evidence(make_study("none,batch:before", epochs=10), training_rows=500)
    note = lag_note(shown)
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
