"""Diagnoses of odd networks, damaged model files and studies, with any options: the network is really built."""

import pytest
from hypothesis import strategies as st

from fuzz import strategies
from fuzz.budget import fuzz
from fuzz.oracle import Call
from fuzz.strategies import damaged, few, mostly, one_in
from fuzz.test_options import added
from fuzz.world import FOLDER

STARTS = [
    FOLDER,
    "studies/one -f json",
    "dense4 -d circles --set n_samples=64 -e 2",
    "conv4 --input-shape 6,6,1 --classes 3",
    "dense4 -d table.csv --label label -f csv",
]
"""Words that are sound, to which options are added."""


@pytest.fixture(scope="module", autouse=True)
def keras():
    """Keras writes its settings when it is first imported, which is not to happen in the world."""
    from bncli.backend import keras

    return keras


@pytest.fixture(scope="module")
def saved(keras, tmp_path_factory):
    """The bytes of a saved model for the data set circles."""
    inner = [keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.ReLU()]
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    keras.Sequential([keras.Input((2,)), *inner, keras.layers.Dense(1, activation="sigmoid")]).save(path)
    return path.read_bytes()


@fuzz("diagnosis", st.sampled_from(STARTS), few(added("diagnose", is_plan=False)), part=0.5)
def test_options(world, start, options):
    with world.visit():
        world.run("diagnosis", Call(("diagnose", *start.split(), *(word for words in options for word in words))))


@fuzz("diagnosis", strategies.specs, mostly(st.sampled_from(["8,8,1", "2", "16,2"])), part=0.25)
def test_networks(world, spec, shape):
    with world.visit():
        world.run("diagnosis", Call(("diagnose", spec, "--input-shape", shape, "--arm", "batch")))


@fuzz("diagnosis", st.data(), part=0.25)
def test_model_files(world, saved, data):
    content = data.draw(one_in(3, st.just(saved), damaged([saved])))
    with world.visit() as here:
        (here / "m.keras").write_bytes(content)
        world.run(
            "diagnosis", Call(("diagnose", "m.keras", "-d", "circles", "--set", "n_samples=64"), writes=("m.keras",))
        )
