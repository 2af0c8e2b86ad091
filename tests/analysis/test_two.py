"""Two studies side by side."""

import pytest
from fakes import complete, evidence, make_study

from bncli.analysis.two import have_same_data, settings_that_differ, two_table
from bncli.config import RunConfig
from bncli.data import datasets
from bncli.resolution import resolve

AXES = (("lr", (0.01, 0.1)),)


def ending_at(end):
    return lambda config: complete(config, (0.4, end + 0.001 * config.seed))


def test_the_same_arm_is_compared_by_seed():
    first = evidence(make_study(seeds=range(8)), ending_at(0.5), 0.1)
    second = evidence(make_study("none,layer:before", seeds=range(6)), ending_at(0.6), 0.1)
    table = two_table(first, second, is_paired=True)
    assert table["arm"].tolist() == ["none"]
    row = table.iloc[0]
    assert (row["n_first"], row["n_second"], row["n"]) == (6, 6, 6)
    assert row["mean_difference"] == pytest.approx(0.1)
    assert row["mean_first"] == pytest.approx(0.5025)
    assert row["verdict"] == "better"


def test_rows_are_matched_by_the_values_of_the_axes():
    first = evidence(make_study("none", AXES, range(3)), ending_at(0.5), 0.1)
    second = evidence(make_study("none", (("lr", (0.1, 1.0)),), range(3)), ending_at(0.6), 0.1)
    table = two_table(first, second, is_paired=True)
    assert table["param_lr"].tolist() == [0.1]


def test_without_pairs_there_is_no_difference_and_no_verdict():
    shown = evidence(make_study(), ending_at(0.5), 0.1)
    table = two_table(shown, shown, is_paired=False)
    assert not {"mean_difference", "verdict", "n"} & set(table)
    assert len(table) == 2


def test_nothing_in_common_is_an_empty_table():
    first, second = (evidence(make_study(arms), ending_at(0.5), 0.1) for arms in ("none", "layer:before"))
    assert two_table(first, second, is_paired=True).empty


def test_data_are_the_same_by_their_fingerprints():
    data = {"datasets": {"a": {"fingerprint": "1"}}}
    assert have_same_data(data, {"datasets": {"b": {"fingerprint": "1"}}})
    assert not have_same_data(data, {"datasets": {"a": {"fingerprint": "2"}}})
    assert not have_same_data({"datasets": {"a": {}}}, {"datasets": {"a": {}}})
    assert not have_same_data({}, {})


def test_another_split_of_the_same_rows_is_other_data():
    prints = [datasets.load(resolve(RunConfig(test_size=size))[0]).fingerprint() for size in (0.0, 0.2, 0.3)]
    assert len(set(prints)) == 3


def test_only_settings_that_differ_are_told():
    first = evidence(make_study(axes=AXES, seeds=range(2)), ending_at(0.5), 0.1)
    second = evidence(make_study(axes=AXES, seeds=range(3), epochs=4), ending_at(0.5), 0.1)
    assert settings_that_differ(first, second) == [
        {"setting": "epochs", "first": "3", "second": "4"},
        {"setting": "seeds", "first": "2", "second": "3"},
    ]
    assert settings_that_differ(first, first) == []
