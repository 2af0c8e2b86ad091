"""How classes are answered: recalls and confusions over runs."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import complete, diverged, evidence, make_study
from sklearn.metrics import confusion_matrix

from bncli.analysis.classes import classes_table, confusion_of_runs
from bncli.report.more_rows import class_rows
from bncli.tasks.scores import confusion_of


def counted(config):
    """A run that answers 8 of 10 rows of class 0, 9 with batch normalization, and as many of 5 of class 1 as it can."""
    right = 9 if config.norm == "batch" else 8
    return replace(complete(config), confusion=[[right, 10 - right], [config.seed % 2, 5 - config.seed % 2]])


def test_the_confusion_counts_answers_by_class_as_scikit_learn_does():
    rng = np.random.default_rng(0)
    y, runs = rng.integers(0, 4, 60), rng.dirichlet(np.ones(4), size=(3, 60))
    expected = [confusion_matrix(y, run.argmax(axis=1), labels=range(4)) for run in runs]
    np.testing.assert_array_equal(confusion_of(y, runs, 4), expected)
    one = rng.random((2, 60, 1))
    expected = [confusion_matrix(y % 2, run[:, 0] > 0.5, labels=range(2)) for run in one]
    np.testing.assert_array_equal(confusion_of(y % 2, one, 2), expected)


def test_every_class_has_its_share_that_is_right_and_its_difference_from_the_baseline():
    shown = replace(evidence(make_study(seeds=(0, 1)), counted), class_names=("cat", "dog"))
    table = shown.classes_table.set_index(["arm", "class"])
    assert table["rows"].tolist() == [10, 5, 10, 5]
    assert table["recall"].tolist() == pytest.approx([0.8, 0.9, 0.9, 0.9])
    assert table["difference"].fillna(-1).tolist() == pytest.approx([-1, -1, 0.1, 0.0])
    assert [(row["class"], row["arm"]) for row in class_rows(shown)] == [
        ("cat", "none"),
        ("cat", "batch:before"),
        ("dog", "none"),
        ("dog", "batch:before"),
    ]


def test_classes_without_names_have_numbers_and_runs_without_answers_are_left_out():
    shown = evidence(make_study("none", seeds=(0, 1)), lambda c: counted(c) if c.seed else diverged(c, (0.1,)))
    assert shown.classes_table[["class", "n"]].to_numpy().tolist() == [["0", 1], ["1", 1]]
    without = evidence(make_study("none", seeds=(0, 1)), complete)
    assert without.classes_table.empty
    assert class_rows(without) == []
    assert list(classes_table([], {}).columns)[:3] == ["condition", "arm", "baseline"]


def test_the_mean_confusion_is_of_shares():
    runs = {seed: counted(make_study("none").base.replace(seed=seed)) for seed in (0, 1)}
    np.testing.assert_allclose(confusion_of_runs(runs), [[0.8, 0.2], [0.1, 0.9]])
    assert confusion_of_runs({0: complete(make_study("none").base)}) is None
