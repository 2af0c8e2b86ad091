"""Random numbers that threads share: networks that are built at the same time get the weights of their seeds."""

import random
import threading

import numpy as np
import pytest

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.engines.layers import build_stackable
from bncli.engines.method import Method
from bncli.networks.drawing import in_turn, seeded
from bncli.networks.network import network_of
from bncli.resolution import resolve

DENSE = """
import keras

def build(input_shape, n_outputs):
    layers = [keras.layers.Dense(8, activation="relu") for _ in range(8)]
    return keras.Sequential([keras.Input(input_shape), *layers, keras.layers.Dropout(0.1), keras.layers.Dense(2)])
"""


def drawn(config):
    """All initial values of a run's network."""
    return np.concatenate([np.ravel(value) for value in network_of(config.model).build(config, (2,), 2, 3).variables])


@pytest.mark.parametrize("other", [pytest.param("own", marks=pytest.mark.slow), "lstm2"])
def test_a_network_of_the_user_gets_its_weights_while_another_thread_makes_layers(tmp_path, other):
    """The engine makes the programs of two arms at a time; a copy of a layer, and an LSTM, draw seeds of their own."""
    path = tmp_path / "net.py"
    path.write_text(DENSE)
    config, _ = resolve(RunConfig(dataset="circles", model=str(path), norm="as-is"))
    theirs, _ = resolve(config if other == "own" else RunConfig(dataset="digits", model=other))
    alone, ended, data = drawn(config), threading.Event(), datasets.load(theirs)

    def make_layers():
        while not ended.is_set():
            build_stackable(theirs, data, Method(2, stacked=True, matrix_conv=True))

    thread = threading.Thread(target=make_layers)
    thread.start()
    try:
        found = [drawn(config) for _ in range(8)]
    finally:
        ended.set()
        thread.join()
    assert [np.array_equal(values, alone) for values in found] == [True] * 8


def test_random_numbers_are_seeded_for_a_block_only():
    random.seed(1)
    expected = random.random()
    random.seed(1)
    with in_turn(), seeded(5):
        first = random.random(), np.random.random()
    after = random.random()
    with seeded(5):
        assert (random.random(), np.random.random()) == first
    assert after == expected
