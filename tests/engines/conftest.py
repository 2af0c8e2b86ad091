"""Fixtures for the tests of engines."""

import gc

import numpy as np
import pytest


@pytest.fixture(scope="session")
def whole_heap():
    """Return to the garbage collector at the end what `small_heap` hides from it."""
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def small_heap(whole_heap):
    """Hide live objects from the garbage collector: the engines call it after every run, which would take longer."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A file of 28x28 images: noise inside a black frame as wide as MNIST's, in ten classes."""
    rng = np.random.default_rng(0)
    x = np.zeros((160, 28, 28), "uint8")
    x[:, 4:24, 4:24] = rng.integers(0, 256, (160, 20, 20))
    path = tmp_path_factory.mktemp("images") / "images.npz"
    np.savez(path, x=x, y=np.arange(160) % 10)
    return str(path)
