"""Scores are scikit-learn's where it has them; trivial scores are those of the best constant answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from bncli.tasks.scores import BINS, SCORES, scores_of, trivial_scores

RNG = np.random.default_rng(0)


def classifier(n_classes, n_rows=200, n_runs=3):
    """Labels, and the probabilities that runs give; some classes are rare."""
    shares = 0.5 ** np.arange(n_classes)
    y = np.concatenate([np.arange(n_classes), RNG.choice(n_classes, n_rows - n_classes, p=shares / shares.sum())])
    return y, RNG.dirichlet(np.ones(n_classes), size=(n_runs, n_rows))


def by_scikit_learn(y, p):
    """The scores of one run; `p` has a column per class."""
    answers, classes = p.argmax(axis=1), np.arange(p.shape[1])
    found = {
        "accuracy": metrics.accuracy_score(y, answers),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, answers),
        "f1": metrics.f1_score(y, answers, average="macro"),
        "nll": metrics.log_loss(y, p, labels=classes),
        "brier": ((p - np.eye(len(classes))[y]) ** 2).sum(axis=1).mean() / (2 if len(classes) == 2 else 1),
    }
    if len(classes) == 2:
        return found | {"auc": metrics.roc_auc_score(y, p[:, 1]), "brier": metrics.brier_score_loss(y, p[:, 1])}
    found["auc"] = np.mean([metrics.roc_auc_score(y == each, p[:, each]) for each in classes])
    top = {"top5": metrics.top_k_accuracy_score(y, p, k=5, labels=classes)} if len(classes) > 5 else {}
    return found | top


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_scores_of_classes_are_those_of_scikit_learn(n_classes):
    y, runs = classifier(n_classes)
    found = scores_of("classification", y, runs)
    expected = [by_scikit_learn(y, run) for run in runs]
    assert set(found) == {*expected[0], "calibration_error"}
    for name in expected[0]:
        assert found[name] == pytest.approx([each[name] for each in expected], rel=1e-5), name


def test_one_output_is_the_probability_of_the_second_class():
    y, runs = classifier(2)
    both, one = scores_of("classification", y, runs), scores_of("classification", y, runs[..., 1:])
    for name in both:
        assert one[name] == pytest.approx(both[name], rel=1e-5), name


def test_equal_probabilities_count_as_half_a_pair_in_the_area():
    y, p = np.array([0, 1, 0, 1, 1]), np.array([0.5, 0.5, 0.2, 0.2, 0.9])
    found = scores_of("classification", y, p[None, :, None])
    assert found["auc"] == pytest.approx([metrics.roc_auc_score(y, p)])


def test_the_area_is_unknown_where_a_class_has_no_rows():
    found = scores_of("classification", np.zeros(9, int), RNG.random((2, 9, 1)))
    assert np.isnan(found["auc"]).all()
    assert np.isfinite(found["balanced_accuracy"]).all()


def test_scores_of_quantities_are_those_of_scikit_learn():
    y, runs = RNG.normal(50, 9, 200), RNG.normal(50, 9, (3, 200, 1))
    found = scores_of("regression", y, runs)
    expected = {
        "r2": metrics.r2_score,
        "mae": metrics.mean_absolute_error,
        "mse": metrics.mean_squared_error,
        "rmse": metrics.root_mean_squared_error,
    }
    assert set(found) == set(expected)
    for name, function in expected.items():
        assert found[name] == pytest.approx([function(y, run[:, 0]) for run in runs]), name


def test_quantities_that_are_all_alike_have_no_share_of_variance():
    assert np.isnan(scores_of("regression", np.ones(4), np.ones((1, 4, 1)))["r2"]).all()


def test_runs_are_scored_in_blocks_as_they_are_at_once(monkeypatch):
    y, runs = classifier(3, n_runs=5)
    whole = scores_of("classification", y, runs)
    monkeypatch.setattr("bncli.tasks.scores.BLOCK_VALUES", 2 * runs[0].size)
    for name, values in scores_of("classification", y, runs).items():
        assert values == pytest.approx(whole[name], abs=0), name


def test_the_calibration_error_follows_its_definition():
    y, p = RNG.integers(0, 3, 300), RNG.dirichlet(np.ones(3), size=300)
    confidence, correct = p.max(axis=1), p.argmax(axis=1) == y
    expected = 0.0
    for number in range(BINS):
        inside = (confidence > number / BINS) & (confidence <= (number + 1) / BINS)
        if inside.any():
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert scores_of("classification", y, p[None])["calibration_error"] == pytest.approx([expected])


def test_probabilities_that_are_true_have_a_small_calibration_error():
    p = RNG.random((1, 20_000, 1))
    y = (RNG.random(20_000) < p[0, :, 0]).astype(int)
    assert scores_of("classification", y, p)["calibration_error"][0] < 0.02
    assert scores_of("classification", 1 - y, p)["calibration_error"][0] > 0.3


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_nan_spoils_the_scores_of_its_own_run_only(task):
    y, p = RNG.integers(0, 2, 100), RNG.random((100, 1))
    for found in scores_of(task, y, np.stack([p, np.full_like(p, np.nan)])).values():
        assert np.isfinite(found).tolist() == [True, False]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=7, max_size=40))
def test_no_constant_class_or_share_beats_the_trivial_scores(rest):
    y = np.array([*range(7), *rest])
    shares = np.bincount(y, minlength=7) / len(y)
    constant = np.stack([*np.tile(np.eye(7)[:, None], (1, len(y), 1)), np.tile(shares, (len(y), 1))])
    found, trivial = scores_of("classification", y, constant), trivial_scores("classification", y)
    assert set(trivial) == set(found) - {"calibration_error"}
    for name, value in trivial.items():
        best = found[name].min() if SCORES[name].lower_is_better else found[name].max()
        assert value == pytest.approx(best, rel=1e-6), name


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=40).filter(lambda values: np.ptp(values) > 1e-3))
def test_no_constant_quantity_beats_the_trivial_scores(values):
    y = np.array(values)
    guesses = np.concatenate([y, [y.mean(), np.median(y)], np.linspace(y.min(), y.max(), 50)])
    constant = np.repeat(guesses[:, None, None], len(y), axis=1)
    found, trivial = scores_of("regression", y, constant), trivial_scores("regression", y)
    for name, value in trivial.items():
        best = found[name].min() if SCORES[name].lower_is_better else found[name].max()
        assert value == pytest.approx(best, rel=1e-6, abs=1e-9), name
