"""How far moving averages lag behind."""

import pytest
from fakes import evidence, make_study, record

from bncli.analysis.evidence import make_evidence, read_evidence
from bncli.analysis.lag import Lag, find_lag

ROWS = 500


def lag_of(rows=ROWS, **study):
    return find_lag(dict(make_study(**study).plan().runs), rows)


def test_the_reviewed_case():
    """`compare -d moons`: 10 epochs of 16 steps, and 20 % of the initial values are left."""
    lag = lag_of(arms="none,batch:before", epochs=10)
    assert lag == Lag(("batch:before",), 0.99, 160, pytest.approx(0.2, abs=0.001))


@pytest.mark.parametrize(
    "study",
    [
        {"arms": "none,batch:before+norm_momentum=0.9", "epochs": 10},
        {"arms": "none,batch:before", "epochs": 19},
        {"arms": "none,layer:before", "epochs": 1},
    ],
    ids=["smaller-momentum", "enough-epochs", "no-moving-averages"],
)
def test_where_nothing_lags(study):
    assert lag_of(**study) is None


def test_a_part_of_a_batch_is_a_step():
    assert (lag_of(epochs=1, rows=32).n_steps, lag_of(epochs=1, rows=33).n_steps) == (1, 2)


def test_the_run_that_lags_most_is_told_and_all_arms_that_lag():
    lag = lag_of(arms="none,batch:before,batch:after+norm_momentum=0.5", axes=(("epochs", (1, 2, 100)),))
    assert (lag.arms, lag.n_steps, lag.is_worst) == (("batch:before",), 16, True)
    assert lag_of(arms="none,batch:before,batch:after", epochs=1).arms == ("batch:before", "batch:after")


def test_without_known_rows_nothing_is_said():
    assert lag_of(rows=None) is None


def test_the_rows_are_those_of_the_data_at_hand_or_of_the_folder(tmp_path):
    study = make_study(epochs=1)
    shown = evidence(study)
    record(tmp_path / "out", shown)
    for found in (make_evidence(study, study.plan(), shown.results), read_evidence(tmp_path / "out")):
        assert found.training_rows == 20
        assert found.lag.n_steps == 1


def test_data_sets_of_different_sizes_have_no_common_number_of_rows(tmp_path):
    study = make_study(axes=(("n_samples", (40, 80)),))
    shown = evidence(study)
    record(tmp_path / "out", shown)
    assert make_evidence(study, study.plan(), shown.results).training_rows is None
    assert read_evidence(tmp_path / "out").training_rows is None
