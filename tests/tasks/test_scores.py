"""The Brier score is scikit-learn's, and the calibration error is that of its definition."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from bncli.tasks.scores import BINS, Tally

RNG = np.random.default_rng(0)


def scores(y, *predicted):
    """The scores of a tally that gets the rows in two unequal parts."""
    tally, values = Tally(), np.stack(predicted)
    for rows in (slice(0, 70), slice(70, None)):
        tally.add(y[rows], values[:, rows])
    return tally.scores()


def test_the_brier_score_of_several_classes_is_that_of_scikit_learn():
    y, runs = RNG.integers(0, 4, 200), RNG.dirichlet(np.ones(4), size=(3, 200))
    expected = [brier_score_loss(y, run, labels=range(4)) for run in runs]
    assert scores(y, *runs)["brier"] == pytest.approx(expected)


def test_the_brier_score_of_two_classes_is_that_of_scikit_learn():
    y, p = RNG.integers(0, 2, 200), RNG.random((200, 1))
    assert scores(y, p)["brier"] == pytest.approx([brier_score_loss(y, p[:, 0])])


def test_the_calibration_error_follows_its_definition():
    y, p = RNG.integers(0, 3, 300), RNG.dirichlet(np.ones(3), size=300)
    confidence, correct = p.max(axis=1), p.argmax(axis=1) == y
    expected = 0.0
    for number in range(BINS):
        inside = (confidence > number / BINS) & (confidence <= (number + 1) / BINS)
        if inside.any():
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert scores(y, p)["calibration_error"] == pytest.approx([expected])


def test_probabilities_that_are_true_have_a_small_calibration_error():
    p = RNG.random((20_000, 1))
    y = (RNG.random(20_000) < p[:, 0]).astype(int)
    assert scores(y, p)["calibration_error"][0] < 0.02
    assert scores(1 - y, p)["calibration_error"][0] > 0.3


def test_nan_spoils_the_scores_of_its_own_run_only():
    y, p = RNG.integers(0, 2, 100), RNG.random((100, 1))
    for found in scores(y, p, np.full_like(p, np.nan)).values():
        assert np.isfinite(found).tolist() == [True, False]
