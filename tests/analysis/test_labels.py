"""Other names for arms."""

import pytest
from fakes import evidence, make_study

from bncli.analysis.labels import parse_labels, with_labels
from bncli.errors import InvalidConfig, UnknownName
from bncli.report.answer import answer_of
from bncli.report.rows import result_rows


def test_new_names_are_in_every_table_and_change_no_number():
    shown = evidence(make_study("none,batch:before,layer:before", seeds=range(3)))
    named = with_labels(shown, {"none": "Plain", "batch:before": "BN (ours)"})
    assert [row["arm"] for row in result_rows(named)] == ["Plain", "BN (ours)", "layer:before"]
    without = [[{**row, "arm": ""} for row in result_rows(each)] for each in (shown, named)]
    assert without[0] == without[1]
    assert "with Plain" in answer_of(named).sentences[0]
    assert shown.arms == ("none", "batch:before", "layer:before")


@pytest.mark.parametrize("text", ["", "none", "none=", "=BN", "none=Plain,"])
def test_a_pair_that_is_none_is_refused(text):
    with pytest.raises(InvalidConfig) as caught:
        parse_labels([text])
    assert str(caught.value) == (
        f"--labels must be ARM=NAME,ARM=NAME,... Received: {text!r}. Try --labels none=Plain,batch:before=BN."
    )


def test_an_arm_with_an_equals_sign_is_named_by_the_last_one():
    assert parse_labels(["batch:after+center=false=BN"]) == {"batch:after+center=false": "BN"}


def test_names_must_differ_and_arms_exist():
    shown = evidence(make_study())
    with pytest.raises(InvalidConfig, match=r"^--labels must keep the names of arms different\. Received: BN, BN\.$"):
        with_labels(shown, {"none": "BN", "batch:before": "BN"})
    with pytest.raises(UnknownName, match=r"^Unknown arm 'batch'\. Allowed: none, batch:before\."):
        with_labels(shown, {"batch": "BN"})
