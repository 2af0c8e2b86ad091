"""A saved model takes raw rows, in a process that has Keras and no bncli."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from datafiles import write_npz, write_table
from engines.tiny_runs import train

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines import keras as oracle
from bncli.engines import saving, stacked
from bncli.resolution import resolve

PREDICT = """
import json, sys
import keras, numpy as np

for name in sys.argv[1:]:
    model = keras.models.load_model(f"{name}.keras")
    raw = np.load(f"{name}.npz")
    found = model.predict(raw["x"], verbose=0)
    classes = found.argmax(axis=1) if found.shape[1] > 1 else found[:, 0] > 0.5
    print(json.dumps(float(np.mean(classes == raw["y"]))))
print(json.dumps(model.evaluate(raw["x"], raw["y"], verbose=0)[1]))
assert "bncli" not in sys.modules
"""


def wine(folder):
    """A table whose features differ in scale by twenty powers of ten."""
    draw = np.random.default_rng(0)
    classes = np.arange(90) % 3
    columns = {"acid": classes + draw.normal(0, 0.7, 90), "ash": 1e-11 * (classes % 2 + draw.normal(5, 0.5, 90))}
    columns |= {"proline": 1e9 * (draw.normal(3, 0.1, 90) - classes)}
    return {"dataset": write_table(folder, [f"Grün {n}/\x1b" for n in classes], **columns), "label": "label"}


def photos(folder):
    x = np.random.default_rng(0).integers(0, 255, (60, 6, 6, 1), "uint8")
    return {"dataset": write_npz(folder, x=x, y=(x.mean(axis=(1, 2, 3)) > 127).astype(int)), "model": "conv4 flatten"}


DIGITS = {"dataset": "digits", "train_rows": ":200", "val_rows": ":50"}
CASES = {
    "none": (oracle, lambda _: {"dataset": "circles", "n_samples": 80, "model": "dense8"}),
    "images": (oracle, photos),
    "digits": (stacked, lambda _: DIGITS | {"norm": "batch"}),
    "ghost": (stacked, lambda _: DIGITS | {"norm": "batch", "ghost": 8}),
    "groups that fit": (oracle, lambda _: DIGITS | {"norm": "group"}),
    "a block": (stacked, lambda _: DIGITS | {"model": "conv4:same { conv4:same } gap", "norm": "batch"}),
    "standard images": (stacked, lambda _: DIGITS | {"scaling": "standard"}),
    "two outputs": (stacked, lambda _: {"dataset": "breast_cancer", "model": "dense8 softmax"}),
    "table": (oracle, wine),
    "table, stacked": (stacked, wine),
}


def trained(engine, config, path):
    """Train a run, save its model and the raw validation rows; return its validation accuracy."""
    data = datasets.load(config)
    (result,) = train(engine, [config], on_model=lambda _, model: saving.save(model, data, path))
    raw = datasets.load(config.replace(scaling="none"))
    np.savez(path.with_suffix(".npz"), x=raw.x_val, y=raw.y_val)
    return result.metrics["val_accuracy"]


@pytest.mark.parametrize(
    "names", [("images", "digits", "table, stacked"), pytest.param(tuple(CASES), marks=pytest.mark.slow)], ids=len
)
@pytest.mark.slow
def test_plain_keras_scores_raw_rows_as_the_run_did(names, tmp_path):
    expected = {}
    for name in names:
        engine, fields = CASES[name]
        config, _ = resolve(RunConfig(**{"model": "dense8", "epochs": 3, "lr": 0.05} | fields(tmp_path)))
        expected[name] = trained(engine, config, tmp_path / f"{name}.keras")
    command = [sys.executable, "-W", "error", "-I", "-c", PREDICT, *expected]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *predicted, evaluated = map(json.loads, done.stdout.splitlines())
    assert predicted == pytest.approx(list(expected.values()), abs=1e-6)
    assert evaluated == pytest.approx(expected["table, stacked"], abs=1e-6)
    assert expected["table, stacked"] > 0.8  # without the scaling, it guesses


def test_a_saved_model_outputs_what_the_trained_network_outputs(tmp_path):
    config, _ = resolve(RunConfig(**wine(tmp_path), model="dense8", epochs=2, norm="batch"))
    data, raw, found = datasets.load(config), datasets.load(config.replace(scaling="none")), []

    def look(_, model):
        found.append(model.predict(data.x_val, verbose=0))
        found.append(saving.with_scaling(model, data.scaler).predict(raw.x_val, verbose=0))

    train(oracle, [config], on_model=look)
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)


def test_the_file_holds_the_names_of_classes_and_features(tmp_path):
    config, _ = resolve(RunConfig(**wine(tmp_path), model="dense4", epochs=1))
    trained(oracle, config, tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert json.loads(archive.read("names.json")) == {
            "class_names": ["Grün 0/\x1b", "Grün 1/\x1b", "Grün 2/\x1b"],
            "feature_names": ["acid", "ash", "proline"],
        }
