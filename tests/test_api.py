"""The library face: what a notebook calls."""

import pytest

import bncli
from bncli.errors import StoreError
from bncli.study.arms import parse_arms

TINY = {"dataset": "circles", "model": "dense4", "epochs": 2, "n_samples": 64}


def test_train_returns_the_result_of_one_run():
    result = bncli.train(bncli.RunConfig(**TINY, norm="batch", seed=3))
    assert (result.state, result.config.seed, result.config.scaling) == ("complete", 3, "none")
    assert len(result.history["val_accuracy"]) == 2


def test_a_study_is_trained_stored_and_read_back(tmp_path):
    study = bncli.Study("mine", bncli.RunConfig(**TINY), parse_arms("none,batch:after"), seeds=(0, 1))
    results = bncli.run_study(study, out=tmp_path / "s")
    table = bncli.load_runs(tmp_path / "s")
    assert [(row.arm, row.seed) for row in table.itertuples()] == [
        (arm, seed) for arm in ("none", "batch:after") for seed in (0, 1)
    ]
    assert table["val_accuracy"].tolist() == [result.metrics["val_accuracy"] for result in results]
    assert [result.history for result in bncli.run_study(study)] == [result.history for result in results]


def test_a_folder_without_a_study_is_an_error(tmp_path):
    with pytest.raises(StoreError, match=r"holds no study \(no study\.json\)"):
        bncli.load_runs(tmp_path)
