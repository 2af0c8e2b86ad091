"""The random numbers that all threads of a process share: Python's, NumPy's and TensorFlow's global generators.

Keras takes the seed of every initializer and dropout that has none of its own from Python's, even where only a layer's
class is asked for. So whoever makes or copies layers draws, and would change what a network gets that another thread
builds from a seed at that moment. One thread at a time does so: see `in_turn`.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_turn = threading.RLock()


@contextmanager
def in_turn() -> Iterator[None]:
    """Make or copy layers in a block, or a decorated function, while no other thread does."""
    with _turn:
        yield


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python's, NumPy's and TensorFlow's random numbers, as `keras.utils.set_random_seed` does, for a block.

    Python's and NumPy's states are put back afterwards; TensorFlow has no way to.
    """
    import keras
    import numpy as np

    with in_turn():
        states = random.getstate(), np.random.get_state()
        keras.utils.set_random_seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
