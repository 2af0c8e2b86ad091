"""What a saved model's file says of its training."""

import json
import zipfile

import numpy as np
import pytest

from bncli.backend import keras
from bncli.networks.saved import SavedTraining, saved_training


def saved(path, optimizer=None, steps=0, **noted):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
    if optimizer:
        model.compile(optimizer, "sparse_categorical_crossentropy")
        if steps:
            model.fit(np.zeros((8 * steps, 2)), np.zeros(8 * steps), batch_size=8, verbose=0)
    model.save(path)
    if noted:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("names.json", json.dumps(noted))
    return saved_training(path)


def test_the_optimizer_of_a_fitted_model_counts_its_steps(tmp_path):
    assert saved(tmp_path / "a.keras", "adam", 3) == SavedTraining(n_steps=3)
    assert saved(tmp_path / "b.keras", keras.optimizers.AdamW(weight_decay=0.02), 2) == SavedTraining(2, None, 0.02)
    assert saved(tmp_path / "c.keras", "adam") == SavedTraining(n_steps=0)
    assert saved(tmp_path / "d.keras") == SavedTraining()


def test_what_bncli_noted_counts_where_the_optimizer_counted_nothing(tmp_path):
    training = {"n_steps": 430, "batch_size": 32, "decay": "kernels"}
    noted = {"class_names": ["a", "b"], "training": training}
    assert saved(tmp_path / "a.keras", "adam", **noted) == SavedTraining(430, 32, 0.0, "kernels")
    assert saved(tmp_path / "b.keras", "adam", 3, **noted) == SavedTraining(3, 32, 0.0, "kernels")


@pytest.mark.parametrize("training", [None, 3, {"n_steps": True, "batch_size": "many", "decay": 1}, {"n_steps": -1}])
def test_a_member_that_someone_else_wrote_says_nothing(tmp_path, training):
    assert saved(tmp_path / "a.keras", training=training) == SavedTraining()
